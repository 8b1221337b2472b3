"""What the tests of the command line share: a gnrrun in a home of its own, also on a terminal."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from terminal import Terminal  # noqa: F401

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


def main():
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
