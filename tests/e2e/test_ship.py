#!/usr/bin/env python3
"""gnrrun ship: what arrives, what travels for it, and what a cut costs."""
import hashlib
import json
import os
import random
import subprocess
import unittest

from world import Case, main, wait_until

MB = 1 << 20


class Shipping(Case):
    def ship(self, *args):
        """Ship; what was said as JSON."""
        p = self.good(self.w.gn("ship", "-t", "ravan", "--json", "--all-sizes", *args))
        return json.loads(p.out.splitlines()[-1])

    def tree_there(self):
        snaps = os.path.join(self.w.far, ".gnrrun/v1/snap")
        project = os.path.join(snaps, os.listdir(snaps)[0])
        there = [d for d in os.listdir(project) if not d.startswith(".")]
        self.assertEqual(len(there), 1, there)
        return os.path.join(project, there[0])

    def same(self):
        diff = subprocess.run(["diff", "-r", self.w.project, self.tree_there()], stdout=subprocess.PIPE)
        self.assertEqual(diff.stdout, b"")
        for d, _, files in os.walk(self.w.project):
            for f in files:
                here = os.stat(os.path.join(d, f))
                there = os.stat(os.path.join(self.tree_there(), os.path.relpath(os.path.join(d, f), self.w.project)))
                self.assertEqual((here.st_mode, int(here.st_mtime)), (there.st_mode, int(there.st_mtime)), f)

    def change(self, name, at, data):
        with open(os.path.join(self.w.project, name), "r+b") as f:
            f.seek(at)
            f.write(data)


class Ship(Shipping):
    def test_alone_it_leaves_the_tree_and_the_next_run_finds_it(self):
        self.w.write("train.py", "print(open('data.txt').read())")
        self.w.write("data.txt", "x" * 100000)
        self.w.write("lib/a.py", "")
        first = self.ship()
        self.same()
        self.assertEqual(first["entries"], 4)
        self.assertEqual(self.ship()["sent_bytes"], 0)
        self.good(self.w.gn("train.py", "-t", "ravan"))
        run = self.w.show()
        self.assertLess(run["sent_bytes"], 40000)
        self.assertEqual(run["ship_files"], 3)
        self.assertIn("ship     3 files, 100 kB, ", self.w.gn("plan", "train.py", "-t", "ravan").out.decode())

    def test_of_a_large_file_only_changed_blocks_travel(self):
        rnd = random.Random(4)
        self.w.write("train.py", "import hashlib; print(hashlib.sha256(open('it' + chr(39) + 's big', 'rb').read()).hexdigest())")
        big = self.w.write("it's big", rnd.randbytes(40 * MB))
        self.assertGreater(self.ship()["sent_bytes"], 40 * MB)
        self.same()
        for what in (lambda: self.change("it's big", 20 * MB + 5, b"changed"),
                     lambda: (self.change("it's big", 0, b"first"), self.change("it's big", 40 * MB - 3, b"end")),
                     lambda: self.change("it's big", 40 * MB, b"it grows by some"),
                     lambda: os.truncate(big, 30 * MB + 77),
                     lambda: (os.chmod(big, 0o444), os.utime(big, (1e9, 1e9))),
                     lambda: (os.chmod(big, 0o644), self.change("it's big", 7 * MB, b"!"), os.chmod(big, 0o444))):
            what()
            self.assertLess(self.ship()["sent_bytes"], MB)
            self.same()
        # a run of it, and again after one more change: a copy made in advance moves on as well
        for k in range(3):
            os.chmod(big, 0o644)
            self.change("it's big", 9 * MB, b"%d" % k)
            p = self.good(self.w.gn("train.py", "-t", "ravan"))
            self.assertEqual(p.out.decode().strip(), hashlib.sha256(self.w.read("it's big")).hexdigest())
            self.assertLess(self.w.show()["sent_bytes"], MB)

    def test_a_large_file_that_the_program_changes_comes_back_into_its_place(self):
        self.w.write("train.py", "f = open('model', 'r+b'); f.seek(3); f.write(b'trained'); f.close(); open('n', 'w').write('')")
        self.w.write("model", b"x" * 17 * MB)
        self.good(self.w.gn("train.py", "-t", "ravan"))
        self.assertEqual(self.w.read("model"), b"xxxtrained" + b"x" * (17 * MB - 10))
        # one that was changed here meanwhile stays
        self.change("model", 0, b"mine")
        self.good(self.w.gn("train.py", "-t", "ravan", "--detach"))
        run = self.w.show()["run"]
        self.change("model", 0, b"MINE")
        self.good(self.w.gn("attach", run))
        self.assertEqual(self.w.read("model")[:4], b"MINE")
        self.assertEqual(self.w.read("gnrrun-results/%s/model" % run)[:5], b"mintr")

    def test_without_the_notes_of_blocks_it_travels_whole(self):
        self.w.write("big", random.Random(5).randbytes(20 * MB))
        self.ship()
        for f in os.listdir(os.path.join(self.w.home, ".cache/gnrrun/blocks")):
            with open(os.path.join(self.w.home, ".cache/gnrrun/blocks", f), "r+b") as g:
                g.write(b"torn")
        self.change("big", 5 * MB, b"changed")
        self.assertGreater(self.ship()["sent_bytes"], 20 * MB)
        self.same()

    def test_shared_data_is_not_written_in_place(self):
        self.w.write("train.py", "print(len(open('set/big', 'rb').read()))")
        old = random.Random(6).randbytes(20 * MB)
        self.w.write("set/big", old)
        self.good(self.w.gn("train.py", "-t", "ravan", "--data", "set"))
        self.change("set/big", 5 * MB, b"changed")
        self.good(self.w.gn("train.py", "-t", "ravan", "--data", "set"))
        self.assertLess(self.w.show()["sent_bytes"], MB)
        data = os.path.join(self.w.far, ".gnrrun/v1/data")
        there = [self.w.read(os.path.join(data, d, "big")) for d in os.listdir(data)]
        self.assertEqual(sorted(there), sorted([old, self.w.read("set/big")]))


