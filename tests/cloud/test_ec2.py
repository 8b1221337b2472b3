#!/usr/bin/env python3
"""Machines of EC2 against moto, which checks every signature and every policy: test_ec2.py OPS"""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import uuid

import moto

OPS = sys.argv[1]
AUTH, CAPACITY, NOTFOUND, NET, PROTO, CONFIG = -7, -10, -9, -6, -13, -5
UNSURE = (NET, PROTO, -11)
REGION = "us-east-1"
NAME = "gnr-asha-x1-abc"


def setUpModule():
    global M
    M = moto.Moto()


def tearDownModule():
    M.stop()


class Case(unittest.TestCase):
    def setUp(self):
        M.proxy.seen.clear()
        M.proxy.script = {}
        self.home = tempfile.mkdtemp(prefix="gn-ec2-")
        self.addCleanup(shutil.rmtree, self.home)
        self.keys = M.users["full"]
        self.ec2 = M.client("ec2", REGION, M.users["full"])
        self.image = M.images[0]["ImageId"]
        self.addCleanup(self.clear)

    def clear(self):
        for region in (REGION, "ap-south-1"):
            ec2 = M.client("ec2", region, M.users["full"])
            ids = [i["InstanceId"] for i in self.all(ec2)]
            if ids:
                ec2.terminate_instances(InstanceIds=ids)
            for g in ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["gnrrun-*"]}])["SecurityGroups"]:
                try:
                    ec2.delete_security_group(GroupId=g["GroupId"])
                except ec2.exceptions.ClientError:
                    pass

    def all(self, ec2=None, states=("pending", "running", "stopping", "stopped")):
        pages = (ec2 or self.ec2).get_paginator("describe_instances").paginate(Filters=[{"Name": "instance-state-name", "Values": list(states)}])
        return [i for page in pages for r in page["Reservations"] for i in r["Instances"]]

    def env(self, keys=True, **more):
        env = {"PATH": os.environ["PATH"], "HOME": self.home}
        if keys:
            env.update(AWS_ACCESS_KEY_ID=self.keys[0], AWS_SECRET_ACCESS_KEY=self.keys[1])
        return {**env, **more}

    def run_ops(self, *args, settings=(), env=None):
        usual = {"endpoint": M.proxy.url, "region": REGION, "image": self.image}
        given = ["%s=%s" % kv for kv in {**usual, **dict(s.split("=", 1) for s in settings)}.items()]
        p = subprocess.run([OPS, "ec2", *given, *args], env=env or self.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100)
        self.assertIn(p.returncode, (0, 1), p.stderr[-3000:])
        for secret in [k[1] for k in M.users.values()] + ["Signature=", "FQoGZXIvYXdzE"]:
            self.assertNotIn(secret, p.stdout + p.stderr)
        return p.stdout

    def ops(self, *args, want=0, settings=(), env=None):
        out = self.run_ops(*args, settings=settings, env=env)
        if want:
            self.assertRegex(out, r"(?m)^error (%s) " % "|".join(str(w) for w in (want if isinstance(want, tuple) else (want,))))
        else:
            self.assertNotRegex(out, r"(?m)^error")
        return out

    def lease(self, out):
        return dict(f.split("=", 1) for f in re.findall(r"(\w+=\S*)", out))

    def create(self, name=NAME, want=0, again=False, token=None, machine="g4dn.xlarge", zone=REGION + "a", settings=(), env=None):
        out = self.ops("create", name, token or str(uuid.uuid4()), machine, REGION, zone, *(["again"] if again else []),
                       want=want, settings=settings, env=env)
        return out if want else self.lease(out)

    def calls(self, action):
        return [form for a, form, _ in M.proxy.seen if a == action]


