#!/usr/bin/env python3
"""The main job, as a student does it: gnrrun train.py --target ravan."""
import json
import os
import shutil
import signal
import subprocess
import unittest

from world import Case, HERE, main, wait_until

DIGITS = os.path.join(HERE, "..", "projects", "digits")

WRITES = """
import os, sys
print("hello from", os.environ.get("WHO", "nobody"), flush=True)
print("on stderr", file=sys.stderr)
os.makedirs("out", exist_ok=True)
with open("out/model.txt", "w") as f: f.write("weights")
with open("notes.txt", "a") as f: f.write("more")
sys.exit(int(os.environ.get("CODE", "0")))
"""


def gone(pid):
    """No such process, or one that nobody has reaped yet."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(") ", 1)[1][0] in "ZX"
    except FileNotFoundError:
        return True


class TheMainJob(Case):
    def test_real_training_on_real_data_known_only_by_an_ssh_alias(self):
        shutil.copytree(DIGITS, os.path.join(self.w.project, "digits"))
        here = os.path.join(self.w.project, "digits")
        p = self.good(self.w.gn("train.py", "--target", "ravan", "--epochs", "3", cwd=here))
        self.assertIn(b"epoch", p.out)
        self.assertTrue(os.path.exists(os.path.join(here, "model.json")), p.err)
        self.assertEqual(self.w.far_log(), p.out)

    def test_results_streams_and_second_ship(self):
        self.w.write("train.py", WRITES)
        self.w.write("notes.txt", "mine\n")
        self.w.write("big.bin", os.urandom(300000))
        p = self.good(self.w.gn("train.py", "--target", "ravan", "--env", "WHO=me"))
        self.assertEqual(p.out, b"hello from me\non stderr\n")
        self.assertEqual(self.w.read("out/model.txt"), b"weights")
        self.assertEqual(self.w.read("notes.txt"), b"mine\nmore")
        sent = self.w.show()["sent_bytes"]
        self.w.write("train.py", WRITES + "# changed\n")
        self.good(self.w.gn("train.py", "-t", "ravan"))
        again = self.w.show()["sent_bytes"]
        self.assertGreater(sent, 300000)
        self.assertLess(again, 45000)

    def test_the_same_on_this_machine(self):
        self.w.write("train.py", WRITES)
        p = self.good(self.w.gn("train.py", "--env", "CODE=7"), 7)
        self.assertEqual(p.out, b"hello from nobody\non stderr\n")
        self.assertEqual(self.w.read("out/model.txt"), b"weights")

    def test_options_after_the_program_and_words_for_it(self):
        self.w.write("p.py", "import sys; print(sys.argv[1:])")
        p = self.good(self.w.gn("p.py", "--target", "ravan", "--epochs", "10", "a b", "--", "--target", "x'y\n$z"))
        self.assertEqual(p.out.decode().strip(), str(["--epochs", "10", "a b", "--target", "x'y\n$z"]))
        p = self.good(self.w.gn("p.py", "--taget", "ravan"), 101)
        self.assertIn("--target", p.err)

    def test_every_run_has_its_own_frozen_copy(self):
        self.w.write("data.txt", "one")
        self.w.write("train.py", "import time, os, sys\nprint('up', flush=True)\n"
                     "while not os.path.exists(sys.argv[1]): time.sleep(0.05)\n"
                     "print(open('data.txt').read())\nopen('data.txt', 'r+').write('XXX')\n")
        go = os.path.join(self.w.dir, "go")
        first = self.w.popen("train.py", "-t", "ravan", "--no-fetch", go)
        self.assertEqual(first.stdout.readline(), b"up\n")
        self.w.write("data.txt", "two")
        second = self.w.popen("train.py", "-t", "ravan", "--no-fetch", go)
        self.assertEqual(second.stdout.readline(), b"up\n")
        open(go, "w").close()
        self.assertEqual(first.stdout.read(), b"one\n")
        self.assertEqual(second.stdout.read(), b"two\n")
        self.assertEqual((first.wait(), second.wait()), (0, 0))
        p = self.good(self.w.gn("train.py", "-t", "ravan", "--no-fetch", go))
        self.assertEqual(p.out, b"up\ntwo\n")

    def test_odd_names_links_modes_and_empty_folders_survive(self):
        w = self.w
        names = ["a b", "-dash", "new\nline", "quote'\"", "uml\u00e4ut", "tab\t", "$(touch pwned)", "*", "back\\slash"]
        for n in names:
            w.write("odd/" + n, "content of " + n)
        w.write(os.fsdecode(b"odd/\xff\xfe"), "not utf-8")
        w.write("run.sh", "#!/bin/sh\nexit 0\n", 0o755)
        os.makedirs(os.path.join(w.project, "empty/deep"))
        os.symlink("odd/a b", os.path.join(w.project, "link"))
        os.symlink("/nonexistent", os.path.join(w.project, "dangling"))
        w.write("look.py", "import os, json\nr = {}\n"
                "for d, ds, fs in os.walk(b'.'):\n"
                "    for n in ds + fs:\n"
                "        p = os.path.join(d, n); s = os.lstat(p)\n"
                "        r[p.hex()] = [oct(s.st_mode), os.readlink(p).decode() if os.path.islink(p) else None]\n"
                "print(json.dumps(r, sort_keys=True))\n")
        expect = {}
        for d, ds, fs in os.walk(os.fsencode(w.project)):
            for n in ds + fs:
                p = os.path.join(d, n)
                rel = b"./" + os.path.relpath(p, os.fsencode(w.project))
                expect[rel.hex()] = [oct(os.lstat(p).st_mode), os.readlink(p).decode() if os.path.islink(p) else None]
        for _ in range(2):
            p = self.good(w.gn("look.py", "-t", "ravan"))
            self.assertEqual(json.loads(p.out), expect)
        os.unlink(os.path.join(w.project, "odd/new\nline"))
        shutil.rmtree(os.path.join(w.project, "empty"))
        w.write("empty", "now a file")
        p = self.good(w.gn("look.py", "-t", "ravan"))
        got = json.loads(p.out)
        self.assertNotIn(b"./odd/new\nline".hex(), got)
        self.assertTrue(got[b"./empty".hex()][0].startswith("0o100"))

    def test_a_sparse_file_and_its_holes(self):
        path = self.w.write("sparse.bin", "")
        with open(path, "r+b") as f:
            f.truncate(5 << 30)
            f.seek(3 << 30)
            f.write(b"island")
        self.w.write("p.py", "f = open('sparse.bin', 'rb'); f.seek(3 << 30); print(f.read(6)); f.seek(0, 2); print(f.tell())")
        p = self.good(self.w.gn("p.py", "-t", "ravan", "--all-sizes"))
        self.assertEqual(p.out, b"b'island'\n%d\n" % (5 << 30))

    def test_data_is_shipped_once_and_shared(self):
        w = self.w
        w.write("data/set/a.txt", "A" * 200000)
        w.write("gnrrun.yaml", "data: [data/set, {path: data/there, on: {ravan: %s}}]\n" % w.dir)
        w.write("p.py", "import os\nprint(len(open('data/set/a.txt').read()), os.path.isdir('data/there/far'))\n"
                "try: open('data/set/a.txt', 'r+'); print('writable')\nexcept OSError: print('read-only')\n")
        p = self.good(w.gn("p.py", "-t", "ravan"))
        self.assertIn(b"200000 True", p.out)
        if os.getuid() != 0:
            self.assertIn(b"read-only", p.out)
        p = self.good(w.gn("p.py", "-t", "ravan"))
        self.assertNotIn("shipping data", p.err)
        self.assertLess(w.show()["sent_bytes"], 60000)
        self.assertEqual(len(os.listdir(os.path.join(w.far, ".gnrrun/v1/data"))), 1)


class Ends(Case):
    CASES = [("import sys; sys.exit(0)", 0), ("import sys; sys.exit(1)", 1), ("import sys; sys.exit(7)", 7),
             ("import os; os._exit(127)", 127), ("import os; os.kill(os.getpid(), 15)", 143),
             ("import os; os.kill(os.getpid(), 9)", 137)]

    def test_exit_status_by_run_attach_and_logs(self):
        for program, code in self.CASES:
            with self.subTest(program):
                self.w.write("p.py", program)
                self.good(self.w.gn("p.py", "-t", "ravan"), code)
                self.good(self.w.gn("attach"), code)
                self.good(self.w.gn("logs", "-f"), code)
                self.assertEqual(self.w.show()["status"], code)

    def test_time_limit(self):
        self.w.write("p.py", "import time\nprint('up', flush=True)\ntime.sleep(100)")
        p = self.good(self.w.gn("p.py", "-t", "ravan", "--time", "2", "--grace", "2"), 107)
        self.assertEqual(p.out, b"up\n")
        self.good(self.w.gn("attach"), 107)
        self.good(self.w.gn("logs", "-f"), 107)
        self.assertEqual(self.w.show()["state"], "timeout")

    def test_stop_ends_all_of_it(self):
        self.w.write("p.py", "import subprocess, time, signal\nsignal.signal(15, signal.SIG_IGN)\n"
                     "q = subprocess.Popen(['sleep', '1000'], start_new_session=True)\nprint(q.pid, flush=True)\ntime.sleep(1000)")
        p = self.w.popen("p.py", "-t", "ravan")
        child = int(p.stdout.readline())
        self.good(self.w.gn("stop", "--grace", "1"))
        self.assertEqual(p.wait(30), 137)
        self.assertTrue(gone(child))
        self.assertEqual(self.w.show()["state"], "stopped")

    def test_ctrl_c_detaches_and_attach_comes_back(self):
        self.w.write("p.py", "import time, os\nprint('one', flush=True)\nopen('r.txt','w').write('r')\n"
                     "while not os.path.exists('%s/go'): time.sleep(0.05)\nprint('two')" % self.w.dir)
        p = self.w.popen("p.py", "-t", "ravan")
        self.assertEqual(p.stdout.readline(), b"one\n")
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=20)
        self.assertEqual(p.returncode, 130, err)
        self.assertIn(b"gnrrun attach proj-1", err)
        self.assertIn(b"gnrrun stop proj-1", err)
        self.assertEqual(self.good(self.w.gn("logs", "--tail", "5")).out, b"one\n")
        open(self.w.dir + "/go", "w").close()
        q = self.good(self.w.gn("attach"))
        self.assertEqual(q.out, b"two\n", q.err)
        self.assertEqual(self.w.read("r.txt"), b"r")

    def test_ctrl_c_twice_stops(self):
        self.w.write("p.py", "import time\nprint('one', flush=True)\ntime.sleep(1000)")
        p = self.w.popen("p.py", "-t", "ravan", "--grace", "2")
        self.assertEqual(p.stdout.readline(), b"one\n")
        p.send_signal(signal.SIGINT)
        wait_until("the first press", lambda: b"again within" in p.stderr.readline())
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=30)
        self.assertEqual(p.returncode, 143, err)
        self.assertEqual(self.w.show()["state"], "stopped")

    def test_setup_fails_and_says_so(self):
        self.w.write("p.py", "print('never')")
        p = self.good(self.w.gn("p.py", "-t", "ravan", "--setup", "echo broken; exit 3"), 100)
        self.assertIn(b"broken", p.out)
        self.assertNotIn(b"never", p.out)
        self.assertIn("setup failed with status 3", p.err)

    def test_detach_then_ps_show_logs_fetch_rm(self):
        w = self.w
        w.write("p.py", "print('log line')\nopen('r.txt', 'w').write('result')")
        p = self.good(w.gn("p.py", "-t", "ravan", "--detach"))
        self.assertEqual(p.out, b"")
        self.assertFalse(w.exists("r.txt"))
        wait_until("its end", lambda: b"succeeded" in w.gn("ps", "--refresh").out)
        self.assertEqual(self.good(w.gn("logs")).out, b"log line\n")
        self.good(w.gn("rm", "proj-1"), 100)
        self.good(w.gn("fetch", "proj-1"))
        self.assertEqual(w.read("r.txt"), b"result")
        self.good(w.gn("rm", "proj-1"))
        self.assertEqual(w.far_runs(), [])
        self.assertNotIn(b"proj-1", self.good(w.gn("ps")).out)
        w.write("p.py", "pass")
        self.good(w.gn("p.py", "-t", "ravan"))
        self.assertEqual(w.show()["run"], "proj-2")

    def test_json_events(self):
        self.w.write("p.py", "print('x')")
        p = self.good(self.w.gn("p.py", "-t", "ravan", "--json"))
        events = [json.loads(line) for line in p.out.splitlines()]
        self.assertEqual(events[-1]["event"], "end")
        self.assertEqual(events[-1]["exit_status"], 0)
        self.assertIn("x\n", "".join(e.get("data", "") for e in events if e["event"] == "log"))

    def test_ssh_into_the_work_folder(self):
        self.w.write("p.py", "open('made.txt', 'w').write('1')")
        self.good(self.w.gn("p.py", "-t", "ravan"))
        p = self.good(self.w.gn("ssh", "proj-1", "cat", "made.txt;", "exit", "5"), 5)
        self.assertEqual(p.out, b"1")
        self.assertEqual(self.good(self.w.gn("ssh", "ravan", "echo", "$((6*7))")).out, b"42\n")


class Results(Case):
    def test_nothing_here_is_lost(self):
        w = self.w
        w.write("p.py", "import sys\nopen('m.txt','w').write(sys.argv[1])")
        self.good(w.gn("p.py", "-t", "ravan", "first"))
        self.good(w.gn("p.py", "-t", "ravan", "second"))
        self.assertEqual(w.read("m.txt"), b"second")
        w.write("m.txt", "edited by hand")
        w.write(".gnrrunignore", "m.txt\n")
        p = self.good(w.gn("p.py", "-t", "ravan", "third"))
        self.assertEqual(w.read("m.txt"), b"edited by hand")
        self.assertEqual(w.read("gnrrun-results/proj-3/m.txt"), b"third")
        self.assertIn("m.txt", p.err)

    def test_patterns_and_another_folder(self):
        w = self.w
        w.write("gnrrun.yaml", 'results: ["out/**", "!**/*.tmp"]\n')
        w.write("p.py", "import os\nos.makedirs('out/a')\nfor n in ('out/a/k.txt','out/x.tmp','other.txt'): open(n,'w').write(n)")
        self.good(w.gn("p.py", "-t", "ravan"))
        self.assertTrue(w.exists("out/a/k.txt"))
        self.assertFalse(w.exists("out/x.tmp"))
        self.assertFalse(w.exists("other.txt"))
        self.good(w.gn("fetch", "proj-1", "other.txt", "--into", "elsewhere"))
        self.assertEqual(w.read("elsewhere/other.txt"), b"other.txt")

    def test_what_the_setup_made_does_not_come(self):
        w = self.w
        w.write("gnrrun.yaml", "setup: [sh prepare.sh]\n")
        w.write("prepare.sh", "echo prepared\nmkdir -p build/x.egg-info\necho 1 >build/lib.txt\n"
                "echo 2 >build/x.egg-info/top\necho changed >lock.txt\n")
        w.write("lock.txt", "mine")
        w.write("p.py", "print(open('build/lib.txt').read() + open('lock.txt').read())\n"
                "open('build/tmp', 'w').close()\nimport os; os.unlink('build/tmp')\n"
                "open('r.txt', 'w').write('r')\n")
        before = sorted(os.listdir(w.project))
        for first in (True, False):
            p = self.good(w.gn("p.py"))
            self.assertEqual(b"prepared" in p.out, first)
            self.assertIn(b"1\nchanged\n", p.out)
            self.assertEqual(sorted(os.listdir(w.project)), sorted(before + ["r.txt"]), p.err)
            self.assertEqual(w.read("lock.txt"), b"mine")
            self.assertEqual(w.read("r.txt"), b"r")
            os.unlink(os.path.join(w.project, "r.txt"))

    def test_sync_while_it_runs(self):
        w = self.w
        w.write("p.py", "import time, os\nopen('ckpt','w').write('1')\nprint('up', flush=True)\n"
                "while not os.path.exists('%s/go'): time.sleep(0.05)\n" % w.dir)
        p = w.popen("p.py", "-t", "ravan", "--sync", "1")
        self.assertEqual(p.stdout.readline(), b"up\n")
        wait_until("the checkpoint", lambda: w.exists("ckpt"))
        open(w.dir + "/go", "w").close()
        self.assertEqual(p.wait(20), 0)

    def test_many_files_and_a_large_one(self):
        w = self.w
        w.write("p.py", "import os, hashlib\nos.makedirs('many/deep')\n"
                "for i in range(2000): open('many/deep/f%d' % i, 'w').write(str(i))\n"
                "b = os.urandom(1 << 20) * 30\nopen('large.bin','wb').write(b)\nprint(hashlib.sha256(b).hexdigest())")
        p = self.good(w.gn("p.py", "-t", "ravan"))
        import hashlib
        self.assertEqual(hashlib.sha256(w.read("large.bin")).hexdigest(), p.out.decode().strip())
        self.assertEqual(sorted(os.listdir(os.path.join(w.project, "many/deep"))), sorted("f%d" % i for i in range(2000)))


class Interrupted(Case):
    relay = True

    def test_ctrl_c_while_it_is_shipped_starts_nothing(self):
        w, relay = self.w, self.w.relay
        w.write("p.py", "print('ran')")
        w.write("big.bin", os.urandom(40 << 20))
        p = w.popen("p.py", "-t", "ravan")
        wait_until("a part of it", lambda: relay.carried > 1 << 20, 60)
        relay.stall = True
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=30)
        relay.stall = False
        self.assertEqual(p.returncode, 130, err)
        self.assertIn(b"nothing of proj-1 runs", err)
        self.assertEqual(w.show()["state"], "stopped")
        self.good(w.gn("attach"), 130)
        self.assertEqual(w.far_runs(), [])

    def test_ctrl_c_in_the_middle_of_a_large_file(self):
        w, relay = self.w, self.w.relay
        w.write("p.py", "import os\nopen('small', 'w').write('s')\nopen('large.bin', 'wb').write(os.urandom(1 << 20) * 40)")
        self.good(w.gn("p.py", "-t", "ravan", "--no-fetch"))
        p = w.popen("fetch", "proj-1")

        def part():
            names = [n for n in os.listdir(w.project) if n.startswith(".gnrrun-part-")]
            try:
                return max([os.path.getsize(os.path.join(w.project, n)) for n in names] or [0])
            except FileNotFoundError:  # it got its name just now
                return 0
        wait_until("a part of it", lambda: part() > 100000 or w.exists("large.bin"))
        relay.stall = True
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=30)
        relay.stall = False
        if w.exists("large.bin"):
            self.skipTest("it was here before it could be interrupted")
        self.assertNotEqual(p.returncode, 0, err)
        self.assertEqual(w.read("small"), b"s")
        self.assertGreater(part(), 100000, err)
        self.good(w.gn("fetch", "proj-1"))
        self.assertEqual(len(w.read("large.bin")), 40 << 20)
        self.assertEqual(part(), 0)


if __name__ == "__main__":
    main()