class Cut(Shipping):
    relay = True

    def setUp(self):
        super().setUp()
        rnd = random.Random(7)
        for i in range(40):
            self.w.write("a/%d" % i, rnd.randbytes(20000))
        self.w.write("m/large file", b"".join(rnd.randbytes(MB) for _ in range(280)))
        self.w.write("z/last", "z")

    def start(self, carried):
        """A ship that has carried so many bytes."""
        before = self.w.relay.carried
        p = self.w.popen("ship", "-t", "ravan", "--all-sizes", "-v")
        wait_until("enough bytes", lambda: self.w.relay.carried - before > carried, 60)
        return p

    def kill(self, p):
        p.kill()
        p.communicate()
        tmp = os.path.join(self.w.far, ".gnrrun/v1/tmp")
        wait_until("the far side to see that nobody is there", lambda: [
            d for d in os.listdir(tmp) if self.w.read(os.path.join(tmp, d, "by")).startswith(b"0 ")])
        return os.path.join(tmp, os.listdir(tmp)[0], "by")

    def cut_twice_and_kill(self, p, carried):
        """Between two cuts it carries so many bytes."""
        for k in range(2):
            self.w.relay.cut()
            at = self.w.relay.carried
            wait_until("it to go on", lambda: self.w.relay.carried - at > carried, 60)
        self.kill(p)

    def test_a_large_file_goes_on_where_it_stood_however_often_it_is_cut(self):
        self.cut_twice_and_kill(self.start(80 * MB), 50 * MB)
        done = self.ship()
        self.same()
        # what was in the line's queues is lost each time
        self.assertLess(done["sent_bytes"], 130 * MB)
        self.assertEqual(os.listdir(os.path.join(self.w.far, ".gnrrun/v1/tmp")), [])

    def test_over_several_channels_it_goes_on_as_well(self):
        self.w.relay.delay = 0.003
        self.cut_twice_and_kill(self.start(120 * MB), 40 * MB)
        before = self.w.relay.carried
        said = self.good(self.w.gn("ship", "-t", "ravan", "--all-sizes", "-v")).err
        self.assertIn("sending over 4 channels", said)
        self.assertLess(self.w.relay.carried - before, 130 * MB)
        self.same()

    def test_what_a_crash_over_there_may_have_left_torn_is_not_trusted(self):
        by = self.kill(self.start(100 * MB))
        words = self.w.read(by).decode().split()
        with open(by, "w") as f:
            f.write(" ".join(words[:2] + ["another-boot"] + words[3:]) + "\n")
        self.assertGreater(self.ship()["sent_bytes"], 280 * MB)
        self.same()


class Long(Shipping):
    """A line so long that a tree goes over several channels."""
    relay = True

    def setUp(self):
        super().setUp()
        self.w.relay.delay = 0.006
        rnd = random.Random(8)
        for i in range(30):
            self.w.write("d%d/%d" % (i % 3, i), rnd.randbytes(700000))

    def test_a_tree_over_several_channels(self):
        self.assertIn("sending over 4 channels", self.good(self.w.gn("ship", "-t", "ravan", "-v")).err)
        self.same()

    def test_it_is_cut_and_comes_whole(self):
        self.w.relay.cut_after = 9 * MB
        p = self.good(self.w.gn("ship", "-t", "ravan", "-v"))
        self.assertIn("trying again", p.err)
        self.same()
        tmp = os.path.join(self.w.far, ".gnrrun/v1/tmp")
        wait_until("the far side to tidy up", lambda: not os.listdir(tmp))

    def test_data_too(self):
        self.w.write("train.py", "import os; print(sum(len(f) for _, _, f in os.walk('d0', followlinks=True)))")
        p = self.good(self.w.gn("train.py", "-t", "ravan", "-v", "--data", "d0", "--data", "d1", "--data", "d2"))
        self.assertEqual(p.out, b"10\n")
        data = os.path.join(self.w.far, ".gnrrun/v1/data")
        self.assertEqual(len(os.listdir(data)), 3)
        for d in os.listdir(data):
            self.assertIn(subprocess.run("cd '%s' && cat *" % os.path.join(data, d), shell=True, stdout=subprocess.PIPE).stdout,
                          [b"".join(self.w.read("d%d/%s" % (k, n)) for n in sorted(os.listdir(os.path.join(self.w.project, "d%d" % k))))
                           for k in range(3)])


class Few(Shipping):
    relay = True
    options = ("MaxSessions 1",)

    def test_a_server_that_allows_one_channel(self):
        self.w.relay.delay = 0.006
        self.w.write("big", random.Random(9).randbytes(9 * MB))
        self.good(self.w.gn("ship", "-t", "ravan", "-v"))
        self.same()
        self.w.write("train.py", "print('ran')")
        self.assertEqual(self.good(self.w.gn("train.py", "-t", "ravan")).out, b"ran\n")


if __name__ == "__main__":
    main()
