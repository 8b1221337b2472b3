"""fakes.py - clouds that remember: what was made, and for how long.  Made from the same documents as the providers,
so they prove that our end is consistent, and nothing about the real ones; those are marked "never run against the
real service" until somebody has.
"""
import base64
import http.server
import itertools
import json
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse
import uuid


class Fake:
    """One cloud.  machines: {id: dict}; requests: [(method, path, query, body)]; script: answers that come first."""
    token = "t0ken-of-the-test"
    secrets = [token, "gAAAA-session"]
    before_create = 0  # requests of a create before the one that makes it
    tells_run = tells_made = priced = True
    idempotent = False

    def __init__(self):
        self.machines, self.requests, self.script, self.keys = {}, [], [], {}
        self.numbers = itertools.count(1001)
        self.boot, self.hidden = 2, 0  # looks until it is up, and until it is seen at all
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(raw) if raw and raw[:1] in b"{[" else dict(urllib.parse.parse_qsl(raw.decode())) if raw else None
                fake.requests.append((self.command, url.path, query, body))
                step = fake.script.pop(0) if fake.script else None
                if isinstance(step, tuple):
                    answer = step
                else:
                    answer = fake.authorize(self.headers, url.path) or fake.answer(self.command, url.path, query, body, self.headers)
                if step == "lose":  # it was done, and nobody hears of it
                    self.close_connection = True
                    self.connection.close()
                    return
                status, value = answer[:2]
                text = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
                self.send_response(status)
                for k, v in (answer[2] if len(answer) > 2 else {}).items():
                    self.send_header(k, v)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

            def log_message(self, *a):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def authorize(self, headers, path):
        if headers.get("Authorization") != "Bearer " + self.token:
            return self.unauthorized()

    def settings(self):
        return ["endpoint=" + self.url + self.root]

    def alive(self):
        return [m for m in self.machines.values() if not m.get("gone")]

    def left(self):
        """What is still there of what came with a machine."""
        return list(self.keys)

    def stamp(self):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def looked(self, m):
        """One more look at it: it comes up after some."""
        m["looks"] = m.get("looks", 0) + 1
        return m["looks"] > self.boot


class DigitalOcean(Fake):
    type, root, region, machine = "digitalocean", "/v2", "blr1", "s-4vcpu-8gb"
    env = {"DIGITALOCEAN_TOKEN": Fake.token}
    full = (422, {"id": "unprocessable_entity", "message": "The size s-4vcpu-8gb is not available in this region."})

    def unauthorized(self):
        return 401, {"id": "Unauthorized", "message": "Unable to authenticate you"}

    def show(self, m):
        up = self.looked(m)
        nets = [{"ip_address": "10.0.0.5", "type": "private"}] + ([{"ip_address": "203.0.113.7", "type": "public"}] if up else [])
        return {"id": m["id"], "name": m["name"], "status": m.get("status") or ("active" if up else "new"), "size_slug": m["size"], "tags": m["tags"],
                "region": {"slug": m["region"]}, "networks": {"v4": nets, "v6": []}, "created_at": m["made"]}

    def answer(self, method, path, query, body, headers):
        part = path.split("/")[2:]
        if part == ["account"]:
            return 200, {"account": {"email": "asha@example.org", "droplet_limit": 10, "status": "active"}}
        if part == ["sizes"]:
            return 200, {"sizes": [
                {"slug": "s-4vcpu-8gb", "memory": 8192, "vcpus": 4, "price_hourly": 0.07143, "regions": ["nyc3", "blr1"], "available": True},
                {"slug": "c-8", "memory": 16384, "vcpus": 8, "price_hourly": 0.25, "regions": ["nyc3"], "available": True},
                {"slug": "gone", "memory": 8192, "vcpus": 4, "price_hourly": 0.01, "regions": ["blr1"], "available": False},
                {"slug": "gpu-h100x1-80gb", "memory": 245760, "vcpus": 20, "price_hourly": 3.39, "regions": ["blr1"], "available": True,
                 "gpu_info": {"count": 1, "model": "nvidia_h100", "vram": {"amount": 80, "unit": "gib"}}}]}
        if part == ["droplets"] and method == "POST":
            i = next(self.numbers)
            self.machines[i] = {"id": i, "made": self.stamp(), **{k: body[k] for k in ("name", "size", "region", "tags", "user_data")}}
            return 202, {"droplet": self.show(self.machines[i]), "links": {}}
        if part == ["droplets"]:
            found = [m for m in self.alive() if query["tag_name"] in m["tags"]]
            page, per = int(query.get("page", 1)), min(int(query.get("per_page", 20)), self.page)
            more = len(found) > page * per
            return 200, {"droplets": [self.show(m) for m in found[(page - 1) * per:page * per]], "meta": {"total": len(found)},
                         "links": {"pages": {"next": "x"}} if more else {}}
        m = self.machines.get(int(part[1]))
        if not m or m.get("gone"):
            return 404, {"id": "not_found", "message": "The resource you were accessing could not be found."}
        if method == "DELETE":
            m["gone"] = True
            return 204, None
        if part[2:] == ["actions"]:
            m["status"] = None
            return 201, {"action": {"status": "in-progress"}}
        return 200, {"droplet": self.show(m)}

    page = 2  # so that a list has several


