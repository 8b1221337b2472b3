#!/usr/bin/env python3
"""The whole program against machines unlike ours: other shells, few tools, full disks, second factors.

Most of it needs root: the server lives in a mount namespace of its own, in which other files are
mounted over /bin/sh, /etc/passwd and what should not be there.
"""
import fcntl
import glob
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import tempfile
import termios
import time
import unittest

import world
from world import Case, GNRRUN, HERE, World, main, sshd_module, wait_until

ROOT = os.getuid() == 0
AWAY = "setsid nohup zstd sha256sum sha1sum md5sum shasum openssl rsync python* perl* uv conda stdbuf timeout".split()
TINY = ("sh ash awk basename cat chmod chown cmp cp cut date dd df dirname du echo env expr false find grep gzip "
        "gunzip head hostname id kill ln ls mkdir mkfifo mktemp mv nice od printf ps pwd readlink rm rmdir sed sleep "
        "sort stat stty sync tail tar tee test touch tr true tty uname uniq wc").split()

PY = """
import os, sys, time
print("sh", os.stat("/proc/%d/exe" % os.getppid()).st_ino, flush=True)
print("on stderr", file=sys.stderr, flush=True)
print(sys.argv[1:], flush=True)
os.makedirs("out/deep", exist_ok=True)
with open("out/deep/model of mine", "w") as f: f.write(open("data.txt").read()[:9] * 3)
with open("notes.txt", "a") as f: f.write("more")
if sys.argv[1] == "wait":
    while True: time.sleep(0.1)
sys.exit(7)
"""

SH = """echo sh $(stat -L -c %i /proc/$$/exe)
echo on stderr >&2
printf "['%s']\\n" "$@"
mkdir -p out/deep
d=$(head -c 9 data.txt)
printf %s "$d$d$d" >"out/deep/model of mine"
printf more >>notes.txt
if [ "$1" = wait ]; then
    while :; do sleep 0.1; done
fi
exit 7
"""

# What a machine says to everybody who comes in: colours, a title, what looks like our own first line.
NOISE = r"""printf '\033]0;ravan\007\033[31mWelcome to ravan\033[0m\r\n\ngn1 0123456789abcdef0123456789abcdef\nerr nospace msg=none\n'
printf 'your quota: 99%%, said on stderr \033[5m\n' >&2
printf 'and no final newline'
"""


def line(name, *args):
    """Lines of sh that put one file over another, in a namespace where nobody else sees it."""
    return "%s %s" % (name, " ".join(shlex.quote(a) for a in args))


def real(name):
    path = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    return os.path.realpath(path) if path else None