class Life(Case):
    def test_made_awaited_ended_and_gone(self):
        l = self.create()
        made = self.all()
        self.assertEqual([m["InstanceId"] for m in made], [l["id"]])
        self.assertEqual(l["zone"], REGION + "a")
        tags = {t["Key"]: t["Value"] for t in made[0]["Tags"]}
        self.assertEqual({k: tags[k] for k in ("Name", "gnrrun:name", "gnrrun:owner", "gnrrun:run")},
                         {"Name": NAME, "gnrrun:name": NAME, "gnrrun:owner": "asha", "gnrrun:run": "mnist-7"})
        self.assertAlmostEqual(int(tags["gnrrun:until"]), time.time() + 7200, delta=100)
        up = self.lease(self.ops("poll", NAME, l["id"], REGION))
        self.assertEqual((up["state"], up["address"]), ("up", made[0]["PublicIpAddress"]))
        self.assertAlmostEqual(int(up["made"]), time.time(), delta=100)
        said = self.ec2.describe_instance_attribute(InstanceId=l["id"], Attribute="userData")["UserData"]["Value"]
        self.assertEqual(base64.b64decode(said), b"#cloud-config\n{}\n")
        behaviour = self.ec2.describe_instance_attribute(InstanceId=l["id"], Attribute="instanceInitiatedShutdownBehavior")
        self.assertEqual(behaviour["InstanceInitiatedShutdownBehavior"]["Value"], "stop")
        self.ops("destroy", NAME, l["id"], REGION)
        self.assertEqual(self.lease(self.ops("poll", NAME, l["id"], REGION))["state"], "gone")
        self.ops("destroy", NAME, l["id"], REGION)
        self.assertEqual(self.all(), [])
        out = self.ops("list")
        self.assertIn("complete=1", out)
        self.assertNotIn("lease", out)
        self.assertEqual(self.ec2.describe_volumes()["Volumes"], [])

    def test_by_name_when_its_id_is_unknown(self):
        l = self.create()
        self.assertEqual(self.lease(self.ops("poll", NAME, "", REGION))["id"], l["id"])
        self.ops("poll", "gnr-other", "", REGION, want=NOTFOUND)
        self.ops("destroy", "gnr-other", "", REGION, want=NOTFOUND)
        self.ops("poll", NAME, "i-0123456789abcdef0", REGION, want=NOTFOUND)
        self.ops("destroy", "gnr-other", "i-0123456789abcdef0", REGION)
        self.ops("destroy", NAME, "", REGION)
        self.assertEqual(self.all(), [])

    def test_a_halted_one_starts_again(self):
        l = self.create()
        self.ec2.stop_instances(InstanceIds=[l["id"]])
        self.assertEqual(self.lease(self.ops("poll", NAME, l["id"], REGION))["state"], "halted")
        self.assertIn("state=halted", self.ops("list"))
        self.ops("wake", NAME, l["id"], REGION)
        self.assertEqual(self.lease(self.ops("poll", NAME, l["id"], REGION))["state"], "up")
        M.proxy.script = {"StartInstances": [(400, moto.error("IncorrectInstanceState"))]}
        self.ops("wake", NAME, l["id"], REGION, want=NET)

    def test_list_has_all_of_ours_in_every_region_page_by_page(self):
        there = M.client("ec2", "ap-south-1", M.users["full"])
        image = there.describe_images(Owners=["amazon"], MaxResults=5)["Images"][0]["ImageId"]
        tag = [{"ResourceType": "instance", "Tags": [{"Key": "gnrrun:name", "Value": "gnr-lost"}, {"Key": "gnrrun:owner", "Value": "ben"}]}]
        there.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tag)
        there.run_instances(ImageId=image, MinCount=1, MaxCount=1)
        tag[0]["Tags"] = [{"Key": "gnrrun:name", "Value": "gnr-many"}]
        for _ in range(102):
            self.ec2.run_instances(ImageId=self.image, MinCount=1, MaxCount=1, TagSpecifications=tag)
        out = self.ops("list")
        self.assertEqual(len(re.findall(r"(?m)^lease name=gnr-many ", out)), 102)
        self.assertEqual(len(re.findall(r"(?m)^lease ", out)), 103)
        self.assertRegex(out, r"lease name=gnr-lost .*region=ap-south-1 .*owner=ben")
        self.assertIn("complete=1", out)
        self.assertTrue([f for f in self.calls("DescribeInstances") if "NextToken" in f])

    def test_a_region_that_does_not_answer_is_not_forgotten(self):
        self.create()
        M.proxy.script = {"DescribeInstances": [(403, moto.error("AuthFailure"))]}
        out = self.ops("list")
        self.assertIn("complete=0", out)
        self.assertIn(NAME, out)
        M.proxy.script = {"DescribeRegions": [(403, moto.error("UnauthorizedOperation"))]}
        out = self.ops("list")
        self.assertIn("complete=0", out)
        self.assertIn(NAME, out)

    def test_the_group_is_made_once_and_lets_ssh_in(self):
        self.create()
        self.create("gnr-b")
        groups = self.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["gnrrun-ssh"]}])["SecurityGroups"]
        self.assertEqual(len(groups), 1)
        rule = groups[0]["IpPermissions"]
        self.assertEqual([(r["IpProtocol"], r["FromPort"], r["ToPort"], r["IpRanges"][0]["CidrIp"]) for r in rule], [("tcp", 22, 22, "0.0.0.0/0")])
        self.assertEqual(len(self.calls("CreateSecurityGroup")), 1)
        self.create("gnr-c", settings=["ssh_from=203.0.113.0/24"])
        groups = self.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["gnrrun-ssh-203.0.113.0/24"]}])["SecurityGroups"]
        self.assertEqual(groups[0]["IpPermissions"][0]["IpRanges"][0]["CidrIp"], "203.0.113.0/24")

    def test_a_group_that_was_left_half_made_is_finished(self):
        M.proxy.script = {"AuthorizeSecurityGroupIngress": [(400, moto.error("InternalProblem"))]}
        self.create(want=-1)
        self.assertEqual(self.all(), [])
        M.proxy.script = {"DescribeSecurityGroups": [(200, b"<DescribeSecurityGroupsResponse/>")]}
        self.create()
        group = self.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["gnrrun-ssh"]}])["SecurityGroups"]
        self.assertEqual(group[0]["IpPermissions"][0]["FromPort"], 22)

    def test_in_a_subnet_of_ones_own_by_its_private_address(self):
        vpc = self.ec2.create_vpc(CidrBlock="127.77.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="127.77.0.0/24", AvailabilityZone=REGION + "b")["Subnet"]["SubnetId"]
        where = ["subnet=" + subnet, "address=private"]
        l = self.create(zone="", settings=where)
        self.assertEqual(l["zone"], REGION + "b")
        up = self.lease(self.ops("poll", NAME, l["id"], REGION, settings=where))
        self.assertRegex(up["address"], r"^127\.77\.0\.")
        self.assertEqual(self.lease(self.ops("poll", NAME, l["id"], REGION))["state"], "pending")  # no public one, ever

    def test_images_by_parameter_and_by_name(self):
        ssm = M.client("ssm", REGION, M.users["full"])
        ssm.put_parameter(Name="/gnr/ami", Value=self.image, Type="String")
        self.addCleanup(ssm.delete_parameter, Name="/gnr/ami")
        l = self.create(settings=["image=/gnr/ami"])
        self.assertEqual(self.ec2.describe_instances(InstanceIds=[l["id"]])["Reservations"][0]["Instances"][0]["ImageId"], self.image)
        name = M.images[3]["Name"]
        l = self.create("gnr-b", settings=["image=" + name])
        got = self.ec2.describe_instances(InstanceIds=[l["id"]])["Reservations"][0]["Instances"][0]["ImageId"]
        self.assertEqual(self.ec2.describe_images(ImageIds=[got])["Images"][0]["Name"], name)
        self.create("gnr-c", settings=["image=/gnr/none"], want=CONFIG)
        self.create("gnr-c", settings=["image=no such image"], want=CONFIG)

    def test_the_newest_image_with_drivers_where_no_parameter_tells(self):
        names = ["Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 2026%02d01" % m for m in (3, 9)]
        ids = [self.ec2.register_image(Name=n, RootDeviceName="/dev/sda1")["ImageId"] for n in names]
        self.addCleanup(lambda: [self.ec2.deregister_image(ImageId=i) for i in ids])
        # moto has them as ours, not as Amazon's
        M.proxy.script = {"DescribeImages": [(200, (
            "<DescribeImagesResponse><imagesSet>%s</imagesSet></DescribeImagesResponse>" % "".join(
                "<item><imageId>%s</imageId><creationDate>2026-0%d-01T00:00:00.000Z</creationDate><rootDeviceName>/dev/sda1</rootDeviceName>"
                "<blockDeviceMapping><item><deviceName>/dev/sda1</deviceName><ebs><volumeSize>125</volumeSize></ebs></item></blockDeviceMapping>"
                "</item>" % (i, m) for i, m in zip(ids, (3, 9)))).encode())]}
        l = self.create(settings=["image="])
        self.assertEqual(self.all()[0]["ImageId"], ids[1])
        self.assertEqual(self.calls("RunInstances")[0]["BlockDeviceMapping.1.Ebs.VolumeSize"], "125")
        self.assertEqual([f["Name"] for a, f, _ in M.proxy.seen if a == "AmazonSSM.GetParameter"],
                         ["/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-%subuntu-22.04/latest/ami-id" % s for s in ("gpu-", "")])
        self.assertTrue(l["id"])


class Offers(Case):
    def offers(self, *args, **kw):
        return [self.lease(line) for line in self.ops("offers", *args, **kw).splitlines() if line.startswith("offer")]

    def test_each_type_in_each_zone_cheapest_first(self):
        all_ = self.offers("1")
        self.assertEqual(all_[0]["machine"], "g4dn.xlarge")
        self.assertGreater(len({o["zone"] for o in all_}), 2)
        prices = [int(o["price"]) for o in all_]
        self.assertEqual(prices, sorted(prices))
        self.assertTrue(all(int(o["gpus"]) >= 1 for o in all_))
        sold = {(o["InstanceType"], o["Location"]) for o in self.ec2.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["g4dn.xlarge"]}])["InstanceTypeOfferings"]}
        self.assertEqual({(o["machine"], o["zone"]) for o in all_ if o["machine"] == "g4dn.xlarge"}, sold)

    def test_as_the_target_says(self):
        all_ = self.offers("1", settings=["machine=p3.2xlarge, g5.xlarge", "zone=us-east-1b"])
        self.assertEqual([(o["machine"], o["zone"]) for o in all_], [("g5.xlarge", "us-east-1b"), ("p3.2xlarge", "us-east-1b")])

    def test_spot_costs_what_it_costs_today(self):
        all_ = self.offers("1", settings=["spot=true", "machine=g4dn.xlarge"])
        self.assertTrue(all_ and all(o["price"] == "10" and o["date"] == "now" for o in all_))
        M.proxy.script = {"DescribeSpotPriceHistory": [(200, b"<DescribeSpotPriceHistoryResponse/>")]}
        self.assertEqual(self.offers("1", settings=["spot=true", "machine=g4dn.xlarge"])[0]["price"], "-1")

    def test_who_may_not_ask_for_zones(self):
        M.proxy.script = {"DescribeInstanceTypeOfferings": [(403, moto.error("UnauthorizedOperation"))]}
        self.assertEqual({o["zone"] for o in self.offers("1")}, {""})

    def test_settings_that_are_wrong(self):
        for s in ("spot=maybe", "address=secret", "ssh_from=everybody", "machine=p3;rm", "region=Mumbai", "regoin=x"):
            self.ops("offers", settings=[s], want=CONFIG)
        self.assertEqual(M.proxy.seen, [])


