#!/usr/bin/env python3
"""One authenticated connection for many commands: what is asked, what is shared, what ends it, what it costs."""
import os
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

from world import GNRRUN, HERE, Case, main, wait_until

sys.path.insert(0, os.path.join(HERE, "..", "cli"))
import terminal  # noqa: E402
import sshd as sshd_module  # noqa: E402

PROXY = os.environ.get("GN_PROXY")
SANITIZED = bool(os.environ.get("GN_SANITIZED"))


def is_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Kept(Case):
    """targets: kept (always by a keeper), plain (never), brief (for a second)."""

    def setUp(self):
        super().setUp()
        self.rt = os.path.join(self.w.dir, "rt")
        os.mkdir(self.rt, 0o700)
        self.folder = os.path.join(self.rt, "gnrrun")
        config = os.path.join(self.w.home, ".config/gnrrun")
        os.makedirs(config)
        with open(os.path.join(config, "config.yaml"), "w") as f:
            f.write("targets:\n  kept: {host: ravan, keep: 1h}\n  plain: {host: ravan, keep: no}\n"
                    "  brief: {host: ravan, keep: 1s}\n")
        # a keeper has no stderr that anybody reads
        self.env = {"XDG_RUNTIME_DIR": self.rt,
                    "ASAN_OPTIONS": "detect_leaks=1:exitcode=99:log_path=%s/fault" % self.w.dir}
        self.addCleanup(self.look_for_faults)
        self.addCleanup(self.end_keepers)
        self.w.write("p.py", "print('hi')\nopen('res', 'w').write('x')\n")

    def gn(self, *args, code=0, **kw):
        return self.good(self.w.gn(*args, env={**self.env, **kw.pop("env", {})}, **kw), code)

    def popen(self, *args, **kw):
        p = subprocess.Popen([GNRRUN, *args], cwd=self.w.project, env={**self.w.env(), **self.env},
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, **kw)
        self.w.processes.append(p)
        return p

    def keepers(self):
        """Pids of those that were started from here."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f, open("/proc/%s/environ" % pid, "rb") as g:
                    if b"\0__keep\0" in f.read() and self.rt.encode() in g.read():
                        with open("/proc/%s/stat" % pid) as s:
                            if s.read().rsplit(") ", 1)[1][0] != "Z":
                                found.append(int(pid))
            except OSError:
                pass
        return found

    def look_for_faults(self):
        for name in os.listdir(self.w.dir):
            if name.startswith("fault."):
                self.fail(self.w.text(name)[:3000])

    def end_keepers(self):
        for pid in self.keepers():
            os.kill(pid, signal.SIGKILL)

    def sockets(self):
        return [os.path.join(self.folder, n) for n in sorted(os.listdir(self.folder)) if "." not in n]

    def logins(self):
        return len(re.findall(r"(?m)^Accepted (?:publickey|keyboard-interactive\S*) for ", sshd_module.read(self.w.sshd.log)))

    def connections(self):
        """As whoever counts them for a ban does; the first is that of the server's own start."""
        return sshd_module.read(self.w.sshd.log).count("Connection from ") - 1

    def processor_s(self, pid):
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@unittest.skipIf(sshd_module.why_no_pam(), sshd_module.why_no_pam())
class TwoFactors(Kept):
    options = ("AuthenticationMethods publickey,keyboard-interactive:pam", "KbdInteractiveAuthentication yes")

    @staticmethod
    def prepare(server):
        sshd_module.use_pam(server, "password=tiger code=424242")

    def terminal(self, *args):
        return terminal.Terminal([GNRRUN, *args], self.w.project, {**self.w.env(TERM="xterm"), **self.env})

    def log_in(self, *args, code=b"424242"):
        t = self.terminal(*args)
        t.until(b"Password: ")
        self.assertFalse(t.echoes())
        t.send(b"tiger\n")
        t.until(b"(1-1): ")
        t.send(code + b"\n")
        return t

    def test_ten_commands_and_one_code(self):
        self.assertEqual(self.log_in("p.py", "-t", "ravan").end(), 0)
        self.gn("ps", "--refresh")
        self.gn("logs", "proj-1")
        self.gn("fetch", "proj-1")
        self.assertEqual(self.gn("p.py", "-t", "ravan").out, b"hi\n")
        self.gn("targets", "ravan", "--check")
        self.assertEqual(self.gn("ssh", "ravan", "echo out; exit 7", code=7).out, b"out\n")
        self.gn("ship", "-t", "ravan")
        self.gn("stop", "proj-2")
        self.gn("rm", "proj-1")
        self.assertEqual((self.w.sshd.count(), self.logins()), (1, 1))
        self.assertLessEqual(self.connections(), 2)
        self.assertNotIn("Failed", sshd_module.read(self.w.sshd.log))
        # nothing secret is kept but in memory
        for name in os.listdir(self.folder):
            if "." in name:
                self.assertEqual(os.path.getsize(os.path.join(self.folder, name)), 0)

    def test_a_login_is_never_tried_again_without_a_person(self):
        self.w.write("p.py", "import time\nfor i in range(600): print(i, flush=True); time.sleep(0.1)\n")
        t = self.log_in("p.py", "-t", "ravan")
        t.until(b"\n5\r\n")
        pid, = self.keepers()
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(t.end(), 104)
        self.assertIn(b"wants an answer from a person", t.seen)
        self.assertIn(b"gnrrun attach", t.seen)
        for _ in range(3):  # nobody can be asked here
            self.gn("ssh", "ravan", "true", code=104)
        self.assertEqual(self.w.sshd.count(), 1)
        # a person is, and all is as if nothing had been
        self.assertEqual(self.log_in("ps", "--refresh").end(), 0)
        self.assertEqual(self.w.show()["state"], "running")
        self.gn("stop", "--now")
        self.assertEqual(self.w.sshd.count(), 2)

    def test_a_wrong_code_is_not_tried_again(self):
        t = self.log_in("ssh", "ravan", "true", code=b"1")
        self.assertEqual(t.end(), 104)
        self.assertIn(b"permission denied", t.seen)
        self.assertEqual(self.w.sshd.count(), 1)
        wait_until("the end of it", lambda: not self.keepers())
        self.assertEqual(self.sockets(), [])

    def test_two_at_once_ask_once(self):
        first = self.terminal("ssh", "ravan", "echo one")
        first.until(b"Password: ")
        second = self.terminal("ssh", "ravan", "echo two")
        second.until(b"another gnrrun is logging in to 'ravan'")
        first.send(b"tiger\n")
        first.until(b"(1-1): ")
        first.send(b"424242\n")
        self.assertEqual((first.end(), second.end()), (0, 0))
        self.assertIn(b"one", first.seen)
        self.assertIn(b"two", second.seen)
        self.assertEqual((self.w.sshd.count(), len(self.keepers())), (1, 1))

    def test_who_gives_up_leaves_nothing(self):
        t = self.terminal("ssh", "ravan", "true")
        t.until(b"Password: ")
        t.send(b"\x03")
        self.assertEqual(t.end(), 130)
        wait_until("the end of it", lambda: not self.keepers())


