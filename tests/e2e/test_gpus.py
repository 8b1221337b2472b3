#!/usr/bin/env python3
"""GPUs of a machine that many use, through a real sshd.  The GPUs are lines that an nvidia-smi of ours prints."""
import json
import os
import shutil
import tempfile
import time
import unittest

from world import Case, main, wait_until

SMI = """#!/bin/sh
case $1 in
--query-gpu=*) echo "0, GPU-0a, NVIDIA A100-SXM4-40GB, 40960, 4, 0"; echo "1, GPU-1b, NVIDIA A100-SXM4-40GB, 40960, 4, 0" ;;
--query-compute-apps=*) cat %s/apps ;;
-L) echo "GPU 0: A100"; echo "GPU 1: A100" ;;
esac
"""


class Gpus(Case):
    def setUp(self):
        self.smi = tempfile.mkdtemp(prefix="gn-smi-")
        self.addCleanup(shutil.rmtree, self.smi)
        with open(os.path.join(self.smi, "nvidia-smi"), "w") as f:
            f.write(SMI % self.smi)
        os.chmod(os.path.join(self.smi, "nvidia-smi"), 0o755)
        self.taken("GPU-1b")
        self.far_env = "PATH=%s:%s GNRRUN_GPU_DIR=%s" % (self.smi, os.environ["PATH"], os.path.join(self.smi, "claims"))
        super().setUp()
        self.w.write("train.py", "import os\nprint('sees [%s]' % os.environ.get('CUDA_VISIBLE_DEVICES'))\n")
        self.w.write("long.py", "import os, time\nprint('up', flush=True)\nwhile not os.path.exists('%s/go'):\n    time.sleep(0.1)\n" % self.smi)

    def taken(self, *uuids):
        with open(os.path.join(self.smi, "apps"), "w") as f:
            f.write("".join(u + "\n" for u in uuids))

    def test_the_second_waits_for_the_first(self):
        one = self.w.popen("long.py", "-t", "ravan", "--gpus", "1")
        wait_until("the first to run", lambda: b"up" in self.w.local_log("proj-1"))
        two = self.w.popen("train.py", "-t", "ravan", "--gpus", "1")
        wait_until("the second to wait", lambda: b"queued" in self.w.gn("ps").out)
        self.assertEqual(self.w.show("proj-2")["reason"], "gpus")
        open(os.path.join(self.smi, "go"), "w").close()
        out, err = two.communicate(timeout=60)
        self.assertEqual((two.returncode, out), (0, b"sees [0]\n"), err)
        self.assertIn(b"proj-2 waits for free GPUs on 'ravan'", err)
        one.communicate(timeout=60)
        self.assertEqual(os.listdir(os.path.join(self.smi, "claims")), [])

    def test_one_that_waits_is_stopped_and_forgotten(self):
        self.taken("GPU-0a", "GPU-1b")
        p = self.w.popen("train.py", "-t", "ravan", "--gpus", "2")
        wait_until("it to wait", lambda: os.path.exists(os.path.join(self.w.home, ".local/state/gnrrun/state.db")) and b"queued" in self.w.gn("ps").out)
        self.good(self.w.gn("stop"))
        p.communicate(timeout=60)
        self.assertEqual(self.w.show()["state"], "stopped")
        p = self.good(self.w.gn("train.py", "-t", "ravan", "--gpus", "1", "--detach"))
        self.assertRegex(p.err, "proj-2 (waits|goes on), on 'ravan'")
        self.good(self.w.gn("rm", "--force", "proj-2"))
        wait_until("its claims to go", lambda: not [n for n in os.listdir(os.path.join(self.smi, "claims")) if self.lives(n)])

    @staticmethod
    def lives(name):
        return os.path.exists("/proc/" + name.split(".")[-2])

    def test_more_than_there_are_is_said_at_once(self):
        p = self.w.gn("train.py", "-t", "ravan", "--gpus", "3")
        self.assertEqual(p.code, 106, p.err)
        self.assertIn("has 2 GPUs, 3 were asked for", p.err)
        p = self.w.gn("train.py", "-t", "ravan", "--gpus", "1", "--gpu-type", "h100")
        self.assertEqual(p.code, 106, p.err)
        self.assertIn("has 0 GPUs of type 'h100', 1 was asked for", p.err)
        self.assertEqual(self.w.gn("train.py", "-t", "ravan", "--gpus", "1", "--gpu-memory", "40GB").out, b"sees [0]\n")

    def test_who_did_not_ask_sees_one_where_it_is_shared(self):
        folder = os.path.join(self.w.home, ".config/gnrrun")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.yaml"), "w") as f:
            json.dump({"targets": {"lab": {"type": "ssh", "host": "ravan", "shared": True}}}, f)
        self.assertEqual(self.good(self.w.gn("train.py", "-t", "lab")).out, b"sees [0]\n")
        self.taken("GPU-0a", "GPU-1b")
        self.assertEqual(self.good(self.w.gn("train.py", "-t", "lab")).out,
                         b"gnrrun: no GPU is free here, so the program sees none; --gpus 1 waits for one\nsees []\n")
        self.assertEqual(self.good(self.w.gn("train.py", "-t", "ravan")).out, b"sees [None]\n")

    def test_one_that_sits_there_idle_is_named(self):
        folder = os.path.join(self.w.home, ".config/gnrrun")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.yaml"), "w") as f:
            json.dump({"targets": {"lab": {"type": "ssh", "host": "ravan", "shared": True}}}, f)
        p = self.good(self.w.gn("long.py", "-t", "lab", "--gpus", "1", "--detach"))
        self.assertIn("proj-1 goes on, on 'lab'", p.err)
        run = os.path.join(self.w.far, ".gnrrun/v1/runs", self.w.far_runs()[0])
        wait_until("it to run", lambda: b"up" in self.w.far_log())

        def said(*args):
            p = self.good(self.w.gn("ps", *args))
            return [line for line in p.err.splitlines() if "still runs" in line]
        self.assertEqual(said("--refresh"), [])
        old = time.time() - 3700
        os.utime(os.path.join(run, "log"), (old, old))
        log = ["gnrrun: proj-1 still runs on 'lab', and when last looked at it had written no log for an hour; to end it: gnrrun stop proj-1"]
        self.assertEqual((said("--refresh"), said()), (log, log))
        with open(os.path.join(run, "idle"), "w") as f:
            f.write("%d %d\n" % (old, old + 1200))
        gpu = ["gnrrun: proj-1 still runs on 'lab', and when last looked at its GPUs had done nothing for 20 minutes; to end it: gnrrun stop proj-1"]
        self.assertEqual((said("--refresh"), said()), (gpu, gpu))
        self.assertEqual(self.w.show()["reason"], "gpu-idle")
        os.unlink(os.path.join(run, "idle"))
        os.utime(os.path.join(run, "log"))
        self.assertEqual((said("--refresh"), said()), ([], []))
        open(os.path.join(self.smi, "go"), "w").close()
        self.good(self.w.gn("attach"))
        self.assertEqual(self.w.show()["reason"], "exit")
        # a sweep is idle when all of it is
        os.unlink(os.path.join(self.smi, "go"))
        self.good(self.w.gn("long.py", "-t", "lab", "--sweep", "x=1..2", "--parallel", "2", "--detach"))
        wait_until("both to run", lambda: len(self.w.far_runs()) == 4)
        members = [os.path.join(self.w.far, ".gnrrun/v1/runs", r, "log") for r in self.w.far_runs() if "." in r]
        wait_until("both to run", lambda: all(os.path.exists(m) and os.path.getsize(m) for m in members))
        os.utime(members[0], (old, old))
        self.assertEqual(said("--refresh"), [])
        os.utime(members[1], (old, old))
        log = [log[0].replace("proj-1", "proj-2")]
        self.assertEqual((said("--refresh"), said()), (log, log))
        open(os.path.join(self.smi, "go"), "w").close()
        self.good(self.w.gn("attach", "proj-2"))

    def test_who_has_which_is_shown(self):
        p = self.good(self.w.gn("long.py", "-t", "ravan", "--gpus", "1", "--detach"))
        wait_until("it to run", lambda: b"up" in self.w.far_log())
        table = self.good(self.w.gn("targets", "ravan", "--check")).out.decode().split("\n\n")
        self.assertRegex(table[0], "ravan .* 0 of 2 ")
        rows = [line.split() for line in table[1].splitlines()[1:]]
        self.assertEqual([(r[1], r[-1]) for r in rows], [("0", "run"), ("1", "-")])
        checked = json.loads(self.good(self.w.gn("targets", "ravan", "--check", "--json")).out)
        self.assertEqual([(u["gpu"], u["procs"], u["claim"]) for u in checked["gpu_users"]], [(1, 1, 0), (0, 0, 1)])
        open(os.path.join(self.smi, "go"), "w").close()
        self.good(self.w.gn("attach"))

    def test_a_sweep_shares_them_out(self):
        self.taken()
        self.w.write("train.py", "import os, time\nd = %r + os.environ['CUDA_VISIBLE_DEVICES']\nos.mkdir(d)\ntime.sleep(0.3)\nos.rmdir(d)\n" % (self.smi + "/gpu"))
        self.good(self.w.gn("train.py", "-t", "ravan", "--gpus", "1", "--sweep", "x=1..5"))
        self.assertEqual(self.w.show("proj-1")["members_succeeded"], 5)


if __name__ == "__main__":
    main()
