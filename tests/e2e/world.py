"""world.py - a laptop, a project and a real sshd called ravan, for the end-to-end tests."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "ssh"))
import sshd as sshd_module  # noqa: E402

GNRRUN = os.environ.get("GNRRUN") or "gnrrun"
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


def wait_until(what, test, seconds=20):
    end = time.monotonic() + seconds
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("gave up waiting for " + what)
        time.sleep(0.02)


class World:
    """home: the laptop's; far: the home over there; project: where commands are typed."""

    def __init__(self, relay=False, options=(), far_env="", prepare=None):
        self.dir = tempfile.mkdtemp(prefix="gn-e2e-")
        os.chmod(self.dir, 0o755)
        self.far = os.path.join(self.dir, "far")
        os.mkdir(self.far, 0o700)
        self.sshd = sshd_module.Sshd(os.path.join(self.dir, "sshd"),
                                     ["SetEnv HOME=%s %s" % (self.far, far_env), "MaxStartups 100:30:200", *options], ttl=1500)
        if prepare:
            prepare(self.sshd)
        self.sshd.start()
        self.relay = sshd_module.Relay(self.sshd.port) if relay else None
        self.home = self.sshd.client("ravan", port=self.relay.port if relay else None)
        self.project = os.path.join(self.dir, "proj")
        os.mkdir(self.project)
        self.processes = []

    def env(self, **more):
        env = self.sshd.env(**more)
        for k in ("PYTHONPATH", "VIRTUAL_ENV", "ASAN_OPTIONS"):
            env.pop(k, None)
        # leaks of a killed process say nothing, and status 23 is nobody's own
        env["ASAN_OPTIONS"] = "detect_leaks=1:exitcode=99"
        return env

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.project, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb" if isinstance(text, bytes) else "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def read(self, name):
        with open(os.path.join(self.project, name), "rb") as f:
            return f.read()

    def text(self, name):
        """A file beside the project."""
        with open(os.path.join(self.dir, name), errors="replace") as f:
            return f.read()

    def exists(self, name):
        return os.path.lexists(os.path.join(self.project, name))

    def popen(self, *args, cwd=None, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        kw.setdefault("bufsize", 0)  # what a readline() has read ahead, communicate() would not see
        p = subprocess.Popen([GNRRUN, *args], cwd=cwd or self.project, env=self.env(), **kw)
        self.processes.append(p)
        return p

    def gn(self, *args, cwd=None, timeout=90, env=None, **kw):
        """Run to the end; .code .out (bytes) .err (text)."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        p = subprocess.run([GNRRUN, *args], cwd=cwd or self.project, env={**self.env(), **(env or {})},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **kw)
        p.code, p.out, p.err = p.returncode, p.stdout, p.stderr.decode("utf-8", "replace")
        return p

    def show(self, run=None):
        p = self.gn("show", *([run] if run else []), "--json")
        assert p.code == 0, p.err
        return json.loads(p.out)

    def local_log(self, run):
        path = os.path.join(self.home, ".local/state/gnrrun/runs", run, "log")
        if not os.path.exists(path):
            return b""
        with open(path, "rb") as f:
            return f.read()

    def far_runs(self):
        folder = os.path.join(self.far, ".gnrrun/v1/runs")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def far_log(self, i=-1):
        with open(os.path.join(self.far, ".gnrrun/v1/runs", self.far_runs()[i], "log"), "rb") as f:
            return f.read()

    def close(self):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
            p.wait()
            for f in (p.stdout, p.stderr):
                if f:
                    f.close()
        self.end_runs()
        if self.relay:
            self.relay.close()
        self.sshd.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def end_runs(self):
        """Whatever a failed test left running over there."""
        for run in self.far_runs():
            for name in ("job.id", "sup.id"):
                try:
                    with open(os.path.join(self.far, ".gnrrun/v1/runs", run, name)) as f:
                        pid, start = f.read().split()[:2]
                    with open("/proc/%s/stat" % pid) as f:
                        if f.read().rsplit(") ", 1)[1].split()[19] == start:
                            os.kill(int(pid), signal.SIGKILL)
                except (OSError, ValueError, IndexError):
                    pass


class Case(unittest.TestCase):
    relay = False
    options = ()
    far_env = ""
    prepare = None  # what is done to the server before it starts

    def setUp(self):
        self.w = World(self.relay, self.options, self.far_env, self.prepare)
        self.addCleanup(self.w.close)

    def good(self, p, code=0):
        self.assertEqual(p.code, code, "stdout: %r\nstderr: %s" % (p.out[-2000:], p.err[-3000:]))
        for sign in ("AddressSanitizer", "runtime error:", "LeakSanitizer"):
            self.assertNotIn(sign, p.err)
        return p


def main():
    why = sshd_module.why_not()
    if why:
        print("skipped: " + why)
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    result = unittest.main(exit=False, verbosity=1, module="__main__").result
    bad = len(result.failures) + len(result.errors)
    for test, reason in result.skipped:
        print("skipped: %s: %s" % (test.id(), reason))
    skipped = len(result.skipped)
    print("%d passed, %d failed, %d skipped" % (result.testsRun - bad - skipped, bad, skipped), flush=True)
    sys.exit(1 if bad or not result.testsRun else 0)