class Credentials(Case):
    def test_who_am_i(self):
        out = self.ops("check")
        self.assertRegex(out, r"who=arn:aws:iam::\d+:user/full where=us-east-1")
        self.assertNotIn("no machine", out)
        self.assertEqual(self.calls("RunInstances")[0]["DryRun"], "true")
        self.assertEqual(self.all(), [])

    def test_quota_zero_is_explained(self):
        M.proxy.script = {"ServiceQuotasV20190624.GetServiceQuota": [(200, b'{"Quota": {"QuotaCode": "L-DB2E81BA", "Value": 0.0}}')]}
        self.assertRegex(self.ops("check"), r"note=the quota for GPU machines in us-east-1 is 0: ask at https://us-east-1.console")
        M.proxy.script = {"ServiceQuotasV20190624.GetServiceQuota": [(200, b'{"Quota": {"QuotaCode": "L-DB2E81BA", "Value": 8.0}}')]}
        self.assertRegex(self.ops("check"), r"(?m)note=$")

    def test_wrong_ones(self):
        wrong = self.env(AWS_SECRET_ACCESS_KEY="x" * 40)
        for call in (["check"], ["create", NAME, str(uuid.uuid4()), "t3.micro", REGION, ""], ["list"]):
            self.ops(*call, want=AUTH, env=wrong)
        self.ops("check", want=AUTH, env=self.env(AWS_ACCESS_KEY_ID="AKIANOBODY"))
        self.ops("check", want=AUTH, env=self.env(AWS_SESSION_TOKEN="stale"))
        self.assertEqual(self.all(), [])

    def test_who_may_not_make_machines(self):
        self.keys = M.users["weak"]
        self.assertRegex(self.ops("check"), r"user/weak .*note=no machine can be made: RunInstances")
        self.create(want=AUTH)
        self.assertEqual(self.all(), [])

    def test_none(self):
        out = self.ops("check", want=AUTH, env=self.env(keys=False))
        self.assertIn("no profile 'default'", out)
        self.assertEqual(M.proxy.seen, [])

    def aws(self, config="", credentials=""):
        os.makedirs(self.home + "/.aws/sso/cache", exist_ok=True)
        for name, text in (("config", config), ("credentials", credentials)):
            with open(self.home + "/.aws/" + name, "w") as f:
                f.write(text)

    def pair(self, who="full"):
        return "aws_access_key_id = %s\naws_secret_access_key = %s\n" % M.users[who]

    def who(self, settings=(), **env):
        return self.lease(self.ops("check", settings=settings, env=self.env(keys=False, **env)))["who"].rsplit(":", 1)[1]

    def test_profiles(self):
        self.aws("[profile w]\nregion = eu-west-1\n", "[default]\n%s[w]\n%s" % (self.pair(), self.pair("weak")))
        self.assertEqual(self.who(), "user/full")
        self.assertEqual(self.who(AWS_PROFILE="w"), "user/weak")
        self.assertEqual(self.who(["profile=w"]), "user/weak")
        # the target's word counts more than keys in the environment, which count more than a profile's
        self.assertEqual(self.lease(self.ops("check", settings=["profile=w"]))["who"].rsplit("/", 1)[1], "weak")
        self.assertEqual(self.lease(self.ops("check", env=self.env(AWS_PROFILE="w")))["who"].rsplit("/", 1)[1], "full")

    def test_the_region_of_the_profile(self):
        self.aws("[default]\nregion = ap-south-1\n", "[default]\n" + self.pair())
        given = ["endpoint=" + M.proxy.url]
        p = subprocess.run([OPS, "ec2", *given, "check"], env=self.env(keys=False), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
        self.assertIn("where=ap-south-1", p.stdout)
        os.remove(self.home + "/.aws/config")
        p = subprocess.run([OPS, "ec2", *given, "check"], env=self.env(keys=False), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
        self.assertRegex(p.stdout, r"^error %d .*no region" % CONFIG)

    def test_a_program_that_knows_them(self):
        script = self.home + "/a program"
        answer = {"Version": 1, "AccessKeyId": M.users["weak"][0], "SecretAccessKey": M.users["weak"][1]}
        with open(script, "w") as f:
            f.write("#!/bin/sh\n[ \"$1 $2\" = \"--for you\" ] || exit 3\ncat <<'X'\n%s\nX\n" % json.dumps(answer))
        os.chmod(script, 0o700)
        self.aws("[default]\ncredential_process = \"%s\" --for 'you'\n" % script)
        self.assertEqual(self.who(), "user/weak")
        for command, want in (("\"%s\" --for me" % script, "status 3"), ("/bin/echo {}", "version 1"), ("/bin/echo no", "no JSON"),
                              ("/nonexistent/x", "cannot run"), ("sh -c 'yes x'", "too much")):
            self.aws("[default]\ncredential_process = %s\n" % command)
            self.assertIn(want, self.ops("check", want=AUTH, env=self.env(keys=False)))

    def test_a_role(self):
        chain = "[profile r]\nrole_arn = %s\nsource_profile = default\nrole_session_name = me\nexternal_id = 7\n" % M.role
        self.aws(chain, "[default]\n" + self.pair("weak"))
        self.assertEqual(self.who(AWS_PROFILE="r"), "assumed-role/trainer/me")
        asked = self.calls("AssumeRole")[0]
        self.assertEqual((asked["RoleArn"], asked["ExternalId"], asked["DurationSeconds"]), (M.role, "7", "3600"))
        l = self.lease(self.ops("create", NAME, str(uuid.uuid4()), "t3.micro", REGION, "", env=self.env(keys=False, AWS_PROFILE="r")))
        self.assertEqual([m["InstanceId"] for m in self.all()], [l["id"]])
        self.aws("[profile a]\nrole_arn = %s\nsource_profile = b\n[profile b]\nrole_arn = %s\nsource_profile = a\n" % (M.role, M.role))
        self.assertIn("circle", self.ops("check", want=AUTH, env=self.env(keys=False, AWS_PROFILE="a")))
        self.aws("[profile a]\nrole_arn = %s\ncredential_source = Environment\n" % M.role)
        out = self.ops("check", settings=["profile=a"])
        self.assertIn("assumed-role/trainer/gnrrun-", out)

    def test_single_sign_on(self):
        self.aws("[profile s]\nsso_session = u\nsso_account_id = 123456789012\nsso_role_name = Train er\n[sso-session u]\n"
                 "sso_start_url = https://u.awsapps.com/start\nsso_region = eu-central-1\n")

        def cached(name, **kw):
            with open("%s/.aws/sso/cache/%s.json" % (self.home, name), "w") as f:
                json.dump({"startUrl": "https://u.awsapps.com/start", "region": "eu-central-1", "accessToken": "t0ken-" + name, **kw}, f)

        self.assertIn("nobody is signed in", self.ops("check", want=AUTH, env=self.env(keys=False, AWS_PROFILE="s")))
        cached("old", expiresAt="2020-01-01T00:00:00Z")
        cached("new", expiresAt="2099-01-01T00:00:00Z")
        cached("else", expiresAt="2099-06-01T00:00:00Z", startUrl="https://v.awsapps.com/start")
        path = "/federation/credentials?role_name=Train%20er&account_id=123456789012"
        M.proxy.script = {path: [(200, json.dumps({"roleCredentials": {
            "accessKeyId": M.users["weak"][0], "secretAccessKey": M.users["weak"][1], "expiration": 4102444800000}}).encode())]}
        self.assertEqual(self.who(AWS_PROFILE="s"), "user/weak")
        self.assertEqual(M.proxy.seen[0][2]["x-amz-sso_bearer_token"], "t0ken-new")
        M.proxy.script = {path: [(401, b'{"message": "Session token not found or invalid"}')]}
        out = self.ops("check", want=AUTH, env=self.env(keys=False, AWS_PROFILE="s"))
        self.assertIn("Session token not found", out)
        self.assertNotIn("t0ken", out)


class Faults(Case):
    def test_an_answer_that_is_lost(self):
        for step in ("lose", "cut", "half"):
            with self.subTest(step):
                name, token = "gnr-" + step, str(uuid.uuid4())
                M.proxy.script = {"RunInstances": [step]}
                self.create(name, token=token, want=UNSURE)
                self.assertEqual(len([m for m in self.all() if {"Key": "gnrrun:name", "Value": name} in m["Tags"]]), 1)
                l = self.create(name, token=token, again=True)
                made = [m["InstanceId"] for m in self.all() if {"Key": "gnrrun:name", "Value": name} in m["Tags"]]
                self.assertEqual(made, [l["id"]])
        self.assertEqual({f["ClientToken"] for f in self.calls("RunInstances") if f["TagSpecification.1.Tag.1.Value"] == name}, {token})

    def test_500_after_it_was_done_is_no_refusal(self):
        M.proxy.script = {"RunInstances": [(500, moto.error("InternalError"))]}
        self.create(want=NET)
        M.proxy.script = {"RunInstances": [(500, b"<html>oops")]}
        self.create(want=NET)
        M.proxy.script = {"RunInstances": [(503, moto.error("RequestLimitExceeded"))]}
        self.create(want=NET)
        self.assertEqual(self.all(), [])
        self.assertEqual(len(self.calls("RunInstances")), 3)  # each was sent once: the caller looks first

    def test_what_may_be_asked_twice_is(self):
        l = self.create()
        M.proxy.script = {"DescribeInstances": [(503, moto.error("RequestLimitExceeded")), "lose", "cut"]}
        self.assertEqual(self.lease(self.ops("poll", NAME, l["id"], REGION))["state"], "up")
        M.proxy.script = {"TerminateInstances": ["lose"]}
        self.ops("destroy", NAME, l["id"], REGION)
        self.assertEqual(self.all(), [])

    def test_no_capacity_and_no_quota(self):
        for code in ("InsufficientInstanceCapacity", "VcpuLimitExceeded", "Unsupported", "MaxSpotInstanceCountExceeded", "SpotMaxPriceTooLow"):
            M.proxy.script = {"RunInstances": [(400 if code != "InsufficientInstanceCapacity" else 500, moto.error(code, "no more"))]}
            self.assertIn("no more (%s)" % code, self.create(want=CAPACITY))
        self.assertEqual(self.all(), [])

    def test_refusals(self):
        for code, want in (("UnauthorizedOperation", AUTH), ("OptInRequired", AUTH), ("PendingVerification", AUTH), ("InvalidAMIID.NotFound", CONFIG),
                           ("InvalidSubnetID.NotFound", CONFIG), ("SomethingNew", -1)):
            M.proxy.script = {"RunInstances": [(400, moto.error(code, "x&#x202e;y"))]}
            out = self.create(want=want)
            self.assertIn(code, out)
            self.assertNotIn("\u202e", out)

    def test_in_doubt_no_refusal_is_believed(self):
        token = str(uuid.uuid4())
        M.proxy.script = {"RunInstances": ["lose"]}
        self.create(token=token, want=UNSURE)
        for action, code in (("DescribeInstances", "UnauthorizedOperation"), ("DescribeInstances", "AuthFailure")):
            M.proxy.script = {action: [(403, moto.error(code))]}
            self.create(token=token, again=True, want=UNSURE)
        M.proxy.script = {"DescribeInstances": [(200, b"<DescribeInstancesResponse/>")], "RunInstances": [(400, moto.error("IdempotentParameterMismatch"))]}
        self.assertEqual(self.create(token=token, again=True)["id"], self.all()[0]["InstanceId"])
        M.proxy.script = {"DescribeInstances": [(200, b"<DescribeInstancesResponse/>")] * 2,
                          "RunInstances": [(400, moto.error("IdempotentParameterMismatch"))]}
        self.create(token=token, again=True, want=UNSURE)
        M.proxy.script = {"DescribeInstances": [(200, b"<DescribeInstancesResponse/>")], "RunInstances": [(403, moto.error("AuthFailure"))]}
        self.create(token=token, again=True, want=UNSURE)
        self.assertEqual(len(self.all()), 1)

    def test_answers_that_are_none(self):
        l = self.create()
        for text in (b"", b"<html>", b"{}", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a>" * 200, b"\xff\xfe"):
            for action, call in (("DescribeInstances", ["poll", NAME, l["id"], REGION]), ("GetCallerIdentity", ["check"]),
                                 ("RunInstances", ["create", "gnr-b", str(uuid.uuid4()), "t3.micro", REGION, ""]),
                                 ("DescribeInstanceTypeOfferings", ["offers", "1"])):
                M.proxy.script = {action: [(200, text)] * 4}
                self.ops(*call, want=PROTO)
        for text in (b"<RunInstancesResponse/>", b"<RunInstancesResponse><instancesSet><item/></instancesSet></RunInstancesResponse>"):
            M.proxy.script = {"RunInstances": [(200, text)]}
            self.create("gnr-b", want=PROTO)
        M.proxy.script = {"TerminateInstances": [(200, b"<html>")]}
        self.ops("destroy", NAME, l["id"], REGION, want=PROTO)
        M.proxy.script = {"DescribeRegions": [(200, b"<html>")], "DescribeInstances": [(200, b"<html>")]}
        self.ops("list", want=PROTO)

    def test_an_address_that_is_none(self):
        l = self.create()
        for address in ("-oProxyCommand=x", "a b", "1.2.3.4\n", "$(x)"):
            body = ("<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>%s</instanceId><instanceState><name>running</name>"
                    "</instanceState><ipAddress>%s</ipAddress></item></instancesSet></item></reservationSet></DescribeInstancesResponse>" % (l["id"], address))
            M.proxy.script = {"DescribeInstances": [(200, body.encode())]}
            got = self.lease(self.ops("poll", NAME, l["id"], REGION))
            self.assertEqual((got["state"], got["address"]), ("pending", ""))

    def test_pages_without_an_end(self):
        body = b"<DescribeRegionsResponse><nextToken>t</nextToken></DescribeRegionsResponse>"
        M.proxy.script = {"DescribeRegions": [(200, body)] * 1000}
        self.assertIn("complete=0", self.ops("list"))

    def test_a_clock_that_is_wrong(self):
        ahead = time.time() + 7200
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(ahead))
        M.proxy.script = {"GetCallerIdentity": [(403, moto.error("RequestExpired"), {"Date": date})]}
        self.assertIn("user/full", self.ops("check"))
        signed = [h["X-Amz-Date"] for a, _, h in M.proxy.seen if a == "GetCallerIdentity"]
        self.assertEqual(len(signed), 2)
        at = time.mktime(time.strptime(signed[1], "%Y%m%dT%H%M%SZ")) - time.timezone
        self.assertAlmostEqual(at, ahead, delta=60)


class Golden(Case):
    """What we send, and what botocore makes of the same wish."""

    def theirs(self, action, params):
        import botocore.serialize
        model = self.ec2.meta.service_model
        body = botocore.serialize.create_serializer("ec2").serialize_to_request(params, model.operation_model(action))["body"]
        return {k: ("true" if v is True else "false" if v is False else str(v)) for k, v in body.items()}

    def same(self, action, params, n=-1):
        self.assertEqual(self.calls(action)[n], self.theirs(action, params))

    def wish(self, token, spot=False, **more):
        sent = self.calls("RunInstances")[-1]
        until = sent["TagSpecification.1.Tag.5.Value"]
        tags = [{"Key": k, "Value": v} for k, v in (("Name", NAME), ("gnrrun:name", NAME), ("gnrrun:owner", "asha"), ("gnrrun:run", "mnist-7"),
                                                    ("gnrrun:until", until))]
        wish = {"ImageId": self.image, "InstanceType": "g4dn.xlarge", "MinCount": 1, "MaxCount": 1, "ClientToken": token,
                "UserData": base64.b64encode(b"#cloud-config\n{}\n").decode(), "MetadataOptions": {"HttpTokens": "required"},
                "InstanceInitiatedShutdownBehavior": "terminate" if spot else "stop",
                "BlockDeviceMappings": [{"DeviceName": self.root, "Ebs": {"VolumeSize": 80, "VolumeType": "gp3", "DeleteOnTermination": True}}],
                "TagSpecifications": [{"ResourceType": t, "Tags": tags} for t in ("instance", "volume")]}
        return {**wish, **more}

    def setUp(self):
        super().setUp()
        self.root = self.ec2.describe_images(ImageIds=[self.image])["Images"][0]["RootDeviceName"]

    def group(self, name="gnrrun-ssh"):
        return self.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"][0]["GroupId"]

    def test_a_machine(self):
        token = str(uuid.uuid4())
        l = self.create(token=token)
        self.same("RunInstances", self.wish(token, SecurityGroupIds=[self.group()], Placement={"AvailabilityZone": REGION + "a"}))
        vpc = self.ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        self.same("DescribeVpcs", {"Filters": [{"Name": "isDefault", "Values": ["true"]}]})
        self.same("DescribeSecurityGroups", {"Filters": [{"Name": "group-name", "Values": ["gnrrun-ssh"]}, {"Name": "vpc-id", "Values": [vpc]}]})
        self.same("CreateSecurityGroup", {"GroupName": "gnrrun-ssh", "Description": "SSH to machines that gnrrun makes", "VpcId": vpc})
        self.same("AuthorizeSecurityGroupIngress", {"GroupId": self.group(), "IpPermissions": [
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]})
        self.same("DescribeImages", {"ImageIds": [self.image]})
        self.ops("poll", NAME, l["id"], REGION)
        self.same("DescribeInstances", {"InstanceIds": [l["id"]]})
        self.ops("wake", NAME, l["id"], REGION)
        self.same("StartInstances", {"InstanceIds": [l["id"]]})
        self.ops("destroy", NAME, l["id"], REGION)
        self.same("DescribeInstances", {"Filters": [{"Name": "tag:gnrrun:name", "Values": [NAME]}]})
        self.same("TerminateInstances", {"InstanceIds": [l["id"]]})
        self.ops("list")
        self.same("DescribeRegions", {})
        self.same("DescribeInstances", {"MaxResults": 100, "Filters": [{"Name": "tag-key", "Values": ["gnrrun:name"]}, {
            "Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]})

    def test_a_spot_machine_in_a_subnet(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24")["Subnet"]["SubnetId"]
        token = str(uuid.uuid4())
        self.ops("create", NAME, token, "g4dn.xlarge", REGION, "", "spot", settings=["subnet=" + subnet, "spot=true"])
        self.same("RunInstances", self.wish(token, spot=True, NetworkInterfaces=[
            {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [self.group()], "AssociatePublicIpAddress": True, "DeleteOnTermination": True}],
            InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}}))
        self.assertEqual(self.all()[0]["InstanceLifecycle"], "spot")

    def test_questions(self):
        self.ops("offers", "1", settings=["machine=g4dn.xlarge", "spot=true"])
        self.same("DescribeInstanceTypeOfferings", {"LocationType": "availability-zone", "Filters": [{"Name": "instance-type", "Values": ["g4dn.xlarge"]}]})
        sent = self.calls("DescribeSpotPriceHistory")[-1]
        self.assertEqual(sent, {**self.theirs("DescribeSpotPriceHistory", {"InstanceTypes": ["g4dn.xlarge"], "ProductDescriptions": ["Linux/UNIX"],
                                                                             "StartTime": "2026-01-01T00:00:00Z"}), "StartTime": sent["StartTime"]})
        self.assertRegex(sent["StartTime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def main():
    why = moto.why_not()
    if why:
        print("skipped: " + why)
        sys.exit(77)
    result = unittest.TextTestRunner(verbosity=1).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]))
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed, 0 skipped" % (result.testsRun - bad, bad))
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
