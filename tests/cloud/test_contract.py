#!/usr/bin/env python3
"""What every provider owes, for every line of providers.def that has a fake: test_contract.py OPS SOURCE"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

import fakes

OPS, SOURCE = sys.argv[1:3]
AUTH, CAPACITY, NOTFOUND, NET, PROTO, CONFIG = -7, -10, -9, -6, -13, -5


def make(name):
    """The tests of one cloud."""
    cloud = next(f for f in fakes.ALL if f.type == name)

    class Contract(unittest.TestCase):
        def setUp(self):
            self.fake = cloud()
            self.addCleanup(self.fake.close)
            self.home = tempfile.mkdtemp(prefix="gn-cloud-")
            self.addCleanup(os.rmdir, self.home)

        def ops(self, *args, want=0, env=None):
            given = {"PATH": os.environ["PATH"], "HOME": self.home, **self.fake.env, **(env or {})}
            p = subprocess.run([OPS, name, *self.fake.settings(), *args], env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertGreaterEqual(p.returncode, 0, p.stderr[-2000:])
            for secret in self.fake.secrets:
                self.assertNotIn(secret, p.stdout + p.stderr)
            if want:
                self.assertRegex(p.stdout, r"(?m)^error %d " % want, p.stderr)
            else:
                self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
            return p.stdout

        def lease(self, out):
            return dict(f.split("=", 1) for f in re.findall(r"(\w+=\S*)", out))

        def create(self, name="gnr-asha-x1-abc", want=0, again=False, token=None):
            out = self.ops("create", name, token or str(uuid.uuid4()), self.fake.machine, self.fake.region, getattr(self.fake, "zone", ""), *(["again"] if again else []), want=want)
            return out if want else self.lease(out)

        def where(self, l):
            return [l["name"] or "gnr-asha-x1-abc", l["id"], l["region"], l["zone"]]

        def until(self, l, state):
            for _ in range(20):
                got = self.lease(self.ops("poll", *self.where(l)))
                if got["state"] == state:
                    return got
            self.fail("it never is %s: %r" % (state, got))

        def test_the_whole_life(self):
            l = self.create()
            self.assertIn(l["state"], ("pending", "up"))
            self.assertTrue(l["id"])
            up = self.until(l, "up")
            self.assertRegex(up["address"], r"^[0-9.]+$")
            self.assertEqual(len(self.fake.alive()), 1)
            listed = [self.lease(line) for line in self.ops("list").splitlines() if line.startswith("lease")]
            self.assertEqual([m["name"] for m in listed], ["gnr-asha-x1-abc"])
            if self.fake.tells_run:
                self.assertEqual(listed[0]["run"], "mnist-7")
            if self.fake.tells_made:
                self.assertAlmostEqual(int(listed[0]["made"]), time.time(), delta=100)
            self.ops("destroy", *self.where(l))
            for _ in range(20):
                out = self.ops_any("poll", *self.where(l))
                if "state=gone" in out or "error %d" % NOTFOUND in out:
                    break
            else:
                self.fail("it does not go: " + out)
            self.assertEqual(self.fake.alive(), [])
            self.ops("destroy", *self.where(l))  # already gone is success
            self.assertIn("complete=1", self.ops("list"))
            self.assertNotIn("lease", self.ops("list"))
            self.assertEqual(self.fake.left(), [])

        def ops_any(self, *args):
            given = {"PATH": os.environ["PATH"], "HOME": self.home, **self.fake.env}
            return subprocess.run([OPS, name, *self.fake.settings(), *args], env=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60).stdout

        def test_one_whose_id_nobody_knows_is_found_by_its_name(self):
            l = self.create()
            found = self.lease(self.ops("poll", l["name"] or "gnr-asha-x1-abc", "", l["region"], l["zone"]))
            self.assertEqual(found["id"], l["id"])
            self.ops("destroy", l["name"] or "gnr-asha-x1-abc", "", l["region"], l["zone"])
            self.assertEqual(self.fake.alive(), [])
            self.ops("poll", "gnr-asha-x1-other", "", l["region"], l["zone"], want=NOTFOUND)

        def test_many_are_listed_page_by_page(self):
            names = ["gnr-asha-x1-%02d" % i for i in range(5)]
            for n in names:
                self.create(n)
            listed = re.findall(r"name=(\S+)", self.ops("list"))
            self.assertEqual(sorted(listed), names)

        def test_offers_fit_and_have_prices(self):
            prices = [int(p) for p in re.findall(r"price=(-?\d+)", self.ops("offers", "0"))]
            self.assertTrue(prices)
            self.assertEqual(prices, sorted(prices))
            self.assertEqual(min(prices) > 0, self.fake.priced)
            gpus = re.findall(r"gpus=(\d+)", self.ops("offers", "1"))
            self.assertTrue(gpus and all(int(n) >= 1 for n in gpus))

        def test_who_am_i(self):
            self.assertRegex(self.ops("check"), r"account who=\S+")

        def test_credentials_that_are_wrong_or_missing(self):
            self.fake.token = "another"
            self.ops("check", want=AUTH)
            self.create(want=AUTH)
            self.assertEqual(self.fake.alive(), [])
            before = len(self.fake.requests)
            self.ops("check", want=AUTH, env={k: "" for k in self.fake.env})
            self.assertEqual(len(self.fake.requests), before)

        def script(self, *steps):
            """The create itself, whatever is asked before it."""
            self.fake.script = [None] * self.fake.before_create + list(steps)

        def test_no_capacity_is_told_from_other_refusals(self):
            self.script(self.fake.full)
            self.create(want=CAPACITY)
            self.assertEqual(self.fake.alive(), [])

        def test_an_answer_that_is_lost_is_no_refusal(self):
            self.script("lose")
            # one that knows its own again may be asked again at once
            self.create(want=0 if self.fake.idempotent else NET)
            self.assertEqual(len(self.fake.alive()), 1)
            if self.fake.idempotent:
                self.create(again=True)
                self.assertEqual(len(self.fake.alive()), 1)

        def test_answers_that_are_none(self):
            for text in (b"", b"<html>", b"{", b"[]", b'{"droplet": 7}', b'{"a": ' * 3000, b'{"data": {}}'):
                self.script((200, text))
                out = self.create("gnr-asha-x1-%d" % len(text), want=PROTO)
                self.assertNotIn("<html>", out)
            l = self.create("gnr-asha-x1-good")
            for text in (b"<html>", b"{", b"[]", b'"x"'):
                self.fake.script = [(200, text)] * 9
                self.assertRegex(self.ops_any("poll", *self.where(l)), r"^error (%d|%d) " % (PROTO, NOTFOUND))
                self.assertRegex(self.ops_any("list"), r"^error %d " % PROTO)

        def test_a_server_in_trouble(self):
            self.script(*[(500, b"oops")] * (4 if self.fake.idempotent else 1))
            self.create(want=NET)
            self.script((429, b"", {"Retry-After": "0"}))
            self.create()
            self.assertEqual(len(self.fake.alive()), 1)

    Contract.__name__ = Contract.__qualname__ = name
    return Contract


class OpenStackOwn(make("openstack")):
    """What only that one has."""

    def test_one_that_was_accepted_and_could_not_be_made(self):
        l = self.create()
        self.fake.fault = "No valid host was found. There are not enough hosts available."
        self.assertIn("No valid host", self.ops("poll", *self.where(l), want=CAPACITY))
        self.ops("destroy", *self.where(l))
        self.assertEqual(self.fake.alive(), [])

    def test_clouds_yaml(self):
        folder = os.path.join(self.home, ".config/openstack")
        os.makedirs(folder)
        self.addCleanup(shutil.rmtree, os.path.join(self.home, ".config"))
        with open(folder + "/clouds.yaml", "w") as f:
            f.write("clouds:\n  lab:\n    auth_type: v3applicationcredential\n    region_name: RegionOne\n"
                    "    auth: {auth_url: '%s/identity', application_credential_id: app-id}\n" % self.fake.url)
        with open(folder + "/secure.yaml", "w") as f:
            f.write("clouds: {lab: {auth: {application_credential_secret: %s}}}\n" % self.fake.token)
        none = {k: "" for k in self.fake.env}
        self.assertIn("asha in project lab", self.ops("check", env={**none, "OS_CLOUD": "lab"}))
        self.assertIn("no cloud is called 'x'", self.ops("check", env={**none, "OS_CLOUD": "x"}, want=CONFIG))
        with open(folder + "/clouds.yaml", "w") as f:
            f.write("clouds: [")
        self.assertIn("clouds.yaml:2:1:", self.ops("check", env={**none, "OS_CLOUD": "lab"}, want=CONFIG))


class GceOwn(make("gce")):
    """What only that one has."""

    def test_the_request_is_that_of_their_own_client(self):
        self.ops("image=projects/deeplearning-platform-release/global/images/family/x", "create", "gnr-asha-x1-abc", str(uuid.uuid4()), "g2-standard-4", "us-central1", "us-central1-a")
        ours = next(b for m, p, q, b in self.fake.requests if m == "POST" and p.endswith("/instances"))
        with open(os.path.join(SOURCE, "tests/cloud/golden/gce_insert.json")) as f:
            theirs = json.load(f)
        self.assertAlmostEqual(int(ours["scheduling"]["maxRunDuration"]["seconds"]), 7200, delta=30)
        ours["scheduling"]["maxRunDuration"]["seconds"] = "7200"
        ours["metadata"]["items"].sort(key=lambda i: i["key"])
        # names may be partial: relative to the project
        ours["machineType"] = "projects/course-1/" + ours["machineType"]
        ours["networkInterfaces"][0]["network"] = "projects/course-1/" + ours["networkInterfaces"][0]["network"]
        self.assertEqual(ours, theirs)

    def test_capacity_in_the_next_zone(self):
        zones = re.findall(r"machine=g2-standard-4 region=us-central1 zone=(\S+)", self.ops("offers", "1"))
        self.assertEqual(zones, ["us-central1-a", "us-central1-b"])

    def test_an_account_that_may_have_no_gpu_is_told_where_to_ask(self):
        self.assertIn("GPU quota 0: ask at https://", self.ops("check"))

    def test_a_user_who_logged_in(self):
        path = os.path.join(self.fake.dir, "user.json")
        with open(path, "w") as f:
            json.dump({"type": "authorized_user", "client_id": "c", "client_secret": "cs3cret", "refresh_token": "r3fresh", "quota_project_id": "course-1",
                       "token_uri": self.fake.url + "/token"}, f)
        self.fake.script = [(200, {"access_token": "ya29.session"})]
        self.ops("project=course-1", "check", env={"GOOGLE_APPLICATION_CREDENTIALS": path})
        self.assertEqual(self.fake.requests[0][3], {"grant_type": "refresh_token", "client_id": "c", "client_secret": "cs3cret", "refresh_token": "r3fresh"})


class AzureOwn(make("azure")):
    """What only that one has."""

    def test_the_request_is_that_of_their_own_client(self):
        self.ops("image=microsoft-dsvm:ubuntu-hpc:2204:latest", "create", "gnr-asha-x1-abc", str(uuid.uuid4()), "Standard_NC4as_T4_v3", "eastus", "")
        ours = json.dumps(self.fake.machines["gnr-asha-x1-abc"]["vm"]).replace("/subscriptions/sub-1/resourcegroups/gnr-asha-x1-abc", "GROUP")
        ours = ours.replace("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample gnrrun", "KEY")
        with open(os.path.join(SOURCE, "tests/cloud/golden/azure_vm.json")) as f:
            self.assertEqual(json.loads(ours), json.load(f))

    def test_a_group_that_was_left_half_made_is_found_and_ended(self):
        self.fake.script = [None] * 3 + [(500, b"")] * 4
        self.create(want=NET)
        self.assertEqual(self.fake.left(), ["gnr-asha-x1-abc"])
        self.assertIn("state=pending", self.ops("poll", "gnr-asha-x1-abc"))
        self.assertIn("name=gnr-asha-x1-abc", self.ops("list"))
        self.ops("destroy", "gnr-asha-x1-abc")
        self.assertEqual(self.fake.left(), [])


def main():
    with open(os.path.join(SOURCE, "include/gnrrun/providers.def")) as f:
        lines = re.findall(r"(?m)^GN_PROVIDER\((\w+),", f.read())
    suite = unittest.TestSuite()
    have, own = {f.type for f in fakes.ALL}, {"openstack": OpenStackOwn, "gce": GceOwn, "azure": AzureOwn}
    for name in lines:
        if name in have:
            suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(own.get(name) or make(name)))
        elif name != "ec2":  # whose other end is moto: test_ec2.py
            raise SystemExit("no fake for '%s'" % name)
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed, 0 skipped" % (result.testsRun - bad, bad))
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