class Lambda(Fake):
    before_create, tells_run, tells_made = 1, False, False  # a key comes first; there are no tags
    type, root, region, machine = "lambda", "/api/v1", "us-west-1", "gpu_1x_a10"
    env = {"LAMBDA_API_KEY": Fake.token}
    full = (400, {"error": {"code": "instance-operations/launch/insufficient-capacity", "message": "Not enough capacity to fulfill launch request.", "suggestion": ""}})

    def unauthorized(self):
        return 401, {"error": {"code": "global/invalid-api-key", "message": "API key was invalid, expired, or deleted."}}

    def show(self, m):
        up = self.looked(m)
        return {"id": m["id"], "name": m["name"], "status": "active" if up else "booting", "ip": "203.0.113.8" if up else None,
                "region": {"name": m["region"], "description": "x"}, "instance_type": {"name": m["type"]}}

    def answer(self, method, path, query, body, headers):
        part = path.split("/")[3:]
        if part == ["ssh-keys"] and method == "POST":
            i = "k%d" % next(self.numbers)
            self.keys[i] = body["name"]
            return 200, {"data": {"id": i, "name": body["name"], "public_key": body["public_key"]}}
        if part == ["ssh-keys"]:
            return 200, {"data": [{"id": i, "name": n} for i, n in self.keys.items()]}
        if part[0] == "ssh-keys":
            del self.keys[part[1]]
            return 200, {"data": {}}
        if part == ["instance-types"]:
            kind = lambda n, d, c, g, r: {"instance_type": {"name": n, "description": d, "gpu_description": d, "price_cents_per_hour": c, "specs": {
                "vcpus": 30, "memory_gib": 200, "storage_gib": 1400, "gpus": g}}, "regions_with_capacity_available": [{"name": x} for x in r]}
            return 200, {"data": {"gpu_1x_a10": kind("gpu_1x_a10", "A10 (24 GB PCIe)", 75, 1, ["us-west-1"]), "gpu_8x_a100": kind("gpu_8x_a100", "A100 (40 GB SXM4)", 1032, 8, []),
                                  "gpu_1x_h100": kind("gpu_1x_h100", "H100 (80 GB PCIe)", 249, 1, ["us-west-1", "asia-south-1"])}}
        if part == ["instance-operations", "launch"]:
            assert body["ssh_key_names"][0] in self.keys.values() and len(body["ssh_key_names"]) == 1
            i = "%032x" % next(self.numbers)
            self.machines[i] = {"id": i, "name": body["name"], "region": body["region_name"], "type": body["instance_type_name"], "user_data": body["user_data"]}
            return 200, {"data": {"instance_ids": [i]}}
        if part == ["instance-operations", "terminate"]:
            for i in body["instance_ids"]:
                if i not in self.machines or self.machines[i].get("gone"):
                    return 404, {"error": {"code": "global/object-does-not-exist", "message": "Specified instance does not exist."}}
                self.machines[i]["gone"] = True
            return 200, {"data": {"terminated_instances": []}}
        if part == ["instances"]:
            return 200, {"data": [self.show(m) for m in self.alive()]}
        m = self.machines.get(part[1])
        if not m or m.get("gone"):
            return 404, {"error": {"code": "global/object-does-not-exist", "message": "Specified instance does not exist."}}
        return 200, {"data": self.show(m)}


