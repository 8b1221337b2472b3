#!/usr/bin/env python3
"""Ten thousand random requests, signed as botocore signs them, and some as curl does.

test_sigv4.py SIGN [COUNT] [SEED]
"""
import datetime
import os
import random
import shutil
import subprocess
import sys
import types
import urllib.parse

try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
except ImportError:
    print("skipped: no botocore (python3-botocore)")
    sys.exit(77)

IS_MODULE = isinstance(getattr(botocore.auth, "datetime", None), types.ModuleType)
SIGN = sys.argv[1]
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
RND = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 4)
WORDS = ["a", "b", "Action", "Version", "2016-11-15", "x-y", "x_y", "x.y", "~", "ü", "日本", "a b", "a+b", "100%", "", "A", "aa", "a=b", "/", "*", "'"]


def text(low=0, high=12):
    return "".join(RND.choice("abcXYZ019-_.~ +%&=/?#*'\"üñ日\u00a0") for _ in range(RND.randint(low, high)))


def a_path():
    if RND.random() < 0.4:
        return "/"
    parts = [RND.choice([urllib.parse.quote(RND.choice(WORDS), safe="~"), "..", ".", "", "x"]) for _ in range(RND.randint(1, 5))]
    return "/" + "/".join(parts) + ("/" if RND.random() < 0.3 else "")


def a_query():
    pairs = [(RND.choice(WORDS + [text()]), RND.choice(WORDS + [text()])) for _ in range(RND.randint(0, 6))]
    pairs = [(k, v) for k, v in pairs if k]
    if pairs and RND.random() < 0.3:
        pairs.append((pairs[0][0], RND.choice(WORDS)))
    return "&".join("%s=%s" % (urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~")) for k, v in pairs)


def a_request():
    r = {"key": "AKIA" + "".join(RND.choice("ABCDEFGH234567") for _ in range(16)), "secret": text(1, 40) or "s",
         "token": text(1, 200).replace("\u00a0", "x").strip() if RND.random() < 0.4 else "", "region": RND.choice(["us-east-1", "ap-south-1", "eu-central-1"]),
         "service": RND.choice(["ec2", "sts", "ssm"]), "method": RND.choice(["GET", "POST", "POST", "PUT", "DELETE"]),
         "time": str(RND.randint(1400000000, 1900000000))}
    host = RND.choice(["ec2.us-east-1.amazonaws.com", "EC2.Example.COM", "127.0.0.1:5000", "example.com:443", "example.com:8443"])
    query = a_query()
    r["url"] = "https://" + host + a_path() + ("?" + query if query else "")
    headers = []
    if RND.random() < 0.8:
        headers.append(("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"))
    if RND.random() < 0.5:
        headers.append(("X-Amz-Target", "  AmazonSSM.Get   Parameter\t x "))
    if RND.random() < 0.3:
        headers.append(("x-odd", RND.choice(["", " ", "a  b   c", "a,b", "\ta\t"])))
    r["headers"] = headers
    r["body"] = urllib.parse.urlencode([(RND.choice(WORDS), text()) for _ in range(RND.randint(0, 5))]) if r["method"] == "POST" else ""
    return r


def by_botocore(r):
    when = datetime.datetime.fromtimestamp(int(r["time"]), datetime.timezone.utc)

    class Clock(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return when.replace(tzinfo=None)

        @classmethod
        def now(cls, tz=None):
            return when

    # its module's clock, whichever of its versions this is
    botocore.auth.datetime = types.SimpleNamespace(datetime=Clock, timezone=datetime.timezone) if IS_MODULE else Clock
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: when.replace(tzinfo=None) if remove_tzinfo else when
    credentials = botocore.credentials.Credentials(r["key"], r["secret"], r["token"] or None)
    request = botocore.awsrequest.AWSRequest(r["method"], r["url"], data=r["body"].encode())
    for k, v in r["headers"]:
        request.headers[k] = v
    botocore.auth.SigV4Auth(credentials, r["service"], r["region"]).add_auth(request)
    return "Authorization: " + request.headers["Authorization"]


def feed(requests):
    out = []
    for r in requests:
        for k in ("key", "secret", "token", "region", "service", "method", "url", "time", "body"):
            out.append("%s %s" % (k, r[k].encode().hex()))
        out += ["header %s" % ("%s: %s" % h).encode().hex() for h in r["headers"]]
        out.append("")
    return "\n".join(out) + "\n"


def by_us(requests):
    return subprocess.run([SIGN], input=feed(requests).encode(), stdout=subprocess.PIPE, check=True, timeout=300).stdout.decode().splitlines()


def by_curl(r):
    """curl signs with the time that it is: the one it used is read from what it sends."""
    p = subprocess.run(["curl", "-s", "-v", "--max-time", "5", "--aws-sigv4", "aws:amz:%s:%s" % (r["region"], r["service"]), "--user", "%s:%s" % (r["key"], r["secret"]),
                        "-H", "Content-Type: application/x-www-form-urlencoded", "-d", r["body"], r["url"]],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    sent = dict(line[2:].split(": ", 1) for line in p.stderr.decode("latin-1").splitlines() if line.startswith("> ") and ": " in line)
    return sent.get("Authorization"), sent.get("X-Amz-Date")


def compare_with_curl(n):
    """Where that applies: POST to the root, nothing in the path or the query (its canonical forms differ there)."""
    import http.server
    import threading

    class Quiet(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *a):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    same = 0
    for _ in range(n):
        r = a_request()
        r.update(method="POST", secret="s" + "".join(RND.choice("abcdefgh") for _ in range(20)), token="", url="http://127.0.0.1:%d/" % server.server_port,
                 body=urllib.parse.urlencode([("Action", text()), ("Version", "2016-11-15")]))
        theirs, date = by_curl(r)
        if not theirs:
            print("skipped: this curl has no --aws-sigv4")
            return 0
        r["time"] = str(int(datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()))
        r["headers"] = [("Content-Type", "application/x-www-form-urlencoded")]
        ours = by_us([r])[0]
        assert ours.replace(" ", "") == ("Authorization: " + theirs).replace(" ", ""), (r, ours, theirs)
        same += 1
    server.shutdown()
    return same


def main():
    requests = [a_request() for _ in range(COUNT)]
    ours = by_us(requests)
    assert len(ours) == COUNT, (len(ours), COUNT)
    for r, mine in zip(requests, ours):
        theirs = by_botocore(r)
        assert mine == theirs, "%r\nours   %s\ntheirs %s" % (r, mine, theirs)
    print("%d requests signed as botocore signs them" % COUNT)
    if shutil.which("curl"):
        print("%d as curl does" % compare_with_curl(20))
    else:
        print("skipped: no curl to compare with")
    print("%d passed, 0 failed, 0 skipped" % 2)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    main()
