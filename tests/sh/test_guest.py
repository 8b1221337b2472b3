#!/usr/bin/env python3
"""guest.sh, under every shell: a rented machine halts at its deadline, and when nobody needs it, and not before."""
import os
import shutil
import subprocess
import tempfile
import time
import unittest

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../core/lease/guest.sh")
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "ash"], "bash": ["bash"], "mksh": ["mksh"]}


class Guest(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="gn-guest-")
        self.addCleanup(shutil.rmtree, self.home)
        os.mkdir(self.home + "/bin")
        self.users("root sshd\n")
        self.halted = self.home + "/halted"
        self.put("bin/halt", "#!/bin/sh\n: > %s\n" % self.halted)

    def put(self, name, text):
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def users(self, text):
        self.put("bin/ps", "#!/bin/sh\ncat <<'X'\n%sX\n" % text)

    def start(self, shell, deadline):
        p = subprocess.Popen([*SHELLS[shell], SOURCE, str(int(time.time() + deadline)), self.home, "1", "2", self.home + "/bin/halt"],
                             env={"PATH": self.home + "/bin:" + os.environ["PATH"]}, start_new_session=True)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    def each(self):
        for shell in SHELLS:
            if not shutil.which(SHELLS[shell][0]):
                print("skipped: no", shell)
                continue
            with self.subTest(shell):
                yield shell
            shutil.rmtree(self.home + "/.gnrrun", ignore_errors=True)
            if os.path.exists(self.halted):
                os.unlink(self.halted)

    def test_nobody_ever_came(self):
        for shell in self.each():
            self.assertEqual(self.start(shell, 1000).wait(20), 0)
            self.assertTrue(os.path.exists(self.halted))

    def test_past_its_deadline_whatever_runs(self):
        for shell in self.each():
            self.put(".gnrrun/v1/runs/a-1/job", "")
            self.assertEqual(self.start(shell, 2).wait(20), 0)
            self.assertTrue(os.path.exists(self.halted))

    def test_not_while_a_run_goes_on(self):
        for shell in self.each():
            self.put(".gnrrun/v1/runs/a-1/exit", "code=0")
            self.put(".gnrrun/v1/runs/a-2/job", "")
            p = self.start(shell, 1000)
            with self.assertRaises(subprocess.TimeoutExpired):
                p.wait(4)  # twice its rest
            self.put(".gnrrun/v1/runs/a-2/exit", "code=0")
            self.assertEqual(p.wait(20), 0)
            self.assertTrue(os.path.exists(self.halted))

    def test_not_while_somebody_is_logged_in(self):
        for shell in self.each():
            self.users("root sshd\n%s sshd\n" % os.path.basename(self.home))
            p = self.start(shell, 1000)
            with self.assertRaises(subprocess.TimeoutExpired):
                p.wait(4)
            self.users("root sshd\n")
            self.assertEqual(p.wait(20), 0)


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=0)
    bad = len(program.result.failures) + len(program.result.errors)
    print("%d passed, %d failed, 0 skipped" % (program.result.testsRun - bad, bad))
    raise SystemExit(bad != 0)