class OpenStack(Fake):
    before_create, region, machine, type, root = 4, "RegionOne", "g1.a100", "openstack", "/identity"
    env = {"OS_APPLICATION_CREDENTIAL_ID": "app-id", "OS_APPLICATION_CREDENTIAL_SECRET": Fake.token, "OS_REGION_NAME": "RegionOne"}
    full = (403, {"forbidden": {"code": 403, "message": "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"}})
    priced = False

    def __init__(self):
        super().__init__()
        self.ips, self.fault = {}, None

    def settings(self):
        return super().settings() + ["image=Ubuntu 22.04", "network=private net", "floating_network=public"]

    def left(self):
        return list(self.ips)

    def authorize(self, headers, path):
        if not path.startswith("/identity") and headers.get("X-Auth-Token") != "gAAAA-session":
            return 401, {"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}}

    def show(self, m):
        up = self.looked(m)
        ip = [{"addr": "203.0.113.9", "version": 4, "OS-EXT-IPS:type": "floating"}] if m["id"] in self.ips.values() else []
        return {"id": m["id"], "name": m["name"], "status": "ERROR" if self.fault else "ACTIVE" if up else "BUILD", "metadata": m["metadata"], "created": m["made"],
                "fault": {"message": self.fault} if self.fault else {}, "flavor": {"original_name": "g1.a100"},
                "addresses": {"private net": [{"addr": "fd00::5", "version": 6, "OS-EXT-IPS:type": "fixed"}, {"addr": "10.0.0.9", "version": 4, "OS-EXT-IPS:type": "fixed"}] + ip} if up else {}}

    def answer(self, method, path, query, body, headers):
        part = path.split("/")[1:]
        if part == ["identity", "v3", "auth", "tokens"]:
            who = body["auth"]["identity"]
            if who != {"methods": ["application_credential"], "application_credential": {"id": "app-id", "secret": self.token}}:
                return 401, {"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}}
            ends = lambda path: [{"interface": "internal", "region": "RegionOne", "url": "http://10.0.0.1/"}, {"interface": "public", "region": "Other", "url": "http://10.0.0.2/"},
                                 {"interface": "public", "region": "RegionOne", "url": self.url + path}]
            return 201, {"token": {"user": {"name": "asha"}, "project": {"name": "lab"}, "expires_at": "2030-01-01T00:00:00.000000Z", "catalog": [
                {"type": "compute", "endpoints": ends("/compute/v2.1")}, {"type": "image", "endpoints": ends("/image")}, {"type": "network", "endpoints": ends("/network/")}]}}, \
                {"X-Subject-Token": "gAAAA-session"}
        if part[0] == "image":
            return 200, {"images": [{"id": "img-1", "name": query["name"]}] if query["name"] == "Ubuntu 22.04" else []}
        if part[0] == "network":
            return self.net(method, part[2:], query, body)
        part = part[2:]
        if part == ["limits"]:
            return 200, {"limits": {"absolute": {"maxTotalInstances": 10, "totalInstancesUsed": len(self.alive())}}}
        if part == ["flavors", "detail"]:
            return 200, {"flavors": [{"id": "f1", "name": "c1.small", "vcpus": 2, "ram": 4096, "disk": 20, "extra_specs": {}},
                                     {"id": "f2", "name": "g1.a100", "vcpus": 16, "ram": 131072, "disk": 100, "extra_specs": {"pci_passthrough:alias": "a100:1"}}]}
        if part == ["servers"] and method == "POST":
            s = body["server"]
            assert s["flavorRef"] == "f2" and s["imageRef"] == "img-1" and s["networks"] == [{"uuid": "net-private"}] and s["config_drive"] is True, s
            i = "srv-%d" % next(self.numbers)
            self.machines[i] = {"id": i, "name": s["name"], "metadata": s["metadata"], "made": self.stamp(), "user_data": s["user_data"]}
            return 202, {"server": {"id": i, "links": []}}
        if part[:2] == ["servers", "detail"]:
            found = sorted((m for m in self.alive() if m["name"].startswith(query["name"].lstrip("^"))), key=lambda m: m["id"])
            found = [m for m in found if m["id"] > query.get("marker", "")][:2]
            return 200, {"servers": [self.show(m) for m in found]}
        m = self.machines.get(part[1])
        if not m or m.get("gone"):
            return 404, {"itemNotFound": {"code": 404, "message": "Instance %s could not be found." % part[1]}}
        if method == "DELETE":
            m["gone"] = True
            return 204, None
        return 200, {"server": self.show(m)}

    def net(self, method, part, query, body):
        if part == ["networks"]:
            names = {"private net": "net-private", "public": "net-public"}
            return 200, {"networks": [{"id": names[query["name"]]}] if query["name"] in names else []}
        if part == ["ports"]:
            return 200, {"ports": [{"id": "port-" + query["device_id"]}] if query["device_id"] in self.machines else []}
        if part == ["floatingips"] and method == "POST":
            f = body["floatingip"]
            assert f["floating_network_id"] == "net-public", f
            i = "ip-%d" % next(self.numbers)
            self.ips[i] = f["port_id"][5:]
            return 201, {"floatingip": {"id": i}}
        if part == ["floatingips"]:
            return 200, {"floatingips": [{"id": i} for i, m in self.ips.items() if "port-" + m == query["port_id"]]}
        del self.ips[part[1]]
        return 204, None


class Gce(Fake):
    before_create, region, zone, machine, type, root = 1, "us-central1", "us-central1-a", "g2-standard-4", "gce", "/compute/v1"
    secrets, idempotent = ["ya29.session", "PRIVATE KEY"], True
    full = (200, {"kind": "compute#operation", "name": "operation-1", "status": "DONE", "error": {"errors": [
        {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "The zone does not have enough resources available."}]}})

    def __init__(self):
        super().__init__()
        self.dir = tempfile.mkdtemp(prefix="gn-gce-")
        subprocess.run(["openssl", "genrsa", "-out", self.dir + "/key", "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", self.dir + "/key", "-pubout", "-out", self.dir + "/pub"], check=True, capture_output=True)
        with open(self.dir + "/key") as f:
            account = {"type": "service_account", "project_id": "course-1", "private_key_id": "k1", "private_key": f.read(), "client_email": "run@course-1.iam",
                       "token_uri": self.url + "/token"}
        with open(self.dir + "/account.json", "w") as f:
            json.dump(account, f)
        self.env = {"GOOGLE_APPLICATION_CREDENTIALS": self.dir + "/account.json"}
        self.token = "fine"

    def close(self):
        super().close()
        shutil.rmtree(self.dir)

    def authorize(self, headers, path):
        if path != "/token" and headers.get("Authorization") != "Bearer ya29.session":
            return 401, {"error": {"code": 401, "message": "Request had invalid authentication credentials.", "status": "UNAUTHENTICATED", "errors": [{"reason": "authError"}]}}

    def sign_in(self, form):
        """As Google checks it: our claims, signed with the key whose public half it has."""
        if self.token != "fine":
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer", form
        pad = lambda t: base64.urlsafe_b64decode(t + "=" * (-len(t) % 4))
        head, claims, sig = form["assertion"].split(".")
        with open(self.dir + "/sig", "wb") as f:
            f.write(pad(sig))
        subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.dir + "/pub", "-signature", self.dir + "/sig"], input=(head + "." + claims).encode(), check=True,
                       capture_output=True)
        said = json.loads(pad(claims))
        assert json.loads(pad(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"} and said["iss"] == "run@course-1.iam" and said["aud"] == self.url + "/token", said
        assert abs(said["iat"] - time.time()) < 100 and said["exp"] - said["iat"] == 3600
        return 200, {"access_token": "ya29.session", "expires_in": 3599, "token_type": "Bearer"}

    def show(self, m):
        up = self.looked(m)
        return {"name": m["name"], "status": "RUNNING" if up else "PROVISIONING", "zone": self.url + "/projects/course-1/zones/us-central1-a", "labels": m["labels"],
                "machineType": "x/zones/us-central1-a/machineTypes/g2-standard-4", "creationTimestamp": m["made"],
                "networkInterfaces": [{"networkIP": "10.128.0.2", "accessConfigs": [{"natIP": "203.0.113.10"} if up else {}]}]}

    def answer(self, method, path, query, body, headers):
        if path == "/token":
            return self.sign_in(body)
        part = path.split("/")[3:]
        assert part[:2] == ["projects", "course-1"], part
        part = part[2:]
        none = (404, {"error": {"code": 404, "message": "The resource was not found", "errors": [{"reason": "notFound"}]}})
        op = {"kind": "compute#operation", "name": "operation-7", "status": "RUNNING"}
        if not part:
            return 200, {"name": "course-1", "quotas": [{"metric": "GPUS_ALL_REGIONS", "limit": 0.0, "usage": 0.0}]}
        if part == ["zones"]:
            return 200, {"items": [{"name": n, "status": "UP"} for n in ("us-central1-a", "us-central1-b", "us-central10-a", "europe-west4-a")]}
        if part == ["aggregated", "instances"]:
            assert query["filter"] == "labels.gnrrun-run:*" and query["returnPartialSuccess"] == "true", query
            found = [m for m in self.alive() if "gnrrun-run" in m["labels"]]
            at = int(query.get("pageToken", "0"))
            return 200, {"kind": "compute#instanceAggregatedList", "items": {"zones/us-central1-a": {"instances": [self.show(m) for m in found[at:at + 2]]}, "zones/x": {"warning": {}}},
                         **({"nextPageToken": str(at + 2)} if len(found) > at + 2 else {})}
        if part[2] == "operations":
            return 200, {**op, "status": "DONE"}
        name = part[3] if len(part) > 3 else None
        if method == "POST" and name is None:
            uuid.UUID(query["requestId"])
            assert body["scheduling"]["instanceTerminationAction"] == "DELETE" and 3600 < int(body["scheduling"]["maxRunDuration"]["seconds"]) <= 7200, body
            assert "serviceAccounts" not in body
            if body["name"] in self.machines:
                return 409, {"error": {"code": 409, "message": "The resource already exists", "errors": [{"reason": "alreadyExists"}]}}
            self.machines[body["name"]] = {"name": body["name"], "labels": body["labels"], "made": time.strftime("%Y-%m-%dT%H:%M:%S.000-00:00", time.gmtime())}
            return 200, op
        m = self.machines.get(name)
        if not m or m.get("gone"):
            return none
        if method == "DELETE":
            m["gone"] = True
            return 200, op
        return 200, self.show(m)


class Azure(Fake):
    before_create, region, machine, type, root = 4, "eastus", "Standard_NC4as_T4_v3", "azure", ""
    secrets, idempotent = [Fake.token, "eyJ0.session"], True
    env = {"AZURE_SUBSCRIPTION_ID": "sub-1", "AZURE_TENANT_ID": "tenant-1", "AZURE_CLIENT_ID": "client-1", "AZURE_CLIENT_SECRET": Fake.token}
    full = (409, {"error": {"code": "SkuNotAvailable", "message": "The requested VM size Standard_NC4as_T4_v3 is currently not available in location 'eastus'."}})

    def left(self):
        return [g for g, m in self.machines.items() if not m.get("gone")]

    def alive(self):
        return [m for m in self.machines.values() if not m.get("gone") and "vm" in m]

    def authorize(self, headers, path):
        if "/oauth2/" not in path and headers.get("Authorization") != "Bearer eyJ0.session":
            return 401, {"error": {"code": "InvalidAuthenticationToken", "message": "The access token is invalid."}}

    def answer(self, method, path, query, body, headers):
        part = path.strip("/").split("/")
        if part[1:] == ["oauth2", "v2.0", "token"]:
            if body != {"grant_type": "client_credentials", "client_id": "client-1", "client_secret": self.token, "scope": "https://management.azure.com/.default"}:
                return 401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
            return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "eyJ0.session"}
        assert part[:2] == ["subscriptions", "sub-1"] and query["api-version"], (path, query)
        part = part[2:]
        if not part:
            return 200, {"displayName": "Azure for Students", "state": "Enabled"}
        if len(part) == 1:
            assert query["$filter"] == "tagName eq 'gnrrun-run'", query
            found = [self.group(g) for g, m in sorted(self.machines.items()) if not m.get("gone") and "gnrrun-run" in m["tags"]]
            at = int(query.get("$skiptoken", 0))
            more = {"nextLink": "%s/subscriptions/sub-1/resourcegroups?api-version=2021-04-01&$filter=tagName%%20eq%%20'gnrrun-run'&$skiptoken=%d" % (self.url, at + 2)}
            return 200, {"value": found[at:at + 2], **(more if len(found) > at + 2 else {})}
        name, m = part[1], self.machines.get(part[1])
        if len(part) == 2 and method == "PUT":
            if not m or m.get("gone"):
                self.machines[name] = {"tags": body["tags"], "location": body["location"], "parts": {}}
            return 201, self.group(name)
        if not m or m.get("gone"):
            return 404, {"error": {"code": "ResourceGroupNotFound", "message": "Resource group '%s' could not be found." % name}}
        if len(part) == 2 and method == "DELETE":
            m["gone"] = True
            return 202, None
        if len(part) == 2:
            return 200, self.group(name)
        what = "/".join(part[3:])
        if what == "Microsoft.Network/publicIPAddresses":
            return 200, {"value": [{"name": "pip", "properties": {"ipAddress": "203.0.113.11"}}] if "vm" in m else []}
        if what == "Microsoft.Compute/virtualMachines/vm":
            if method == "PUT":
                m["vm"] = body
                return 201, {"properties": {"provisioningState": "Creating"}}
            if "vm" not in m:
                return 404, {"error": {"code": "ResourceNotFound", "message": "The Resource was not found."}}
            up = self.looked(m)
            return 200, {"properties": {"provisioningState": "Succeeded" if up else "Creating", "instanceView": {"statuses": [
                {"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}] if up else []}}}
        if method == "PUT":
            m["parts"][what] = body
            return 201, {"properties": {"provisioningState": "Succeeded"}}
        return 200, {"properties": {"provisioningState": "Succeeded"}}

    def group(self, name):
        m = self.machines[name]
        return {"name": name, "location": m["location"], "tags": m["tags"], "properties": {"provisioningState": "Succeeded"}}


ALL = [DigitalOcean, Lambda, OpenStack, Gce, Azure]
