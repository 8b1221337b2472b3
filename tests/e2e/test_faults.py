#!/usr/bin/env python3
"""gnrrun is killed (KILL) at random instants of every step, 100 times; attach ends in the same results."""
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

from world import Case, main, wait_until

KILLS = int(os.environ.get("GN_KILLS", "100"))

PROGRAM = """
import os, sys, time, hashlib
with open('%s/starts', 'a') as f: f.write(os.environ['GNRRUN_RUN'] + '\\n' if 'GNRRUN_RUN' in os.environ else 'x\\n')
for i in range(20):
    print(i, hashlib.sha256(str(i).encode()).hexdigest(), flush=True)
    time.sleep(0.02)
os.makedirs('out', exist_ok=True)
for i in range(30):
    with open('out/f%%d' %% i, 'w') as f: f.write(str(i) * 5000)
sys.exit(3)
"""


class Killed(Case):
    def one(self, rng, n, longest):
        """One run, killed again and again, until an attach comes through."""
        w = self.w
        starts = os.path.join(w.dir, "starts")
        shutil.rmtree(os.path.join(w.project, "out"), ignore_errors=True)
        if os.path.exists(starts):
            os.unlink(starts)
        w.write("new%d.txt" % n, os.urandom(20000))
        p = w.popen("p.py", "-t", "ravan", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        kills = 0
        for _ in range(4):
            try:
                p.wait(rng.random() * longest)
                break
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGKILL)
                p.wait()
                kills += 1
            p = w.popen("attach", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if p.poll() is None:
            p.wait(60)
        q = w.gn("attach", timeout=60)
        return kills, q

    def test_killed_between_and_inside_every_step(self):
        w = self.w
        w.write("p.py", PROGRAM % w.dir)
        w.write("filler.bin", os.urandom(2000000))
        began = time.monotonic()
        p = w.gn("p.py", "-t", "ravan")
        self.good(p, 3)
        longest = (time.monotonic() - began) * 1.1
        expect_log = p.out
        rng = random.Random(int(os.environ.get("GN_SEED", "11")))
        kills = n = 0
        while kills < KILLS:
            n += 1
            k, q = self.one(rng, n, longest)
            kills += k
            if q.code == 100 and "no run" in q.err and n == 1:
                continue
            starts = os.path.join(w.dir, "starts")
            count = len(w.text("starts").split()) if os.path.exists(starts) else 0
            run = w.show()["run"]
            if count == 0 and q.code == 3:
                # killed before its row was there: attach spoke of the run before it
                continue
            self.assertEqual(q.code, 3, q.err)
            self.assertEqual(count, 1, "%s was started %d times" % (run, count))
            self.assertEqual(w.local_log(run), expect_log)
            self.assertEqual(w.gn("logs", run).out, expect_log)
            for i in range(30):
                self.assertEqual(w.read("out/f%d" % i), (str(i) * 5000).encode())
        print("kills: %d in %d runs" % (kills, n), flush=True)


class CutFetch(Case):
    relay = True

    def test_what_came_before_the_cut_is_counted_too(self):
        self.w.write("train.py", "import os\nos.makedirs('out')\nfor n, size in ('a', 600000), ('b', 600000), ('large', 6600000):\n"
                                 "    open('out/' + n, 'wb').write(os.urandom(size))\n")
        self.good(self.w.gn("train.py", "-t", "ravan", "--no-fetch"))
        self.w.relay.cut_after = self.w.relay.carried + 2500000
        p = self.good(self.w.gn("fetch", "proj-1"))
        self.assertIn("trying again", p.err)
        self.assertIn("fetched 3 files, 7.8 MB", p.err)
        self.assertEqual(self.w.show()["fetched_files"], 3)
        self.assertEqual([len(self.w.read("out/" + n)) for n in ("a", "b", "large")], [600000, 600000, 6600000])


if __name__ == "__main__":
    main()
