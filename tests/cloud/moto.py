"""moto.py - a real emulator of AWS (moto_server) with signatures and policies checked, and between it and us a proxy that
loses answers, cuts them, and says what EC2 says on a bad day; it remembers what passed.
"""
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

FREE = 11  # calls that need no signature: those of setting up


def why_not():
    """The reason why this cannot run here, or None."""
    if not shutil.which("moto_server"):
        return "no moto_server (python package moto[server])"
    try:
        import botocore.session  # noqa: F401
    except ImportError:
        return "no botocore (python3-botocore)"
    return None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def allow(*actions):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})


class Moto:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="gn-moto-")
        self.port = free_port()
        env = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(FREE)}
        self.log = open(os.path.join(self.dir, "log"), "w+")
        self.process = subprocess.Popen(["moto_server", "-H", "127.0.0.1", "-p", str(self.port)], env=env, stdout=self.log,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        try:
            self.wait()
            self.set_up()
        except BaseException:
            self.stop()
            raise
        self.proxy = Proxy(self.port)

    def wait(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.log.seek(0)
        raise RuntimeError("moto_server does not come up: " + self.log.read()[-2000:])

    def client(self, service, region="us-east-1", keys=("x", "y")):
        import botocore.config
        import botocore.session
        session = botocore.session.Session()
        session.set_credentials(*keys)
        config = botocore.config.Config(retries={"max_attempts": 0}, proxies={}, parameter_validation=True)
        return session.create_client(service, region_name=region, endpoint_url="http://127.0.0.1:%d" % self.port, config=config)

    def set_up(self):
        iam = self.client("iam")
        self.users = {}
        for name, policy in (("full", allow("ec2:*", "ssm:*", "sts:*", "servicequotas:*")), ("weak", allow("sts:*", "ec2:Describe*"))):
            iam.create_user(UserName=name)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
            self.users[name] = (key["AccessKeyId"], key["SecretAccessKey"])
        trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})
        self.role = iam.create_role(RoleName="trainer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        policy = iam.create_policy(PolicyName="q", PolicyDocument=allow("ec2:*", "ssm:*", "sts:*"))["Policy"]["Arn"]
        iam.attach_role_policy(RoleName="trainer", PolicyArn=policy)
        calls = 9
        ec2 = self.client("ec2")
        for _ in range(FREE - calls):
            self.images = ec2.describe_images(Owners=["amazon"], MaxResults=200)["Images"]

    def stop(self):
        if getattr(self, "proxy", None):
            self.proxy.stop()
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        self.process.wait(20)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def error(code, message="because"):
    return ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors>"
            "<RequestID>1</RequestID></Response>" % (code, message)).encode()


class Proxy:
    """seen: [(action, {key: value}, headers)].  script: {action: [step]}, a step is None (pass), "lose" (done, not told),
    "cut" (half of the answer), "half" (the same, as if it were all), "late" (done, and a 500 said), or (status, body[, headers]) without a word to moto.
    before: called with action and form where the script says nothing, tells the step.  after: called with each action that was done, its form and
    what moto said."""

    def __init__(self, port):
        self.seen, self.script, self.before, self.after = [], {}, None, None
        self.lock, self.open = threading.Lock(), 0
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                with proxy.lock:
                    proxy.open += 1
                try:
                    self.carry()
                finally:
                    with proxy.lock:
                        proxy.open -= 1

            def carry(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)) if body[:1] != b"{" else json.loads(body)
                action = self.headers.get("X-Amz-Target") or form.get("Action") or self.path
                proxy.seen.append((action, form, dict(self.headers)))
                steps = proxy.script.get(action) or []
                step = steps.pop(0) if steps else None
                if proxy.before and step is None:
                    step = proxy.before(action, form)
                if isinstance(step, tuple):
                    self.reply(step[0], step[1], step[2] if len(step) > 2 else {})
                    return
                c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                c.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for k, v in self.headers.items():
                    c.putheader(k, v)
                c.endheaders(body)
                r = c.getresponse()
                text = r.read()
                c.close()
                if proxy.after and r.status == 200:
                    proxy.after(action, form, text.decode("utf-8", "replace"))
                if step == "lose":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                elif step == "cut":
                    self.reply(r.status, text[:len(text) // 2], {"Content-Length": str(len(text))})
                    self.close_connection = True
                elif step == "late":
                    self.reply(500, b"oops")
                elif step == "half":
                    self.reply(r.status, text[:len(text) // 2])
                else:
                    self.reply(r.status, text)

            def reply(self, status, text, headers=()):
                self.send_response_only(status)
                for k, v in {"Date": self.date_time_string(), "Content-Length": str(len(text)), **dict(headers)}.items():
                    self.send_header(k, v)
                try:
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:  # who asked is dead
                    self.close_connection = True

            do_GET = do_POST = answer

            def log_message(self, *a):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def settle(self):
        """Until nothing is on its way any more: who asked may be dead, what was asked is still done."""
        while self.open:
            time.sleep(0.01)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
