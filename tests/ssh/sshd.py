#!/usr/bin/env python3
"""sshd.py - a private OpenSSH server on the loopback, for tests (Python 3 standard library).

As a module:

    with Sshd() as s:                    # a folder, keys, a server on 127.0.0.1:random port
        s.client("ravan")                # a home folder with .ssh/config, known_hosts and a key
        subprocess.run([..., "ravan"], env=s.env())

As a program, for tests in other languages:

    sshd.py DIR [--alias NAME] [--option "sshd_config line"]... [--ttl SECONDS]

makes DIR, starts a server, prints "HOME=... PORT=... PID=..." and stays in the foreground until
its stdin ends (or TERM, or the time is over).

The server runs as whoever starts it and lets only that user in: no root needed.  What an
ordinary user cannot have: password logins and PAM (they need root).
"""
import argparse
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SSHD = next((p for p in ("/usr/sbin/sshd", "/usr/local/sbin/sshd", shutil.which("sshd") or "")
             if p and os.access(p, os.X_OK)), None)
KEYGEN = shutil.which("ssh-keygen")
KEY_TYPES = ("ed25519", "ecdsa", "rsa")


def why_not():
    """The reason why no server can be started here, or None."""
    if not SSHD:
        return "no sshd: apt-get install openssh-server"
    if not KEYGEN:
        return "no ssh-keygen: apt-get install openssh-client"
    return None


def user():
    return pwd.getpwuid(os.getuid()).pw_name


def keygen(path, kind="ed25519", passphrase="", *more):
    if not os.path.exists(path):
        subprocess.run([KEYGEN, "-q", "-t", kind, "-N", passphrase, "-C", os.path.basename(path),
                        "-f", path, *more], check=True, stdin=subprocess.DEVNULL)
    with open(path + ".pub") as f:
        return f.read().strip()


def write(path, text, mode=0o600):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return ""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, test, seconds=10):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise RuntimeError("gave up waiting for " + what)
        time.sleep(0.02)