class One(Kept):
    def test_it_is_closed_to_others(self):
        self.gn("ssh", "kept", "true")
        path, = self.sockets()
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o600)
        self.assertEqual(os.stat(self.folder).st_mode & 0o7777, 0o700)
        os.chmod(self.folder, 0o755)  # somebody could have put a socket there
        p = self.gn("ssh", "kept", "echo by myself")
        self.assertEqual(p.out, b"by myself\n")
        self.assertIn("not a folder that only you can open", p.err)
        self.assertEqual(self.logins(), 2)

    @unittest.skipIf(os.getuid(), "another user's socket needs root")
    def test_another_users_socket_is_refused(self):
        self.gn("ssh", "kept", "true")
        path, = self.sockets()
        self.gn("targets", "kept", "--disconnect")
        wait_until("its end", lambda: not self.keepers())
        os.chmod(self.w.dir, 0o755)
        script = ("import os, socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(%r)\nos.setuid(65534)\ns.listen()\n"
                  "print('up', flush=True)\nc, _ = s.accept()\nprint(len(c.recv(1)), flush=True)\n" % path)
        other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        self.addCleanup(other.stdout.close)
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        self.assertEqual(other.stdout.readline(), "up\n")
        p = self.gn("ssh", "kept", "echo by myself")
        self.assertEqual(p.out, b"by myself\n")
        self.assertIn("somebody else", p.err)
        self.assertEqual(other.stdout.readline(), "0\n")  # it was told nothing

    def test_no_means_no(self):
        for _ in range(2):
            self.gn("ssh", "plain", "true")
        self.gn("ssh", "ravan", "true")  # a key alone: nothing is kept
        self.assertEqual((self.logins(), self.keepers()), (3, []))

    def test_refused_logins_have_an_end(self):
        """Whoever counts them (fail2ban does) sees three, however often a script tries."""
        key = os.path.join(self.w.home, ".ssh/id_test")
        for end in ("", ".pub"):
            os.rename(key + end, key + ".good" + end)
        sshd_module.keygen(key)

        def refused():
            return sshd_module.read(self.w.sshd.log).count("Connection closed by authenticating user")

        for target in ("ravan", "kept"):
            before = refused()
            for i in range(6):
                self.assertIn("permission denied" if i < 3 else "refused 3 logins within 10 minutes",
                              self.gn("ssh", target, "true", code=104).err)
            wait_until("the log", lambda: refused() - before >= 3)
            self.assertEqual(refused() - before, 3)
            self.gn("targets", target, "--disconnect")
        for end in ("", ".pub"):
            os.rename(key + ".good" + end, key + end)
        for target in ("ravan", "kept", "ravan"):
            self.gn("ssh", target, "true")

    def test_it_ends_when_nobody_uses_it(self):
        self.gn("ssh", "brief", "true")
        wait_until("its end", lambda: not self.keepers(), 15)
        self.assertEqual(self.sockets(), [])
        wait_until("the end of the connection", lambda: not self.w.sshd.connections())

    def test_it_stays_while_it_is_used(self):
        self.assertEqual(self.gn("ssh", "brief", "sleep 4; echo done").out, b"done\n")
        self.assertEqual(self.logins(), 1)

    def test_it_is_told_to_end(self):
        self.gn("ssh", "kept", "true")
        p = self.gn("targets", "kept", "--disconnect", "--json")
        self.assertEqual(p.out, b'{"target":"kept","disconnected":true}\n')
        wait_until("its end", lambda: not self.keepers())
        self.assertIn("no connection to 'kept' is kept", self.gn("targets", "kept", "--disconnect").err)
        self.gn("targets", "--disconnect")

    def test_another_version_replaces_it(self):
        self.gn("ssh", "kept", "true")
        old, = self.keepers()
        other = os.path.join(self.w.dir, "gnrrun")
        subprocess.run(["cp", GNRRUN, other], check=True)
        p = subprocess.run([other, "ssh", "kept", "echo new"], cwd=self.w.project, env={**self.w.env(), **self.env}, stdout=subprocess.PIPE)
        self.assertEqual((p.returncode, p.stdout), (0, b"new\n"))
        wait_until("the end of the old", lambda: old not in self.keepers())
        self.assertEqual(len(self.keepers()), 1)

    def test_a_race_has_one_winner(self):
        many = [self.popen("ssh", "kept", "echo %d" % i) for i in range(8)]
        for i, p in enumerate(many):
            out, err = p.communicate(timeout=60)
            self.assertEqual((p.returncode, out), (0, b"%d\n" % i), err)
        self.assertEqual((len(self.keepers()), self.logins()), (1, 1))

    def test_a_killed_one_is_replaced(self):
        for n in range(1, 4):
            self.gn("ssh", "kept", "true")
            pid, = self.keepers()
            os.kill(pid, signal.SIGKILL)
            wait_until("its end", lambda: not self.keepers())
            self.assertEqual(self.logins(), n)
            self.assertEqual(len(self.sockets()), 1)  # it had no time to clean up

    def test_one_that_hangs_is_passed_by(self):
        self.gn("ssh", "kept", "true")
        pid, = self.keepers()
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        self.assertEqual(self.gn("ssh", "kept", "echo by myself").out, b"by myself\n")
        self.assertLess(time.monotonic() - began, 8)
        self.gn("targets", "kept", "--disconnect", code=100)
        os.kill(pid, signal.SIGCONT)
        self.gn("ssh", "kept", "true")
        self.assertEqual(self.logins(), 2)

    def test_a_killed_client_leaves_nothing_open(self):
        p = self.popen("ssh", "kept", "echo up; exec sleep 1000")
        self.assertEqual(p.stdout.readline(), b"up\n")
        p.kill()
        self.gn("ssh", "kept", "true")
        pid, = self.keepers()
        wait_until("its sockets to go", lambda: sum(
            os.readlink("/proc/%d/fd/%s" % (pid, n)).startswith("socket:") for n in os.listdir("/proc/%d/fd" % pid)) == 2)
        self.assertEqual(self.logins(), 1)

    def test_status_and_streams_are_those_of_the_command(self):
        for status in (0, 1, 44, 255):
            self.gn("ssh", "kept", "exit %d" % status, code=status)
        self.gn("ssh", "kept", "kill -TERM $$", code=143)
        data = os.urandom(3 << 20)
        p = subprocess.run([GNRRUN, "ssh", "kept", "cat"], input=data, cwd=self.w.project,
                           env={**self.w.env(), **self.env}, stdout=subprocess.PIPE, timeout=60)
        self.assertEqual((p.returncode, p.stdout == data), (0, True))
        self.assertEqual(self.logins(), 1)

    def test_junk_at_the_door_hurts_nobody(self):
        self.gn("ssh", "kept", "true")
        path, = self.sockets()
        for junk in (b"", b"GET / HTTP/1.0\r\n\r\n", b"H\0\0\0\0", b"D\xff\xff\xff\xff", b"X" * 70000, os.urandom(1000)):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(20)
                s.connect(path)
                try:
                    s.sendall(junk)
                    if junk:
                        while s.recv(4096):
                            pass
                except (BrokenPipeError, ConnectionResetError):
                    pass
        self.gn("ssh", "kept", "true")
        self.assertEqual(self.logins(), 1)

    def test_who_does_not_read_holds_up_nobody(self):
        deaf = self.popen("ssh", "kept", "cat /dev/zero")
        self.assertEqual(len(deaf.stdout.read(4096)), 4096)
        pid, = self.keepers()
        for i in range(5):
            self.assertEqual(self.gn("ssh", "kept", "echo %d" % i).out, b"%d\n" % i)
        before = self.processor_s(pid)
        time.sleep(2)  # the measure is of a time
        self.assertLess(self.processor_s(pid) - before, 0.4)
        with open("/proc/%d/status" % pid) as f:
            size = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
        if not SANITIZED:
            self.assertLess(size, 60000)
        deaf.kill()

    def test_nobody_spins(self):
        self.gn("ssh", "kept", "true")  # of several that race for it all but one end soon: which is another test's to show
        pid, = self.keepers()
        runs = [self.popen("ssh", "kept", "echo up; sleep 3") for _ in range(3)]
        for p in runs:
            self.assertEqual(p.stdout.readline(), b"up\n")
        before = self.processor_s(pid)
        for p in runs:
            self.assertEqual(p.wait(20), 0)
        self.assertLess(self.processor_s(pid) - before, 0.5)
        before = self.processor_s(pid)
        time.sleep(2)  # the measure is of a time
        self.assertLess(self.processor_s(pid) - before, 0.2)


