#!/usr/bin/env python3
"""Whatever is wrong: one line, the exit status of its class, nothing sent."""
import os
import unittest

from world import Case, main


class Wrong(Case):
    def one_line(self, p, code, *words):
        self.good(p, code)
        lines = [x for x in p.err.splitlines() if not x.startswith("hint:")]
        self.assertEqual(len(lines), 1, p.err)
        for word in words:
            self.assertIn(word, p.err)
        self.assertEqual(p.out, b"")
        self.assertEqual(self.w.far_runs(), [])

    def test_usage(self):
        self.w.write("p.py", "")
        for args, words in ((["--nope"], ["--nope"]), (["p.py", "--taget", "x"], ["--target"]), (["frobnicate"], ["frobnicate"]),
                            (["p.py", "--time", "soon"], ["soon"]), (["p.py", "--cpus", "-3"], ["-3"]), (["run", "-t"], ["target"]),
                            (["logs", "a", "b"], ["b"]), (["p.py", "-t", "ravan", "--env", "1X=2"], ["1X"])):
            with self.subTest(args):
                p = self.w.gn(*args)
                self.assertIn(p.code, (100, 101), p.err)
                for word in words:
                    self.assertIn(word, p.err)

    def test_configuration(self):
        self.w.write("p.py", "")
        for text, words in (("reslts: []\n", ["gnrrun.yaml:1:1", "reslts", "results"]), ("name: [\n", ["gnrrun.yaml:"]),
                            ("needs: {gpus: many}\n", ["gnrrun.yaml:1:", "many"]), ("name: a\nname: b\n", ["gnrrun.yaml:2:1", "name"]),
                            ("env: {'A B': x}\n", ["A B"])):
            with self.subTest(text):
                self.w.write("gnrrun.yaml", text)
                self.one_line(self.w.gn("p.py", "-t", "ravan"), 102, *words)

    def test_targets(self):
        self.w.write("p.py", "")
        self.one_line(self.w.gn("p.py", "-t", "raven"), 102, "raven", "ravan")
        self.one_line(self.w.gn("p.py", "-t", "-oProxyCommand=touch x"), 102)
        self.one_line(self.w.gn("p.py", "-t", "me@nowhere.invalid"), 103, "nowhere.invalid")

    def test_programs_and_runs(self):
        self.w.write("train.py", "")
        self.one_line(self.w.gn("trian.py", "-t", "ravan"), 100, "trian.py", "train.py")
        self.one_line(self.w.gn("show", "mnist-77"), 100, "mnist-77")
        self.one_line(self.w.gn("attach"), 100)

    def test_secrets_stay_here(self):
        self.w.write("p.py", "print('ran')")
        self.w.write(".env", "KEY=1")
        self.one_line(self.w.gn("p.py", "-t", "ravan"), 102, ".env", "--allow")
        self.good(self.w.gn("p.py", "-t", "ravan", "--allow", ".env"))

    def test_too_large_names_the_culprit(self):
        self.w.write("p.py", "")
        self.w.write("data/huge.bin", os.urandom(3000000))
        self.one_line(self.w.gn("p.py", "-t", "ravan", "--max-size", "1MB"), 106, "data", "data:")

    def test_unknown_and_changed_host_key(self):
        self.w.write("p.py", "print('ran')")
        known = os.path.join(self.w.home, ".ssh/known_hosts")
        open(known, "w").close()
        self.one_line(self.w.gn("p.py", "-t", "ravan"), 105, "--accept-new-host-key")
        self.good(self.w.gn("p.py", "-t", "ravan", "--accept-new-host-key"))
        self.good(self.w.gn("p.py", "-t", "ravan"))
        self.w.sshd.stop()
        self.w.sshd.new_host_keys()
        self.w.sshd.start(self.w.sshd.port)
        self.good(self.w.gn("p.py", "-t", "ravan", "--accept-new-host-key"), 105)
        self.assertEqual(len(self.w.far_runs()), 2)

    def test_refused_key(self):
        self.w.write("p.py", "")
        with open(self.w.sshd.authorized, "w") as f:
            f.write("")
        self.one_line(self.w.gn("p.py", "-t", "ravan"), 104, "ravan")

    def test_nothing_listens(self):
        self.w.write("p.py", "")
        self.w.sshd.stop()
        self.one_line(self.w.gn("p.py", "-t", "ravan"), 103, "ravan")

    def test_a_secret_that_is_not_set(self):
        self.w.write("gnrrun.yaml", "env: {TOKEN: null}\n")
        self.w.write("p.py", "import os; print(os.environ['TOKEN'])")
        self.one_line(self.w.gn("p.py", "-t", "ravan"), 102, "TOKEN")
        p = self.good(self.w.gn("p.py", "-t", "ravan", env={"TOKEN": "s3cret"}))
        self.assertEqual(p.out, b"s3cret\n")
        self.assertNotIn("s3cret", p.err)
        state = os.path.join(self.w.home, ".local/state/gnrrun")
        for folder in (os.path.join(self.w.far, ".gnrrun"), state):
            for d, _, files in os.walk(folder):
                for n in files:
                    with open(os.path.join(d, n), "rb") as f:
                        if n != "log":
                            self.assertNotIn(b"s3cret", f.read(), n)

    def test_state_is_ours_alone(self):
        self.w.write("p.py", "")
        self.good(self.w.gn("p.py", "-t", "ravan"))
        for folder in (os.path.join(self.w.home, ".local/state/gnrrun"), os.path.join(self.w.far, ".gnrrun")):
            self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700, folder)


if __name__ == "__main__":
    main()