class Sshd:
    """A server of one's own.  options: further sshd_config lines, put first (first value wins).

    bashrc=False: the shells it starts pass by ~/.bashrc, which belongs to whoever runs the tests.
    """

    def __init__(self, folder=None, options=(), name="sshd", authorized=None, ttl=600,
                 command=(), key_types=KEY_TYPES, bashrc=False):
        self.temp = folder is None
        # /tmp itself: sshd's checks of authorized_keys and socket paths want a short, owned way
        self.dir = folder or tempfile.mkdtemp(prefix="gn-ssh-")
        os.makedirs(self.dir, mode=0o755, exist_ok=True)
        os.chmod(self.dir, 0o755)
        self.name, self.options, self.command = name, list(options), list(command)
        self.key_types, self.ttl, self.bashrc = key_types, ttl, bashrc
        self.port, self.process = None, None
        self.home = os.path.join(self.dir, "home")
        self.log = os.path.join(self.dir, name + ".log")
        self.authorized = authorized or os.path.join(self.dir, name + ".authorized")
        self.keys = {}
        for kind in key_types:
            self.keys[kind] = keygen(self.host_key(kind), kind)

    def host_key(self, kind):
        return os.path.join(self.dir, "%s_host_%s" % (self.name, kind))

    def known(self, names, kinds=None):
        """Lines for a known_hosts file."""
        return "".join("%s %s\n" % (names, " ".join(self.keys[k].split()[:2]))
                       for k in kinds or self.key_types)

    def config(self):
        lines = list(self.options)
        lines += ["HostKey " + self.host_key(k) for k in self.key_types]
        lines += ["AuthorizedKeysFile " + self.authorized, "StrictModes no", "UsePAM no",
                  "PidFile none", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
                  "PermitRootLogin yes", "LogLevel VERBOSE", "PrintMotd no", "PrintLastLog no",
                  "UseDNS no", "Subsystem sftp internal-sftp"]
        if not self.bashrc and not any(o.lower().startswith("setenv") for o in self.options):
            lines.append("SetEnv SHLVL=2")  # bash reads it for sshd's sake only on level 1
        path = os.path.join(self.dir, self.name + ".conf")
        write(path, "\n".join(lines) + "\n", 0o644)
        return path

    def proxy_command(self):
        """A ProxyCommand that is a server by itself: no port, no daemon."""
        return "%s -i -f %s -E %s" % (SSHD, self.config(), self.log)

    def authorize(self, public, options=""):
        with open(self.authorized, "a") as f:
            f.write((options + " " if options else "") + public + "\n")
        os.chmod(self.authorized, 0o644)

    def start(self, port=None):
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        for _ in range(10):
            self.port = port or free_port()
            argv = [*self.command, SSHD, "-D", "-f", self.config(), "-E", self.log, "-o",
                    "ListenAddress 127.0.0.1:%d" % self.port]
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self._listens():
                break
            if port:
                raise RuntimeError("sshd does not start: " + read(self.log)[-500:])
        else:
            raise RuntimeError("sshd does not start: " + read(self.log)[-500:])
        self.timer = threading.Timer(self.ttl, self.stop)
        self.timer.daemon = True
        self.timer.start()
        return self

    def _listens(self):
        end = time.monotonic() + 10
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            time.sleep(0.02)
        return False

    def stop(self):
        """The listener only: connections that are open stay (as when a real sshd restarts)."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def new_host_keys(self):
        """Another machine answers under the old name, or so it looks."""
        for kind in self.key_types:
            for end in ("", ".pub"):
                os.unlink(self.host_key(kind) + end)
            self.keys[kind] = keygen(self.host_key(kind), kind)

    def client(self, alias="ravan", extra="", port=None, first=""):
        """A home folder whose ssh configuration calls this server `alias`."""
        ssh = os.path.join(self.home, ".ssh")
        os.makedirs(ssh, mode=0o700, exist_ok=True)
        self.authorize(keygen(os.path.join(ssh, "id_test")))
        known = read(os.path.join(ssh, "known_hosts"))
        write(os.path.join(ssh, "known_hosts"),
              known + self.known("[127.0.0.1]:%d" % (port or self.port or 22)))
        config = read(os.path.join(ssh, "config"))
        write(os.path.join(ssh, "config"), first + config + (
            "Host {0}\n    HostName 127.0.0.1\n    Port {1}\n    User {2}\n"
            "    IdentityFile {3}/id_test\n    IdentitiesOnly yes\n"
            "    UserKnownHostsFile {3}/known_hosts\n    GlobalKnownHostsFile /dev/null\n{4}"
        ).format(alias, port or self.port or 22, user(), ssh,
                 "".join("    %s\n" % e for e in extra.splitlines())))
        return self.home

    def env(self, **more):
        """os.environ with that home, and without the caller's own agent."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SSH_", "GNRRUN_", "XDG_"))}
        return {**env, "HOME": self.home, "USER": user(), **more}

    def connections(self):
        """Processes of ours that serve a connection (direct children of the listener)."""
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                             stdout=subprocess.PIPE, text=True).stdout
        return [int(p) for p in out.split()]

    def close(self):
        if self.process:
            children = self.connections() if self.process.poll() is None else []
            self.timer.cancel()
            self.stop()
            for pid in children:
                try:
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    pass
        if self.temp:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def why_no_pam():
    """The reason why no server with PAM can be had here, or None."""
    if os.getuid() != 0:
        return "PAM needs root"
    if not os.path.exists("/usr/include/security/pam_modules.h"):
        return "no PAM headers: apt-get install libpam0g-dev"
    if not (shutil.which("cc") or shutil.which("gcc")) or not shutil.which("unshare"):
        return "no C compiler or no unshare"
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        return "no mount namespace can be made here"
    return None


