#!/usr/bin/env python3
"""A pool of forty hosts: some are dead, each in its own way, some full, some busy; the freest gets the run.

All live ones are this machine, behind sshds whose `nproc` and `df` tell different stories.
"""
import json
import os
import random
import shutil
import signal
import socket
import tempfile
import threading
import time
import unittest

from world import Case, main, sshd_module, wait_until


class Lab(Case):
    def setUp(self):
        self.bin = tempfile.mkdtemp(prefix="gn-pool-")
        self.addCleanup(shutil.rmtree, self.bin)
        self.far_env = "PATH=%s:%s" % (self.tools("plain", nproc="echo 8"), os.environ["PATH"])
        super().setUp()
        self.ports = {}
        self.servers = {"plain": self.w.sshd}
        for kind, tools in (("best", dict(nproc="echo 64")), ("full", dict(nproc="echo 64", df="echo h; echo d 100 99 1000 1% /")),
                            ("busy", dict(nproc="echo 0"))):
            home = os.path.join(self.w.dir, "far-" + kind)
            os.mkdir(home, 0o700)
            env = "SetEnv HOME=%s PATH=%s:%s" % (home, self.tools(kind, **tools), os.environ["PATH"])
            server = sshd_module.Sshd(os.path.join(self.w.dir, "sshd-" + kind), [env, "MaxStartups 100:30:200"], name=kind,
                                      authorized=self.w.sshd.authorized, ttl=300)
            server.start()
            self.addCleanup(server.close)
            self.servers[kind] = server
        self.where = {"pc%02d" % i: ("127.0.0.1", self.servers["plain"].port) for i in range(6, 41)}
        self.put("full", 6, 7, 8)
        self.put("best", 25)
        self.put("busy", 30, 31)
        self.kill()
        self.write()
        self.w.write("train.py", "import os\nprint('ran in', os.path.basename(os.environ['HOME']))\n")

    def tools(self, kind, **tools):
        folder = os.path.join(self.bin, kind)
        os.mkdir(folder)
        for name, text in tools.items():
            with open(os.path.join(folder, name), "w") as f:
                f.write("#!/bin/sh\n" + text + "\n")
            os.chmod(os.path.join(folder, name), 0o755)
        return folder

    def put(self, kind, *numbers):
        for i in numbers:
            self.where["pc%02d" % i] = ("127.0.0.1", self.servers[kind].port)

    def listener(self, backlog=5, then=None):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(backlog)
        self.addCleanup(s.close)
        if then:
            def serve():
                while True:
                    try:
                        then(s.accept()[0])
                    except OSError:
                        return
            threading.Thread(target=serve, daemon=True).start()
        return ("127.0.0.1", s.getsockname()[1])

    def kill(self):
        """Five that are dead: nobody listens, silence, hangs up, no such name, packets are dropped."""
        held = []
        self.addCleanup(lambda: [s.close() for s in held])
        self.where["pc01"] = ("127.0.0.1", sshd_module.free_port())
        self.where["pc02"] = self.listener(then=held.append)
        self.where["pc03"] = self.listener(then=lambda s: s.close())
        self.where["pc04"] = ("no-such-host.invalid", 22)
        self.where["pc05"] = self.listener(0)
        for _ in range(3):  # its queue is full: what comes now is not answered
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(self.where["pc05"])
            held.append(s)

    def write(self, pattern="pc[01-40]", **keys):
        ssh = os.path.join(self.w.home, ".ssh")
        with open(os.path.join(ssh, "config"), "a") as f:
            for name, (host, port) in self.where.items():
                f.write("Host %s\n    HostName %s\n    Port %d\n    User %s\n    IdentityFile %s/id_test\n    IdentitiesOnly yes\n"
                        "    UserKnownHostsFile %s/known_hosts\n    GlobalKnownHostsFile /dev/null\n"
                        % (name, host, port, sshd_module.user(), ssh, ssh))
        with open(os.path.join(ssh, "known_hosts"), "a") as f:
            for server in self.servers.values():
                f.write(server.known("[127.0.0.1]:%d" % server.port))
        self.pool(pattern, **keys)

    def pool(self, *patterns, **keys):
        folder = os.path.join(self.w.home, ".config/gnrrun")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.yaml"), "w") as f:
            json.dump({"targets": {"lab": {"type": "ssh", "hosts": patterns, **keys}}}, f)


