#!/usr/bin/env python3
"""test_transport.py PROBE [NAME...] - the SSH transport against real servers (see sshd.py).

NAME: only tests with this in their name.  Ends with "N passed, N failed, N skipped".
"""
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sshd  # noqa: E402
from sshd import Relay, Sshd, keygen, read, user, write  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PROBE = os.path.abspath(sys.argv[1])
NET, AUTH, HOSTKEY, LIMIT, CONFIG, CANCEL = 206, 207, 208, 212, 205, 214


class Skip(Exception):
    pass


def probe(s, *args, stdin=b"", timeout=60, code=None, **env):
    """Run the probe in s's home; stdin and stdout are bytes, stderr text."""
    p = subprocess.run([PROBE, *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=s.env(**env), timeout=timeout)
    p.text = p.stderr.decode(errors="replace")
    if code is not None and p.returncode != code:
        raise AssertionError("status %d, not %d\n%s\nserver: %s" % (
            p.returncode, code, p.text, read(s.log)[-800:]))
    return p


def has(text, *parts):
    for part in parts:
        assert part in text, "no %r in: %s" % (part, text)


def has_not(text, *parts):
    for part in parts:
        assert part not in text, "%r is in: %s" % (part, text)


def ssh_dir(s, *name):
    return os.path.join(s.home, ".ssh", *name)


def server(options=(), **more):
    s = Sshd(options=options, **more)
    s.start()
    return s


class Agent:
    def __init__(self, *keys, passphrase=""):
        self.dir = tempfile.mkdtemp(prefix="gn-agent-")
        self.path = os.path.join(self.dir, "s")
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", self.path],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sshd.wait_until("ssh-agent", lambda: os.path.exists(self.path))
        ask = os.path.join(self.dir, "ask")
        write(ask, "#!/bin/sh\necho '%s'\n" % passphrase, 0o700)
        env = dict(os.environ, SSH_AUTH_SOCK=self.path, SSH_ASKPASS=ask,
                   SSH_ASKPASS_REQUIRE="force", DISPLAY=":0")
        for key in keys:
            subprocess.run(["ssh-add", "-q", key], env=env, check=True, stdin=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir)


# --- commands and streams ------------------------------------------------------------------------

def test_exit_statuses_are_the_commands_own():
    with server() as s:
        s.client()
        for want in (0, 1, 7, 127, 255):
            probe(s, "ravan", "exit %d" % want, code=want)
        probe(s, "ravan", "no-such-command-here", code=127)
        probe(s, "ravan", "kill -TERM $$", code=128 + 15)
        probe(s, "ravan", "kill -KILL $$", code=128 + 9)


def test_stdout_and_stderr_come_apart():
    with server() as s:
        s.client()
        p = probe(s, "ravan", "echo out; echo err >&2", code=0)
        assert p.stdout == b"out\n"
        has(p.text, "err\n")
        p = probe(s, "ravan", "seq 100000 >&2; echo done", code=0)
        assert p.stdout == b"done\n"
        has(p.text, "99999\n100000\n")
        has_not(p.text, "\n50000\n")


def test_fifty_megabytes_each_way():
    with server() as s:
        s.client()
        data = os.urandom(1 << 20) * 50
        p = probe(s, "ravan", "cat", stdin=data, code=0)
        assert hashlib.sha256(p.stdout).digest() == hashlib.sha256(data).digest()


def test_a_far_side_that_talks_while_written_to_does_not_block():
    with server() as s:
        s.client()
        # It writes 20 MB before it reads a byte; we write 20 MB in pieces of 1 MiB.
        data = os.urandom(1 << 20) * 20
        p = probe(s, "ravan", "head -c 20000000 /dev/zero; sha256sum", stdin=data, code=0)
        assert len(p.stdout) > 20000000
        has(p.stdout[20000000:].decode(), hashlib.sha256(data).hexdigest())


def test_the_rate_of_a_line_is_what_it_carries():
    def rate(p):
        return int(re.search(r"the line takes (\d+) MB/s", p.text).group(1))

    with server() as s:
        s.client()
        # a command goes on before and after, with its own bytes in their order
        p = probe(s, "-r", "-v", "ravan", "head -c 3; echo; head -c 3", stdin=b"abcdef", code=0)
        assert p.stdout == b"abc\ndef", p.stdout
        assert rate(p) > 0
    # what a round trip takes is taken off
    for delay in (0, 0.02):
        with server() as s, Relay(s.port, delay=delay, rate=10000000) as r:
            s.client(port=r.port)
            p = probe(s, "-r", "-v", "ravan", "true", code=0)
            assert 1 <= rate(p) <= 40, p.text


def test_commands_one_after_another_on_one_connection():
    with server() as s:
        s.client()
        many = os.path.join(s.dir, "many")
        write(many, "".join("echo %d\n" % i for i in range(30)))
        p = probe(s, "-m", many, "ravan", code=0)
        assert p.stdout.split() == [b"%d" % i for i in range(30)]
        assert read(s.log).count("Accepted publickey") == 1


def test_max_sessions_1_is_a_limit_and_then_free_again():
    with server(["MaxSessions 1"]) as s:
        s.client()
        p = probe(s, "-2", "ravan", "echo second", code=0)
        has(p.text, "beside: 'root@ravan' opens no" if os.getuid() == 0 else "opens no")
        assert p.stdout == b"second\n"
    with server(["MaxSessions 4"]) as s:
        s.client()
        assert probe(s, "-2", "ravan", "echo second", code=0).stdout == b"second\n"


def test_forward_is_a_byte_stream():
    with server() as s, socket.create_server(("127.0.0.1", 0)) as echo:
        s.client()

        def serve():
            c, _ = echo.accept()
            while data := c.recv(65536):
                c.sendall(data.upper())
            c.close()

        threading.Thread(target=serve, daemon=True).start()
        p = probe(s, "-L", "127.0.0.1:%d" % echo.getsockname()[1], "ravan", stdin=b"hello", code=0)
        assert p.stdout == b"HELLO"


# --- lines that break ----------------------------------------------------------------------------

def test_a_cut_in_mid_stream_is_a_network_error_soon():
    for upload in (False, True):
        with server() as s, Relay(s.port, cut_after=3000000) as r:
            s.client(port=r.port)
            start = time.monotonic()
            if upload:
                p = probe(s, "ravan", "cat >/dev/null; sleep 60", stdin=bytes(8000000), code=NET)
            else:
                p = probe(s, "ravan", "yes", code=NET)
            assert time.monotonic() - start < 10
            has(p.text, "lost the connection to")


def test_a_cut_at_any_time_of_the_login_is_an_error_and_not_a_crash():
    with server() as s:
        s.client()
        known = s.known("*")
        write(ssh_dir(s, "known_hosts"), known)
        for n in (1, 10, 50, 500, 1500, 2200, 2500, 3000, 3500, 4500, 5000):
            with Relay(s.port, cut_after=n) as r:
                p = probe(s, "-p", str(r.port), "ravan", "sleep 0.2; yes", code=NET)
                has(p.text, "target 'ravan': " if n < 3000 else "error 6")


def test_a_server_that_closes_the_door_is_told_from_one_that_is_silent():
    with server() as s:
        s.client()
        s.stop()
        p = probe(s, "ravan", code=NET)
        has(p.text, "cannot connect to '127.0.0.1'", "refused", "VPN")


def test_a_name_without_an_address_hints_at_the_vpn():
    with server() as s:
        s.client()
        p = probe(s, "no-such-host.invalid", code=NET)
        has(p.text, "cannot find the address of 'no-such-host.invalid'", "VPN")


def test_interrupts_end_every_wait_at_once():
    def run(s, *args, after, env=None):
        p = subprocess.Popen([PROBE, *args], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, env=s.env(**(env or {})))
        after(p)
        start = time.monotonic()
        p.send_signal(signal.SIGINT)
        p.wait(10)
        took = time.monotonic() - start
        text = p.stderr.read().decode()
        p.stdin.close()
        p.stderr.close()
        assert p.returncode == CANCEL, (p.returncode, text)
        assert took < 1, took

    def connected(p):
        assert p.stderr.readline().startswith(b"connected")

    with server() as s:
        s.client()
        run(s, "ravan", "sleep 30", after=connected)
        s.client("jumped", "ProxyJump ravan")
        run(s, "jumped", "sleep 30", after=connected)
    with Sshd() as s, socket.create_server(("127.0.0.1", 0)) as silent:
        s.client(port=silent.getsockname()[1])

        held = []  # or the line is closed at once, and it is not the interrupt that ends it

        def accepted(_):
            held.append(silent.accept()[0])

        run(s, "ravan", after=accepted)
        held[0].close()


def test_a_stalled_line_ends_a_write_within_its_time():
    with server() as s, Relay(s.port) as r:
        s.client(port=r.port)
        p = subprocess.Popen([PROBE, "ravan", "echo started; cat >/dev/null"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=s.env())
        assert p.stdout.readline() == b"started\n"
        r.stall = True
        start = time.monotonic()
        try:
            p.stdin.write(bytes(40000000))
        except BrokenPipeError:
            pass
        p.wait(60)
        took = time.monotonic() - start
        text = p.stderr.read().decode()
        assert p.returncode == NET, (p.returncode, text)
        assert 25 < took < 45, took
        has(text, "nothing has moved on the line")


# --- keys ----------------------------------------------------------------------------------------

def test_each_type_of_key():
    with server() as s:
        s.client()
        for kind in ("ed25519", "ecdsa", "rsa"):
            key = ssh_dir(s, "k_" + kind)
            s.authorize(keygen(key, kind))
            p = probe(s, "-v", "-i", key, "ravan", code=0)
        pem = ssh_dir(s, "k_pem")
        s.authorize(keygen(pem, "rsa", "", "-m", "PEM"))
        probe(s, "-i", pem, "ravan", code=0)
        assert read(s.log).count("Accepted publickey") == 4


def test_a_passphrase_is_asked_for_only_when_the_key_would_do():
    with server() as s:
        s.client()
        for name, more in (("new", ()), ("old", ("-m", "PEM"))):
            key = ssh_dir(s, "locked_" + name)
            public = keygen(key, "rsa", "sesame", *more)
            p = probe(s, "-a", "sesame", "-i", key, "ravan", code=AUTH)
            has_not(p.text, "asked:")
            s.authorize(public)
            p = probe(s, "-a", "sesame", "-i", key, "ravan", "exit 3", code=3)
            assert p.text.count("asked:") == 1
            has(p.text, "Passphrase of the key", "[no echo]")
            p = probe(s, "-a", "sesam", "-a", "sesame", "-i", key, "ravan", "exit 3", code=3)
            p = probe(s, "-a", "x", "-a", "y", "-a", "z", "-i", key, "ravan", code=AUTH)
            assert p.text.count("asked:") == 3
            os.unlink(key + ".pub")
            p = probe(s, "-a", "sesame", "-i", key, "ravan", "exit 3", code=3)
            assert p.text.count("asked:") == 1


def test_a_locked_key_without_a_person_hints_at_ssh_add():
    with server() as s:
        s.client()
        key = ssh_dir(s, "locked")
        s.authorize(keygen(key, "ed25519", "sesame"))
        for args in ((), ("-n", "-a", "sesame")):
            p = probe(s, *args, "-i", key, "ravan", code=AUTH)
            has(p.text, "permission denied", "ssh-add '%s'" % key, "tried: key '~/.ssh/locked'")
            has_not(p.text, "sesame") if not args else None


def test_a_missing_or_unreadable_key_is_passed_over():
    with server() as s:
        s.client("ravan", first="IdentityFile %s\nIdentityFile ~/.ssh/broken\n" % "/nonexistent/key")
        write(ssh_dir(s, "broken"), "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")
        p = probe(s, "-v", "ravan", "exit 5", code=5)
        has(p.text, "cannot use the key '/nonexistent/key'", "broken'")


def test_nothing_to_offer_says_what_was_tried():
    with server() as s:
        s.client()
        open(s.authorized, "w").close()
        p = probe(s, "ravan", code=AUTH)
        has(p.text, "target 'ravan': permission denied for '%s@ravan' (tried: key '~/.ssh/id_test')"
            % user(), "it takes: key")


def test_the_agent_signs_for_a_locked_key():
    with server() as s:
        s.client()
        key = ssh_dir(s, "locked")
        s.authorize(keygen(key, "ed25519", "sesame"))
        rsa = ssh_dir(s, "other")
        s.authorize(keygen(rsa, "rsa"))
        with Agent(key, rsa, passphrase="sesame") as a:
            p = probe(s, "-i", key, "ravan", "exit 4", code=4, SSH_AUTH_SOCK=a.path)
            has_not(p.text, "asked")
            os.unlink(rsa)  # IdentityFile may be a public key: the private one is the agent's
            probe(s, "-i", rsa + ".pub", "ravan", "exit 4", code=4, SSH_AUTH_SOCK=a.path)
            os.unlink(key + ".pub")
            probe(s, "-i", key, "ravan", "exit 4", code=4, SSH_AUTH_SOCK=a.path)
            write(ssh_dir(s, "config"), read(ssh_dir(s, "config")) + "    IdentityAgent %s\n" % a.path)
            probe(s, "-i", key, "ravan", "exit 4", code=4)


def test_an_agent_full_of_keys_does_not_get_us_thrown_out():
    with server(["MaxAuthTries 3"]) as s:
        s.client()
        keys = [ssh_dir(s, "a%d" % i) for i in range(8)]
        for k in keys:
            keygen(k)
        # libssh 0.10 loses 150 bytes each time it lists an agent's keys after the first.
        supp = os.path.join(s.dir, "lsan.supp")
        write(supp, "leak:ssh_buffer_new\n")
        os.environ["LSAN_OPTIONS"] = "print_suppressions=0:suppressions=" + supp
        with Agent(*keys) as a:
            # named first, with and without IdentitiesOnly
            probe(s, "ravan", "exit 4", code=4, SSH_AUTH_SOCK=a.path)
            write(ssh_dir(s, "config"), read(ssh_dir(s, "config")).replace("IdentitiesOnly yes", ""))
            probe(s, "ravan", "exit 4", code=4, SSH_AUTH_SOCK=a.path)
            # without a good one: all are tried unless IdentitiesOnly says no
            open(s.authorized, "w").close()
            p = probe(s, "ravan", code=AUTH, SSH_AUTH_SOCK=a.path)
            has(p.text, "after too many keys", "IdentitiesOnly")
            write(ssh_dir(s, "config"), "IdentitiesOnly yes\n" + read(ssh_dir(s, "config")))
            p = probe(s, "ravan", code=AUTH, SSH_AUTH_SOCK=a.path)
            has(p.text, "permission denied")
            has_not(p.text, "agent")
        del os.environ["LSAN_OPTIONS"]


def test_a_key_that_only_the_agent_has():
    with server() as s:
        s.client()
        key = ssh_dir(s, "only")
        s.authorize(keygen(key, "ecdsa"))
        with Agent(key) as a:
            os.unlink(key), os.unlink(key + ".pub")
            write(ssh_dir(s, "config"), read(ssh_dir(s, "config"))
                  .replace("IdentitiesOnly yes", "").replace("id_test", "no_such"))
            probe(s, "ravan", "exit 4", code=4, SSH_AUTH_SOCK=a.path)


def test_certificates():
    for kind in ("ed25519", "rsa", "ecdsa"):
        with Sshd() as s:
            ca = os.path.join(s.dir, "ca")
            keygen(ca)
            s.options.append("TrustedUserCAKeys %s.pub" % ca)
            s.start()
            s.client()
            key = ssh_dir(s, "certified")
            keygen(key, kind)
            probe(s, "-i", key, "ravan", code=AUTH)
            subprocess.run(["ssh-keygen", "-q", "-s", ca, "-I", "test", "-n", user(), key + ".pub"],
                           check=True, stderr=subprocess.DEVNULL)
            probe(s, "-i", key, "ravan", "exit 6", code=6)
            with Agent(key) as a:
                probe(s, "-i", key, "ravan", "exit 6", code=6, SSH_AUTH_SOCK=a.path)
            elsewhere = ssh_dir(s, "elsewhere.pub")
            os.rename(key + "-cert.pub", elsewhere)
            with Agent(key) as a:
                probe(s, "-i", key, "ravan", code=AUTH)
                write(ssh_dir(s, "config"), "CertificateFile %s\n" % elsewhere +
                      read(ssh_dir(s, "config")))
                probe(s, "-i", key, "ravan", "exit 6", code=6)
                # the key in the agent, the certificate in a file
                os.unlink(key)
                probe(s, "-i", key, "ravan", "exit 6", code=6, SSH_AUTH_SOCK=a.path)


def test_a_server_that_wants_two_keys():
    with server(["AuthenticationMethods publickey,publickey"]) as s:
        s.client("ravan", "IdentityFile ~/.ssh/second")
        p = probe(s, "ravan", code=AUTH)
        s.authorize(keygen(ssh_dir(s, "second")))
        probe(s, "ravan", "exit 4", code=4)


def test_too_old_a_way_of_asking_is_not_answered_by_machine():
    """nobody_there: no question at all, whatever the answers would be."""
    with server() as s:
        s.client()
        os.unlink(ssh_dir(s, "known_hosts"))
        p = probe(s, "-n", "-a", "yes", "ravan", code=HOSTKEY)
        has_not(p.text, "asked")


# --- host keys -----------------------------------------------------------------------------------

def test_known_by_port_by_hash_by_alias():
    with server() as s:
        s.client()
        known = ssh_dir(s, "known_hosts")
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        has(read(known), "|1|")
        probe(s, "ravan", "exit 4", code=4)
        write(known, s.known("127.0.0.1"))  # another port is another host
        probe(s, "ravan", code=HOSTKEY)
        write(known, s.known("other,lab"))
        probe(s, "ravan", code=HOSTKEY)
        s.client("named", "HostKeyAlias lab")
        probe(s, "named", "exit 4", code=4)
        write(known, s.known("*,![127.0.0.1]:%d" % s.port))
        probe(s, "ravan", code=HOSTKEY)
        write(known, "\t" + s.known("[127.0.0.1]:%d" % s.port).replace(" ", "\t"))
        probe(s, "ravan", "exit 4", code=4)


def test_one_known_type_is_enough():
    for kind in sshd.KEY_TYPES:
        with server() as s:
            s.client()
            write(ssh_dir(s, "known_hosts"), s.known("[127.0.0.1]:%d" % s.port, [kind]))
            probe(s, "ravan", "exit 4", code=4)


def test_the_second_and_the_global_file_count():
    with server() as s:
        s.client()
        known = ssh_dir(s, "known_hosts")
        lines = read(known)
        for setting in ("UserKnownHostsFile {0}/none {0}/two\n", "GlobalKnownHostsFile {0}/two\n"):
            os.rename(known, ssh_dir(s, "two"))
            before = read(ssh_dir(s, "config"))
            write(ssh_dir(s, "config"), setting.format(ssh_dir(s)) + before)
            probe(s, "ravan", "exit 4", code=4)
            write(ssh_dir(s, "config"), before)
            write(known, lines)


def test_a_revoked_key_is_refused_whoever_vouches_for_it():
    with server() as s:
        s.client()
        known = ssh_dir(s, "known_hosts")
        lines = read(known)
        write(known, lines + "".join("@revoked * %s\n" % " ".join(k.split()[:2])
                                     for k in s.keys.values()))
        p = probe(s, "-A", "-a", "yes", "ravan", code=HOSTKEY)
        has(p.text, "revoked by %s:" % known)
        write(known, "@cert-authority " + s.known("*", ["ed25519"]))
        probe(s, "ravan", code=HOSTKEY)


def test_a_changed_key_is_never_accepted():
    with server() as s:
        s.client()
        s.stop()
        s.new_host_keys()
        s.start(s.port)
        before = read(ssh_dir(s, "known_hosts"))
        for strict in ("ask", "no", "accept-new", "yes"):
            s.client("r" + strict, "StrictHostKeyChecking " + strict)
            write(ssh_dir(s, "known_hosts"), "# a comment\n" + before)
            p = probe(s, "-A", "-a", "yes", "r" + strict, code=HOSTKEY)
            has(p.text, "has changed", "known_hosts:2", "SHA256:", "ssh-keygen -R")
            has_not(p.text, "asked")
            assert read(ssh_dir(s, "known_hosts")) == "# a comment\n" + before


def test_an_unknown_key_is_refused_asked_about_or_written_down():
    with server() as s:
        s.client()
        known = ssh_dir(s, "known_hosts")
        os.unlink(known)
        p = probe(s, "ravan", code=HOSTKEY)
        has(p.text, "is not known", "SHA256:", "--accept-new-host-key")
        p = probe(s, "-a", "no", "ravan", code=HOSTKEY)
        has(p.text, "asked:", "[yes/no]", "was not accepted")
        assert not os.path.exists(known)
        p = probe(s, "-a", "yes", "ravan", "exit 4", code=4)
        line = read(known)
        assert re.match(r"\[127\.0\.0\.1\]:%d ssh-ed25519 \S+\n$" % s.port, line), line
        has(p.text, subprocess.run(["ssh-keygen", "-l", "-f", known], stdout=subprocess.PIPE,
                                   text=True).stdout.split()[1])
        probe(s, "ravan", "exit 4", code=4)
        os.unlink(known)
        probe(s, "-A", "ravan", "exit 4", code=4)
        assert read(known) == line
        s.client("strict", "StrictHostKeyChecking yes")
        write(known, "")
        probe(s, "-a", "yes", "strict", code=HOSTKEY)
        for setting in ("accept-new", "no"):
            write(known, "x ssh-ed25519 AAAA")  # no newline at its end
            s.client("s" + setting, "StrictHostKeyChecking " + setting)
            write(known, "x ssh-ed25519 AAAA")
            probe(s, "s" + setting, "exit 4", code=4)
            assert read(known) == "x ssh-ed25519 AAAA\n" + line


def test_a_hashed_line_is_one_that_ssh_itself_reads():
    with server() as s:
        s.client("ravan", "HashKnownHosts yes")
        known = ssh_dir(s, "known_hosts")
        os.unlink(known)
        probe(s, "-A", "ravan", "exit 4", code=4)
        has(read(known), "|1|")
        has_not(read(known), "127")
        probe(s, "ravan", "exit 4", code=4)
        found = subprocess.run(["ssh-keygen", "-F", "[127.0.0.1]:%d" % s.port, "-f", known],
                               stdout=subprocess.PIPE)
        assert found.returncode == 0


def test_a_key_of_another_type_of_a_known_host_is_suspect():
    with server() as s:
        s.client()
        s.stop()
        write(ssh_dir(s, "known_hosts"), s.known("[127.0.0.1]:%d" % s.port, ["rsa"]))
        s.key_types = ("ed25519",)
        s.start(s.port)
        p = probe(s, "-A", "ravan", code=HOSTKEY)
        has(p.text, "though others of this host are")
        p = probe(s, "-a", "yes", "ravan", "exit 4", code=4)
        has(p.text, "but others of this host are")


# --- ways there ----------------------------------------------------------------------------------

def test_a_chain_of_two_jumps_each_verified_each_with_its_own_settings():
    with server() as s, Sshd(folder=s.dir, name="gate") as gate, \
            Sshd(folder=s.dir, name="inner") as inner:
        for x, alias, extra in ((gate, "gate", ""), (inner, "inner", "ProxyJump gate"),
                                (s, "ravan", "ProxyJump inner")):
            if x is not s:
                x.start()
            x.client(alias, extra)
        data = os.urandom(5000000)
        p = probe(s, "ravan", "cat", stdin=data, code=0)
        assert p.stdout == data
        for x in (s, gate, inner):
            assert read(x.log).count("Accepted publickey") == 1, x.name
        write(ssh_dir(s, "list"), "")
        s.client("listed", "ProxyJump gate,inner")
        probe(s, "listed", "exit 4", code=4)
        probe(s, "-J", "gate", "ravan", "exit 4", code=4)
        probe(s, "-J", "%s@127.0.0.1:%d" % (user(), gate.port), "ravan", "exit 4", "-i", "x",
              code=AUTH)
        known = read(ssh_dir(s, "known_hosts"))
        write(ssh_dir(s, "known_hosts"), known.replace("]:%d " % gate.port, "]:1 "))
        p = probe(s, "ravan", code=HOSTKEY)
        has(p.text, "@gate' is not known")
        write(ssh_dir(s, "known_hosts"), known)
        gate.authorized and open(gate.authorized, "w").close()
        p = probe(s, "ravan", code=AUTH)
        has(p.text, "permission denied for '%s@gate'" % user())


def test_a_jump_that_goes_in_a_circle_or_nowhere():
    with server() as s:
        s.client("gate", "ProxyJump far")
        s.client("far", "ProxyJump gate")
        has(probe(s, "far", code=CONFIG).text, "circle")
        s.client("lost", "ProxyJump ravan")
        s.client("ravan")
        has(probe(s, "-p", "1", "lost", code=LIMIT).text, "no way from")
        write(ssh_dir(s, "config"), "ProxyJump ravan\n" + read(ssh_dir(s, "config")))
        probe(s, "ravan", "exit 4", code=4)  # under "Host *" the jump host itself is no jump
        for bad in ("-oProxyCommand=x", "a b", "gate:99999", "gate:", "x@", "[::1"):
            probe(s, "-J", bad, "ravan", code=CONFIG)


def test_a_jump_ends_when_its_line_is_cut():
    with server() as s, Relay(s.port) as r:
        s.client("gate", port=r.port)
        s.client("ravan", "ProxyJump gate")
        p = subprocess.Popen([PROBE, "ravan", "sleep 60"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=s.env())
        assert p.stderr.readline().startswith(b"connected")
        r.cut()
        assert p.wait(10) == NET
        for f in (p.stdin, p.stdout, p.stderr):
            f.close()


def test_one_passphrase_for_all_hops():
    with server() as s, Sshd(folder=s.dir, name="gate") as gate:
        gate.start()
        key = ssh_dir(s, "locked")
        gate.client("gate")
        s.client("ravan", "ProxyJump gate")
        public = keygen(key, "ed25519", "sesame")
        for x in (s, gate):
            write(x.authorized, public + "\n", 0o644)
        write(ssh_dir(s, "config"), read(ssh_dir(s, "config")).replace("id_test", "locked"))
        p = probe(s, "-a", "sesame", "ravan", "exit 4", code=4)
        assert p.text.count("asked:") == 1


def test_a_proxy_command_is_the_line():
    with Sshd() as s:
        s.port = 22
        s.client("ravan", "ProxyCommand " + s.proxy_command())
        write(ssh_dir(s, "known_hosts"), s.known("127.0.0.1"))
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        data = os.urandom(3000000)
        p = probe(s, "ravan", "cat", stdin=data, code=0)
        assert p.stdout == data
        s.port = None


def test_the_tokens_of_a_proxy_command():
    with server() as s:
        out = os.path.join(s.dir, "said")
        s.client("ravan", "ProxyCommand echo %%h=%h p=%p r=%r n=%n > " + out)
        p = probe(s, "ravan", code=NET)
        assert read(out) == "%%h=127.0.0.1 p=%d r=%s n=ravan\n" % (s.port, user())
        s.client("broken", "ProxyCommand echo 'no \033[31mroute' >&2; exit 1")
        p = probe(s, "broken", code=NET)
        has(p.text, "ProxyCommand failed: no ", "route")
        has_not(p.text, "\033")
        s.client("x", "ProxyCommand touch %s/%%r" % s.dir)
        probe(s, "-l", "a;id", "x", code=CONFIG)
        probe(s, "-l", "$(id)", "x", code=CONFIG)


def test_names_that_could_be_options_go_nowhere():
    with server() as s:
        s.client()
        for bad in ("-oProxyCommand=touch", "a b", "a\nb", ""):
            p = probe(s, "--", bad, code=CONFIG)
        for bad in ("-x", "a b", "\x1b"):
            probe(s, "-l", bad, "ravan", code=CONFIG)


def test_the_banner_is_shown_once_and_made_safe():
    with Sshd() as s:
        banner = os.path.join(s.dir, "banner")
        write(banner, "*** members only \033]0;evil\007 ***\nsecond line\n", 0o644)
        s.options.append("Banner " + banner)
        s.start()
        s.client()
        p = probe(s, "ravan", code=0)
        assert p.text.count("members only") == 1
        has(p.text, "second line")
        has_not(p.text, "\033", "\007")


# --- people --------------------------------------------------------------------------------------

def pam_server(module_args, options):
    """A server with PAM: needs root, a compiler and PAM's headers."""
    if sshd.why_no_pam():
        raise Skip(sshd.why_no_pam())
    return sshd.use_pam(Sshd(options=options), module_args).start()


def test_two_factors_key_then_password_then_code():
    with pam_server("password=tiger code=424242", [
            "AuthenticationMethods publickey,keyboard-interactive:pam",
            "KbdInteractiveAuthentication yes"]) as s:
        s.client()
        p = probe(s, "-a", "tiger", "-a", "424242", "ravan", "exit 4", code=4)
        assert p.text.count("asked:") == 2
        has(p.text, "Password:  [no echo]", "1. Push", "Passcode or option (1-1):  [echo]")
        has_not(p.text, "tiger")
        assert s.count() == 1
        p = probe(s, "-a", "tiger", "-a", "111111", "-a", "tiger", "-a", "424242", "ravan",
                  code=AUTH)
        assert p.text.count("asked:") == 2 and s.count() == 2
        has(p.text, "permission denied", "questions")
        p = probe(s, "-n", "-a", "tiger", "ravan", code=AUTH)
        has(p.text, "wants an answer from a person", "attach")
        has_not(p.text, "asked:")


def test_questions_only():
    with pam_server("password=tiger code=1", ["KbdInteractiveAuthentication yes",
                                              "PubkeyAuthentication no"]) as s:
        s.client()
        probe(s, "-a", "tiger", "-a", "1", "ravan", "exit 4", code=4)


def test_a_wrong_password_is_not_tried_again():
    with pam_server("password=tiger", ["PasswordAuthentication yes"]) as s:
        s.client()
        open(s.authorized, "w").close()
        p = probe(s, "-a", "tiger", "ravan", "exit 4", code=4)
        has(p.text, "Password for %s@ravan:  [no echo]" % user())
        assert s.count() == 1
        p = probe(s, "-a", "wrong", "-a", "tiger", "ravan", code=AUTH)
        assert p.text.count("asked:") == 1 and s.count() == 2
        p = probe(s, "ravan", code=AUTH)
        has(p.text, "nobody to ask")
        write(ssh_dir(s, "config"), "BatchMode yes\n" + read(ssh_dir(s, "config")))
        has_not(probe(s, "-a", "tiger", "ravan", code=AUTH).text, "asked:")


def main():
    names = [n for n in globals() if n.startswith("test_")]
    if sys.argv[2:]:
        names = [n for n in names if any(a in n for a in sys.argv[2:])]
    why = sshd.why_not()
    if why:
        print("%s\n0 passed, 0 failed, %d skipped" % (why, len(names)))
        return 0
    passed = failed = skipped = 0
    for name in names:
        start = time.monotonic()
        try:
            globals()[name]()
            passed += 1
            print("ok    %s (%.1f s)" % (name[5:], time.monotonic() - start), flush=True)
        except Skip as why:
            skipped += 1
            print("skip  %s: %s" % (name[5:], why), flush=True)
        except Exception:
            failed += 1
            print("FAIL  %s" % name[5:], flush=True)
            traceback.print_exc(limit=-2, file=sys.stdout)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