class Follow(Kept):
    relay = True

    def test_a_run_outlives_its_keepers(self):
        """Killed in the middle of a log: each byte comes once, and nothing is started twice."""
        w = self.w
        w.write("p.py", "import os, time\nopen('%s/starts', 'a').write('x')\ni = 0\n"
                "while not os.path.exists('%s/enough'):\n    print(i, flush=True); i += 1; time.sleep(0.005)\n" % (w.dir, w.dir))
        with open(os.path.join(w.dir, "out"), "wb") as out, open(os.path.join(w.dir, "err"), "wb") as err:
            p = subprocess.Popen([GNRRUN, "p.py", "-t", "kept"], cwd=w.project, env={**w.env(), **self.env},
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        w.processes.append(p)
        size = 0
        for i in range(6):
            wait_until("more of it", lambda: os.path.getsize(w.dir + "/out") > size or p.poll() is not None, 60)
            self.assertIsNone(p.poll(), w.text("err"))
            size = os.path.getsize(w.dir + "/out")
            if i % 2:
                w.relay.cut()
            else:
                for pid in self.keepers():
                    os.kill(pid, signal.SIGKILL)
            size += 500
        open(w.dir + "/enough", "w").close()
        self.assertEqual(p.wait(60), 0, w.text("err"))
        lines = w.text("out").split()
        self.assertEqual(lines, [str(i) for i in range(len(lines))])
        self.assertEqual(w.text("starts"), "x")


class Narrow(Kept):
    options = ("MaxSessions 2",)

    def test_a_server_of_few_channels(self):
        for _ in range(3):
            self.assertEqual(self.gn("p.py", "-t", "kept").out, b"hi\n")
        self.assertEqual(self.logins(), 1)


class Five(Kept):
    def test_five_at_a_time_through_one(self):
        data = {i: os.urandom(2 << 20) for i in range(5)}
        many = []
        for i, content in data.items():
            with open(os.path.join(self.w.far, "in%d" % i), "wb") as f:
                f.write(content)
            many.append(self.popen("ssh", "kept", "cat \"$HOME/in%d\"" % i))
        for i, p in enumerate(many):  # the others wait for their turn, or for room
            out = p.communicate(timeout=60)[0]
            self.assertEqual((p.returncode, out == data[i]), (0, True))
        self.assertEqual(self.logins(), 1)

    def test_a_forwarded_port(self):
        self.w.write("p.py", "import http.server, os\ns = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)\n"
                     "print(s.server_port, flush=True)\nopen('big', 'wb').write(bytes(range(256)) * 4000)\ns.serve_forever()\n")
        run = self.popen("p.py", "-t", "kept")
        port = int(run.stdout.readline())
        here = sshd_module.free_port()
        self.popen("forward", "%d:%d" % (here, port))
        wait_until("the port", lambda: is_open(here))
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", here)) as s:
                s.sendall(b"GET /big HTTP/1.0\r\n\r\n")
                got = b""
                while True:
                    piece = s.recv(65536)
                    if not piece:
                        break
                    got += piece
            self.assertEqual(got.split(b"\r\n\r\n", 1)[1], bytes(range(256)) * 4000)
        self.gn("stop", "--now")
        self.assertEqual(self.logins(), 1)


class Cost(Kept):
    def lengthen(self, one_way_ms):
        """From here on the server is behind a line of that delay."""
        line = subprocess.Popen([PROXY, str(self.w.sshd.port), str(one_way_ms), "0"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(line.stdout.close)
        self.addCleanup(line.wait)
        self.addCleanup(line.stdin.close)
        port = int(line.stdout.readline())
        config, known = (os.path.join(self.w.home, ".ssh", n) for n in ("config", "known_hosts"))
        sshd_module.write(config, re.sub(r"(?m)^(\s+Port) \d+$", r"\1 %d" % port, sshd_module.read(config)))
        sshd_module.write(known, sshd_module.read(known) + self.w.sshd.known("[127.0.0.1]:%d" % port))

    def ps_s(self, target, n=7):
        self.gn("p.py", "-t", target, "--detach")
        took = []
        for _ in range(n):
            began = time.monotonic()
            self.gn("ps", "--refresh")
            took.append(time.monotonic() - began)
        self.gn("stop", "--now")
        return min(took)  # what others do here is no round trip

    @unittest.skipIf(not PROXY, "no delay line: not built")
    def test_ps_takes_one_round_trip(self):
        self.w.write("p.py", "import time; time.sleep(600)\n")
        self.lengthen(20)
        cold, short = self.ps_s("plain"), self.ps_s("kept")
        self.lengthen(120)
        long = self.ps_s("kept")
        trips = (long - short) / 0.200  # the line became longer by that, and nothing else did
        print("ps --refresh at 40 ms: %.0f ms cold, %.0f ms warm; %.2f round trips" % (cold * 1000, short * 1000, trips))
        self.assertTrue(0.7 < trips < 1.4, (cold, short, long))
        if not SANITIZED:
            self.assertGreater(cold / short, 2)

    def test_large_transfers(self):
        """50 MB each way: exact, and no slower than without a keeper, both measured in turn."""
        self.w.write("p.py", "import shutil; shutil.copy('big', 'res')\n")
        took = {(t, what): [] for t in ("kept", "plain") for what in ("ship", "fetch")}
        for i in range(2 if SANITIZED else 5):
            for target in ("kept", "plain"):
                data = os.urandom(50 << 20)
                self.w.write("big", data)
                began = time.monotonic()
                self.gn("ship", "-t", target)
                took[target, "ship"].append(time.monotonic() - began)
                self.gn("p.py", "-t", target, "--no-fetch")
                began = time.monotonic()
                self.gn("fetch")
                took[target, "fetch"].append(time.monotonic() - began)
                self.assertEqual(self.w.read("res") == data, True)
                os.unlink(os.path.join(self.w.project, "res"))
        for what in ("ship", "fetch"):
            kept, plain = min(took["kept", what]), min(took["plain", what])
            print("50 MB, %s: %.2f of the time without a keeper (%.2f s)" % (what, kept / plain, plain))
            # what others do on these processors is in both
            self.assertLess(kept / plain, 4 if SANITIZED else 1.5, took)


if __name__ == "__main__":
    main()