class Pool(Lab):
    def test_the_freest_of_forty_is_found_soon(self):
        took = []
        for i in range(3):
            began = time.monotonic()
            p = self.good(self.w.gn("train.py", "-t", "lab", "-v"))
            took.append(time.monotonic() - began)
            self.assertEqual(p.out, b"ran in far-best\n")
            self.assertIn("'pc25' is the freest of the 40 hosts of 'lab'", p.err)
        for i in range(1, 6):
            self.assertIn("not on 'lab/pc%02d': " % i, p.err)
        for i in (6, 7, 8):
            self.assertIn("not on 'lab/pc%02d': its disk is full" % i, p.err)
        for i in (30, 31):
            self.assertIn("not on 'lab/pc%02d': busy" % i, p.err)
        print("chosen, shipped, run and fetched in %.1f s, the best of %s (bar 3 s on an idle machine)"
              % (min(took), ", ".join("%.1f" % t for t in took)))
        self.assertLess(min(took), 6)
        self.assertEqual(self.w.show()["target"], "lab/pc25")

    def test_a_run_stays_where_it_is_and_the_next_goes_elsewhere(self):
        self.put("best", 26)
        self.write("pc[25-26]")
        self.w.write("long.py", "import os, time\nprint('up', flush=True)\nwhile not os.path.exists('%s/go'):\n    time.sleep(0.1)\n" % self.bin)
        p = self.w.popen("long.py", "-t", "lab")
        wait_until("it to run", lambda: b"up" in self.w.local_log("proj-1"))
        first = self.w.show("proj-1")["target"]
        self.good(self.w.gn("train.py", "-t", "lab"))
        second = self.w.show("proj-2")["target"]
        self.assertEqual({first, second}, {"lab/pc25", "lab/pc26"})
        p.kill()
        p.wait()
        open(os.path.join(self.bin, "go"), "w").close()
        self.good(self.w.gn("attach", "proj-1"))
        self.good(self.w.gn("ssh", first.replace("lab/", "lab/"), "true"))

    def test_when_none_will_do_each_is_told(self):
        self.pool("pc[01-08]")
        p = self.w.gn("train.py", "-t", "lab")
        self.assertEqual(p.code, 106, p.err)
        self.assertIn("none of the 8 hosts of 'lab' can take it (pc01: ", p.err)
        self.assertIn("its disk is full", p.err)
        self.assertIn("hint: gnrrun targets lab --check shows each", p.err)
        self.assertEqual(self.w.gn("ps").out, b"")
        self.pool("pc[24-26]")
        p = self.w.gn("train.py", "-t", "lab", "--cpus", "100")
        self.assertEqual(p.code, 106)
        self.assertIn("64 processors, 100 are needed", p.err)

    def test_what_a_pool_is_not_asked_for(self):
        self.pool("pc[24-26]")
        rows = [json.loads(line) for line in self.w.gn("targets", "lab", "--check", "--json").out.decode().splitlines()]
        self.assertEqual([(r["target"], r["cores"]) for r in rows], [("lab/pc24", 8), ("lab/pc25", 64), ("lab/pc26", 8)])
        self.assertIn("pc24 and 2 more", self.w.gn("targets", "lab").out.decode())
        p = self.w.gn("ssh", "lab", "true")
        self.assertIn("'lab' is a pool of 3 hosts", p.err)
        self.assertIn("'lab/pc24'", p.err)
        self.assertEqual(self.good(self.w.gn("train.py", "-t", "lab/pc25")).out, b"ran in far-best\n")


