#!/usr/bin/env python3
"""Runs that a real Grid Engine starts, through a real sshd."""
import json
import os
import signal
import unittest

import sge
from world import Case, main, wait_until

ENGINE = None


def setUpModule():
    global ENGINE
    why = sge.why_not()
    if why:
        print("skipped: no Grid Engine here: " + why)
        raise unittest.SkipTest(why)
    ENGINE = sge.Sge()


def tearDownModule():
    if ENGINE:
        ENGINE.close()


class Queue(Case):
    def setUp(self):
        self.far_env = " ".join("%s=%s" % kv for kv in ENGINE.vars.items())
        super().setUp()
        self.target()

    def target(self, **keys):
        folder = os.path.join(self.w.home, ".config/gnrrun")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.yaml"), "w") as f:
            json.dump({"targets": {"cluster": {"type": "ssh", "host": "ravan", "scheduler": "sge", **keys}}}, f)

    def fill(self):
        """All slots, by somebody else."""
        p = ENGINE.say("qsub", "-terse", "-S", "/bin/sh", "-o", "/dev/null", "-j", "y", "-pe", "smp", str(ENGINE.slots), text="sleep 300\n")
        self.addCleanup(ENGINE.say, "qdel", "-f", p.stdout.strip())
        wait_until("the cluster to be full", lambda: any(j.split()[0] == p.stdout.strip() and j.split()[4] == "r" for j in ENGINE.jobs()), 60)
        return p.stdout.strip()

    def ours(self):
        return [j for j in ENGINE.jobs() if " gn-" in j]

    def test_a_job_is_a_run_like_any_other(self):
        self.w.write("train.py", "import os, sys\nprint('job', os.environ['JOB_ID'].isdigit(), os.environ['NSLOTS'], os.environ['JOB_NAME'][:8], "
                                 "os.environ['CUDA_VISIBLE_DEVICES'])\n"
                                 "open('out.txt', 'w').write('result')\nsys.exit(7)\n")
        # which GPUs they are says the site's prolog
        self.target(memory_resource="h_vmem", submit=["-v CUDA_VISIBLE_DEVICES=1"])
        p = self.good(self.w.gn("train.py", "-t", "cluster", "--cpus", "2", "--gpus", "1", "--memory", "8GB", "--time", "10m"), 7)
        self.assertEqual(p.out, b"job True 2 gn-proj- 1\n")
        self.assertEqual(self.w.read("out.txt"), b"result")
        self.assertEqual((self.w.show()["state"], self.w.show()["status"]), ("failed", 7))

    def test_it_waits_for_room_is_followed_and_found_again(self):
        other = self.fill()
        self.w.write("train.py", "import time\nfor i in range(40):\n    print(i, flush=True)\n    time.sleep(0.1)\n")
        p = self.w.popen("train.py", "-t", "cluster")
        wait_until("the job to wait", lambda: any(j.split()[4] == "qw" for j in self.ours()), 60)
        self.assertIn("queued", self.w.gn("ps", "--refresh").out.decode())
        ENGINE.say("qdel", "-f", other)
        wait_until("the run to speak", lambda: b"3\n" in self.w.local_log("proj-1"), 60)
        p.send_signal(signal.SIGKILL)
        p.wait()
        self.good(self.w.gn("attach"))
        self.assertEqual(self.w.local_log("proj-1"), b"".join(b"%d\n" % i for i in range(40)))

    def test_what_can_never_run_is_refused_in_its_own_words(self):
        self.w.write("train.py", "print('ran')")
        p = self.w.gn("train.py", "-t", "cluster", "--gpus", "64")
        self.assertNotEqual(p.code, 0)
        self.assertIn("queue does not take it", p.err)
        self.assertIn("no suitable queues", p.err)
        self.target(partition="nosuch.q")
        self.assertIn("nosuch.q", self.w.gn("train.py", "-t", "cluster").err)
        self.assertEqual(self.ours(), [])

    def test_one_that_waits_and_one_that_runs_are_stopped(self):
        self.w.write("train.py", "import signal, sys, time\ndef end(*_):\n    print('saving')\n    sys.exit(0)\n"
                                 "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\ntime.sleep(300)\n")
        p = self.w.popen("train.py", "-t", "cluster")
        wait_until("the run to speak", lambda: b"up" in self.w.local_log("proj-1"), 40)
        self.good(self.w.gn("stop"))
        out, _ = p.communicate(timeout=60)
        self.assertEqual(out, b"up\nsaving\n")
        self.assertEqual(self.w.show()["state"], "stopped")
        wait_until("the job to go", lambda: not self.ours())
        self.fill()
        p = self.w.popen("train.py", "-t", "cluster")
        wait_until("the job to wait", lambda: any(j.split()[4] == "qw" for j in self.ours()), 60)
        self.good(self.w.gn("stop"))
        p.communicate(timeout=60)
        self.assertEqual(self.w.show()["state"], "stopped")
        wait_until("the job to go", lambda: not self.ours())

    def test_limits_ours_and_the_queues_own(self):
        self.w.write("train.py", "import time\nprint('up', flush=True)\ntime.sleep(300)\n")
        p = self.w.gn("train.py", "-t", "cluster", "--time", "4s", "--grace", "1s")
        self.assertEqual(p.code, 107, p.err)
        # one that the queue kills without a word is lost, and not waited for
        self.target(submit=["-l h_rt=3"])
        p = self.w.gn("train.py", "-t", "cluster", timeout=200)
        self.assertEqual(p.code, 100, p.err)
        self.assertEqual(self.w.show()["state"], "lost")
        self.assertEqual(self.w.local_log("proj-2"), b"up\n")

    def test_a_limit_of_the_site_that_warns_is_a_time_limit_too(self):
        self.target(submit=["-l s_rt=4"])
        self.w.write("train.py", "import signal, time\ndef end(*_):\n    print('saving')\n    raise SystemExit\n"
                                 "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\ntime.sleep(300)\n")
        p = self.w.gn("train.py", "-t", "cluster")
        self.assertEqual((p.code, p.out), (107, b"up\nsaving\n"), p.err)

    def test_a_job_in_error_says_so(self):
        self.w.write("train.py", "print('ran')")
        self.target(submit=["-i /nonexistent/file"])
        p = self.w.popen("train.py", "-t", "cluster")
        wait_until("the job to be in error", lambda: any("E" in j.split()[4] for j in self.ours()), 40)
        wait_until("its reason", lambda: (self.w.show()["reason"] or "").startswith("error: "), 90)
        self.assertIn("/nonexistent/file", self.w.gn("show").out.decode())
        self.good(self.w.gn("stop"))
        _, err = p.communicate(timeout=60)
        self.assertRegex(err.decode(), "waits in the queue of 'cluster': error: .*/nonexistent/file")
        wait_until("the job to go", lambda: not self.ours())

    def test_a_sweep_is_an_array(self):
        # a job's home is what passwd says
        self.w.write("train.py", "import os, sys\nopen(%r, 'a').write(sys.argv[2] + '\\n')\n" % os.path.join(self.w.far, "began") +
                                 "print('loss=%s' % sys.argv[2])\nsys.exit(5 if sys.argv[2] == '7' else 0)\n")
        p = self.w.gn("train.py", "-t", "cluster", "--sweep", "x=1..20", "--parallel", "4", timeout=200)
        self.assertEqual(p.code, 5, p.err)
        with open(os.path.join(self.w.far, "began")) as f:
            self.assertEqual(sorted(map(int, f.read().split())), list(range(1, 21)))
        self.assertEqual(self.w.show("proj-1")["members_succeeded"], 19)
        self.w.write("train.py", "import time\nprint('up', flush=True)\ntime.sleep(300)\n")
        p = self.w.popen("train.py", "-t", "cluster", "--sweep", "x=1..9", "--parallel", "2", "--grace", "1s")
        wait_until("two to run", lambda: sum(".%d" % k in "".join(self.w.far_runs()) for k in (1, 2)) == 2 and
                   sum(j.split()[4] == "r" for j in self.ours()) == 2, 60)
        self.good(self.w.gn("stop"))
        p.communicate(timeout=60)
        self.assertEqual({m["state"] for m in self.w.show("proj-2")["members"]}, {"stopped"})
        wait_until("the queue to be empty", lambda: not self.ours(), 60)

    def test_it_is_found_where_nobody_named_it(self):
        self.w.write("train.py", "import os\nprint('job', 'JOB_ID' in os.environ)\n")
        p = self.good(self.w.gn("train.py", "-t", "ravan"))
        self.assertIn("'ravan' has a batch queue: proj-1 becomes a job of sge", p.err)
        self.assertEqual(p.out, b"job True\n")


if __name__ == "__main__":
    if not sge.why_not():
        sge.enter()
    main()
