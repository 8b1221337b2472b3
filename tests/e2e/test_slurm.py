#!/usr/bin/env python3
"""Runs that a real Slurm starts, through a real sshd."""
import json
import os
import shutil
import signal
import tempfile
import time
import unittest

import slurm
from world import Case, main, wait_until

CLUSTER = None


def setUpModule():
    global CLUSTER
    why = slurm.why_not()
    if why:
        print("skipped: no Slurm here: " + why)
        raise unittest.SkipTest(why)
    CLUSTER = slurm.Slurm()


def tearDownModule():
    if CLUSTER:
        CLUSTER.close()


class Queue(Case):
    def setUp(self):
        bin = tempfile.mkdtemp(prefix="gn-bin-")
        self.addCleanup(shutil.rmtree, bin)
        self.asked = os.path.join(bin, "asked")
        with open(os.path.join(bin, "squeue"), "w") as f:
            f.write('#!/bin/sh\ndate +%%s >>%s\nexec %s "$@"\n' % (self.asked, shutil.which("squeue")))
        os.chmod(os.path.join(bin, "squeue"), 0o755)
        self.far_env = "SLURM_CONF=%s PATH=%s:%s" % (CLUSTER.conf, bin, CLUSTER.env["PATH"])
        super().setUp()
        self.target()

    def target(self, **keys):
        folder = os.path.join(self.w.home, ".config/gnrrun")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.yaml"), "w") as f:
            json.dump({"targets": {"cluster": {"type": "ssh", "host": "ravan", "scheduler": "slurm", **keys}}}, f)

    def fill(self):
        """All of the cluster, by somebody else; the id of that job."""
        out = CLUSTER.say("sbatch", "--parsable", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap", "sleep 300")
        self.addCleanup(CLUSTER.say, "scancel", out.stdout.strip())
        wait_until("the cluster to be full", lambda: "RUNNING" in CLUSTER.say("squeue", "-h", "-j", out.stdout.strip(), "-o", "%T").stdout)
        return out.stdout.strip()

    def test_a_job_is_a_run_like_any_other(self):
        self.w.write("train.py", "import os, sys\nprint('node', os.environ['SLURMD_NODENAME'], os.environ['SLURM_CPUS_PER_TASK'], "
                                 "os.environ['CUDA_VISIBLE_DEVICES'])\nopen('out.txt', 'w').write('result')\nsys.exit(7)\n")
        p = self.good(self.w.gn("train.py", "-t", "cluster", "--cpus", "2", "--gpus", "1", "--memory", "200MB"), 7)
        words = p.out.decode().split()
        self.assertEqual(words[0], "node")
        self.assertIn(words[1], CLUSTER.nodes)
        self.assertEqual(words[2:], ["2", "0"])
        self.assertEqual(self.w.read("out.txt"), b"result")
        show = self.w.show()
        self.assertEqual((show["state"], show["status"]), ("failed", 7))

    def test_a_queue_that_nobody_named_is_found(self):
        self.w.write("train.py", "import os\nprint('node', os.environ.get('SLURMD_NODENAME'))\n")
        p = self.good(self.w.gn("train.py", "-t", "ravan"))
        self.assertIn("'ravan' has a batch queue: proj-1 becomes a job of slurm", p.err)
        self.assertIn(p.out.decode().split()[1], CLUSTER.nodes)
        # and from then on is known
        p = self.good(self.w.gn("train.py", "-t", "ravan", "--name", "again"))
        self.assertNotIn("batch queue", p.err)
        self.assertIn(p.out.decode().split()[1], CLUSTER.nodes)
        self.target(scheduler="direct")
        p = self.good(self.w.gn("train.py", "-t", "cluster"))
        self.assertEqual(p.out, b"node None\n")
        checked = json.loads(self.w.gn("targets", "ravan", "--check", "--json").out)
        self.assertEqual(checked["scheduler"], "slurm")

    def test_what_it_waits_for_is_said_and_it_can_be_taken_out(self):
        self.fill()
        self.w.write("train.py", "print('ran')")
        p = self.w.popen("train.py", "-t", "cluster")
        wait_until("the run to be in the queue", lambda: os.path.exists(os.path.join(self.w.home, ".local/state/gnrrun/state.db"))
                   and b"queued" in self.w.gn("ps").out)
        wait_until("its reason", lambda: self.w.show()["reason"] in ("Resources", "Priority"), 75)
        self.assertIn("queued", self.w.gn("ps").out.decode())
        self.good(self.w.gn("stop"))
        p.wait(30)
        self.assertEqual(self.w.show()["state"], "stopped")
        self.assertEqual([j for j in CLUSTER.jobs() if "proj-" in j], [])

    def test_the_name_of_another_job_says_nothing_of_ours(self):
        """One that waits longer, and so is told of first."""
        ours = int(self.fill()) + 2
        other = CLUSTER.say("sbatch", "--parsable", "--output=/dev/null", "--job-name=x\n%d|TIMEOUT|None|y" % ours, "--wrap", "true")
        self.addCleanup(CLUSTER.say, "scancel", other.stdout.strip())
        self.w.write("train.py", "print('ran')")
        p = self.w.popen("train.py", "-t", "cluster")
        wait_until("the job to wait", lambda: any(j.startswith("%d|proj-" % ours) for j in CLUSTER.jobs()))
        n = self.questions()
        wait_until("the next question", lambda: self.questions() > n, 75)
        self.good(self.w.gn("ps", "--refresh"))
        self.assertEqual(self.w.show()["state"], "queued")
        self.good(self.w.gn("stop"))
        p.wait(30)

    def questions(self):
        if not os.path.exists(self.asked):
            return 0
        with open(self.asked) as f:
            return len(f.readlines())

    def test_it_starts_when_there_is_room(self):
        other = self.fill()
        self.w.write("train.py", "print('ran')")
        p = self.w.popen("train.py", "-t", "cluster")
        wait_until("the job to wait", lambda: any("PENDING" in j for j in CLUSTER.jobs()))
        CLUSTER.say("scancel", other)
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, out), (0, b"ran\n"), err)

    def test_a_refusal_is_told_in_its_own_words(self):
        self.w.write("train.py", "print('ran')")
        p = self.w.gn("train.py", "-t", "cluster", "--gpus", "64")
        self.assertNotEqual(p.code, 0)
        self.assertIn("queue does not take it", p.err)
        self.assertIn("Requested node configuration is not available", p.err)
        self.target(partition="nosuch")
        p = self.w.gn("train.py", "-t", "cluster")
        self.assertIn("invalid partition", p.err)
        self.assertEqual([j for j in CLUSTER.jobs() if "proj-" in j], [])

    def test_a_running_job_is_stopped_with_grace(self):
        self.w.write("train.py", "import signal, sys, time\ndef end(*_):\n    print('saving')\n    sys.exit(0)\n"
                                 "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\ntime.sleep(300)\n")
        p = self.w.popen("train.py", "-t", "cluster")
        wait_until("the run to speak", lambda: b"up" in self.w.local_log("proj-1"), 40)
        self.good(self.w.gn("stop"))
        out, _ = p.communicate(timeout=60)
        self.assertEqual(out, b"up\nsaving\n")
        self.assertEqual(self.w.show()["state"], "stopped")

    def test_a_time_limit_is_ours(self):
        self.w.write("train.py", "import time\nprint('up', flush=True)\ntime.sleep(300)\n")
        began = time.monotonic()
        p = self.w.gn("train.py", "-t", "cluster", "--time", "4s", "--grace", "1s")
        self.assertEqual(p.code, 107, p.err)
        self.assertLess(time.monotonic() - began, 40)
        self.assertEqual(self.w.show()["state"], "timeout")

    def test_a_client_that_leaves_finds_its_job_again(self):
        self.w.write("train.py", "import time\nfor i in range(60):\n    print(i, flush=True)\n    time.sleep(0.1)\n")
        p = self.w.popen("train.py", "-t", "cluster")
        wait_until("the run to speak", lambda: b"3\n" in self.w.local_log("proj-1"), 40)
        p.send_signal(signal.SIGKILL)
        p.wait()
        q = self.good(self.w.gn("attach"))
        self.assertEqual(self.w.local_log("proj-1"), b"".join(b"%d\n" % i for i in range(60)))
        self.assertEqual(self.w.show()["state"], "succeeded", q.err)

    def test_a_node_that_dies_is_told_from_a_program_that_ends(self):
        self.w.write("train.py", "import os, time\nprint('up', os.environ['SLURMD_NODENAME'], flush=True)\ntime.sleep(600)\n")
        p = self.w.popen("train.py", "-t", "cluster")
        wait_until("the run to speak", lambda: b"up" in self.w.local_log("proj-1"), 40)
        node = self.w.local_log("proj-1").split()[1].decode()
        # the machine is gone: its daemon, the one that watches the job, and the job
        CLUSTER.end("slurmd-" + node, 9)
        self.addCleanup(CLUSTER.start_node, node)
        with open(os.path.join(self.w.far, ".gnrrun/v1/runs", self.w.far_runs()[0], "sup.id")) as f:
            sup = int(f.read().split()[0])
        with open("/proc/%d/stat" % sup) as f:
            os.kill(int(f.read().rsplit(") ", 1)[1].split()[1]), signal.SIGKILL)
        self.w.end_runs()
        CLUSTER.say("scontrol", "update", "nodename=" + node, "state=down", "reason=test")
        self.addCleanup(CLUSTER.say, "scontrol", "update", "nodename=" + node, "state=resume")
        out, err = p.communicate(timeout=200)
        self.assertEqual(self.w.show()["state"], "lost", err)
        self.assertEqual(self.w.show()["reason"], "node-failed", err)

    def test_the_controller_is_asked_once_a_minute_and_may_go_away(self):
        """Three runs for longer than a minute, and a `ps` that is in a hurry: by what squeue is seen to be started."""
        self.w.write("train.py", "import time\nfor i in range(750):\n    print(i, flush=True)\n    time.sleep(0.1)\n")
        runs = [self.w.popen("train.py", "-t", "cluster") for _ in range(3)]
        wait_until("all to speak", lambda: all(b"5\n" in self.w.local_log("proj-%d" % i) for i in (1, 2, 3)), 60)
        CLUSTER.end("slurmctld")
        for _ in range(5):
            self.w.gn("ps", "--refresh")
        CLUSTER.start_controller()
        for p in runs:
            out, err = p.communicate(timeout=180)
            self.assertEqual((p.returncode, out), (0, b"".join(b"%d\n" % i for i in range(750))), err)
        with open(self.asked) as f:
            asked = [int(line) for line in f]
        self.assertGreaterEqual(len(asked), 2)
        self.assertTrue(all(b - a >= 59 for a, b in zip(asked, asked[1:])), asked)

    RENDEZVOUS = """import os, socket, sys, time
rank, size = int(os.environ['RANK']), int(os.environ['WORLD_SIZE'])
where = (os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']))
print('rank', rank, 'of', size, os.environ['LOCAL_RANK'], os.environ['LOCAL_WORLD_SIZE'], os.environ['NODE_RANK'], *sys.argv[1:], flush=True)
if rank == 0:
    server = socket.create_server(where)
    said = sorted(server.accept()[0].makefile().readline().strip() for _ in range(size - 1))
    print('heard', *said)
else:
    end = time.time() + 30
    while True:
        try:
            s = socket.create_connection(where)
            break
        except OSError:
            if time.time() > end:
                raise
            time.sleep(0.1)
    s.sendall(b'%d on %s\\n' % (rank, os.environ['SLURMD_NODENAME'].encode()))
open('out.%d' % rank, 'w').write('x')
sys.exit(int(os.environ.get('FAIL', '-1')) == rank)
"""

    def test_two_nodes_find_each_other(self):
        self.w.write("train.py", self.RENDEZVOUS)
        p = self.good(self.w.gn("train.py", "-t", "cluster", "--nodes", "2", "a b"))
        first, second = CLUSTER.nodes[:2]
        self.assertEqual(p.out.decode().splitlines(), ["rank 0 of 2 0 1 0 a b", "heard 1 on " + second])
        self.assertEqual(self.w.gn("logs", "--rank", "1").out, b"rank 1 of 2 0 1 1 a b\n")
        self.assertEqual(self.w.gn("logs", "--rank", "1", "--tail", "0").out, b"")
        self.assertEqual((self.w.read("out.0"), self.w.read("out.1")), (b"x", b"x"))
        p = self.w.gn("logs", "--rank", "2")
        self.assertEqual(p.code, 101)
        self.assertIn("no rank 2", p.err)
        # a task for each GPU; one that fails ends the run
        p = self.w.gn("train.py", "-t", "cluster", "--nodes", "2", "--gpus", "2", "--env", "FAIL=3")
        self.assertEqual(p.code, 1, p.err)
        self.assertIn(b"rank 0 of 4 0 2 0", p.out)
        self.assertEqual(self.w.gn("logs", "--rank", "3").out, b"rank 3 of 4 1 2 1\n")

    def test_several_nodes_are_stopped_and_refused_where_there_is_one(self):
        self.w.write("train.py", "import os, signal, sys, time\ndef end(*_):\n    time.sleep(1)\n    print('saving', os.environ['RANK'], flush=True)\n    sys.exit(0)\n"
                                 "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\ntime.sleep(300)\n")
        p = self.w.popen("train.py", "-t", "cluster", "--nodes", "2")
        wait_until("the first to speak", lambda: b"up" in self.w.local_log("proj-1"), 40)
        wait_until("the second to speak", lambda: self.w.gn("logs", "--rank", "1").out == b"up\n", 40)
        self.good(self.w.gn("stop"))
        p.communicate(timeout=60)
        self.assertIn(b"saving 0\n", self.w.local_log("proj-1"))
        self.assertIn(b"saving 1\n", self.w.gn("logs", "--rank", "1").out)
        self.assertEqual(self.w.show()["state"], "stopped")
        p = self.w.gn("train.py", "-t", "ravan", "--nodes", "2")
        self.assertEqual(p.code, 106, p.err)
        self.assertIn("'ravan' is one machine", p.err)

    def test_a_sweep_of_a_hundred_is_one_array(self):
        self.w.write("train.py", "import os, sys\nopen(os.path.join(os.environ['HOME'], 'began'), 'a').write(sys.argv[2] + '\\n')\n"
                                 "print('loss=%s' % sys.argv[2])\nopen('out.txt', 'w').write(os.environ['SLURM_ARRAY_TASK_ID'])\n"
                                 "sys.exit(5 if sys.argv[2] == '40' else 0)\n")
        p = self.w.popen("train.py", "-t", "cluster", "--sweep", "x=1..100", "--memory", "64MB")
        wait_until("the array to run", lambda: self.count_ended() >= 5, 60)
        p.send_signal(signal.SIGKILL)
        p.wait()
        p = self.w.gn("attach", timeout=400)
        self.assertEqual(p.code, 5, p.err)
        with open(os.path.join(self.w.far, "began")) as f:
            self.assertEqual(sorted(map(int, f.read().split())), list(range(1, 101)))
        show = self.w.show("proj-1")
        self.assertEqual((show["state"], show["members_succeeded"]), ("failed", 99))
        self.assertEqual([m["run"] for m in show["members"] if m["state"] != "succeeded"], ["proj-1.40"])
        self.assertEqual([m["metrics"]["loss"] for m in show["members"]], [str(k) for k in range(1, 101)])
        for k in range(1, 101):
            self.assertEqual(self.w.read("gnrrun-results/proj-1/%d/out.txt" % k), b"%d" % k)
        with open(self.asked) as f:
            asked = [int(line) for line in f]
        self.assertTrue(all(b - a >= 59 for a, b in zip(asked, asked[1:])), asked)

    def count_ended(self):
        folder = os.path.join(self.w.far, ".gnrrun/v1/runs")
        return sum(os.path.exists(os.path.join(folder, r, "exit")) for r in self.w.far_runs())

    def test_a_sweep_in_the_queue_is_stopped(self):
        self.w.write("train.py", "import time\nprint('up', flush=True)\ntime.sleep(600)\n")
        p = self.w.popen("train.py", "-t", "cluster", "--sweep", "x=1..20", "--parallel", "2", "--grace", "1s")
        wait_until("two to run", lambda: sum("." in r and os.path.exists(os.path.join(self.w.far, ".gnrrun/v1/runs", r, "job.id")) for r in self.w.far_runs()) == 2, 60)
        self.good(self.w.gn("stop"))
        p.communicate(timeout=60)
        self.assertEqual({m["state"] for m in self.w.show("proj-1")["members"]}, {"stopped"})
        wait_until("the queue to be empty", lambda: not [j for j in CLUSTER.jobs() if "proj-" in j], 60)

    def test_slurms_own_limit_is_a_time_limit_too(self):
        self.target(submit=["--time=1"])
        self.w.write("train.py", "import time\nprint('up', flush=True)\ntime.sleep(300)\n")
        p = self.w.gn("train.py", "-t", "cluster", "--grace", "1s", timeout=200)
        self.assertEqual((p.code, p.out), (107, b"up\n"), p.err)
        self.assertEqual(self.w.show()["state"], "timeout")

    def test_too_much_memory_is_told_as_that(self):
        self.w.write("train.py", "import time\nprint('up', flush=True)\nb = bytearray(400 << 20)\ntime.sleep(300)\n")
        p = self.w.gn("train.py", "-t", "cluster", "--memory", "100MB", timeout=200)
        self.assertEqual((self.w.show()["state"], self.w.show()["reason"]), ("lost", "memory"), p.err)
        self.assertRegex(p.err, "memory")

    def test_modules_are_loaded_before_the_setup(self):
        """By the real Environment Modules, for a module of our own."""
        folder = os.path.join(self.w.dir, "modules")
        os.makedirs(folder + "/cuda")
        with open(folder + "/cuda/12.2", "w") as f:
            f.write("#%Module\nsetenv FROM_MODULE 12.2\n")
        self.target(modules=["cuda/12.2"], env={"MODULEPATH": folder}, setup="echo setup sees $FROM_MODULE")
        self.w.write("train.py", "import os\nprint('program sees', os.environ.get('FROM_MODULE'))\n")
        p = self.good(self.w.gn("train.py", "-t", "cluster"))
        self.assertEqual(p.out, b"setup sees 12.2\nprogram sees 12.2\n")


if __name__ == "__main__":
    main()
