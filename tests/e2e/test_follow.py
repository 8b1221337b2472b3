#!/usr/bin/env python3
"""The log, to the byte, over lines that break: 200 cuts at random points."""
import os
import random
import time
import unittest

from world import Case, main, wait_until

CUTS = int(os.environ.get("GN_CUTS", "200"))


class Bytes(Case):
    def test_every_byte_as_it_was(self):
        self.w.write("p.py", "import sys\no = sys.stdout.buffer\no.write(bytes(range(256)) * 5)\no.flush()\n"
                     "for i in range(50): o.write(b'\\rstep %d' % i)\no.write(b'x' * 300000)\n")
        p = self.good(self.w.gn("p.py", "-t", "ravan"))
        expect = bytes(range(256)) * 5 + b"".join(b"\rstep %d" % i for i in range(50)) + b"x" * 300000
        self.assertEqual(p.out, expect)
        self.assertEqual(self.w.local_log("proj-1"), expect)
        self.assertEqual(self.good(self.w.gn("logs")).out, expect)
        self.assertEqual(self.good(self.w.gn("logs", "--tail", "1")).out, expect[expect.rindex(b"\n") + 1:])

    def test_lines_come_at_once(self):
        self.w.write("p.py", "import time\nfor i in range(6):\n    print(time.time(), flush=True)\n    time.sleep(0.4)")
        p = self.w.popen("p.py", "-t", "ravan")
        late = []
        for line in p.stdout:
            late.append(time.time() - float(line))
        self.assertEqual(p.wait(20), 0)
        self.assertLess(sorted(late)[len(late) // 2], 0.5, late)


class Cuts(Case):
    relay = True

    def test_many_cuts_lose_nothing_and_start_nothing_twice(self):
        w, relay = self.w, self.w.relay
        w.write("p.py", "import os, sys, time\nopen('%s/starts', 'a').write('x')\nend = time.time() + 30\n"
                "while time.time() < end or not os.path.exists('%s/enough'):\n"
                "    sys.stdout.buffer.write(os.urandom(2000))\n    sys.stdout.flush()\n    time.sleep(0.02)\n" % (w.dir, w.dir))
        rng = random.Random(int(os.environ.get("GN_SEED", "7")))
        cuts = 0
        with open(os.path.join(w.dir, "out"), "wb") as out, open(os.path.join(w.dir, "err"), "wb") as err:
            p = w.popen("p.py", "-t", "ravan", stdout=out, stderr=err)
        # the ship may be cut too
        relay.cut_after = rng.randrange(1, 30000)
        wait_until("the start", lambda: os.path.exists(w.dir + "/starts"), 60)
        while cuts < CUTS:
            wait_until("a connection", lambda: relay.pairs or p.poll() is not None, 60)
            time.sleep(rng.random() * 0.7)  # in the login, or in the stream
            self.assertIsNone(p.poll(), w.text("err")[-2000:])
            if rng.random() < 0.4:
                relay.cut_after = relay.carried + rng.randrange(1, 40000)
                wait_until("the cut", lambda: relay.cut_after == 0, 60)
            else:
                relay.cut()
            cuts += 1
        open(w.dir + "/enough", "w").close()
        self.assertEqual(p.wait(120), 0, w.text("err")[-2000:])
        far = w.far_log()
        self.assertGreater(len(far), 1000000)
        self.assertTrue(w.local_log("proj-1") == far, "the local copy differs")
        with open(os.path.join(w.dir, "out"), "rb") as f:
            self.assertTrue(f.read() == far, "what was shown differs")
        self.assertEqual(w.text("starts"), "x")
        print("cuts: %d, connections: %d" % (cuts, relay.count), flush=True)

    def test_cuts_within_a_long_piece(self):
        w, rng = self.w, random.Random(3)
        w.write("p.py", "import os\nfor i in range(20): os.write(1, os.urandom(1 << 20))\n")
        self.good(w.gn("p.py", "-t", "ravan", "--no-fetch"))
        copy = os.path.join(w.home, ".local/state/gnrrun/runs/proj-1/log")
        for _ in range(5):
            os.unlink(copy)
            w.relay.cut_after = w.relay.carried + rng.randrange(1000000, 20000000)
            out = self.good(w.gn("logs", "-f")).out
            self.assertTrue(out == w.far_log() == w.local_log("proj-1"), "%d bytes" % len(out))

    def test_a_host_that_stays_away_is_left_in_peace(self):
        w, relay = self.w, self.w.relay
        w.write("p.py", "import os, time\nprint('up', flush=True)\nwhile not os.path.exists('%s/go'): time.sleep(0.05)\nprint('end')" % w.dir)
        p = w.popen("p.py", "-t", "ravan")
        self.assertEqual(p.stdout.readline(), b"up\n")
        relay.refuse = True
        relay.cut()
        time.sleep(8)  # the stretch of time that is looked at: 0.2 + 0.5 + 1 + 2 + 4 s and what jitter adds
        tries = relay.refused
        relay.refuse = False
        open(w.dir + "/go", "w").close()
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, out), (0, b"end\n"), err)
        self.assertLessEqual(tries, 6)
        self.assertGreaterEqual(tries, 2)

    def test_a_line_that_stalls_is_given_up(self):
        w = self.w
        w.write("p.py", "import time\nfor i in range(400):\n    print(i, flush=True)\n    time.sleep(0.1)\n")
        p = w.popen("p.py", "-t", "ravan")
        self.assertEqual(p.stdout.readline(), b"0\n")
        w.relay.stall = True
        time.sleep(0.5)
        old = w.relay.count
        # new connections work, old ones hang: a laptop that changed its network
        wait_until("the old line is given up", lambda: self.fresh(old), 60)
        out, err = p.communicate(timeout=90)
        self.assertEqual(p.returncode, 0, err)
        self.assertEqual(out, b"".join(b"%d\n" % i for i in range(1, 400)))

    def fresh(self, old):
        if self.w.relay.count > old:
            self.w.relay.stall = False
            return True
        return False


if __name__ == "__main__":
    main()