class FarWorld(World):
    """A World with a server in its own namespace.  mounts(w): lines of sh, run before it starts."""

    def __init__(self, shell=None, home=None, mounts=lambda w: [], relay=False, options=()):
        self.dir = tempfile.mkdtemp(prefix="gn-e2e-")
        os.chmod(self.dir, 0o755)
        self.far = os.path.join(self.dir, "far")
        os.mkdir(self.far, 0o700)
        home = home or self.far
        lines = ["set -e", *mounts(self)]
        with open("/etc/passwd") as f, open(os.path.join(self.dir, "passwd"), "w") as g:
            for entry in f:
                name, x, uid, gid, gecos, _, _ = entry.rstrip("\n").split(":")
                if name == sshd_module.user():
                    entry = ":".join((name, x, uid, gid, gecos, home, shell or "/bin/bash")) + "\n"
                g.write(entry)
        # what is mounted over /bin may take `mount` away
        lines.insert(1, line("mount --bind", os.path.join(self.dir, "passwd"), "/etc/passwd"))
        self.sshd = sshd_module.Sshd(
            os.path.join(self.dir, "sshd"), ["SetEnv HOME=" + home, "MaxStartups 100:30:200", *options], ttl=300,
            command=["unshare", "-m", "sh", "-c", "\n".join(lines + ['exec "$@"']), "sh"])
        self.sshd.start()
        self.relay = sshd_module.Relay(self.sshd.port) if relay else None
        self.home = self.sshd.client("ravan", port=self.relay.port if relay else None)
        self.project = os.path.join(self.dir, "proj")
        os.mkdir(self.project)
        self.processes = []

    def inside(self, path):
        """That path as the server sees it."""
        return "/proc/%d/root%s" % (self.sshd.process.pid, path)

    def enter(self, *argv):
        subprocess.run(["nsenter", "-t", str(self.sshd.process.pid), "-m", *argv], check=True)

    def login_shell(self):
        """The name of what sshd starts, asked with OpenSSH's own client."""
        p = subprocess.run(["ssh", "-F", os.path.join(self.home, ".ssh/config"), "ravan",
                            "sh -c 'echo; echo shell=$(cat /proc/$PPID/comm)'; true"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
        return re.findall(rb"shell=(\S+)", p.stdout)[-1].decode()

    def far_log_of(self, run):
        with open(os.path.join(self.far, ".gnrrun/v1/runs", self.show(run)["token"], "log"), "rb") as f:
            return f.read()

    def config(self, text):
        path = os.path.join(self.home, ".config/gnrrun/config.yaml")
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "w") as f:
            f.write(text)


class FarCase(Case):
    def setUp(self):
        if not ROOT:
            self.skipTest("a mount namespace needs root")
        if not shutil.which("unshare"):
            self.skipTest("no unshare: apt-get install util-linux")

    def world(self, **kw):
        self.w = FarWorld(**kw)
        self.addCleanup(self.w.close)
        return self.w

    def one_line(self, err, *words):
        """Beside what it does, one line says what is wrong; perhaps a hint follows."""
        doing = r"gnrrun: (proj-\d+ on 'ravan': \w+\.(py|sh)|shipping \d|nothing new to ship|connecting)"
        lines = [l for l in err.splitlines() if not re.match(doing + "|hint: ", l)]
        self.assertEqual(len(lines), 1, err)
        self.assertRegex(lines[0], "^gnrrun: ")
        self.assertNotIn("\x1b", err)
        for word in words:
            self.assertRegex(err, word)

    def whole(self, program, sh):
        """First run, second run, attach, logs, fetch, stop: sh is the inode of what should be /bin/sh."""
        w = self.w
        name = "p.py" if program is PY else "p.sh"
        w.write(name, program)
        w.write("notes.txt", "mine\n")
        w.write("data.txt", "weights 1\n")
        w.write("big.bin", os.urandom(150000))
        said = b"sh %d\non stderr\n['%s']\n"
        # a locale that the machine does not have is the shell's to complain about, once and in the log

        def mine(out):
            return re.sub(rb"(?m)^.*setlocale.*\n", b"", out)

        p = self.good(w.gn(name, "-t", "ravan", "a b"), 7)
        self.assertEqual(mine(p.out), said % (sh, b"a b"))
        self.assertNotIn("\x1b", p.err)
        self.assertEqual(w.read("out/deep/model of mine"), b"weights 1" * 3)
        self.assertEqual(w.read("notes.txt"), b"mine\nmore")
        first, one = w.show()["sent_bytes"], w.show()["run"]
        w.write("data.txt", "weights 2\n")
        p = self.good(w.gn(name, "-t", "ravan", "--detach", "two"))
        self.assertEqual(p.out, b"")
        p = self.good(w.gn("attach"), 7)
        self.assertEqual(mine(p.out), said % (sh, b"two"))
        self.assertLess(w.show()["sent_bytes"], 60000)
        self.assertGreater(first, 150000)
        self.assertEqual(self.good(w.gn("logs")).out, p.out)
        self.assertEqual(w.far_log_of(w.show()["run"]), p.out)
        self.assertEqual(w.read("out/deep/model of mine"), b"weights 2" * 3)
        self.good(w.gn("fetch", one, "out/**", "--into", "again"))
        self.assertEqual(w.read("again/out/deep/model of mine"), b"weights 1" * 3)
        q = w.popen(name, "-t", "ravan", "wait")
        out = b""
        while not out.endswith(b"['wait']\n"):
            line = q.stdout.readline()
            self.assertTrue(line, q.stderr)
            out += line
        self.assertEqual(mine(out), said % (sh, b"wait"))
        self.assertIn(b"running", w.gn("ps", "--refresh").out)
        self.good(w.gn("stop", "--grace", "2"))
        self.assertEqual(q.wait(20), 143, q.stderr.read())
        self.assertEqual(w.show()["state"], "stopped")


class Shells(FarCase):
    """Login shells, and what /bin/sh is."""

    def far_side(self, login, sh):
        path, other = real(login if login != "ash" else "busybox"), real(sh if sh != "ash" else "busybox")
        for name, there in ((login, path), (sh, other)):
            if not there:
                self.skipTest("no %s: apt-get install %s" % (name, name if name != "ash" else "busybox"))

        def mounts(w):
            for rc, text in ((".bashrc", NOISE), (".zshenv", NOISE + "export LC_ALL=xx_XX.UTF-8\n"), (".tcshrc", NOISE.replace(">&2", "")),
                             (".config/fish/config.fish", NOISE), (".ssh/rc", NOISE)):
                os.makedirs(os.path.dirname(os.path.join(w.far, rc)), exist_ok=True)
                with open(os.path.join(w.far, rc), "w") as f:
                    f.write(text)
            return [] if other == real("sh") else [line("mount --bind", other, real("sh"))]

        inode = os.stat(other).st_ino
        folder = tempfile.mkdtemp(prefix="gn-ash-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        if login == "ash":
            path = os.path.join(folder, "ash")
            os.symlink(real("busybox"), path)
        with open(os.path.join(folder, "banner"), "w") as f:
            f.write("\033[1mAuthorised users only\033[0m\n")
        self.world(shell=path, mounts=mounts, options=["Banner " + os.path.join(folder, "banner")])
        self.assertEqual(self.w.login_shell(), os.path.basename(path))
        self.whole(PY, inode)

    def test_login_bash_sh_dash(self):
        self.far_side("bash", "dash")

    def test_login_zsh_sh_bash(self):
        self.far_side("zsh", "bash")

    def test_login_tcsh_sh_ash(self):
        self.far_side("tcsh", "ash")

    def test_login_fish_sh_mksh(self):
        self.far_side("fish", "mksh")

    def test_login_dash_sh_dash(self):
        self.far_side("dash", "dash")

    def test_login_ash_sh_ash(self):
        self.far_side("ash", "ash")

    def test_login_mksh_sh_mksh(self):
        self.far_side("mksh", "mksh")


class FewTools(FarCase):
    def test_no_setsid_nohup_zstd_sha256sum_openssl_rsync_python_perl(self):
        hidden = sorted({os.path.realpath(p) for d in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")
                         for name in AWAY for p in glob.glob(os.path.join(d, name))})
        self.assertIn(real("setsid"), hidden)
        self.world(mounts=lambda w: [line("mount --bind", "/dev/null", p) for p in hidden])
        p = self.good(self.w.gn("ssh", "ravan", "for i in setsid nohup zstd sha256sum shasum openssl rsync "
                                "python3 perl sed; do command -v $i; done; true"))
        self.assertEqual(p.out.strip(), b"/usr/bin/sed")
        self.whole(SH, os.stat(real("sh")).st_ino)
        # and a large file, which is compared by what hash there is
        self.w.write("p.sh", "cat big.bin big.bin >twice.bin")
        self.good(self.w.gn("p.sh", "-t", "ravan"))
        self.assertEqual(self.w.read("twice.bin"), self.w.read("big.bin") * 2)
        # what does need python over there says so in a line
        self.w.write("p.py", "print(1)")
        p = self.good(self.w.gn("p.py", "-t", "ravan"), 100)
        self.assertRegex(p.out, rb"\Agnrrun: no python on [^\n]*\n\Z")

    def test_nothing_but_busybox(self):
        if not real("busybox"):
            self.skipTest("no busybox: apt-get install busybox")

        def mounts(w):
            folder = os.path.join(w.dir, "bin")
            os.mkdir(folder)
            os.chmod(folder, 0o755)
            for name in ("busybox", "cksum"):  # Debian's busybox has no cksum
                shutil.copy(real(name), folder)
            for name in TINY:
                os.symlink("busybox", os.path.join(folder, name))
            return [line("mount -t tmpfs", "none", "/usr/local"), line("mount --bind", folder, "/usr/bin")]

        w = self.world(shell="/bin/ash", mounts=mounts)
        self.whole(SH, os.stat(os.path.join(w.dir, "bin/busybox")).st_ino)


class Homes(FarCase):
    def elsewhere(self, **kw):
        w = self.world(**kw)
        w.write("p.py", "print('up')")
        p = w.gn("p.py", "-t", "ravan")
        self.assertIn(p.code, (100, 106), p.err)
        self.one_line(p.err, "workdir")
        self.assertEqual(p.out, b"")
        scratch = os.path.join(w.dir, "scratch")
        os.mkdir(scratch)
        w.config("targets:\n  ravan: {type: ssh, host: ravan, workdir: %s/.gnrrun}\n" % scratch)
        w.far = scratch
        self.whole(PY, os.stat(real("sh")).st_ino)
        self.assertEqual(len(w.far_runs()), 3)

    def test_read_only_home_and_a_workdir(self):
        self.elsewhere(mounts=lambda w: [line("mount --bind", w.far, w.far), line("mount -o remount,bind,ro", w.far)])

    def test_no_home_at_all_and_a_workdir(self):
        self.elsewhere(home="/proc/nonexistent")


class FullDisk(FarCase):
    def small(self, size):
        w = self.world(mounts=lambda w: [line("mount -t tmpfs -o", "size=%s,mode=700" % size, "none", w.far)])
        w.far = w.inside(w.far)
        return w

    def room(self, size):
        self.w.enter("mount", "-o", "remount,size=" + size, os.path.join(self.w.dir, "far"))

    def test_at_ship_time(self):
        w = self.small("3m")
        w.write("p.py", "print('up'); open('made', 'w').write('r')")
        w.write("big.bin", os.urandom(6000000))
        p = self.good(w.gn("p.py", "-t", "ravan"), 106)
        self.one_line(p.err, "[Nn]o space|full|room", "workdir")
        self.assertEqual(p.out, b"")
        self.assertEqual(w.far_runs(), [])
        self.assertEqual(os.listdir(os.path.join(w.far, ".gnrrun/v1/tmp")), [])
        self.assertEqual(w.show()["state"], "failed")
        p = self.good(w.gn("attach"), 100)
        self.one_line(p.err, "never started")
        self.room("64m")
        p = self.good(w.gn("p.py", "-t", "ravan"))
        self.assertEqual(p.out, b"up\n")
        self.assertEqual(w.read("made"), b"r")
        self.assertEqual(len(w.far_runs()), 1)

    FILLS = """
import os, sys, time
for i in range(500): print("line", i, flush=True)
os.makedirs("out", exist_ok=True)
open("out/model", "w").write("weights")
try:
    with open("filler", "wb", buffering=0) as f:
        while True: f.write(bytes(4096))
except OSError as e:
    open("/dev/shm/%s", "w").write(str(e.errno))
while os.path.exists("%s"): time.sleep(0.05)
sys.exit(3)
"""

    def test_while_it_runs(self):
        w = self.small("12m")
        mark = "gn-full-%d" % os.getpid()
        stay = os.path.join(w.dir, "stay")
        open(stay, "w").close()
        self.addCleanup(lambda: os.path.exists("/dev/shm/" + mark) and os.unlink("/dev/shm/" + mark))
        w.write("p.py", self.FILLS % (mark, stay))
        w.write("q.py", "print('other')")
        q = w.popen("p.py", "-t", "ravan")
        wait_until("a full disk", lambda: os.path.exists("/dev/shm/" + mark))
        v = os.statvfs(w.far)
        self.assertEqual(v.f_bavail, 0)
        # nothing more fits, and says so
        p = self.good(w.gn("q.py", "-t", "ravan"), 106)
        self.one_line(p.err, "[Nn]o space|full|room")
        # the first is followed from a second place meanwhile, and ends as it should
        r = w.popen("attach", "proj-1", "--no-fetch")
        expect = b"".join(b"line %d\n" % i for i in range(500))
        self.assertEqual(b"".join(q.stdout.readline() for _ in range(500)), expect)
        os.unlink(stay)
        self.assertEqual(q.wait(30), 3, q.stderr.read())
        self.assertEqual(r.wait(30), 3, r.stderr.read())
        self.assertEqual(w.read("out/model"), b"weights")
        self.assertGreater(len(w.read("filler")), 5000000)
        self.assertEqual(self.good(w.gn("attach", "proj-1"), 3).code, 3)
        self.assertEqual(self.good(w.gn("logs", "proj-1")).out, expect)
        # one that fills it and must be stopped then
        os.unlink(os.path.join(w.project, "filler"))
        self.room("20m")
        os.unlink("/dev/shm/" + mark)
        open(stay, "w").close()
        q = w.popen("p.py", "-t", "ravan")
        wait_until("a full disk", lambda: os.path.exists("/dev/shm/" + mark))
        p = self.good(w.gn("stop", "--grace", "2"))
        self.assertEqual(q.wait(30), 143, q.stderr.read())
        self.assertEqual(w.show()["state"], "stopped")
        # removing the runs gives the room back
        self.good(w.gn("rm", "--force", "proj-1", "proj-3"))
        p = self.good(w.gn("q.py", "-t", "ravan"))
        self.assertEqual(p.out, b"other\n")


class Person:
    """gnrrun on a terminal of its own, and somebody who types."""

    def __init__(self, w, *args):
        self.master, slave = pty.openpty()
        self.text = b""

        def own():
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.p = subprocess.Popen([GNRRUN, *args], cwd=w.project, env=w.env(TERM="dumb"), stdin=slave, stdout=slave,
                                  stderr=slave, start_new_session=True, preexec_fn=own)
        os.close(slave)
        w.processes.append(self.p)

    def more(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            data = b""
        self.text += data
        return bool(data)

    def expect(self, what, seconds=20, times=1):
        end = time.monotonic() + seconds
        while self.text.count(what) < times:
            if not self.more(max(0.0, end - time.monotonic())):
                raise AssertionError("no %r in %r" % (what, self.text))

    def say(self, text):
        os.write(self.master, text + b"\n")

    def answer(self, password=b"tiger", code=b"424242"):
        self.expect(b"Password:")
        self.say(password)
        if code:
            self.expect(b"option (1-1):")
            self.say(code)

    def end(self, seconds=30):
        """Its status; self.text is all it said."""
        end = time.monotonic() + seconds
        while self.more(max(0.0, end - time.monotonic())):
            pass
        os.close(self.master)
        return self.p.wait(max(0.1, end - time.monotonic()))


class SecondFactor(FarCase):
    """A key, then a password, then a menu that wants a code."""

    def pam(self, w):
        module, pam = os.path.join(w.dir, "pam_gnrrun.so"), os.path.join(w.dir, "pam")
        self.counter = os.path.join(w.dir, "count")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", module, os.path.join(HERE, "..", "ssh", "pam_gnrrun.c")],
                       check=True)
        with open(pam, "w") as f:
            f.write("auth requisite %s password=tiger code=424242 count=%s\naccount required pam_permit.so\n"
                    "session required pam_permit.so\n" % (module, self.counter))
        return [line("mount --bind", pam, "/etc/pam.d/sshd")]

    def count(self):
        return sshd_module.read(self.counter).count("attempt")

    def failures(self):
        return len(re.findall(r"(?:Failed keyboard-interactive|PAM: Authentication failure)",
                              sshd_module.read(self.w.sshd.log)))

    def setUp(self):
        super().setUp()
        if not os.path.exists("/usr/include/security/pam_modules.h"):
            self.skipTest("no PAM headers: apt-get install libpam0g-dev")
        if not shutil.which("cc"):
            self.skipTest("no C compiler")
        self.world(mounts=self.pam, relay=True, options=[
            "UsePAM yes", "AuthenticationMethods publickey,keyboard-interactive:pam", "KbdInteractiveAuthentication yes"])
        # each command logs in itself; what a kept login spares is test_keeper.py's to show
        folder = os.path.join(self.w.home, ".config/gnrrun")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.yaml"), "w") as f:
            f.write("keep: no\n")

    def asked(self, person, passwords=1, codes=1):
        self.assertEqual(person.text.count(b"Password:"), passwords, person.text)
        self.assertEqual(person.text.count(b"option (1-1):"), codes, person.text)
        self.assertNotIn(b"tiger", person.text)

    def test_asked_once_wrong_once_never_alone(self):
        w = self.w
        w.write("p.py", "import sys\nprint('trained', flush=True)\nopen('made', 'w').write('r')\nsys.exit(7)")
        # without anybody at a terminal
        p = self.good(w.gn("p.py", "-t", "ravan", start_new_session=True), 104)
        self.one_line(p.err, "terminal|person|nobody")
        self.assertEqual(p.out, b"")
        self.assertEqual(w.far_runs(), [])
        before = self.count()
        self.assertLessEqual(before, 1)
        # ship, follow and fetch on one login
        a = Person(w, "p.py", "-t", "ravan")
        a.answer()
        self.assertEqual(a.end(), 7, a.text)
        self.assertIn(b"trained", a.text)
        self.asked(a)
        self.assertEqual(w.read("made"), b"r")
        self.assertEqual(self.count(), before + 1)
        # what is here needs nobody; what is there needs one login
        now = self.count()
        a = Person(w, "logs")
        self.assertEqual(a.end(), 0, a.text)
        self.asked(a, 0, 0)
        a = Person(w, "fetch", w.show()["run"], "made", "--into", "again")
        a.answer()
        self.assertEqual(a.end(), 0, a.text)
        self.asked(a)
        self.assertEqual(w.read("again/made"), b"r")
        self.assertEqual(self.count(), now + 1)
        # a wrong code, then a wrong password: told, not tried again
        for password, code in ((b"tiger", b"111111"), (b"lion", None)):
            now, failed, runs = self.count(), self.failures(), w.far_runs()
            a = Person(w, "p.py", "-t", "ravan")
            a.answer(password, code)
            self.assertEqual(a.end(), 104, a.text)
            self.asked(a, 1, 1 if code else 0)
            self.assertEqual(self.count(), now + 1, a.text)
            # sshd writes two lines for one failure
            self.assertIn(self.failures() - failed, (1, 2))
            self.assertIn(b"permission denied", a.text)
            self.assertEqual(w.far_runs(), runs)

    def test_a_cut_line_is_not_answered_for(self):
        w = self.w
        go = os.path.join(w.dir, "go")
        w.write("p.py", "import os, sys, time\nprint('up', flush=True)\nopen('made', 'w').write('r')\n"
                "while not os.path.exists(%r): time.sleep(0.05)\nprint('over')\nsys.exit(7)" % go)
        a = Person(w, "p.py", "-t", "ravan")
        a.answer()
        a.expect(b"up")
        now = self.count()
        w.relay.cut()
        code = a.end()
        self.assertIn(code, (103, 104), a.text)
        self.asked(a)
        self.assertRegex(a.text, rb"gnrrun attach( proj-1)?")
        self.assertLessEqual(self.count(), now + 1)
        self.assertIn(b"running", w.gn("ps").out)
        open(go, "w").close()
        now = self.count()
        a = Person(w, "attach")
        a.answer()
        self.assertEqual(a.end(), 7, a.text)
        self.asked(a)
        self.assertEqual(self.count(), now + 1)
        self.assertIn(b"over", a.text)
        self.assertNotIn(b"up\r\n", a.text)
        self.assertEqual(w.read("made"), b"r")


class Ordinary(FarCase):
    def test_an_ordinary_user_can_do_all_of_it(self):
        """test_main's main job by a student, with a server of the student's own."""
        folder = tempfile.mkdtemp(prefix="gn-student-")
        self.addCleanup(shutil.rmtree, folder, True)
        os.chmod(folder, 0o755)
        for name in ("e2e", "ssh", "projects"):
            shutil.copytree(os.path.join(HERE, "..", name), os.path.join(folder, name),
                            ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(GNRRUN, os.path.join(folder, "gnrrun"))
        home = os.path.join(folder, "home")
        os.mkdir(home, 0o700)
        os.chown(home, 64321, 64321)
        with open("/etc/passwd") as f, open(os.path.join(folder, "passwd"), "w") as g:
            # not nobody: some systems keep that account locked
            g.write("student:x:64321:64321::%s:/bin/bash\n" % home + f.read())
        script = "\n".join(["set -e", line("mount --bind", os.path.join(folder, "passwd"), "/etc/passwd"), 'exec "$@"'])
        tests = ["TheMainJob.test_real_training_on_real_data_known_only_by_an_ssh_alias",
                 "TheMainJob.test_results_streams_and_second_ship", "TheMainJob.test_data_is_shipped_once_and_shared",
                 "Ends.test_stop_ends_all_of_it"]
        p = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", "setpriv", "--reuid=64321", "--regid=64321", "--clear-groups",
             "--bounding-set=-all", "--inh-caps=-all", world.PYTHON, os.path.join(folder, "e2e/test_main.py"), *tests],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200, cwd=home,
            env={"PATH": "/usr/bin:/bin:/usr/sbin", "HOME": home, "GNRRUN": os.path.join(folder, "gnrrun"),
                 "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertIn(b"%d passed, 0 failed, 0 skipped" % len(tests), p.stdout, p.stdout.decode(errors="replace")[-3000:])
        self.assertEqual(p.returncode, 0)


if __name__ == "__main__":
    main()