class Again(Lab):
    """Machines that are switched off, and started anew, while runs are on them."""

    def setUp(self):
        super().setUp()
        self.pool("pc[24-25]")  # far and far-best
        self.w.write("long.py", """
import os, time
def note(what):
    with open('%(bin)s/effects', 'a') as f:
        f.write(what + ' ' + os.path.basename(os.environ['HOME']) + '\\n')
note('start')
with open('part.txt', 'a') as f:
    f.write(os.path.basename(os.environ['HOME']) + '\\n')
print('up', flush=True)
while not os.path.exists('%(bin)s/go'):
    time.sleep(0.05)
note('end')
""" % {"bin": self.bin})

    def effects(self):
        path = os.path.join(self.bin, "effects")
        return sorted(sshd_module.read(path).splitlines()) if os.path.exists(path) else []

    def go(self):
        open(os.path.join(self.bin, "go"), "w").close()

    def begin(self, *args):
        p = self.w.popen("long.py", *args)
        wait_until("it to run", lambda: self.effects() == ["start far-best"])
        return p

    def of_the_runs(self, runs):
        """Their processes: those of the supervisors' files, and all that have their mark."""
        pids = set()
        for run in os.listdir(runs):
            for name in ("sup.id", "job.id"):
                path = os.path.join(runs, run, name)
                if os.path.exists(path):
                    pids.add(int(sshd_module.read(path).split()[0]))
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/environ" % pid, "rb") as f:
                    if b"GNRRUN_RUN_DIR=" + runs.encode() in f.read():
                        pids.add(int(pid))
            except OSError:
                pass
        return pids

    def cut_power(self, kind):
        """All that runs there is dead at once, and nobody listens."""
        home = self.w.far if kind == "plain" else os.path.join(self.w.dir, "far-" + kind)
        server, runs = self.servers[kind], os.path.join(home, ".gnrrun/v1/runs")
        lines = server.connections()
        server.timer.cancel()
        server.process.kill()
        server.process.wait()
        pids = self.of_the_runs(runs)
        for pid in [*lines, *pids]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until("them to be dead", lambda: not self.of_the_runs(runs) & set(self.alive(pids)))
        for run in os.listdir(runs):
            path = os.path.join(runs, run, "sup.id")
            if os.path.exists(path):
                words = sshd_module.read(path).split()
                with open(path, "w") as f:
                    f.write(" ".join([*words[:2], "before", *words[3:]]) + "\n")

    def alive(self, pids):
        for pid in pids:
            try:
                with open("/proc/%d/stat" % pid) as f:
                    if f.read().rsplit(")", 1)[1].split()[0] != "Z":
                        yield pid
            except OSError:
                pass

    def power_on(self, kind):
        server = self.servers[kind]
        server.start(server.port)

    def runs(self):
        lines = self.good(self.w.gn("ps", "--all", "--json")).out.decode().splitlines()
        return sorted(json.loads(line)["run"] for line in lines)

    def test_it_begins_again_on_another_host_once(self):
        p = self.begin("-t", "lab")
        self.cut_power("best")
        self.power_on("best")
        wait_until("the other", lambda: "start far" in self.effects(), 60)
        self.go()
        out, err = p.communicate(timeout=60)
        err = err.decode()
        self.assertEqual((p.returncode, out), (0, b"up\nup\n"), err)
        self.assertIn("proj-1 was lost: 'lab/pc25' was switched off; it begins again as proj-2 on 'lab/pc24'", err)
        self.assertIn("proj-2 on 'lab/pc24': succeeded", err)
        first = self.w.show("proj-1")
        self.assertEqual((first["state"], first["reason"], first["target"]), ("lost", "reboot", "lab/pc25"))
        once = ["end far", "start far", "start far-best"]
        self.assertEqual(self.effects(), once)
        self.assertEqual(self.w.read("part.txt"), b"far-best\nfar\n")  # what came home went along
        p = self.good(self.w.gn("attach", "proj-1"))
        self.assertIn("proj-2 on 'lab/pc24': succeeded", p.err)
        self.assertEqual((self.effects(), self.runs()), (once, ["proj-1", "proj-2"]))

    def test_whoever_comes_back_to_it_comes_to_the_same_one(self):
        chance = random.Random(4)
        self.begin("--detach", "-t", "lab").wait(60)
        self.cut_power("best")
        self.power_on("best")
        for _ in range(12):
            crowd = [self.w.popen("attach", "proj-1") for _ in range(2)]
            time.sleep(chance.uniform(0.02, 1.2))  # the instant of the kill is what is drawn
            for p in crowd:
                p.kill()
            for p in crowd:
                p.communicate()
        self.go()
        crowd = [self.w.popen("attach", "proj-1") for _ in range(2)]
        for p in crowd:
            err = p.communicate(timeout=80)[1].decode()
            self.assertEqual(p.returncode, 0, err)
        self.assertEqual(self.effects(), ["end far", "start far", "start far-best"])
        self.assertEqual(self.runs(), ["proj-1", "proj-2"])

    def test_it_does_not_begin_a_third_time(self):
        self.begin("--detach", "-t", "lab").wait(60)
        both = ["start far", "start far-best"]
        self.cut_power("best")
        self.power_on("best")
        p = self.w.popen("attach", "proj-1")
        wait_until("the other", lambda: self.effects() == both, 60)
        p.kill()
        p.communicate()
        self.cut_power("plain")
        self.power_on("plain")
        p = self.w.gn("attach", "proj-1")
        self.assertEqual(p.code, 100, p.err)
        self.assertIn("proj-2 on 'lab/pc24': lost: the machine was restarted", p.err)
        self.assertEqual((self.effects(), self.runs()), (both, ["proj-1", "proj-2"]))

    def test_where_it_stays_lost(self):
        self.begin("--detach", "-t", "lab/pc25").wait(60)
        self.cut_power("best")
        self.power_on("best")
        p = self.w.gn("attach", "proj-1")
        self.assertEqual(p.code, 100, p.err)
        self.assertNotIn("again", p.err)
        self.assertEqual((self.effects(), self.runs()), (["start far-best"], ["proj-1"]))

    def test_where_no_other_host_is_free(self):
        self.pool("pc25", "pc06")
        self.begin("--detach", "-t", "lab").wait(60)
        self.cut_power("best")
        self.power_on("best")
        p = self.w.gn("attach", "proj-1")
        self.assertEqual(p.code, 100, p.err)
        self.assertIn("proj-1 cannot begin again: none of the 2 hosts of 'lab' can take it", p.err)
        self.assertIn("pc25: it was there that the run was lost", p.err)
        self.pool("pc[24-25]")
        self.go()
        self.good(self.w.gn("attach", "proj-1"))
        self.assertEqual(self.effects(), ["end far", "start far", "start far-best"])


if __name__ == "__main__":
    main()
