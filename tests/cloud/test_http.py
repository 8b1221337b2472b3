#!/usr/bin/env python3
"""What a provider's server may do to us: test_http.py FETCH"""
import gzip
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

FETCH = sys.argv[1]
NET, TIMEOUT, PROTO, HOSTKEY, CONFIG = -6, -11, -13, -8, -5


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, body, dict(self.headers), time.monotonic()))
        step = self.server.script.pop(0) if self.server.script else (200, {}, b"ok")
        if step == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if step == "hang":
            self.server.released.wait(10)
            self.close_connection = True
            return
        status, headers, text = step
        self.send_response_only(status)
        for k, v in {"Date": self.date_time_string(), "Content-Length": len(text), **headers}.items():
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = do_PUT = answer

    def log_message(self, *a):
        pass


class Case(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.seen, self.server.script, self.server.released = [], [], threading.Event()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.addCleanup(self.server.released.set)
        self.url = "http://127.0.0.1:%d/v1/x" % self.server.server_port

    def call(self, *args, script=(), env=None):
        self.server.script = list(script)
        self.server.seen = []
        p = subprocess.run([FETCH, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, env={**os.environ, **(env or {})})
        self.assertNotIn("s3cret", p.stdout + p.stderr)
        self.said = p.stderr
        return p.stdout.strip()

    def fails(self, code, *args, **kw):
        out = self.call(*args, **kw)
        self.assertRegex(out, "^error %d " % code)
        return out

    def test_an_answer_is_an_answer(self):
        self.assertEqual(self.call("GET", self.url), "200 2")
        self.assertIn("GET 127.0.0.1:%d/v1/x Test: 200, 2 bytes" % self.server.server_port, self.said)
        self.assertEqual(self.call("POST", self.url + "?secret=1", "a=b", script=[(404, {}, b"no")]), "404 2")
        self.assertEqual(self.server.seen[0][:3], ("POST", "/v1/x?secret=1", b"a=b"))
        self.assertNotIn("secret=1", self.said)
        self.assertEqual(self.call("DELETE", self.url, script=[(204, {}, b"")]), "204 0")

    def test_only_what_is_safe_is_asked_twice(self):
        for step in ("cut", (500, {}, b""), (503, {}, b"")):
            self.call("POST", self.url, "x", script=[step])
            self.assertEqual(len(self.server.seen), 1, step)
            self.assertEqual(self.call("safe", "POST", self.url, "x", script=[step]), "200 2 in doubt")
            self.assertEqual(len(self.server.seen), 2, step)
        self.assertEqual(self.call("safe", "GET", self.url, script=[(502, {}, b"")] * 9), "502 0 in doubt")
        self.assertEqual(len(self.server.seen), 4)

    def test_too_many_requests_were_not_carried_out(self):
        self.assertEqual(self.call("POST", self.url, "x", script=[(429, {"Retry-After": "1"}, b"")]), "200 2")
        first, second = [s[4] for s in self.server.seen]
        self.assertGreaterEqual(second - first, 1)
        self.assertEqual(self.call("safe", "POST", self.url, "x", script=[(429, {}, b""), (403, {}, b"")]), "403 0")

    def test_a_refusal_after_a_lost_answer_leaves_doubt(self):
        self.assertEqual(self.call("safe", "POST", self.url, "x", script=["cut", (403, {}, b"")]), "403 0 in doubt")
        self.assertEqual(self.call("safe", "POST", self.url, "x", script=[(403, {}, b"")]), "403 0")

    def test_a_server_that_says_nothing(self):
        self.fails(TIMEOUT, "POST", self.url, "x", script=["hang"])
        self.assertEqual(len(self.server.seen), 1)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.fails(NET, "POST", "http://127.0.0.1:%d/" % s.getsockname()[1], "x")
        self.assertEqual(self.said.count("POST"), 4)  # nothing can have been carried out

    def test_too_much(self):
        self.fails(PROTO, "GET", self.url, script=[(200, {}, b"x" * 100001)])
        bomb = gzip.compress(b"x" * 10000000)
        self.fails(PROTO, "GET", self.url, script=[(200, {"Content-Encoding": "gzip"}, bomb)])

    def test_nobody_is_sent_elsewhere(self):
        self.assertEqual(self.call("GET", self.url, script=[(302, {"Location": self.url + "/stolen"}, b"")]), "302 0")
        self.assertEqual(len(self.server.seen), 1)

    def test_plain_http_goes_no_farther_than_this_machine(self):
        for url in ("http://example.com/", "http://127.0.0.1.example.com/", "http://localhost.example.com/", "ftp://127.0.0.1/", "file:///etc/passwd",
                    "http://127.0.0.1@example.com/"):
            out = self.call("GET", url)
            self.assertRegex(out, "^error (%d|%d) " % (CONFIG, NET), url)
            if "127" not in url:
                self.assertIn("https://", out)

    def test_a_clock_that_is_off_is_told_and_made_up_for(self):
        later = {"Date": http.server.BaseHTTPRequestHandler.date_time_string(None, time.time() + 3600)}
        self.assertEqual(self.call("GET", self.url, script=[(403, later, b"")]), "200 2")
        first, second = [int(s[3]["Authorization"].rsplit("-", 1)[1]) for s in self.server.seen]
        self.assertAlmostEqual(second - first, 3600, delta=5)
        self.assertIn("seconds off", self.said)
        self.assertEqual(self.call("GET", self.url, script=[(403, {}, b"")]), "403 0")

    def test_a_certificate_that_nobody_vouches_for(self):
        if not shutil.which("openssl"):
            print("skipped: no openssl command")
            return
        folder = tempfile.mkdtemp(prefix="gn-http-")
        self.addCleanup(shutil.rmtree, folder)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", folder + "/k", "-out", folder + "/c"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder + "/c", folder + "/k")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        url = "https://localhost:%d/" % self.server.server_port
        self.fails(HOSTKEY, "GET", url)
        self.assertEqual(self.server.seen, [])
        self.assertEqual(self.call("GET", url, env={"SSL_CERT_FILE": folder + "/c"}), "200 2")


if __name__ == "__main__":
    program = unittest.main(argv=sys.argv[:1], exit=False, verbosity=0)
    bad = len(program.result.failures) + len(program.result.errors)
    print("%d passed, %d failed, 0 skipped" % (program.result.testsRun - bad, bad))
    sys.exit(bad != 0)
