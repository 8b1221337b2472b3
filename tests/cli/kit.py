"""What the tests of the command line share: a gnrrun in a home of its own, also on a terminal."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

GNRRUN = os.environ["GNRRUN"]
SOURCE = os.environ["GNRRUN_SOURCE"]


class Case(unittest.TestCase):
    def setUp(self):
        self.home = os.path.realpath(tempfile.mkdtemp(prefix="gnrrun-cli-"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.project = self.path("proj")
        os.mkdir(self.project)
        os.mkdir(self.path("proj", ".git"))
        self.env = {"PATH": os.environ["PATH"], "HOME": self.home, "USER": "somebody",
                    "TERM": "xterm", "LC_ALL": "C.UTF-8"}

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def write(self, path, text=""):
        path = self.path(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def run_it(self, *words, cwd=None, stdin=subprocess.DEVNULL, **env):
        # A session of its own: no /dev/tty, whatever terminal the tests were started from.
        return subprocess.run([GNRRUN, *words], cwd=cwd or self.project, env={**self.env, **env},
                              stdin=stdin, capture_output=True, text=True, timeout=60,
                              start_new_session=True)

    def ends(self, status, *words, **more):
        r = self.run_it(*words, **more)
        self.assertEqual(r.returncode, status, f"{words}: {r.stdout}{r.stderr}")
        return r

    def rows(self, *words, **more):
        r = self.ends(0, *words, "--json", **more)
        return [json.loads(line) for line in r.stdout.splitlines()]


class Terminal:
    """A program on a pseudo terminal, by whose side it is waited for words, never for time."""

    def __init__(self, argv, cwd, env, columns=80):
        import fcntl
        import struct
        import termios
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.chdir(cwd)
            os.execve(argv[0], argv, env)
        self.seen = b""

    def read_some(self, seconds=30):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            raise AssertionError(f"nothing came; so far: {self.seen!r}")
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other end is closed
            data = b""
        self.seen += data
        return data

    def until(self, text):
        end = time.monotonic() + 30
        while text not in self.seen:
            if time.monotonic() > end or not self.read_some():
                raise AssertionError(f"{text!r} did not come; so far: {self.seen!r}")

    def send(self, data):
        os.write(self.fd, data)

    def echoes(self):
        import termios
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self):
        while self.read_some():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def main():
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
