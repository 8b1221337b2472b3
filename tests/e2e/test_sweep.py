#!/usr/bin/env python3
"""Sweeps: many runs of one program, shipped once, through a real sshd."""
import json
import os
import signal
import unittest

from world import Case, main, wait_until

TRAIN = """import os, sys, time
open(os.path.join(os.environ['HOME'], 'began'), 'a').write(os.environ['GNRRUN_RUN'] + '\\n')
lr = float(sys.argv[sys.argv.index('--lr') + 1])
print('epoch 1 loss=%.2f' % lr, flush=True)
open('model.txt', 'w').write(' '.join(sys.argv[1:]))
hold = os.path.join(os.environ['HOME'], 'hold')
while os.path.exists(hold):
    time.sleep(0.05)
sys.exit(7 if lr == 3 else 0)
"""


class Sweep(Case):
    relay = True

    def setUp(self):
        super().setUp()
        self.w.write("train.py", TRAIN)

    def hold(self):
        open(os.path.join(self.w.far, "hold"), "w").close()

    def go(self):
        os.unlink(os.path.join(self.w.far, "hold"))

    def began(self):
        path = os.path.join(self.w.far, "began")
        if not os.path.exists(path):
            return []
        with open(path) as f:
            return f.read().split()

    def members(self, name="proj-1"):
        return self.w.show(name)["members"]

    def states(self, name="proj-1"):
        return [(m["state"], m["status"]) for m in self.members(name)]

    def test_each_is_a_run_of_its_own_and_one_that_fails_hides_none(self):
        p = self.good(self.w.gn("train.py", "-t", "ravan", "--sweep", "lr=1..4", "--sweep", "kind=a,b c", "--parallel", "3",
                                "--env", "SHOWN={kind}", "--kind", "[{kind}]"), 7)
        self.assertEqual(self.states(), [("succeeded", 0)] * 4 + [("failed", 7)] * 2 + [("succeeded", 0)] * 2)
        self.assertEqual(sorted(self.began()), ["proj-1.%d" % k for k in range(1, 9)])
        self.assertEqual(self.w.read("gnrrun-results/proj-1/2/model.txt"), b"--kind [b c] --lr 1")
        self.assertEqual(self.w.read("gnrrun-results/proj-1/8/model.txt"), b"--kind [b c] --lr 4")
        rows = p.out.decode().splitlines()
        self.assertEqual(rows[0].split(), ["RUN", "PARAMS", "STATE", "TOOK", "loss"])
        self.assertEqual(len(rows), 9)
        self.assertIn("6 of 8 succeeded", p.err)
        ps = self.w.gn("ps").out.decode()
        self.assertEqual(len(ps.splitlines()), 2, ps)
        self.assertIn("failed 2/8", ps)
        self.assertEqual(self.w.gn("logs", "proj-1.5").out, b"epoch 1 loss=3.00\n")
        self.assertEqual(self.w.gn("logs", "1.6").out, b"epoch 1 loss=3.00\n")
        p = self.w.gn("logs", "proj-1")
        self.assertEqual(p.code, 101)
        self.assertIn("sweep of 8 runs", p.err)
        # what came home is no part of the next run
        self.assertNotIn("model.txt", self.w.gn("files", "--all").out.decode())
        self.good(self.w.gn("rm", "proj-1"))
        self.assertEqual(self.w.far_runs(), [])
        self.assertEqual(self.w.gn("ps").out, b"")
        self.assertEqual(os.listdir(os.path.join(self.w.home, ".local/state/gnrrun/runs")), [])

    def test_a_client_that_dies_and_a_line_that_breaks_lose_nothing(self):
        self.hold()
        p = self.w.popen("train.py", "-t", "ravan", "--sweep", "lr=1..5", "--parallel", "2")
        wait_until("two to begin", lambda: len(self.began()) == 2)
        p.send_signal(signal.SIGKILL)
        p.wait()
        self.assertIn("0/5", self.w.gn("ps", "--refresh").out.decode())
        q = self.w.popen("attach", "-v")
        while b"logged in" not in q.stderr.readline():
            pass
        self.w.relay.cut()
        self.go()
        out, err = q.communicate(timeout=90)
        self.assertEqual(q.returncode, 7, err)
        self.assertEqual(self.states(), [("succeeded", 0)] * 2 + [("failed", 7)] + [("succeeded", 0)] * 2)
        self.assertEqual(sorted(self.began()), ["proj-1.%d" % k for k in range(1, 6)])
        for k in range(1, 6):
            self.assertEqual(self.w.read("gnrrun-results/proj-1/%d/model.txt" % k), b"--lr %d" % k)
        # all is here: nobody need be asked
        self.w.sshd.close()
        self.assertEqual(self.w.gn("attach").code, 7)

    def test_stop_ends_those_that_run_and_keeps_the_others_from_beginning(self):
        self.hold()
        p = self.w.popen("train.py", "-t", "ravan", "--sweep", "lr=1..4", "--parallel", "2", "--grace", "2s")
        wait_until("two to begin", lambda: len(self.began()) == 2)
        self.good(self.w.gn("stop", "proj-1.2"))
        wait_until("the third to begin", lambda: len(self.began()) == 3)
        self.good(self.w.gn("stop"))
        p.communicate(timeout=60)
        self.assertEqual([m["state"] for m in self.members()], ["stopped"] * 4)
        self.assertEqual(self.w.show("proj-1")["state"], "stopped")
        self.assertEqual(sorted(self.began()), ["proj-1.1", "proj-1.2", "proj-1.3"])
        self.assertEqual(self.w.read("gnrrun-results/proj-1/1/model.txt"), b"--lr 1")

    def test_one_that_is_killed_from_outside_is_told_and_the_others_go_on(self):
        self.hold()
        p = self.w.popen("train.py", "-t", "ravan", "--sweep", "lr=1,2", "--parallel", "2")
        wait_until("two to begin", lambda: len(self.began()) == 2)
        run = [r for r in self.w.far_runs() if r.endswith(".1")][0]
        for name in ("sup.id", "job.id"):
            with open(os.path.join(self.w.far, ".gnrrun/v1/runs", run, name)) as f:
                os.kill(int(f.read().split()[0]), signal.SIGKILL)
        self.go()
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 100, err)
        self.assertEqual([m["state"] for m in self.members()], ["lost", "succeeded"])

    def test_what_cannot_be_a_sweep_is_said_before_anything_is_sent(self):
        for text, why in (("lr", "must begin with a name"), ("lr=", "empty"), ("lr=1..5000", "too many"), ("a b=1", "must begin")):
            p = self.w.gn("train.py", "-t", "ravan", "--sweep", text)
            self.assertEqual(p.code, 101, p.err)
            self.assertIn(why, p.err)
        self.assertEqual(self.w.far_runs(), [])
        self.assertEqual(self.w.gn("ps").out, b"")

    def test_detached_as_objects_and_into_a_folder_of_the_users(self):
        p = self.good(self.w.gn("train.py", "-t", "ravan", "--sweep", "lr=1,2", "--detach", "--json"))
        for line in p.out.decode().splitlines():
            json.loads(line)
        self.good(self.w.gn("attach", "--results", "best"))
        self.assertEqual(self.w.read("best/2/model.txt"), b"--lr 2")
        self.assertFalse(self.w.exists("gnrrun-results"))

    def test_it_is_one_ship_however_many(self):
        self.w.write("big.bin", os.urandom(3000000))
        self.good(self.w.gn("train.py", "-t", "ravan", "--sweep", "lr=1,2,4..9", "--parallel", "4"))
        show = self.w.show("proj-1")
        self.assertLess(show["sent_bytes"], 3200000)
        self.assertEqual(show["members_succeeded"], 8)


if __name__ == "__main__":
    main()
