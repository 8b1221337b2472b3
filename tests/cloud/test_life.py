#!/usr/bin/env python3
"""gnrrun on rented machines: moto makes them, a real sshd is in each, and a proxy between here and there kills and loses.

test_life.py GNRRUN
"""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import machines
import moto

GNRRUN = os.path.abspath(sys.argv[1])
HISTORIES = int(os.environ.get("GN_HISTORIES", "30"))
SEED = int(os.environ.get("GN_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
REGION = "us-east-1"
PROGRAM = """import os, sys, time
print("hello from", os.uname().sysname, flush=True)
time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0)
open("model.txt", "w").write("weights")
"""
CONFIG = """targets:
  aws:
    type: ec2
    region: %s
    endpoint: %s
    image: %s
    subnet: %s
    address: private
    user: root
    machine: t3.micro
    price: 0.01
    max_cost: 1
"""


def setUpModule():
    global M, V, SUBNET
    M = moto.Moto()
    V = machines.Machines()
    M.proxy.after = V.on_call
    ec2 = M.client("ec2", REGION, M.users["full"])
    vpc = ec2.create_vpc(CidrBlock="127.77.0.0/16")["Vpc"]["VpcId"]
    SUBNET = ec2.create_subnet(VpcId=vpc, CidrBlock="127.77.0.0/24")["Subnet"]["SubnetId"]


def tearDownModule():
    V.close()
    M.stop()


class Case(unittest.TestCase):
    def setUp(self):
        M.proxy.seen.clear()
        M.proxy.script, M.proxy.before, V.impostor = {}, None, False
        self.dir = tempfile.mkdtemp(prefix="gn-life-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.ec2 = M.client("ec2", REGION, M.users["full"])
        self.addCleanup(self.clear)
        self.before = {i["InstanceId"] for i in self.all()}
        self.laptop("home")

    def laptop(self, name):
        """Another one, with nothing on it but the same credentials and configuration."""
        self.home, self.project = os.path.join(self.dir, name), os.path.join(self.dir, name, "proj")
        os.makedirs(self.project)
        os.makedirs(self.home + "/.config/gnrrun", 0o700)
        with open(self.home + "/.config/gnrrun/config.yaml", "w") as f:
            f.write(CONFIG % (REGION, M.proxy.url, M.images[0]["ImageId"], SUBNET))
        with open(self.project + "/train.py", "w") as f:
            f.write(PROGRAM)

    def clear(self):
        M.proxy.before = None
        ids = [i["InstanceId"] for i in self.alive()]
        if ids:
            self.ec2.terminate_instances(InstanceIds=ids)
        for id_ in list(V.running):
            V.end(id_)

    def all(self):
        return [i for page in self.ec2.get_paginator("describe_instances").paginate() for r in page["Reservations"] for i in r["Instances"]]

    def alive(self):
        return [i for i in self.all() if i["State"]["Name"] not in ("terminated", "shutting-down")]

    def env(self):
        env = {k: os.environ[k] for k in ("PATH", "ASAN_OPTIONS") if k in os.environ}
        return {**env, "HOME": self.home, "USER": "asha", "LANG": "C.UTF-8", "AWS_ACCESS_KEY_ID": M.users["full"][0],
                "AWS_SECRET_ACCESS_KEY": M.users["full"][1]}

    def start(self, *args):
        return subprocess.Popen([GNRRUN, *args], cwd=self.project, env=self.env(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, p, want=0):
        try:
            out, err = p.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            p.kill()
            self.fail("it does not end: %s%s" % p.communicate())
        M.proxy.settle()
        for sign in ("AddressSanitizer", "runtime error:", M.users["full"][1], "Signature=", "PRIVATE KEY"):
            self.assertNotIn(sign, out + err)
        if want is not None:
            self.assertEqual(p.returncode, want, out[-2000:] + err[-4000:])
        return out, err

    def gn(self, *args, want=0):
        return self.finish(self.start(*args), want)

    def names(self):
        return [t["Value"] for i in self.all() if i["InstanceId"] not in self.before for t in i.get("Tags", [])
                if t["Key"] == "gnrrun:name"]


class Life(Case):
    def test_rented_used_and_ended(self):
        out, err = self.gn("run", "train.py", "-t", "aws", "-v")
        self.assertIn("hello from Linux", out)
        with open(self.project + "/model.txt") as f:
            self.assertEqual(f.read(), "weights")
        self.assertRegex(err, r"renting t3.micro .*worst case \$")
        self.assertEqual(self.alive(), [])
        self.assertEqual(V.running, {})
        self.assertEqual(len(self.names()), 1)
        out, err = self.gn("sweep")
        self.assertNotIn("gnr-", out)


    def test_an_impostor_gets_nothing(self):
        V.impostor = True
        p = self.start("run", "train.py", "-t", "aws")
        end = time.monotonic() + 60
        while V.connections() < 2 and time.monotonic() < end:
            time.sleep(0.05)
        p.kill()
        out, err = self.finish(p, -9)
        self.assertNotIn("hello", out)
        self.assertGreaterEqual(V.connections(), 2)
        for id_ in V.running:
            self.assertEqual(os.listdir(V.home(id_)), [])
            with open(os.path.join(V.dir, id_, "log")) as f:
                self.assertNotIn("Accepted", f.read())

    def test_a_leftover_is_found_and_ended_from_a_laptop_that_knows_nothing(self):
        p = self.start("run", "train.py", "60", "-t", "aws")
        M.proxy.before = lambda action, form: p.send_signal(signal.SIGKILL) or "lose" if action == "RunInstances" else None
        self.finish(p, -9)
        M.proxy.before = None
        self.assertEqual(len(self.alive()), 1)
        self.laptop("other")
        out, err = self.gn("sweep", want=None)
        self.assertIn(self.names()[0] if self.names()[0] in out else self.alive()[0]["InstanceId"], out + err)
        self.gn("sweep", "--terminate", want=None)
        self.assertEqual(self.alive(), [])

    def test_no_capacity_in_two_zones(self):
        with open(self.home + "/.config/gnrrun/config.yaml") as f:
            text = re.sub("    subnet: .*\n", "    zone: us-east-1a, us-east-1b, us-east-1c\n", f.read())
        with open(self.home + "/.config/gnrrun/config.yaml", "w") as f:
            f.write(text)
        M.proxy.script = {"RunInstances": [(500, moto.error("InsufficientInstanceCapacity"))] * 2}
        M.proxy.after = None  # nobody is behind addresses of the default network: awaiting it is enough
        self.addCleanup(setattr, M.proxy, "after", V.on_call)
        p = self.start("run", "train.py", "-t", "aws", "-v")
        end = time.monotonic() + 60
        while not self.alive() and time.monotonic() < end:
            time.sleep(0.05)
        made = self.alive()
        p.kill()
        self.finish(p, None)
        self.assertEqual([m["Placement"]["AvailabilityZone"] for m in made], ["us-east-1c"])
        tokens = [f["ClientToken"] for a, f, _ in M.proxy.seen if a == "RunInstances"]
        self.assertEqual(len(set(tokens)), 3)
        self.laptop("other")
        self.gn("sweep", "--terminate", want=None)
        self.assertEqual(self.alive(), [])

    def test_an_end_that_fails_at_first(self):
        M.proxy.script = {"TerminateInstances": [(400, moto.error("InternalError")), (503, moto.error("RequestLimitExceeded")), "lose", "cut"]}
        self.gn("run", "train.py", "-t", "aws")
        self.assertEqual(self.alive(), [])


class Histories(Case):
    """gnrrun dies, or the line does, at any request; then somebody looks after it."""

    def one(self, rnd):
        self.laptop("l%d" % rnd.getrandbits(60))
        fatal, count = rnd.randrange(14), 0
        how = rnd.choice(["killed before", "killed after", "answer lost", "500", "500 after", "cut"])
        p = self.start("run", "train.py", "-t", "aws")

        def before(action, form):
            nonlocal count
            count += 1
            if count - 1 != fatal:
                return None
            if how.startswith("killed"):
                p.kill()
                p.wait()
                return (500, b"") if how == "killed before" else "lose"
            return {"answer lost": "lose", "500": (500, b"oops"), "500 after": "late", "cut": "cut"}[how]

        M.proxy.before = before
        self.finish(p, None)
        M.proxy.before = None
        left = self.alive()
        if p.returncode == 0:
            self.assertEqual(left, [])
        # what is left is on record here: a laptop need not ask the provider to know of it
        if left:
            told = self.gn("ps", want=None)
            self.assertIn(left[0]["InstanceId"] if left[0]["InstanceId"] in "".join(told) else self.tag(left[0]), "".join(told))
            self.assertIn(p.returncode, (-9, 110))
        if left:
            self.gn(rnd.choice(["attach", "stop"]), "proj-1", want=None)
        if self.alive() or rnd.random() < 0.1:
            self.gn("sweep", "--terminate", want=None)
        self.assertEqual(self.alive(), [])
        self.assertEqual(len(self.names()), len(set(self.names())))

    def tag(self, machine):
        return next(t["Value"] for t in machine["Tags"] if t["Key"] == "gnrrun:name")

    def test_no_machine_is_left_or_unknown_or_made_twice(self):
        for n in range(HISTORIES):
            with self.subTest(seed=SEED + n):
                self.one(random.Random(SEED + n))


def main():
    why = moto.why_not() or machines.why_not()
    if why:
        print("skipped: " + why)
        sys.exit(77)
    print("seed %d" % SEED, flush=True)
    result = unittest.main(exit=False, verbosity=1, module="__main__", argv=sys.argv[:1] + sys.argv[2:]).result
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed, 0 skipped" % (result.testsRun - bad, bad))
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