def use_pam(s, module_args):
    """Before it is started: what pam_gnrrun.c asks counts; s.count(): how often it asked."""
    module, pam, count = (os.path.join(s.dir, n) for n in ("pam_gnrrun.so", "pam", "count"))
    subprocess.run([shutil.which("cc") or "gcc", "-O1", "-fPIC", "-shared", "-o", module,
                    os.path.join(os.path.dirname(os.path.abspath(__file__)), "pam_gnrrun.c")], check=True)
    write(pam, "auth requisite %s %s count=%s\naccount required pam_permit.so\n"
          "session required pam_permit.so\n" % (module, module_args, count), 0o644)
    s.options = ["UsePAM yes", *s.options]
    s.command = ["unshare", "-m", "--propagation", "private", "sh", "-c",
                 "mount --bind '%s' /etc/pam.d/sshd && exec \"$@\"" % pam, "sh"]
    s.count = lambda: read(count).count("attempt")
    return s


class Relay:
    """A TCP relay on the loopback with a delay, cuts and stalls; or to be put before any server.

    delay: seconds one way.  rate: bytes a second each way, 0: as it comes.  cut_after: reset a connection once it has carried so many bytes
    (both ways together), once.  cut(): reset all now.  stall: True moves nothing and closes
    nothing.  refuse: True resets new connections.
    """

    def __init__(self, port, delay=0.0, cut_after=0, rate=0):
        self.to, self.delay, self.cut_after, self.rate = port, delay, cut_after, rate
        self.stall = self.refuse = False
        self.carried, self.count, self.refused, self.pairs = 0, 0, 0, []
        self.lock = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def _reset(s):
        try:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it
        except OSError:
            pass
        s.close()

    def _accept(self):
        while not self.closed:
            try:
                a, _ = self.socket.accept()
            except OSError:
                return
            if self.refuse:
                self.refused += 1
                self._reset(a)
                continue
            try:
                b = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                self._reset(a)
                continue
            for s in (a, b):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append((a, b))
                self.count += 1
            for x, y in ((a, b), (b, a)):
                threading.Thread(target=self._carry, args=(x, y, (a, b)), daemon=True).start()

    def _carry(self, source, sink, pair):
        try:
            while True:
                data = source.recv(65536)
                due = time.monotonic() + self.delay + (len(data) / self.rate if self.rate else 0)
                while self.stall and not self.closed:
                    time.sleep(0.01)
                while time.monotonic() < due:
                    time.sleep(max(0, due - time.monotonic()))
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    self._forget(pair)
                    return
                with self.lock:
                    left = self.cut_after - self.carried
                    cut = self.cut_after and len(data) >= left
                    if cut:
                        data = data[:max(0, left)]
                        self.cut_after = 0
                    self.carried += len(data)
                sink.sendall(data)
                if cut:
                    self._forget(pair)
                    for s in pair:
                        self._reset(s)
                    return
        except OSError:
            self._forget(pair)
            for s in pair:
                self._reset(s)

    def _forget(self, pair):
        with self.lock:
            if pair in self.pairs:
                self.pairs.remove(pair)

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for s in pair:
                self._reset(s)

    def close(self):
        self.closed = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def main():
    ap = argparse.ArgumentParser(description="a private sshd for tests")
    ap.add_argument("dir")
    ap.add_argument("--alias", default="ravan")
    ap.add_argument("--option", action="append", default=[])
    ap.add_argument("--ttl", type=float, default=600)
    opt = ap.parse_args()
    if why_not():
        sys.exit(why_not())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Sshd(os.path.abspath(opt.dir), opt.option, ttl=opt.ttl) as s:
        s.start()
        s.client(opt.alias)
        print("HOME=%s PORT=%d PID=%d" % (s.home, s.port, s.process.pid), flush=True)
        end = threading.Timer(opt.ttl, lambda: os.kill(os.getpid(), signal.SIGTERM))
        end.daemon = True
        end.start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
