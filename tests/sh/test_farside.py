#!/usr/bin/env python3
"""The far-side programs, driven as the C side drives them, under every shell there is.

Usage: test_farside.py [PATTERN...]   (names of tests, or of shells)
"""
import fnmatch
import hashlib
import io
import os
import pwd
import random
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SH = os.path.join(HERE, '..', '..', 'core', 'remote', 'sh')
TINY = ('sh ash awk basename cat chmod cksum cmp cp cut date dd df dirname du echo env expr false '
        'find grep gzip gunzip head hostname id kill ln ls mkdir mkfifo mktemp mv nice od printf ps '
        'pwd readlink rm rmdir sed sleep sort stat stty sync tail tar tee test touch tr true tty '
        'uname uniq wc').split()


class Failed(Exception):
    pass


class Skip(Exception):
    pass


def check(ok, what):
    if not ok:
        raise Failed(what)


def strip(name):
    """As cmake/embed.cmake does it."""
    with open(os.path.join(SH, name + '.sh')) as f:
        lines = [l.lstrip(' \t') for l in f.read().split('\n')]
    return '\n'.join(l for l in lines if l and not l.startswith('#')) + '\n'


def quote(word):
    """As gn_buf_addshline does it, for the words of a program's lines: a newline as "$nl"."""
    return "'" + word.replace("'", "'\\''").replace('\n', '\'"$nl"\'') + "'"


SUP = strip('common') + strip('sup')
POLITE_SUP = strip('common') + strip('polite') + strip('sup')
GPU_SUP = strip('common') + strip('site') + strip('smi') + strip('gpus') + strip('sup')
with open(os.path.join(SH, '..', 'ops.def')) as f:
    PARTS = {op: [part for part in ('arrive', 'read', 'work', 'site', 'smi') if part.upper() in parts]
             for op, parts in re.findall(r'^GN_OP\((\w+), (.*)\)$', f.read(), re.M)}


class Far:
    """One program over there."""

    def __init__(self, host, op, **args):
        self.nonce = '%032x' % random.getrandbits(128)
        text = 'a_nonce=%s\n' % self.nonce
        text += ''.join('a_%s=%s\n' % (k, shlex.quote(str(v))) for k, v in args.items())
        text += strip('common') + ''.join(strip(part) for part in PARTS[op]) + strip(op)
        self.p = subprocess.Popen(host.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=host.env, cwd='/', bufsize=0,
                                  start_new_session=True, preexec_fn=host.preexec)
        self.buf = b''
        self.err = b''
        threading.Thread(target=self.drain, daemon=True).start()
        self.send(text.encode())
        line = self.line()
        check(line == 'gn1 ' + self.nonce, 'first line is %r; %r' % (line, self.err))

    def drain(self):
        for piece in iter(lambda: self.p.stderr.read(65536), b''):
            self.err += piece

    def send(self, data):
        try:
            while data:
                data = data[self.p.stdin.write(data):]
        except BrokenPipeError:
            pass

    def eof(self):
        self.p.stdin.close()

    def more(self, limit=20):
        if not select.select([self.p.stdout], [], [], limit)[0]:
            raise Failed('silence for %s s; buf %r err %r' % (limit, self.buf, self.err))
        piece = os.read(self.p.stdout.fileno(), 65536)
        self.buf += piece
        return bool(piece)

    def line(self):
        """The next line but "k", None at the end."""
        while True:
            while b'\n' not in self.buf:
                if not self.more():
                    check(not self.buf, 'no newline after %r' % self.buf)
                    return None
            line, self.buf = self.buf.split(b'\n', 1)
            if line != b'k':
                return line.decode('utf-8', 'surrogateescape')

    def read(self, n):
        while len(self.buf) < n:
            check(self.more(), 'ended within a piece')
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def rest(self):
        while self.more():
            pass
        data, self.buf = self.buf, b''
        return data

    def lines(self):
        """All lines to the end; the program must go too."""
        out = []
        while True:
            line = self.line()
            if line is None:
                break
            out.append(line)
        self.close()
        return out

    def close(self, kill=False):
        if kill:
            self.p.kill()
        if not self.p.stdin.closed:
            try:
                self.p.stdin.close()
            except OSError:
                pass
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            raise Failed('does not end; err %r' % self.err)
        self.p.stdout.close()


def fields(line):
    return dict(w.split('=', 1) for w in line.split(' ') if '=' in w)


class Host:
    """A far side: a shell, a HOME, a PATH."""

    def __init__(self, shell, base):
        self.shell = shell
        self.base = tempfile.mkdtemp(prefix=shell + '-', dir=base)
        self.home = os.path.join(self.base, 'home')
        self.bin = os.path.join(self.base, 'bin')
        os.mkdir(self.home)
        os.mkdir(self.bin)
        self.preexec = None
        path = os.environ['PATH']
        busybox = shutil.which('busybox')
        if shell == 'tiny':
            for c in TINY:
                # Debian's busybox has no cksum; the hash of those who have nothing better
                os.symlink(shutil.which(c) if c == 'cksum' else busybox, os.path.join(self.bin, c))
            path = self.bin
        else:
            exe = busybox if shell == 'ash' else shutil.which(shell)
            os.symlink(exe, os.path.join(self.bin, 'sh'))
            path = self.bin + ':' + path
        self.argv = [os.path.join(self.bin, 'sh')]
        self.env = {'HOME': self.home, 'PATH': path, 'USER': 'u', 'TMPDIR': self.base}
        self.root = os.path.join(self.home, '.gnrrun')
        self.args = {}
        self.tokens = 0

    def far(self, op, **args):
        return Far(self, op, **dict(self.args, **args))

    def v1(self, *parts):
        return os.path.join(self.root, 'v1', *parts)

    def token(self):
        self.tokens += 1
        return 'tok%04d' % self.tokens

    def status(self, token):
        return fields(self.far('status', tokens=token).lines()[0])

    def await_state(self, token, *states, limit=15):
        end = time.monotonic() + limit
        while True:
            late = time.monotonic() > end
            # asking takes dozens of processes: look for the record first
            if 'ended' not in states or os.path.exists(self.v1('runs', token, 'exit')) or late:
                st = self.status(token)
                if st['state'] in states:
                    return st
                check(not late, 'state stays %s' % st)
            time.sleep(0.05)

    def await_file(self, *parts, limit=10):
        path = self.v1(*parts)
        end = time.monotonic() + limit
        while not (os.path.exists(path) and os.path.getsize(path)):
            check(time.monotonic() < end, 'no ' + path)
            time.sleep(0.02)
        with open(path) as f:
            return f.read().strip()


def tar_of(members):
    """members: (name, content or None for a folder or ('->', target), mode)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.GNU_FORMAT) as tar:
        for name, content, mode in members:
            info = tarfile.TarInfo(name)
            info.mode = mode
            info.mtime = 1700000000
            if content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif isinstance(content, tuple):
                info.type, info.linkname = tarfile.SYMTYPE, content[1]
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def run_members(job, opts='', tree=(), after=b'', before=b''):
    return ([('run', None, 0o700), ('run/job', job.encode(), 0o600), ('run/env', b'export A=1\n', 0o600),
             ('run/opts', opts.encode(), 0o600), ('run/sup', SUP.encode(), 0o600)]
            + tree_members(tree, after, before))


def tree_members(tree, after=b'', before=b''):
    return ([('before', before, 0o600), ('x', None, 0o700), ('tree', None, 0o700)]
            + [('tree/' + n, c, m) for n, c, m in tree] + [('after', after, 0o600)])


def launch(host, job, opts='', token=None, tree=(('a.py', b'print(1)\n', 0o644),), snap_id=None,
           base='', before='', links='', start=1, data=None, **kw):
    """Returns the token, the launch line, and the lines after it."""
    token = token or host.token()
    snap_id = snap_id or hashlib.sha256(repr(tree).encode()).hexdigest()
    f = host.far('launch', **dict(dict(token=token, proj='proj', id=snap_id, base=base, zstd=0, links=links,
                                       start=start), **kw))
    line = f.line()
    if line.startswith('launch ') and fields(line)['run'] == 'none':
        if fields(line)['snap'] == 'have':
            tree, before = (), ''
        f.send(b'.\n')
        f.send(data if data is not None else tar_of(run_members(job, opts, tree, before=before.encode())))
        f.eof()
    out = f.lines()
    return token, line, out


def started(host, job, opts='', **kw):
    token, _, out = launch(host, job, opts, **kw)
    check(len(out) == 2 and out[1] == 'end', 'launch said %r' % out)
    return token


def ended(host, job, opts='', **kw):
    return host.await_state(started(host, job, opts, **kw), 'ended')


def alive(pid):
    try:
        with open('/proc/%s/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def await_dead(pids, limit=8):
    end = time.monotonic() + limit
    while any(alive(p) for p in pids):
        check(time.monotonic() < end, 'still alive: %s' % [p for p in pids if alive(p)])
        time.sleep(0.02)


def follow(host, token, offset=0, **kw):
    """All log bytes, and the status lines."""
    f = host.far('follow', token=token, offset=offset, **kw)
    data, st = b'', []
    while True:
        line = f.line()
        check(line is not None, 'follow ended early; err %r' % f.err)
        if line.startswith('d '):
            data += f.read(int(line[2:]))
        elif line == 'end':
            break
        else:
            st.append(line)
    f.close()
    return data, st


# --- the tests ---------------------------------------------------------------

def test_exit_status(host):
    for job, code, sig, reason in (('exit 0', '0', '-', 'exit'), ('exit 7', '7', '-', 'exit'),
                                   ('exit 127', '127', '-', 'exit'),
                                   ('kill -TERM $$', '143', 'TERM', 'signal'),
                                   ('kill -KILL $$', '137', 'KILL', 'signal'),
                                   ('echo x >$GNRRUN_RUN_DIR/setup.failed; exit 3', '3', '-', 'setup')):
        st = ended(host, job)
        check((st['state'], st['code'], st['sig'], st['reason']) == ('ended', code, sig, reason),
              '%s: %s' % (job, st))
        check(abs(int(st['end']) - time.time()) < 20 and int(st['start']) <= int(st['end']), st)


def test_environment(host):
    token = started(host, 'pwd; echo "$GNRRUN_RUN_DIR"; echo "$GNRRUN_ROOT"; umask; '
                    'echo "lc=${LC_ALL-unset}"; ls -l ../env; cat a.py')
    host.await_state(token, 'ended')
    data, _ = follow(host, token)
    out = data.decode().split('\n')
    run = host.v1('runs', token)
    check(out[0] == run + '/work' and out[1] == run and out[2] == host.v1(), out)
    check(int(out[3], 8) == 0o22, 'umask of the user: %s' % out[3])
    check(out[4] == 'lc=unset', out[4])
    check(out[5].startswith('-rw-------'), out[5])
    check(out[6] == 'print(1)', out)


def test_interrupt(host):
    if host.shell == 'tiny':
        raise Skip('nothing there that could reset a signal')
    st = ended(host, 'kill -INT $$; exit 0')
    check((st['code'], st['sig'], st['reason']) == ('130', 'INT', 'signal'), st)


def test_states(host):
    check(host.status('nothere')['state'] == 'none', 'none')
    token, line, out = launch(host, 'echo setup >$GNRRUN_RUN_DIR/phase; while [ ! -e go ]; do sleep 0.05; done',
                              start=0, tree=(('states', b'1', 0o644),))
    check(line.startswith('launch run=none snap=full base=- zstd=0 parts=0 plain='), line)
    check(fields(out[0])['state'] == 'prepared', out)
    _, line, out = launch(host, '', token=token)
    check(fields(line)['run'] == 'prepared' and fields(out[0])['state'] == 'running', out)
    host.await_file('runs', token, 'phase')
    st = host.status(token)
    check(st['setup'] == '1' and st['host'] == os.uname().nodename, st)
    os.unlink(host.v1('runs', token, 'phase'))
    check(host.status(token)['setup'] == '0', 'setup stays')
    _, line, _ = launch(host, '', token=token)
    check(fields(line)['run'] == 'running', line)
    open(host.v1('runs', token, 'work', 'go'), 'w').close()
    host.await_state(token, 'ended')
    for bad in ('../x', '-x', 'a b'):
        line = host.far('stop', token=bad).lines()[0]
        check(line.startswith('err proto'), line)


def test_follow_exact(host):
    job = r'''printf 'a\000b\r\377'; i=0
while [ $i -lt 40 ]; do printf 'line %s\000' $i; echo err $i >&2; i=$((i+1)); [ $((i%8)) != 0 ] || sleep 0.1; done
printf 'no newline' '''
    token = started(host, job)
    got, cuts, rnd = b'', 0, random.Random(5)
    while True:
        f = host.far('follow', token=token, offset=len(got))
        cut_at = len(got) + rnd.randint(1, 200) if cuts < 12 else None
        line = ''
        while line != 'end' and (cut_at is None or len(got) < cut_at):
            line = f.line()
            check(line is not None, 'ended early %r' % f.err)
            if line.startswith('d '):
                n = int(line[2:])
                got += f.read(min(n, cut_at - len(got)) if cut_at else n)
        f.close(kill=line != 'end')
        cuts += 1
        if line == 'end':
            break
    with open(host.v1('runs', token, 'log'), 'rb') as f:
        log = f.read()
    check(got == log, 'bytes differ: %d and %d' % (len(got), len(log)))
    check(log.startswith(b'a\0b\r\xff') and log.endswith(b'err 39\nno newline'), log[-60:])
    data, st = follow(host, token, offset=len(log))
    check(data == b'' and len(st) == 2 and fields(st[-1])['state'] == 'ended', st)
    line = host.far('follow', token=token, offset=len(log) + 1).lines()
    check(line[-1].startswith('err sys'), line)
    data, st = follow(host, 'nothere')
    check(fields(st[-1])['state'] == 'none', st)


def test_follow_cut_down(host):
    """Nothing that we say is taken for bytes of a log that was cut down meanwhile."""
    token = started(host, 'while :; do sleep 1; done')
    log = host.v1('runs', token, 'log')
    with open(log, 'ab') as f:
        f.write(b'x' * 1000000)
    f = host.far('follow', token=token, offset=0)
    line = f.line()
    while not line.startswith('d '):
        line = f.line()
    check(line == 'd 1000000' and f.read(1000) == b'x' * 1000, line)
    os.truncate(log, 3000)
    rest = f.rest()
    check(len(rest) < 999000 and not rest.strip(b'x'), 'there came %d bytes, %r' % (len(rest), rest[-80:]))
    line = host.far('follow', token=token, offset=100000).lines()
    check(line[-1].startswith('err sys'), line)
    host.far('stop', token=token, grace=1).lines()


def test_follow_latency(host):
    # a reader that comes back while the writer is still there finds an end and no line: not the end of it
    token = started(host, 'while :; do x=; read -r x <$GNRRUN_RUN_DIR/pipe; [ -z "$x" ] || echo "$x"; done', start=0)
    os.mkfifo(host.v1('runs', token, 'pipe'))
    launch(host, '', token=token)
    f = host.far('follow', token=token, offset=0)
    check(f.line().startswith('st '), 'st first')
    slow = []
    for i in range(8):
        t0 = time.monotonic()
        with open(host.v1('runs', token, 'pipe'), 'w') as p:
            p.write('hello %d\n' % i)
        line = f.line()
        while not line.startswith('d '):
            line = f.line()
        check(f.read(int(line[2:])) == b'hello %d\n' % i, 'what it says')
        slow.append(time.monotonic() - t0)
    check(sorted(slow)[4] < 3, 'latencies %s' % slow)
    host.far('stop', token=token, grace=1).lines()
    f.lines()


def test_follow_goes(host):
    token = started(host, 'sleep 100')
    a = host.far('follow', token=token, offset=0, client='me')
    check(a.line().startswith('st '), 'st')
    b = host.far('follow', token=token, offset=0, client='other')
    b.line()
    c = host.far('follow', token=token, offset=0, client='me')
    c.line()
    await_dead([a.p.pid])
    check(alive(b.p.pid) and alive(c.p.pid), 'a reader of somebody else was ended')
    # a parent that dies without a word
    r, w = os.pipe()
    text = 'a_nonce=x\na_token=%s\na_client=third\n' % token + strip('common') + strip('follow')
    kid = subprocess.Popen([sys.executable, '-c', '''if 1:
        import subprocess, sys, time
        p = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=int(sys.argv[2]))
        p.stdin.write(sys.stdin.buffer.read()); p.stdin.flush()
        print(p.pid, flush=True); time.sleep(60)''', host.argv[0], str(w)], pass_fds=[w], env=host.env,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    kid.stdin.write(text.encode())
    kid.stdin.close()
    pid = int(kid.stdout.readline())
    os.read(r, 10)
    check(alive(pid), 'reader is there')
    kid.kill()
    kid.wait()
    await_dead([pid], 5)
    host.far('stop', token=token, grace=0).lines()
    check('end' in c.lines() and 'end' in b.lines(), 'readers see the end')
    a.close()


def test_follow_stalled(host):
    """A reader that hangs in a write is ended by the next, with all it started."""
    token = started(host, 'head -c 3000000 /dev/zero; sleep 100')
    end = time.monotonic() + 20
    while os.path.getsize(host.v1('runs', token, 'log')) < 3000000:
        check(time.monotonic() < end, 'log grows')
        time.sleep(0.02)
    a = host.far('follow', token=token, offset=0, client='me')
    while not a.line().startswith('d '):
        pass
    b = host.far('follow', token=token, offset=2999990, client='me')
    check(b.line().startswith('st '), 'st')
    await_dead([a.p.pid])
    a.rest()  # ends, so nobody holds the stream
    a.close()
    host.far('stop', token=token, grace=0).lines()
    b.close(kill=True)


STUBBORN = '''
trap '' TERM
echo $$ >>$GNRRUN_RUN_DIR/pids
(trap '' TERM; while :; do sleep 1; done) & echo $! >>$GNRRUN_RUN_DIR/pids
if command -v setsid >/dev/null 2>&1; then
setsid sh -c 'trap "" TERM; echo $$ >>$GNRRUN_RUN_DIR/pids; while :; do sleep 1; done' &
fi
(sh -c 'echo $$ >>$GNRRUN_RUN_DIR/pids; exec sleep 100' &)
'''


def pids_of(host, token, n):
    end = time.monotonic() + 10
    while True:
        try:
            with open(host.v1('runs', token, 'pids')) as f:
                pids = f.read().split()
        except OSError:
            pids = []
        if len(pids) >= n:
            return pids
        check(time.monotonic() < end, 'pids %s' % pids)
        time.sleep(0.05)


def test_stop(host):
    n = 3 if host.shell == 'tiny' else 4
    token = started(host, STUBBORN + 'while :; do sleep 1; done')
    pids = pids_of(host, token, n)
    t0 = time.monotonic()
    out = host.far('stop', token=token, grace=1).lines()
    st = fields(out[0])
    check((st['state'], st['reason'], st['sig']) == ('ended', 'stop', 'KILL'), out)
    check(1 <= time.monotonic() - t0 < 30, 'took %s' % (time.monotonic() - t0))
    check(not [p for p in pids if alive(p)], 'left running')
    # again, and one that goes by itself
    check(fields(host.far('stop', token=token, grace=1).lines()[0])['state'] == 'ended', 'again')
    token = started(host, 'trap "exit 5" TERM; while :; do sleep 0.1; done')
    st = fields(host.far('stop', token=token, grace=20).lines()[0])
    check((st['code'], st['reason']) == ('5', 'stop'), st)
    check(fields(host.far('stop', token='nothere').lines()[0])['state'] == 'none', 'none')


def test_leftovers(host):
    n = 3 if host.shell == 'tiny' else 4
    token = started(host, STUBBORN + 'while [ $(cat $GNRRUN_RUN_DIR/pids | wc -l) -lt %d ]; do sleep 0.1; done; exit 4' % n)
    st = host.await_state(token, 'ended')
    check((st['code'], st['reason']) == ('4', 'exit'), st)
    check(not [p for p in pids_of(host, token, n) if alive(p)], 'left running')


def test_time_limit(host):
    t0 = time.monotonic()
    st = ended(host, 'sleep 100', 'max_seconds=1\ngrace=1\n')
    check((st['reason'], st['sig']) == ('timeout', 'TERM'), st)
    check(time.monotonic() - t0 < 30, 'took %s' % (time.monotonic() - t0))
    st = ended(host, 'while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxx; done', 'log_cap=5000\ngrace=0\n')
    check(st['reason'] == 'log-cap', st)


def sup_of(host, token):
    return int(host.await_file('runs', token, 'sup.id').split()[0])


def job_of(host, token):
    return int(host.await_file('runs', token, 'job.id').split()[0])


def test_kill_supervisor(host):
    token = started(host, STUBBORN + 'while :; do sleep 1; done')
    pids = pids_of(host, token, 3)
    os.kill(sup_of(host, token), signal.SIGKILL)
    await_dead([sup_of(host, token)])
    check(host.status(token)['state'] == 'running', 'the job lives')
    st = fields(host.far('stop', token=token, grace=0).lines()[0])
    check((st['state'], st['reason']) == ('ended', 'stop'), st)
    check(not [p for p in pids if alive(p)], 'left running')
    token = started(host, 'sleep 100')
    os.kill(sup_of(host, token), signal.SIGKILL)
    os.kill(job_of(host, token), signal.SIGKILL)
    st = host.await_state(token, 'lost')
    check(st['reason'] == 'killed' and int(st['start']) > 0, st)
    data, lines = follow(host, token)
    check(fields(lines[-1])['state'] == 'lost', lines)


def test_kill_job(host):
    token = started(host, 'sleep 100')
    os.kill(job_of(host, token), signal.SIGKILL)
    st = host.await_state(token, 'ended')
    check((st['code'], st['sig'], st['reason']) == ('137', 'KILL', 'signal'), st)


def test_reboot_and_reuse(host):
    token = started(host, 'sleep 100')
    sup, job = sup_of(host, token), job_of(host, token)
    path = host.v1('runs', token, 'sup.id')
    with open(path) as f:
        was = f.read()
    for text, state, reason in ((was.replace(was.split()[2], 'otherboot'), 'lost', 'reboot'),
                                (was.replace(was.split()[3], 'otherhost'), 'elsewhere', '-')):
        with open(path, 'w') as f:
            f.write(text)
        st = host.status(token)
        check((st['state'], st['reason']) == (state, reason), st)
    with open(path, 'w') as f:
        f.write(was)
    os.kill(sup, signal.SIGKILL)
    os.kill(job, signal.SIGKILL)
    host.await_state(token, 'lost')
    for name, pid in (('sup.id', '%d 1 %s' % (os.getpid(), ' '.join(was.split()[2:]))),
                      ('job.id', '%d 1 1 1' % os.getpid())):
        with open(host.v1('runs', token, name), 'w') as f:
            f.write(pid + '\n')
    check(host.status(token)['state'] == 'lost', 'another process with its number')


def test_double_start(host):
    token, _, _ = launch(host, 'echo started; sleep 0.3', start=0)
    fars = [host.far('launch', token=token, proj='proj', id='x', start=1) for _ in range(4)]
    for f in fars:
        out = f.lines()
        check(fields(out[-2])['state'] in ('running', 'starting', 'ended'), out)
    host.await_state(token, 'ended')
    data, _ = follow(host, token)
    check(data == b'started\n', 'log %r' % data)
    left = set(os.listdir(host.v1('runs', token)))
    check(not [n for n in left if re.search(r'\.\d+$', n)], 'leftovers %s' % left)


def test_launch_race(host):
    token, members = host.token(), tar_of(run_members('echo once; sleep 0.2', '', (('f', b'x' * 9, 0o644),)))
    fars = [host.far('launch', token=token, proj='proj', id='race' + host.shell, start=1) for _ in range(3)]
    for f in fars:
        check('run=none' in f.line(), 'nothing there')
    for f in fars:
        f.send(b'.\n' + members)
        f.eof()
    for f in fars:
        out = f.lines()
        check(fields(out[0])['state'] in ('running', 'starting', 'ended'), out)
    host.await_state(token, 'ended')
    check(follow(host, token)[0] == b'once\n', 'once')
    check(os.listdir(host.v1('tmp')) == [], 'leftovers %s' % os.listdir(host.v1('tmp')))
    check(os.listdir(host.v1('snap', 'proj', 'race' + host.shell)) == ['f'], 'snapshot is clean')


ODD = ('a b', '-x', 'new\nline', "quo'te", 'd"q', 'uml\u00e4ut', '$HOME `x` \\n', ' lead', 'tab\tx', '*')


def listing(host, token, full=1):
    f = host.far('list', token=token, full=full)
    head = f.line()
    check(head.startswith('list '), head)
    text = f.rest().decode('utf-8', 'surrogateescape')
    f.close()
    check(text.endswith(f.nonce + ' end\n'), text[-80:])
    records = {}
    for rec in ('\n' + text).split('\n' + f.nonce + ' ')[1:-1]:
        kind, mode, size, mtime, ctime, name = rec.split(' ', 5)
        float(mtime), float(ctime)
        records[name] = (kind, int(mode, 8), int(size))
    return fields(head), records


def test_list(host):
    tree = [('dir', None, 0o755)] + [('dir/' + n, n.encode(), 0o640) for n in ODD] + [
        ('exe', b'#!/bin/sh\n', 0o755), ('ln', ('->', '/etc/passwd'), 0o777), ('empty', None, 0o755)]
    job = "mkdir out; printf 12345 >'out/r\n1'; echo x >>exe; ln -s nowhere out/l; mkfifo out/p"
    token = started(host, job, tree=tree)
    host.await_state(token, 'ended')
    head, full = listing(host, token)
    check({'./' + n for n, _, _ in tree} | {'./out', './out/r\n1', './out/l', './out/p'} == set(full), full)
    check(full['./dir/new\nline'] == ('f', 0o640, 8) and full['./exe'][0:2] == ('f', 0o755), full)
    check(full['./out/p'][0] == 'o' and full['./ln'][0] == 'l' and full['./empty'][0] == 'd', full)
    head, new = listing(host, token, full=0)
    # without fractions what was shipped in the same second comes too
    made = {'./out', './out/r\n1', './out/l', './out/p', './exe'}
    check(set(new) == made if head['fmt'] == 'ns' else set(new) >= made, new)
    check(abs(int(head['clock']) - time.time()) < 30 and float(head['marker']) > 1e9, head)
    line = host.far('list', token='nothere').lines()
    check(line[-1].startswith('err notfound'), line)


def test_list_setup(host):
    """The end of the setup in the header, and what it says about the files."""
    job = ('d=$GNRRUN_RUN_DIR; echo setup >$d/phase; echo x >made; until [ -e $d/go ]; do sleep 0.1; done;'
           'sleep 1.1; true >$d/setup.end; rm $d/phase; echo y >result')
    token = started(host, job, tree=(('f', b'x', 0o644),))
    for _ in range(100):
        head, _ = listing(host, token)
        if head['setup'] == '-':
            break
        time.sleep(0.05)
    check(head['setup'] == '-', 'while it goes on: %r' % head)
    open(host.v1('runs', token, 'go'), 'w').close()
    host.await_state(token, 'ended')
    f = host.far('list', token=token, full=1)
    head = fields(f.line())
    text = f.rest().decode()
    f.close()
    changed = {l.split()[-1]: float(l.split()[5]) for l in text.splitlines() if l.startswith(f.nonce) and len(l.split()) == 7}
    check(float(head['marker']) <= changed['./made'] < float(head['setup']) <= changed['./result'], (head, changed))
    os.unlink(host.v1('runs', token, 'setup.end'))
    check(listing(host, token)[0]['setup'] == '0', 'there was none')
    open(host.v1('runs', token, 'setup.failed'), 'w').close()
    check(listing(host, token)[0]['setup'] == '-', 'it failed')


def test_list_alive(host):
    """A find that says nothing for long: a sign of life, and none inside a record."""
    token = started(host, 'for i in 1 2 3; do echo x >"a$i\nb"; done', tree=(('f', b'x', 0o644),))
    host.await_state(token, 'ended')
    folder = host.v1('runs', token, 'bin')
    os.mkdir(folder)
    real = shutil.which('find', path=host.env['PATH'])
    if os.path.basename(os.path.realpath(real)) == 'busybox':
        real = os.path.realpath(real) + ' find'
    with open(folder + '/find', 'w') as g:
        g.write('#!/bin/sh\ncase "$*" in *-prune*) ;; *"! -name ."*-type*) sleep 6 ;; esac\nexec %s "$@"\n' % real)
    os.chmod(folder + '/find', 0o755)
    was = host.env
    host.env = dict(was, PATH=folder + ':' + was['PATH'])
    try:
        f = host.far('list', token=token, full=1)
        check(f.line().startswith('list '), 'header')
        text = f.rest().decode()
        f.close()
    finally:
        host.env = was
    if 'ash' in host.shell and 'bash' not in host.shell and f.nonce + ' k\n' not in text:
        raise Skip('this shell has a find of its own')
    check(f.nonce + ' k\n' in text and text.endswith(f.nonce + ' end\n'), text)
    records = ('\n' + text).split('\n' + f.nonce + ' ')[1:-1]
    names = sorted(r.split(' ', 5)[5] for r in records if r != 'k' and r[0] == 'f')
    check(names == ['./a1\nb', './a2\nb', './a3\nb', './f'], names)


def hashed(data, tool):
    if tool == 'cksum':
        out = subprocess.run(['cksum'], input=data, capture_output=True, check=True).stdout.split()
        return '%s:%s' % (out[0].decode(), out[1].decode())
    return hashlib.sha256(data).hexdigest()


def request(verb, names):
    line = ' '.join(quote(n) for n in names).encode() + b'\n'
    return b'%s %d\n' % (verb.encode(), len(line)) + line


def test_get(host):
    tree = [(n, ('content of ' + n).encode() * 50, 0o640) for n in ODD] + [('ln', ('->', 'x y'), 0o777)]
    token = started(host, 'true', tree=tree)
    head, _ = listing(host, token)
    want = dict((n, c) for n, c, _ in tree if isinstance(c, bytes))
    f = host.far('get', token=token, zstd=0)
    names = list(want)
    f.send(request('s', names + ['missing']))
    f.send(request('s', ['./' + n for n in names if '\n' not in n]))
    f.send(request('s', ['ln']))
    for n in names + [None] + [n for n in names if '\n' not in n] + [None]:
        line = f.line()
        check(line == 'h ' + (hashed(want[n], head['hash']) if n else '-'), '%r: %r' % (n, line))
    half = len(names) // 2
    f.send(request('t', names[:half] + ['missing']))
    f.send(request('t', ['./' + n for n in names[half:] + ['ln', 'missing']]) + b'.\n')
    check(f.line() == 'tar zstd=0', 'tar line')
    got = {}
    with tarfile.open(fileobj=io.BytesIO(f.rest()), ignore_zeros=True) as tar:
        for m in tar:
            name = m.name[2:] if m.name.startswith('./') else m.name
            got[name] = tar.extractfile(m).read() if m.isfile() else ('->', m.linkname)
    f.close()
    check(got == dict((n, c) for n, c, _ in tree), '%r' % sorted(got))
    f = host.far('get', token=token)
    f.send(b'.\n')
    check(f.lines() == ['end'], 'nothing asked')
    f = host.far('get', token=token)
    f.eof()
    check(f.lines()[-1].startswith('err proto'), 'cut')


def unpacked(data):
    got = {}
    with tarfile.open(fileobj=io.BytesIO(data), ignore_zeros=True) as tar:
        for m in tar:
            name = m.name[2:] if m.name.startswith('./') else m.name
            got[name] = tar.extractfile(m).read() if m.isfile() else ('->', m.linkname)
    return got


def test_get_names(host):
    """Names as they are, for a tar that says whether all stood still."""
    tree = [(n, ('content of ' + n).encode() * 50, 0o640) for n in ODD] + [('ln', ('->', 'x y'), 0o777)]
    token = started(host, 'true', tree=tree)
    head, _ = listing(host, token)
    check(head['names'] == '0' or host.shell != 'tiny', head)
    if head['names'] == '0':
        raise Skip('no GNU tar or head here')
    want = dict((n, c) for n, c, _ in tree)

    def ask(names, zstd, meanwhile=None):
        text = b''.join(b'./' + n.encode('utf-8', 'surrogateescape') + b'\0' for n in names)
        f = host.far('get', token=token, zstd=zstd)
        f.send(b'n %d\n' % len(text) + text + b'.\n')
        f.eof()
        line = f.line()
        if meanwhile:
            f.more()
            meanwhile()
        data = f.rest()
        f.close()
        if line == 'tar zstd=1':
            data = subprocess.run(['zstd', '-dc'], input=data, capture_output=True, check=True).stdout
        return unpacked(data), f.p.returncode

    for zstd in (0, 1):
        got, status = ask(list(want), zstd)
        check(got == want and status == 0, '%r %s' % (sorted(got), status))
        got, status = ask(list(want) + ['missing'], zstd)
        check(got == want and status == 3, '%r %s' % (sorted(got), status))
    # tar stands in the middle of a file that is longer than any pipe: a new ctime is enough
    path = host.v1('runs', token, 'work', 'long')
    with open(path, 'wb') as f:
        f.truncate(8 << 20)
    check(ask(['long'], 0)[1] == 0, 'it stood still')
    check(ask(['long'], 0, lambda: os.utime(path))[1] == 3, 'it did not stand still')
    os.unlink(path)


def test_cat_still(host):
    data = random.Random(2).randbytes(300001)
    token = started(host, 'true', tree=(('big', data, 0o644),))
    f = host.far('cat', token=token, path='big', offset=0, length=len(data), sum='still')
    f.line()
    check(f.line() == 'd %d' % len(data) and f.read(len(data)) == data, 'bytes')
    check(f.lines() == ['h =', 'end'], 'it stood still')
    path = host.v1('runs', token, 'work', 'big')
    with open(path, 'ab') as f:
        f.truncate(8 << 20)
    f = host.far('cat', token=token, path='big', offset=0, length=8 << 20, sum='still')
    f.line()
    check(f.line() == 'd %d' % (8 << 20), 'length')
    f.read(1 << 16)
    with open(path, 'r+b') as g:
        g.write(b'changed')
    f.read((8 << 20) - (1 << 16))
    check(f.lines() == ['h -', 'end'], 'it changed')


class FakeQueue:
    """sbatch, squeue and scancel from three lines of sh: a queue that says what it is told to (a real one: tests/e2e)."""

    def __init__(self, host):
        self.host, self.was, self.tokens = host, host.env, []
        self.dir = os.path.join(host.base, 'queue')
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        for name, text in (('sbatch', 'echo "$*" >>%s/submitted; cat %s/answer' % (self.dir, self.dir)),
                           # the first word of the form asked for is in front of each job; byte 1 is a newline in a name
                           ('squeue', 'echo x >>%s/asked; [ ! -e %s/hangs ] || sleep 60; for f; do :; done\n'
                                      'sed "s/^/${f%%%%|*}|/; s/^\\([^|]*|[^|]*|[^|]*|[^|]*|\\)@\\([^|]*\\)|/\\1\\2|/; t; s/^\\([^|]*|[^|]*|[^|]*|[^|]*|\\)/\\1N|/" %s/jobs | tr "\\001" "\\n"; [ -e %s/jobs ]' % ((self.dir,) * 4)),
                           ('scancel', 'echo "$*" >>%s/cancelled; [ ! -e %s/deaf ]' % (self.dir, self.dir))):
            with open(os.path.join(self.dir, name), 'w') as f:
                f.write('#!/bin/sh\n%s\n' % text)
            os.chmod(os.path.join(self.dir, name), 0o755)
        self.put('answer', '71;cluster\n')
        host.env = dict(host.env, PATH=self.dir + ':' + host.env['PATH'])
        self.later()

    def put(self, name, text=''):
        with open(os.path.join(self.dir, name), 'w') as f:
            f.write(text)

    def count(self, name):
        path = os.path.join(self.dir, name)
        return len(open(path).readlines()) if os.path.exists(path) else 0

    def says(self, *jobs, ago=0):
        """What was heard so many seconds ago, so that nobody asks."""
        t = int(time.time())
        for name, text in (('queue.slurm', ''.join('%s\n' % j for j in (t - ago, *jobs))), ('queue.slurm.tried', '%d\n' % t)):
            with open(self.host.v1(name), 'w') as f:
                f.write(text)

    def ages(self):
        """Half a minute after the last answer."""
        with open(self.host.v1('queue.slurm')) as f:
            told = f.read().split('\n')
        with open(self.host.v1('queue.slurm'), 'w') as f:
            f.write('\n'.join([str(int(told[0]) - 31)] + told[1:]))

    def later(self):
        """A minute after the last question."""
        for name in ('queue.slurm', 'queue.slurm.tried'):
            if os.path.exists(self.host.v1(name)):
                os.unlink(self.host.v1(name))

    def launch(self, job='true', **kw):
        tree = (('a.py', b'print(1)\n', 0o644),)
        members = run_members(job, '', tree)
        at = [m[0] for m in members].index('before')
        members[at:at] = [('run/batch', b'#!/bin/sh\nexec sh "$1/sup" run "$1"\n', 0o600),
                          ('run/queue', (strip('queue') + strip('slurm')).encode(), 0o600)]
        if os.path.isdir(self.host.v1('snap')):
            shutil.rmtree(self.host.v1('snap'))
            os.mkdir(self.host.v1('snap'))
        out = launch(self.host, job, tree=tree, data=tar_of(members), sched='slurm', **kw)
        self.tokens.append(out[0])
        return out


def with_queue(test):
    def run(host):
        queue = FakeQueue(host)
        try:
            test(host, queue)
        finally:
            host.env = queue.was
            for token in queue.tokens:
                shutil.rmtree(host.v1('runs', token), ignore_errors=True)
    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@with_queue
def test_queue_states(host, queue):
    queue.put('jobs', '70|RUNNING|None|other\n71|PENDING|Resources|x\n')
    token, _, out = queue.launch()
    st = fields(out[0])
    check((st['state'], st['reason']) == ('queued', 'Resources'), out)
    run = host.v1('runs', token)
    with open(os.path.join(run, 'queue.id')) as f:
        check(f.read().split()[0] == '71', 'id')
    queue.later()
    queue.put('jobs', '71|PENDING|Priority|@2026-11-27T14:20:59|x\n')
    st = host.status(token)
    check((st['state'], st['reason'], st.get('msg')) == ('queued', 'Priority', 'starts'), st)
    with open(host.v1('queue.slurm')) as f:
        check(f.read().splitlines()[1:] == ['71 queued Priority x starts about 2026-11-27 14:20 as of now'], 'what the queue said')
    for jobs, state, reason in (
            (('71 queued Priority x',), 'queued', 'Priority'), (('71 queued - x',), 'queued', '-'),
            (('71 running - x',), 'starting', '-'), (('71 over cancelled x',), 'lost', 'cancelled'),
            (('71 over node-failed x',), 'lost', 'node-failed'), (('710 over timeout x', '71 queued A x'), 'queued', 'A'),
            (('71 queued error x a $(id) text',), 'queued', 'error'), (('71 nonsense',), 'queued', '-'), (('71 queued $(id) x',), 'queued', '-'), ((), 'queued', '-')):
        queue.says(*jobs)
        st = host.status(token)
        if state == 'lost':  # not until what it wrote would be seen here
            check(st['state'] == 'starting', st)
            queue.ages()
            st = host.status(token)
        check((st['state'], st['reason']) == (state, reason), '%s: %s' % (jobs, st))
        last = host.far('status', tokens=token).lines()[0]
        check(last.endswith(' msg=a $(id) text') if reason == 'error' else ' msg=' not in last, last)
    # it was asked when the job had long been there, and the queue knew nothing of it
    with open(os.path.join(run, 'queue.id'), 'w') as f:
        f.write('71 %d\n' % (time.time() - 100))
    queue.says('70 running - y')
    check(host.status(token)['state'] == 'queued', 'it may have come and gone')
    queue.ages()
    st = host.status(token)
    check((st['state'], st['reason']) == ('lost', 'vanished'), st)
    # the record counts, whatever the queue says
    with open(os.path.join(run, 'exit'), 'w') as f:
        f.write('code=3 sig=- reason=exit start=1 end=2\n')
    queue.says('71 over node-failed x')
    st = host.status(token)
    check((st['state'], st['code']) == ('ended', '3'), st)


@with_queue
def test_queue_words(host, queue):
    """What Slurm's own words become."""
    queue.put('jobs', '')
    token, _, _ = queue.launch()
    for said, state, reason in (
            ('PENDING|Resources', 'queued', 'Resources'), ('PENDING|None', 'queued', '-'),
            ('PENDING|(bad words) $(id)', 'queued', '-'), ('REQUEUED|None', 'queued', '-'), ('RUNNING|None', 'starting', '-'),
            ('COMPLETING|None', 'starting', '-'), ('SOMETHING_NEW|None', 'starting', '-'), ('TIMEOUT|TimeLimit', 'lost', 'timeout'),
            ('OUT_OF_MEMORY|OutOfMemory', 'lost', 'memory'), ('NODE_FAIL|NodeDown', 'lost', 'node-failed'),
            ('PREEMPTED|None', 'lost', 'preempted'), ('FAILED|NonZeroExitCode', 'lost', 'killed'), ('CANCELLED|None', 'lost', 'cancelled')):
        queue.later()
        queue.put('jobs', '71|%s|x\n' % said)
        st = host.status(token)
        if state == 'lost':
            check(st['state'] == 'starting', st)
            queue.ages()
            st = host.status(token)
        check((st['state'], st['reason']) == (state, reason), '%s: %s' % (said, st))


@with_queue
def test_queue_is_asked_once_a_minute(host, queue):
    queue.put('jobs', '71|PENDING|Resources|x\n')
    tokens = [queue.launch()[0] for _ in range(3)]
    for _ in range(3):
        host.far('status', tokens=' '.join(tokens)).lines()
    check(queue.count('asked') == 1, 'asked %d times' % queue.count('asked'))
    # an answer that fails changes nothing, and is not asked for again at once
    queue.later()
    os.unlink(os.path.join(queue.dir, 'jobs'))
    for _ in range(3):
        check(host.status(tokens[0])['state'] == 'queued', 'no answer is no end')
    check(queue.count('asked') == 2, 'asked %d times' % queue.count('asked'))


@with_queue
def test_queue_that_hangs(host, queue):
    queue.put('jobs', '71|PENDING|Resources|x\n')
    token, _, _ = queue.launch()
    queue.later()
    queue.put('hangs')
    began = time.monotonic()
    check(host.status(token)['state'] == 'queued', 'state')
    check(time.monotonic() - began < 18, 'waited %.0f s' % (time.monotonic() - began))


@with_queue
def test_queue_lost_id(host, queue):
    """Whoever submitted it did not live to write down the id: it is known by its name, at no extra question."""
    queue.put('jobs', '')
    token, _, _ = queue.launch()
    run = host.v1('runs', token)
    os.unlink(os.path.join(run, 'queue.id'))
    queue.says('70 running - other', '72 queued Priority ' + token)
    asked = queue.count('asked')
    st = host.status(token)
    check((st['state'], st['reason']) == ('queued', 'Priority'), st)
    with open(os.path.join(run, 'queue.id')) as f:
        check(f.read().split()[0] == '72', 'id')
    check(queue.count('asked') == asked, 'asked again')
    # asked to start again, it is not submitted twice
    _, _, out = queue.launch(token=token)
    check(fields(out[0])['state'] == 'queued' and queue.count('submitted') == 1, out)
    os.unlink(os.path.join(run, 'queue.id'))
    queue.says('70 running - other')
    check(host.status(token)['state'] == 'starting', 'young')
    os.utime(os.path.join(run, 'submitted'), (time.time() - 300,) * 2)
    st = host.status(token)
    check((st['state'], st['reason']) == ('lost', 'not-submitted'), st)


@with_queue
def test_queue_refuses(host, queue):
    queue.put('jobs', '')
    with open(os.path.join(queue.dir, 'sbatch'), 'w') as f:
        f.write('#!/bin/sh\necho "sbatch: error: invalid partition" >&2\nexit 1\n')
    token, _, out = queue.launch()
    check(out[0].startswith('err sys') and 'invalid partition' in out[0], out)
    check(host.status(token)['state'] == 'prepared', 'it can be tried again')


@with_queue
def test_queue_stop(host, queue):
    queue.put('jobs', '')
    token, _, _ = queue.launch()
    queue.says('71 queued Resources x')
    out = host.far('stop', token=token, grace=1).lines()
    st = fields(out[0])
    check((st['state'], st['reason'], st['sig']) == ('ended', 'stop', 'TERM'), out)
    with open(os.path.join(queue.dir, 'cancelled')) as f:
        check(f.read() == '71\n', 'cancelled')
    # a job that starts nevertheless finds that it has ended
    p = subprocess.run([*host.argv, host.v1('runs', token, 'sup'), 'run', host.v1('runs', token)], env=host.env,
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    check(p.returncode == 0 and not os.path.exists(host.v1('runs', token, 'sup.id')), p)


def sweep_members(n, job, opts='', mopts='', queue=False):
    """What is shipped for a sweep of n: the lead's own program is the one that starts the members."""
    vary = ''.join("%d set -- '%d' 'two words'; export K='%d'\n" % (k, k, k) for k in range(1, n + 1))
    # job.sh reads both by itself
    job = '. "$GNRRUN_RUN_DIR/env"; . "$GNRRUN_RUN_DIR/vary"\n' + job
    members = run_members('exec sh "$GNRRUN_RUN_DIR/sup" sweep "$GNRRUN_RUN_DIR"\n', opts, (('a.py', b'print(1)\n', 0o644),))
    sup = ''.join(strip(name) for name in ('common', 'work', 'sweep', 'sup'))
    members = [m for m in members if m[0] != 'run/sup']
    at = [m[0] for m in members].index('before')
    members[at:at] = [('run/sup', sup.encode(), 0o600), ('run/sweep', vary.encode(), 0o600), ('run/m.job', job.encode(), 0o600),
                      ('run/m.env', b'export A=1\n', 0o600), ('run/m.opts', mopts.encode(), 0o600)]
    if queue:
        members[at:at] = [('run/batch', b'#!/bin/sh\nexec sh "$1/sup" member "$1" "$SLURM_ARRAY_TASK_ID"\n', 0o600),
                          ('run/queue', (strip('queue') + strip('slurm')).encode(), 0o600)]
    return members


def sweep(host, n, job, **kw):
    if os.path.isdir(host.v1('snap')):
        shutil.rmtree(host.v1('snap'))
        os.mkdir(host.v1('snap'))
    token, _, out = launch(host, job, data=tar_of(sweep_members(n, job, **kw)), sched='slurm' if kw.get('queue') else 'direct')
    check(len(out) == 2 and out[1] == 'end', 'launch said %r' % out)
    return token


def statuses(host, token, n):
    lines = host.far('status', tokens=' '.join('%s.%d' % (token, k) for k in range(1, n + 1))).lines()
    check(len(lines) == n + 1, lines)
    return [fields(line) for line in lines[:-1]]


def marks(folder):
    return sorted(os.listdir(folder), key=lambda name: [int(x) if x.isdigit() else 0 for x in name.split('.')])


SGE_SAYS = """<?xml version='1.0'?>
<job_info>
  <queue_info>
    <job_list state="running">
      <JB_job_number>7</JB_job_number>
      <JB_name>gn-p-1a</JB_name>
      <state>r</state>
      <tasks>2</tasks>
    </job_list>
    <job_list state="running"><!-- $(id) -->
      <JB_job_number>8</JB_job_number>
      <JB_name>other $(touch /tmp/x) a|b</JB_name>
      <state>%s</state>
    </job_list>
    <job_list state="pending">
      <JB_job_number>x9</JB_job_number>
      <state>qw</state>
    </job_list>
    <job_list state="pending">
      <JB_job_number>7</JB_job_number>
      <JB_name>gn-p-1a</JB_name>
      <state>qw</state>
      <tasks>3-9:1</tasks>
    </job_list>
  </job_info>
</job_info>
"""


def test_queue_words_sge(host):
    """What Grid Engine's own words become; what is no answer of its is none."""
    folder = os.path.join(host.base, 'sge')
    os.makedirs(folder)
    with open(os.path.join(folder, 'qstat'), 'w') as f:
        f.write('#!/bin/sh\ncase $1,$2 in\n-j,8) printf "error reason    1:  11/26/2026 23:13:25 [0:7]: error: no \\$(touch x) \\033 file\\n" ;;\n'
                '-j*) echo "not $2" ;;\n*) cat %s/says; exit $(cat %s/rc) ;;\nesac\n' % (folder, folder))
    with open(os.path.join(folder, 'qdel'), 'w') as f:
        f.write('#!/bin/sh\necho "$*"\n')
    for name in ('qstat', 'qdel'):
        os.chmod(os.path.join(folder, name), 0o755)

    def words(says, do='q_list', rc=0):
        for name, text in (('says', says), ('rc', str(rc)), ('do', 'v1=%s q_said=$v1/said\n' % folder + strip('common') + strip('queue') + strip('sge') + do + '\n')):
            with open(os.path.join(folder, name), 'w') as f:
                f.write(text)
        p = subprocess.run([*host.argv, os.path.join(folder, 'do')], env=dict(host.env, PATH=folder + ':' + host.env['PATH']),
                           capture_output=True, text=True, timeout=20)
        return p.stdout.splitlines() if p.returncode == 0 else None

    for state, want in (('r', 'running -'), ('t', 'running -'), ('dr', 'running -'), ('S', 'running -'), ('qw', 'queued -'),
                        ('hqw', 'queued held'), ('Eqw', 'queued error'), ('Rq', 'running -'), ('new', 'queued -')):
        text = ' error: no $(touch x) ? file' if 'E' in state else ''
        check(words(SGE_SAYS % state) == ['7.2 running - p-1a', '8 %s ?%s' % (want, text), '7 queued - p-1a'], words(SGE_SAYS % state))
    check(words(SGE_SAYS % 'r', rc=1) is None, 'a failure')
    for answer in ('', 'garbage\n<JB_job_number>1\n</job_list', (SGE_SAYS % 'r')[:400], (SGE_SAYS % 'r').replace('</job_info>', '')):
        check(words(answer) is None, 'no whole answer: %r' % answer)
    says = '%s</job_info>\n' % ''.join('<job_list>\n<JB_job_number>%d</JB_job_number>\n<state>%s</state>\n<tasks>%d</tasks>\n</job_list>\n' % j
                   for j in ((5, 'r', 1), (5, 'qw', 2), (55, 'qw', 3), (5, 'hqw', 4)))
    check(words(says, 'q_drop 5') == ['5.2 5.4'], 'what waits of it')
    check(words(says, 'q_drop 6') == [], 'nothing waits of it')


class Gpus:
    """A machine with some, as nvidia-smi prints them; `used` says which are not idle."""

    def __init__(self, host, n):
        self.host, self.was, self.n = host, host.env, n
        self.dir = tempfile.mkdtemp(prefix='gpus-', dir=host.base)
        self.claims = os.path.join(self.dir, 'claims')
        self.smi('i=0; while [ $i -lt %d ]; do\n'
                 'set -- "$1" 4 0; name="NVIDIA A100-SXM4-40GB"; [ ! -e %s/name.$i ] || name=$(cat %s/name.$i)\n'
                 '[ ! -e %s/mem.$i ] || set -- "$1" 9000 0; [ ! -e %s/util.$i ] || set -- "$1" 4 97\n'
                 'case $1 in\n'
                 '--query-gpu=*) echo "$i, GPU-0$i-a, $name, 40960, $2, $3" ;;\n'
                 '--query-compute-apps=*) [ ! -e %s/apps.$i ] || echo GPU-0$i-a ;;\n'
                 'esac; i=$((i + 1)); done' % (n, *[self.dir] * 5))
        host.env = dict(host.env, PATH=self.dir + ':' + host.env['PATH'], GNRRUN_GPU_DIR=self.claims)
        host.env.pop('CUDA_VISIBLE_DEVICES', None)

    def smi(self, text, name='nvidia-smi'):
        path = os.path.join(self.dir, name)
        with open(path, 'w') as f:
            f.write('#!/bin/sh\n' + text + '\n')
        os.chmod(path, 0o755)

    def use(self, what, i, on=True):
        path = os.path.join(self.dir, '%s.%d' % (what, i))
        open(path, 'w').close() if on else os.unlink(path)

    def launch(self, opts, job='echo "[$CUDA_VISIBLE_DEVICES]"', kind=None, **kw):
        tree = (('a.py', b'print(1)\n', 0o644),)
        members = [m if m[0] != 'run/sup' else (m[0], GPU_SUP.encode(), m[2]) for m in run_members(job, opts, tree)]
        if kind:
            members.insert(1, ('run/gpu_type', kind.encode() + b'\n', 0o600))
        if os.path.isdir(self.host.v1('snap')):
            shutil.rmtree(self.host.v1('snap'))
            os.mkdir(self.host.v1('snap'))
        return launch(self.host, job, tree=tree, data=tar_of(members), sched='direct', **kw)

    def run(self, *args, **kw):
        """To its end; its log."""
        token, _, out = self.launch(*args, **kw)
        check(out[-1] == 'end', out)
        self.host.await_state(token, 'ended')
        with open(self.host.v1('runs', token, 'log')) as f:
            return f.read()

    def left(self):
        return os.listdir(self.claims) if os.path.isdir(self.claims) else []

    def close(self):
        self.host.env = self.was


def with_gpus(n):
    def wrap(test):
        def run(host):
            gpus = Gpus(host, n)
            try:
                test(host, gpus)
            finally:
                gpus.close()
        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run
    return wrap


@with_gpus(4)
def test_gpus_free_ones(host, gpus):
    """Only what nobody has: no process, no memory, not busy, no living claim; and what fits."""
    check(gpus.run('gpus=2\n') == '[0,1]\n', 'the first two')
    gpus.use('apps', 0), gpus.use('mem', 1), gpus.use('util', 2)
    check(gpus.run('gpus=1\n') == '[3]\n', 'the only one')
    check(gpus.run('gpus=1\n', kind='a100') == '[3]\n', 'of that kind')
    check(gpus.run('gpus=1\ngpu_mb=38000\n') == '[3]\n', 'of that size')
    for opts, kind, said in (('gpus=5\n', None, 'has 4 GPUs, 5 were asked for'), ('gpus=1\n', 'h100', "has 0 GPUs of type 'h100', 1 was"),
                             ('gpus=1\ngpu_mb=80000\n', None, 'has 0 GPUs with 80000 MiB')):
        token, _, out = gpus.launch(opts, kind=kind)
        check(out[-1].startswith('err toofew') and said in out[-1], out)
        check(not os.path.exists(host.v1('runs', token, 'lock')), 'it began')
    check(gpus.left() == [], gpus.left())
    # those that a scheduler has chosen are believed
    host.env['CUDA_VISIBLE_DEVICES'] = '7'
    check(gpus.run('gpus=1\n') == '[7]\n', 'chosen by others')
    del host.env['CUDA_VISIBLE_DEVICES']
    # who did not ask, on a machine that is shared: one, or none
    check(gpus.run('gpus=0\nshare=1\n') == '[3]\n', 'one is shown')
    gpus.use('apps', 3)
    check(gpus.run('gpus=0\nshare=1\n') == 'gnrrun: no GPU is free here, so the program sees none; --gpus 1 waits for one\n[]\n', 'none')
    check(gpus.run('gpus=0\nshare=0\n', job='echo "[${CUDA_VISIBLE_DEVICES-unset}]"') == '[unset]\n', 'not shared')


@with_gpus(1)
def test_gpus_wait(host, gpus):
    """In the order of their coming; stop ends a wait; time limits begin with the program; the dead hold nothing."""
    go = os.path.join(gpus.dir, 'go')
    first, _, out = gpus.launch('gpus=1\n', job='echo up; while [ ! -e %s ]; do sleep 0.1; done' % go)
    check(fields(out[0])['state'] in ('starting', 'running'), out)
    host.await_state(first, 'running')
    second, _, out = gpus.launch('gpus=1\nmax_seconds=3\n', job='echo second; sleep 100')
    check((fields(out[0])['state'], fields(out[0])['reason']) == ('queued', 'gpus') or fields(out[0])['state'] == 'starting', out)
    host.await_state(second, 'queued')
    third, _, _ = gpus.launch('gpus=1\n', job='date +%%s >%s/third' % gpus.dir)
    fourth, _, _ = gpus.launch('gpus=1\n')
    host.await_state(fourth, 'queued')
    out = host.far('stop', token=fourth, grace=2).lines()
    st = fields(out[-2])
    check((st['state'], st['reason'], st['code'], st['start']) == ('ended', 'stop', '143', '0'), out)
    with open(host.v1('runs', second, 'sup.id')) as f:
        pid = f.read().split()[0]
    # the second is killed while it waits: its place in the line is nobody's
    fifth, _, _ = gpus.launch('gpus=1\nmax_seconds=2\n', job='echo fifth; sleep 100')
    os.kill(int(pid), signal.SIGKILL)
    await_dead([pid])
    check(host.status(second)['state'] == 'lost', 'killed while it waited')
    open(go, 'w').close()
    host.await_state(third, 'ended', limit=40)
    st = host.await_state(fifth, 'ended', limit=40)
    check(st['reason'] == 'timeout', st)
    with open(host.v1('runs', fifth, 'log')) as f:
        said = f.read()
        check(said.startswith('fifth\n'), 'it ran: %r' % said)  # mksh has a word for what was ended
    left = [n for n in gpus.left() if '.%s.' % pid not in n]
    check(left == [], left)


@with_gpus(2)
def test_gpus_line(host, gpus):
    """Who did not ask takes none that somebody waits for; who waits for another kind is in nobody's way."""
    with open(os.path.join(gpus.dir, 'name.1'), 'w') as f:
        f.write('NVIDIA GeForce RTX 3090\n')
    gpus.use('apps', 0)
    first, _, _ = gpus.launch('gpus=1\n', kind='a100')
    host.await_state(first, 'queued')
    check(gpus.run('gpus=1\n', kind='rtx 3090') == '[1]\n', 'of another kind')
    check(gpus.run('gpus=1\n') == '[1]\n', 'any')
    both, _, _ = gpus.launch('gpus=2\n')
    host.await_state(both, 'queued')
    check(gpus.run('gpus=0\nshare=1\n').endswith('\n[]\n'), 'it is waited for')
    # one that looks after its place no more: stopped, or hanging for ever
    ticket = next(n for n in gpus.left() if n.startswith('wait.') and '.0-1.' in n)
    pid = int(ticket.split('.')[-2])
    os.kill(pid, signal.SIGSTOP)
    try:
        os.utime(os.path.join(gpus.claims, ticket), (time.time() - 300,) * 2)
        check(gpus.run('gpus=0\nshare=1\n') == '[1]\n', 'nobody looks after that place')
    finally:
        os.kill(pid, signal.SIGCONT)
    gpus.use('apps', 0, False)
    host.await_state(first, 'ended', limit=30)
    host.await_state(both, 'ended', limit=30)
    check(gpus.left() == [], gpus.left())


ROCM = """
device,Unique ID,GPU use (%),VRAM Total Memory (B),VRAM Total Used Memory (B),Card Series,Card Model,Card Vendor,Card SKU,Subsystem ID,Device Rev,Node ID,GUID,GFX Version
card0,0x9246a1b2c3d4e5f6,93,17163091968,692142080,Navi 21 [Radeon RX 6800/6800 XT / 6900 XT],0x73bf,Advanced Micro Devices Inc. [AMD/ATI],001,0x2406,0xc1,1,45534,gfx1030
card1,N/A,0,67108864,26079232,Raphael,0x164e,Advanced Micro Devices Inc. [AMD/ATI],RAPHAEL,0x364e,0xc6,2,52156,gfx1036
card2,0x18f68e602b8a790f,0,17163091968,27856896,Navi 21 [Radeon RX 6800/6800 XT / 6900 XT],0x73bf,Advanced Micro Devices Inc. [AMD/ATI],001,0x2406,0xc1,1,45534,gfx1030
"""
OLD_ROCM = """device,VRAM Total Memory (B),VRAM Total Used Memory (B),Card series,Card model,Card vendor,Card SKU
card0,34342961152,6922240,Arcturus GL-XL [AMD Instinct MI100],0x0c34,Advanced Micro Devices Inc. [AMD/ATI],D34316
"""


@with_gpus(0)
def test_gpus_amd(host, gpus):
    """As rocm-smi tells of them, of two ages; the one within the processor is none."""
    os.unlink(os.path.join(gpus.dir, 'nvidia-smi'))
    for says, shown, kind, why in ((ROCM, 'GPU-18f68e602b8a790f', 'rx 6800', 'has 2 GPUs'), (OLD_ROCM, '0', 'MI100', 'has 1 GPU,')):
        with open(os.path.join(gpus.dir, 'says'), 'w') as f:
            f.write(says)
        gpus.smi('cat %s/says' % gpus.dir, 'rocm-smi')
        check(gpus.run('gpus=1\n', job='echo "${CUDA_VISIBLE_DEVICES-}[$ROCR_VISIBLE_DEVICES]"', kind=kind) == '[%s]\n' % shown, shown)
        _, _, out = gpus.launch('gpus=3\n')
        check(out[-1].startswith('err toofew') and why in out[-1], out)
    check(gpus.left() == [], gpus.left())


@with_gpus(2)
def test_gpus_idle(host, gpus):
    """Whose GPUs do nothing is known; a look at them is no more than a look."""
    token, _, _ = gpus.launch('gpus=1\nsample=1\n', job='exec sleep 100')
    host.await_file('runs', token, 'idle')
    check(host.status(token)['idle'] == '0', 'only just')
    with open(host.v1('runs', token, 'idle'), 'w') as f:
        f.write('%d %d\n' % (time.time() - 1300, time.time() - 1300))
    while int(host.status(token)['idle']) < 1300:
        time.sleep(0.1)
    gpus.use('util', 1)  # somebody else's
    time.sleep(2)
    check(int(host.status(token)['idle']) >= 1300, 'that was another GPU')
    gpus.use('util', 0)
    while host.status(token)['idle'] != '0':
        time.sleep(0.1)
    check(not os.path.exists(host.v1('runs', token, 'idle')), 'it is busy')
    for said in ('1 x', '5 1', 'a b', '', '99999999999999999999 1'):
        with open(host.v1('runs', token, 'idle'), 'w') as f:
            f.write(said)
        check(host.status(token)['state'] == 'running', said)
    check(host.status(token)['quiet'] == '0', 'it is young')
    os.utime(host.v1('runs', token, 'log'), (time.time() - 3700,) * 2)
    check(host.status(token)['quiet'] == '1', 'no log for an hour')
    host.far('stop', token=token, grace=1).lines()
    st = host.status(token)
    check((st['idle'], st['quiet']) == ('0', '0'), 'it is over')


def polite(host, opts, job, **env):
    host.env, was = dict(host.env, **env), host.env
    tree = (('a.py', b'print(1)\n', 0o644),)
    members = [m if m[0] != 'run/sup' else (m[0], POLITE_SUP.encode(), m[2]) for m in run_members(job, opts, tree)]
    for f in os.listdir(host.v1('snap')) if os.path.isdir(host.v1('snap')) else []:
        shutil.rmtree(host.v1('snap', f))
    try:
        token, _, _ = launch(host, job, tree=tree, data=tar_of(members), sched='direct')
    finally:
        host.env = was
    host.await_state(token, 'ended')
    with open(host.v1('runs', token, 'log')) as f, open(host.v1('runs', token, 'job.id')) as ids:
        return f.read().split(), ids.read().split()[4]


def test_polite(host):
    """Half of what is free of a machine that others use, unless somebody said otherwise; one at least."""
    all_ = len(os.sched_getaffinity(0))
    if all_ < 2:
        raise Skip('one processor is as many as there are')
    can = host.shell != 'tiny'
    job = 'echo $OMP_NUM_THREADS $MKL_NUM_THREADS $(awk \'{ print $19 }\' /proc/self/stat) $(grep ^Cpus_allowed_list /proc/self/status)'
    said, cpus = polite(host, 'nice=19\n', job)
    check(said[0].isdigit(), said)
    check(1 <= int(said[0]) <= all_ // 2 and said[1] == cpus == said[0], said)
    check(not can or said[2] == '19', said)
    check(not can or said[0] != '1' or said[4].isdigit(), said)
    check(polite(host, 'cpus=%d\n' % all_, job)[0][:2] == [str(all_)] * 2, 'as many as were asked for')
    said, cpus = polite(host, 'nice=19\n', job, OMP_NUM_THREADS='7')
    check(said[0] == '7' and said[1] != '7', 'what the user had set')
    check(not can or polite(host, '', 'taskset -cp $$; nproc')[0][-1] == cpus, 'where it may run')


@with_gpus(3)
def test_gpus_seen(host, gpus):
    """Who has which, by processes and by claims; a line for each user of each."""
    def seen():
        return [line for line in host.far('probe').lines() if line.startswith(('gpu ', 'use '))]
    gpu = 'gpu index=%d name=NVIDIA_A100-SXM4-40GB mem_mb=40960 used_mb=%d util=%d procs=%d free=%d'
    check(seen() == [gpu % (i, 4, 0, 0, 1) for i in range(3)], seen())
    # two of ours, one of somebody who is gone by now
    with open(os.path.join(gpus.dir, 'nvidia-smi')) as f:
        text = f.read()
    gpus.smi(text.split('\n', 1)[1].replace('[ ! -e %s/apps.$i ] || echo GPU-0$i-a' % gpus.dir, '[ $i != 0 ] || cat %s/apps' % gpus.dir))
    with open(os.path.join(gpus.dir, 'apps'), 'w') as f:
        f.write('GPU-00-a, %d, 3000\nGPU-00-a, %d, [N/A]\nGPU-00-a, 99999999, 200\nGPU-77-a, 1, 1\njunk $(id)\n' % (os.getpid(), os.getppid()))
    go = os.path.join(gpus.dir, 'go')
    token, _, _ = gpus.launch('gpus=2\n', job='while [ ! -e %s ]; do sleep 0.1; done' % go)
    host.await_state(token, 'running')
    me = pwd.getpwuid(os.geteuid()).pw_name
    got, want = seen(), [gpu % (0, 4, 0, 3, 0), gpu % (1, 4, 0, 0, 0), gpu % (2, 4, 0, 0, 0)]
    check(got[:3] == want, got)
    # busybox ps is not to be asked, and needs not: /proc says it
    check(sorted(got[3:]) == ['use gpu=0 user=%s procs=%d mem_mb=%d claim=%d' % u for u in (('-', 1, 200, 0), (me, 2, 3000, 0))] +
          ['use gpu=%d user=%s procs=0 mem_mb=0 claim=1' % (i, me) for i in (1, 2)], got)
    open(go, 'w').close()
    host.await_state(token, 'ended')
    gpus.smi('echo x; exit 18')
    check(seen() == [], 'a driver in trouble')


@with_gpus(1)
def test_gpus_silent(host, gpus):
    """A driver in trouble neither answers nor lets itself be ended; nobody waits for it long."""
    gpus.smi("trap '' TERM HUP INT; exec sleep 20")
    t0 = time.monotonic()
    _, _, out = gpus.launch('gpus=1\n')
    check(out[-1].startswith('err toofew') and 'driver answers' in out[-1], out)
    check(time.monotonic() - t0 < 15, 'it took %.0f s' % (time.monotonic() - t0))


@with_gpus(1)
def test_gpus_race(host, gpus):
    """Two (of two users, where we may) for the last one, again and again: never both, never none."""
    users = (1001, 1002) if os.geteuid() == 0 else (None, None)
    busy = os.path.join(gpus.dir, 'there', 'busy')
    os.mkdir(os.path.dirname(busy))
    os.chmod(os.path.dirname(busy), 0o777)
    for path in (os.path.dirname(host.base), host.base, host.home, host.root, host.v1(), host.v1('runs'), gpus.dir):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o1777 if path == gpus.dir else 0o755)
    job = '[ -z "$CUDA_VISIBLE_DEVICES" ] && echo none && exit; mkdir %s || echo both; sleep 1; rmdir %s; echo done' % (busy, busy)
    rounds = int(os.environ.get('GN_RACES', '2'))
    # those who wait for it get it one after the other; of those who did not ask one does
    for opts, want in [('gpus=1\n', ['done', 'done'])] * rounds + [('gpus=0\nshare=1\n', ['done', 'none'])] * rounds:
        tokens = [gpus.launch(opts, job=job, start=0)[0] for _ in range(2)]
        for token, user in zip(tokens, users):
            if user:
                subprocess.run(['chown', '-R', str(user), host.v1('runs', token)], check=True)
        sups = [subprocess.Popen([*host.argv, host.v1('runs', token, 'sup'), 'run', host.v1('runs', token)], env=host.env, user=user,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
                for token, user in zip(tokens, users)]
        said = []
        for token, p in zip(tokens, sups):
            host.await_state(token, 'ended', limit=40)
            p.wait(20)
            with open(host.v1('runs', token, 'log')) as f:
                said.append(f.read().split('\n')[-2])
                f.seek(0)
                check('both' not in f.read(), 'both at once')
        check(sorted(said) == want, said)
    check(gpus.left() == [], gpus.left())


@with_gpus(2)
def test_gpus_hostile(host, gpus):
    """What others put into the folder neither holds us up nor makes us do anything."""
    os.makedirs(gpus.claims)
    os.chmod(gpus.claims, 0o1777)
    for name in ('GPU-00-a.1.1', 'GPU-00-a.x.y', 'GPU-00-a.', 'GPU-00-a.$(touch x).2', 'wait.0.999999.5', 'wait.00000000000000.1.1', 'wait.x',
                 'wait.1.$$.1', '-rf', 'a b', 'new\nline'):
        open(os.path.join(gpus.claims, name), 'w').close()
    os.symlink('/etc/passwd', os.path.join(gpus.claims, 'GPU-01-a.3.3'))
    check(gpus.run('gpus=2\n') == '[0,1]\n', 'all are free')
    if os.geteuid() == 0:
        # the name of a process that lives, but of another's
        with open('/proc/self/stat') as f:
            start = f.read().rsplit(') ', 1)[1].split()[19]
        forged = os.path.join(gpus.claims, 'GPU-00-a.%d.%s' % (os.getpid(), start))
        open(forged, 'w').close()
        check(gpus.run('gpus=1\n') == '[1]\n', 'a living claim counts')
        os.chown(forged, 1234, 1234)
        check(gpus.run('gpus=1\n') == '[0]\n', 'a forged one does not')
    # a link under a name that we were about to take
    victim = os.path.join(gpus.dir, 'victim')
    with open(victim, 'w') as f:
        f.write('thesis')
    os.symlink(victim, os.path.join(gpus.claims, 'GPU-00-a.7.7'))
    p = subprocess.run([*host.argv, '-c', GPU_SUP.rsplit('case ${1-} in', 1)[0] + 'lay GPU-00-a.7.7 || echo refused'], env=host.env,
                       capture_output=True, text=True, timeout=20)
    with open(victim) as f:
        check((p.stdout, f.read()) == ('refused\n', 'thesis'), 'it was followed: %r' % (p,))
    shutil.rmtree(gpus.claims)
    # no folder of claims, or a link in its place: the driver's word has to do
    os.symlink('/tmp', gpus.claims)
    said = gpus.run('gpus=1\n')
    check(said.startswith('gnrrun: no claims can be kept') and said.endswith('\n[0]\n'), 'a link: %r' % said)
    check(not [n for n in os.listdir('/tmp') if n.startswith('GPU-')], 'something was put there')
    os.unlink(gpus.claims)
    # a driver in trouble
    gpus.smi('echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18')
    _, _, out = gpus.launch('gpus=1\n')
    check(out[-1].startswith('err toofew') and 'has no GPU whose driver answers' in out[-1], out)
    gpus.smi('echo "0, GPU-$(id), x, y, z, w"; echo "1, GPU-0, a, [N/A], [N/A], [N/A]"; echo junk')
    check(gpus.run('gpus=1\n') == '[1]\n', 'numbers that are none')

PBS_SAYS = """Job Id: 71.srv
    Job_Name = gn-p-1a
    Job_Owner = %(me)s@login.site
    job_state = %(state)s
    queue = gpu
    Error_Path = login.site:/home/u/.gnrrun/v1/runs/no-1/batch.out
    Output_Path = login.site:/home/u/.gnrrun/v1/runs/p-1a/%(fold)sbatch.out
    Variable_List = PBS_O_HOME=/home/u,X=$(touch x)
    job_state = F
    Output_Path = login.site:/home/u/.gnrrun/v1/runs/evil/batch.out,Y=1
%(more)s
Job Id: 72.srv
    Job_Name = other
    Job_Owner = somebody@login.site
    job_state = F
    Exit_status = 0

Job Id: 73[].srv
    Job_Owner = %(me)s2@login.site
    job_state = B
"""


def test_queue_words_pbs(host):
    """What PBS's own words become, in each of its dialects; what nobody has seen of a real one."""
    folder = os.path.join(host.base, 'pbs')
    os.makedirs(folder)
    me = subprocess.run(['id', '-un'], capture_output=True, text=True).stdout.strip()

    def command(name, text):
        with open(os.path.join(folder, name), 'w') as f:
            f.write('#!/bin/sh\necho "%s $*" >>%s/asked\n%s\n' % (name, folder, text))
        os.chmod(os.path.join(folder, name), 0o755)

    def words(state, more='', fold='', rc=0):
        command('qstat', 'case $1 in --version) cat %s/version; exit ;; esac\ncat %s/said\nexit %d' % (folder, folder, rc))
        with open(os.path.join(folder, 'said'), 'w') as f:
            f.write(PBS_SAYS % dict(me=me, state=state, more=more, fold=fold))
        return ask_words(host, folder, 'pbs', 'in_list 71.srv -; echo "$q_state:$q_why:$q_text"\n')

    with open(os.path.join(folder, 'version'), 'w') as f:
        f.write('pbs_version = 20.0.1\n')
    command('qselect', 'echo 71.srv; echo 74.srv; echo "bad id; touch x"; echo "\\$(touch y)"')
    os.makedirs(os.path.join(folder, 'runs', 'a-1'))
    os.makedirs(os.path.join(folder, 'runs', 'a-2'))
    for name, text in (('a-1/queue.id', '72.srv 5\n'), ('a-2/queue.id', '70.srv 5\n'), ('a-2/exit', 'code=0\n')):
        with open(os.path.join(folder, 'runs', name), 'w') as f:
            f.write(text)
    for state, more, want in (
            ('Q', '    comment = Not Running: no $(touch x) \x1b[31m ngpus', 'queued:-:Not Running: no $(touch x) ?[31m ngpus'),
            ('H', '', 'queued:hold:'), ('W', '', 'queued:-:'), ('T', '', 'queued:-:'), ('R', '', 'running:-:'), ('E', '', 'running:-:'),
            ('S', '', 'running:-:'), ('Z', '', 'running:-:'), ('F', '    Exit_status = 0', 'over:-:'), ('F', '', 'over:cancelled:'),
            ('F', '    Exit_status = -29', 'over:timeout:'), ('F', '    Exit_status = -27', 'over:memory:'),
            ('F', '    Exit_status = 271', 'over:cancelled:'), ('F', '    Exit_status = 265', 'over:killed:'),
            ('C', '    Exit_status = -3', 'over:killed:')):
        for rc in (0, 153):  # of one that it knows no more
            out = words(state, more, rc=rc)
            check(out[-1] == want, '%s %r: %r is not %r' % (state, more, out[-1], want))
            first = want.split(':')
            check(out[0].split(' ')[:4] == ['71.srv', first[0], first[1], 'p-1a'], out)
            # known by qselect, and nothing else of it; and one of ours that is over
            check(sorted(out[1:-1]) == ['72.srv over - ?', '74.srv running - ?'], out)
    check(words('Q', fold='\n\t')[0].split(' ')[3] == 'p-1a', 'a folded line')
    with open(os.path.join(folder, 'asked')) as f:
        asked = f.read().split('\n')
    check(asked[:3] == ['qselect -u ' + me, 'qstat --version', 'qstat -x -f -w 71.srv 72.srv 74.srv'], asked[:4])
    # two that call themselves the same: neither counts
    check(words('R', '\nJob Id: 71.srv\n    job_state = F\n')[-1] == 'running:-:', 'forged')
    check(words('Q', '\nJob Id: 71.srv\n    job_state = F\n')[-1] == 'running:-:', 'forged')
    # no answer is none
    command('qselect', 'echo 71.srv; exit 1')
    check(words('Q') is None, 'qselect fails')
    # nobody has a job: nobody is asked about all
    os.unlink(os.path.join(folder, 'asked'))
    command('qselect', ':')
    shutil.rmtree(os.path.join(folder, 'runs'))
    check(words('Q') == ['::'] or words('Q') == [':-:'], words('Q'))
    with open(os.path.join(folder, 'asked')) as f:
        check('qstat -f' not in f.read() and 'qstat -x' not in f.read(), 'asked')
    # Torque; and where there is no qselect: ours are those that are owned by us
    with open(os.path.join(folder, 'version'), 'w') as f:
        f.write('Version: 6.1.2\nCommit: 1\n')
    command('qselect', 'echo 71.srv')
    check(words('Q')[-1] == 'queued:-:', 'torque')
    with open(os.path.join(folder, 'asked')) as f:
        check(f.read().endswith('qstat -f 71.srv\n'), 'torque')
    check(not os.path.exists(os.path.join(folder, 'y')), 'it was run')
    if host.shell != 'tiny':  # elsewhere there may be another
        return
    os.unlink(os.path.join(folder, 'qselect'))
    check([line.split(' ')[0] for line in words('R')[:-1]] == ['71.srv'], words('R'))
    check(words('R', rc=1) is None, 'qstat fails')
    # as Slurm's own commands of that name have it
    words('R')
    with open(os.path.join(folder, 'said'), 'w') as f:
        f.write('Job Id:\t71\n\tJob_Name = x\n\tJob_Owner = %s@l\n\tjob_state = Q\n\tcomment = a b\n\n' % me)
    check(ask_words(host, folder, 'pbs', '') == ['71 queued - ? a b'], 'tabs')
    check(sorted(os.listdir(folder)) == ['asked', 'do', 'list', 'qstat', 'said', 'version'], sorted(os.listdir(folder)))


def test_queue_submit_pbs(host):
    """The script that is submitted knows where it is, and holds the wishes of the one that takes it."""
    folder = os.path.join(host.base, "a 'b' $(touch x) \\ c")
    os.makedirs(folder)
    for name, text in (('qstat', 'cat version'), ('qsub', 'cp "$3" taken; echo "$1 $2" >where; cat answer')):
        with open(os.path.join(folder, name), 'w') as f:
            f.write('#!/bin/sh\n%s\n' % text)
        os.chmod(os.path.join(folder, name), 0o755)

    def submit(version, answer):
        for name, text in (('batch', '#!/bin/sh\n#PBS -r n\n#PRO -l select=1:ncpus=2\n#TORQUE -l nodes=1:ppn=2\nprintf "%s:%s\\n" "$#" "$1"\n'),
                           ('version', version), ('answer', answer),
                           ('do', 'v1=.\n' + strip('common') + strip('queue') + strip('pbs') + 'q_submit "$1/batch" "$1"\n')):
            with open(os.path.join(folder, name), 'w') as f:
                f.write(text)
        p = subprocess.run([*host.argv, 'do', folder], env=dict(host.env, PATH=folder + ':' + host.env['PATH']), cwd=folder,
                           capture_output=True, text=True, timeout=20)
        return p.stdout.strip() if p.returncode == 0 else None

    for version, mine, other in (('pbs_version = 20\n', '#PBS -l select=1:ncpus=2', '#PBS -l nodes'),
                                 ('Version: 6\n', '#PBS -l nodes=1:ppn=2', '#PBS -l select')):
        check(submit(version, 'a notice\n71.srv-1.site\n') == '71.srv-1.site', 'id')
        with open(os.path.join(folder, 'taken')) as f:
            lines = f.read().split('\n')
        check(lines[:3] == ['#!/bin/sh', '#PBS -r n', mine] and not any(line.startswith(other) for line in lines), lines)
        p = subprocess.run([*host.argv, os.path.join(folder, 'taken')], env=host.env, cwd=folder, capture_output=True, text=True)
        check(p.stdout == '1:%s\n' % folder, p)
        with open(os.path.join(folder, 'where')) as f:
            check(f.read() == '-o %s/batch.out\n' % folder, 'where')
    for answer in ('', 'no\n', '71;touch x\n', '71 72\n', '$(touch x)\n'):
        check(submit('pbs_version\n', answer) is None, answer)
    check(not os.path.exists(os.path.join(folder, 'x')), 'it was run')


HOSTILE = ['71', '|', '\n', ' ', '\t', '71|TIMEOUT|x|y', '\n71|TIMEOUT|None|tok\n', '$(touch x)', '`touch x`', ';touch x;', "'", '"',
           '\\', '\r', '\x1b[31m', '\xff\xfe', '\xc3\xa9', '*', '/etc/*', 'tok', 'A' * 70000, '%s', '&', '</JB_name>', '</job_info>',
           '\n71 over timeout tok\n', '-n', '=', '\x02', '']
SLURM_STATES = {'PENDING': 'queued', 'RUNNING': 'running', 'COMPLETED': 'over', 'TIMEOUT': 'over', 'NEW_WORD': 'running'}
SGE_STATES = {'qw': 'queued', 'r': 'running', 'hqw': 'queued', 'Eqw': 'queued', 's': 'running', 'dr': 'running'}


def hostile_name(rnd):
    return rnd.choice(['tok', ''.join(rnd.choice(HOSTILE) for _ in range(rnd.randrange(1, 5)))])


def ask_words(host, folder, words, then):
    """What q_list of these words says, and what in_list makes of it; None: no answer."""
    text = ('v1=%s\n' % folder + strip('common') + strip('queue') + strip(words)
            + 'q=$v1/list lead=\nlisted 5 >"$q" || exit 9\ncat "$q"\n' + then)
    with open(os.path.join(folder, 'do'), 'w') as f:
        f.write(text)
    p = subprocess.run([*host.argv, os.path.join(folder, 'do')], env=dict(host.env, PATH=folder + ':' + host.env['PATH']),
                       cwd=folder, capture_output=True, timeout=20)
    check(p.returncode in (0, 9), p)
    return None if p.returncode else p.stdout.decode('latin-1').split('\n')[1:-1]


def as_sge(jobs):
    esc = lambda s: s.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;').replace('\n', '')
    return "<?xml version='1.0'?>\n<job_info>\n  <queue_info>\n%s  </queue_info>\n</job_info>\n" % ''.join(
        '    <job_list state="x">\n      <JB_job_number>%s</JB_job_number>\n      <JB_name>%s</JB_name>\n      <state>%s</state>\n'
        '    </job_list>\n' % (i, esc(name), state) for i, state, name in jobs)


def test_queue_hostile(host):
    """Whatever jobs are called, nobody is taken for another, and nothing of it is run."""
    rnd, folder = random.Random(71), os.path.join(host.base, 'hostile')
    os.makedirs(folder)
    for name, text in (('squeue', 'for f; do :; done; sed "s/^/${f%%|*}|/; s/^\\([^|]*|[^|]*|[^|]*|[^|]*|\\)/\\1N|/" said | tr "\\001" "\\n"'), ('qstat', 'cat said')):
        with open(os.path.join(folder, name), 'w') as f:
            f.write('#!/bin/sh\n%s\n' % text)
        os.chmod(os.path.join(folder, name), 0o755)
    then = 'for j in 71 72 710; do in_list "$j" tok; echo "$j:$q_state"; done; q_id=; in_list "" tok; echo "name:$q_id:$q_state"\n'
    for turn in range(24):
        words, states = rnd.choice((('slurm', SLURM_STATES), ('sge', SGE_STATES)))
        jobs = [(i, rnd.choice(list(states)), hostile_name(rnd)) for i in rnd.sample([71, 72, 710, 7, 1, 99], rnd.randrange(5))]
        if words == 'sge':
            said = as_sge(jobs)
        else:
            said = ''.join('%s|%s|None|%s\n' % (i, state, name.replace('\n', '\1')) for i, state, name in jobs)
        with open(os.path.join(folder, 'said'), 'wb') as f:
            f.write(said.encode('latin-1'))
        out = ask_words(host, folder, words, then)
        known = {i: states[state] for i, state, _ in jobs}
        named = [i for i, _, name in jobs if name.replace('\n', '' if words == 'sge' else '?') == 'tok']
        want = ['%d:%s' % (i, known.get(i, '')) for i in (71, 72, 710)]
        want.append('name:%s:%s' % (named[0], known[named[0]]) if named else 'name::')
        check(out[-4:] == want, '%s: %r is not %r' % (said[:2000], out[-4:], want))
        check([line.split(' ')[:2] for line in out[:-4]] == [[str(i), known[i]] for i, _, _ in jobs], (said[:2000], out))
        check(not os.path.exists(os.path.join(folder, 'x')), 'it was run: %r' % said[:2000])
        if words == 'sge':  # an answer that was cut
            with open(os.path.join(folder, 'said'), 'wb') as f:
                f.write(said.encode('latin-1')[:rnd.randrange(len(said.encode('latin-1')) - 12)])
            check(ask_words(host, folder, words, then) is None, 'a cut answer')
    left = sorted(os.listdir(folder))
    check(left == ['do', 'list', 'qstat', 'said', 'squeue'], left)


def test_queue_list_hostile(host):
    """A list that somebody spoiled: what is no line of ours changes nothing."""
    rnd, folder = random.Random(72), os.path.join(host.base, 'list')
    os.makedirs(folder)
    pieces = ['71', '72', '71', ' ', ' ', ' ', '\t', '\n', '\n', 'queued', 'running', 'over', 'timeout', '-', 'tok', '$(touch x)', '`touch x`',
              '*', '\\', '\r', '\xff', '\x1b', 'B' * 5000, "'", '"', '71 over $(touch x) tok\n', '\n71 running Resources tok\n']
    for turn in range(12):
        text = ''.join(rnd.choice(pieces) for _ in range(rnd.randrange(60)))
        with open(os.path.join(folder, 'list'), 'wb') as f:
            f.write(text.encode('latin-1'))
        with open(os.path.join(folder, 'do'), 'w') as f:
            f.write(strip('common') + strip('queue') + 'q=list lead=\nin_list 71 tok\necho "$q_state:$q_why"\n')
        p = subprocess.run([*host.argv, 'do'], env=host.env, cwd=folder, capture_output=True, timeout=20)
        state, why = '', '-'
        for line in text.split('\n')[:-1]:
            field = re.split('[ \t]+', line.strip(' \t')) + [''] * 3
            if field[0] == '71':
                state = field[1] if field[1] in ('queued', 'running', 'over') else ''
                why = field[2] if re.fullmatch('[A-Za-z0-9._:-]+', field[2]) else '-'
                break
        check((p.returncode, p.stdout.decode('latin-1')) == (0, '%s:%s\n' % (state, why)), '%r: %s' % (text[:2000], p))
        check(sorted(os.listdir(folder)) == ['do', 'list'], os.listdir(folder))


def test_site(host):
    """Where a batch queue answers nothing is started beside it, unless that was said."""
    folder, was = os.path.join(host.base, 'site'), host.env
    os.makedirs(folder)

    def command(name, text):
        path = os.path.join(folder, name)
        with open(path, 'w') as f:
            f.write('#!/bin/sh\necho x >>%s/%s.asked\n%s\n' % (folder, name, text))
        os.chmod(path, 0o755)

    def found(**kw):
        token, line, out = launch(host, 'true', **kw)
        queue = fields(line)['queue']
        check(len(out) == (2 if queue == '-' else 0), '%s: %s' % (queue, out))
        check(os.path.exists(host.v1('runs', token)) == (queue == '-'), 'made with ' + queue)
        return queue

    def forget():
        if os.path.exists(host.v1('queue.none')):
            os.unlink(host.v1('queue.none'))
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))

    host.env = dict(host.env, PATH=folder + ':' + host.env['PATH'])
    host.env.pop('SGE_ROOT', None)
    forget()
    try:
        command('sbatch', 'exit 1')
        command('sinfo', 'echo debug up')
        check(found() == 'slurm', 'slurm')
        check(found(base='', sched='direct') == '-', 'direct')
        check('scheduler=slurm' in host.far('probe').line(), 'probe')
        forget()
        # it is installed and does not answer: asked once an hour
        command('sbatch', 'exit 1')
        command('sinfo', 'exit 1')
        check(found() == '-' and found() == '-', 'no answer')
        with open(os.path.join(folder, 'sinfo.asked')) as f:
            check(f.read() == 'x\n', 'asked again')
        forget()
        command('qsub', 'exit 1')
        command('qstat', 'case "$*" in -help) echo "GE 8.1.9" ;; esac')
        check(found() == 'sge', 'sge')
        forget()
        command('qsub', 'exit 1')
        command('qstat', 'case "$*" in -B) echo Server ;; *) echo "usage: qstat" >&2; exit 2 ;; esac')
        check(found() == 'pbs', 'pbs')
        forget()
        check(found() == '-', 'none')
    finally:
        host.env = was


def test_sweep(host):
    """Each member once, two at a time, with its own words, work and end."""
    log = os.path.join(host.base, 'sweep')
    os.makedirs(log)
    job = ('cd %s; mkdir $1.begun || echo twice >>twice\n'
           '# the next one begins while this one is there\n'
           'while [ $1 != 7 ] && [ ! -d $(($1 + 1)).begun ]; do sleep 0.1; done\n'
           'set -- "$@" $(ls | grep -c begun) $(ls | grep -c ended); cd "$GNRRUN_RUN_DIR/work"\n'
           'echo "$K,$2,$A,$(cat a.py)"; echo $1 >made; echo "$(($3 - $4))" >%s/$1.ended; exit $(($1 %% 3))' % (log, log))
    token = sweep(host, 7, job, opts='parallel=2\n')
    began = statuses(host, token, 7)
    check(all(st['state'] in ('queued', 'starting', 'running', 'ended', 'prepared') for st in began), began)
    check(began[6]['state'] == 'queued' and began[6]['reason'] == 'turn', began[6])
    lines = host.far('status', tokens=' '.join('%s.%d' % (token, k) for k in range(1, 8)), watch=1).lines()
    check(lines[-1] == 'end', lines)
    last = {}
    for line in lines[:-1]:
        if line != 'k':
            last[line.split()[1]] = fields(line)
    for k in range(1, 8):
        st = last['%s.%d' % (token, k)]
        check((st['state'], st['code'], st['reason']) == ('ended', str(k % 3), 'exit'), st)
        with open(host.v1('runs', '%s.%d' % (token, k), 'log')) as f:
            check(f.read() == '%d,two words,1,print(1)\n' % k, 'log of %d' % k)
        with open(host.v1('runs', '%s.%d' % (token, k), 'work', 'made')) as f:
            check(f.read() == '%d\n' % k, 'work of %d' % k)
    check(len(marks(log)) == 14, marks(log))
    at_once = [int(open(os.path.join(log, '%d.ended' % k)).read()) for k in range(1, 8)]
    check(max(at_once) == 2, 'at once: %s' % at_once)
    st = host.await_state(token, 'ended')
    check((st['code'], st['reason']) == ('0', 'exit'), st)
    check(not os.path.exists(host.v1('runs', token, 'work', 'made')), 'the lead was written into')
    check(not os.path.exists(host.v1('runs', token, 'm.env')), 'secrets stay')
    host.far('rm', tokens=' '.join([token] + ['%s.%d' % (token, k) for k in range(1, 8)]), force=1).lines()
    check(not [n for n in os.listdir(host.v1('runs')) if n.startswith(token)], 'left over')
    check(statuses(host, token, 1)[0]['state'] == 'none', 'gone')


def test_sweep_stop(host):
    """What runs gets its TERM and its grace, what waits never begins, and one that was ended alone stays so."""
    token = sweep(host, 5, 'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.1; done', opts='parallel=2\ngrace=20\n', mopts='grace=5\n')
    for k in (1, 2):
        host.await_file('runs', '%s.%d' % (token, k), 'log')
    out = host.far('stop', token=token + '.3', grace=1).lines()
    check((fields(out[-2])['state'], fields(out[-2])['reason']) == ('ended', 'stop'), out)
    out = host.far('stop', token=token + '.1', grace=3).lines()
    check((fields(out[-2])['code'], fields(out[-2])['reason']) == ('3', 'stop'), out)
    host.await_file('runs', token + '.4', 'log')  # its place is taken, by the next that is left
    check(not os.path.exists(host.v1('runs', token + '.3', 'work')), 'three began')
    out = host.far('stop', token=token, grace=3).lines()
    check(fields(out[-2])['state'] == 'ended', out)
    states = statuses(host, token, 5)
    check([(st['state'], st['reason'], st['code']) for st in states]
          == [('ended', 'stop', '3'), ('ended', 'stop', '3'), ('ended', 'stop', '143'), ('ended', 'stop', '3'), ('ended', 'stop', '143')], states)
    check(not os.path.exists(host.v1('runs', token + '.5')), 'five began')
    check(not os.path.exists(host.v1('runs', token, 'm.env')), 'secrets stay')


def test_sweep_killed(host):
    """Who starts them is killed, with all that is his: those that run go on, the others are lost, nobody waits for ever."""
    go = os.path.join(host.base, 'go')
    token = sweep(host, 4, 'echo up; while [ ! -e %s ]; do sleep 0.1; done; echo done' % go, opts='parallel=2\n')
    for k in (1, 2):
        host.await_file('runs', '%s.%d' % (token, k), 'log')
    pids = [open(host.v1('runs', token, name)).read().split()[0] for name in ('sup.id', 'job.id')]
    for pid in pids:
        os.kill(int(pid), signal.SIGKILL)
    await_dead(pids)
    states = [st['state'] for st in statuses(host, token, 4)]
    check(states == ['running', 'running', 'lost', 'lost'], states)
    with open(go, 'w'):
        pass
    for k in (1, 2):
        st = host.await_state('%s.%d' % (token, k), 'ended')
        check(st['code'] == '0', st)


def test_sweep_no_room(host):
    """A member that cannot be made has ended so, and the others run."""
    path, real = os.path.join(host.bin, 'cp'), shutil.which('cp')
    if host.shell == 'tiny':
        real = shutil.which('busybox') + ' cp'
        os.rename(path, path + '.real')
    with open(path, 'w') as f:
        f.write('#!/bin/sh\ncase "$*" in *.2.*) echo "cp: No space left on device" >&2; exit 1 ;; esac\nexec %s "$@"\n' % real)
    os.chmod(path, 0o755)
    try:
        token = sweep(host, 3, 'true')
        host.await_state(token, 'ended')
    finally:
        os.unlink(path)
        if host.shell == 'tiny':
            os.rename(path + '.real', path)
    states = [(st['state'], st['reason'], st['code']) for st in statuses(host, token, 3)]
    check(states == [('ended', 'exit', '0'), ('ended', 'not-made', '1'), ('ended', 'exit', '0')], states)
    with open(host.v1('runs', token, 'log')) as f:
        check('the disk is full' in f.read(), 'why')
    check(not os.listdir(host.v1('tmp')), os.listdir(host.v1('tmp')))


@with_queue
def test_sweep_in_a_queue(host, queue):
    """One array; its elements by their own ids; what is cancelled before it began needs no folder."""
    queue.put('jobs', '')
    queue.put('answer', '500\n')
    token = sweep(host, 4, 'echo $K; exit $K', queue=True)
    queue.tokens.append(token)
    check(queue.count('submitted') == 1, 'submitted %d times' % queue.count('submitted'))
    queue.says('500_1 running - x', '500_2 queued Resources x', '500_3 over cancelled x', '50_4 over timeout x', '500_44 over timeout x')
    queue.ages()
    states = [(st['state'], st['reason']) for st in statuses(host, token, 4)]
    check(states == [('starting', '-'), ('queued', 'Resources'), ('lost', 'cancelled'), ('queued', '-')], states)
    # the job of the first, as the queue starts it; twice does no harm
    for _ in range(2):
        p = subprocess.run([*host.argv, host.v1('runs', token, 'sup'), 'member', host.v1('runs', token), '1'], env=host.env,
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        check(p.returncode == 0, p)
    queue.says('500_1 over killed x', '500_2 queued Resources x')
    st = statuses(host, token, 2)
    check([(s['state'], s['code']) for s in st] == [('ended', '1'), ('queued', '0')], st)
    check(host.status(token)['state'] == 'queued', 'lead')
    # nobody wrote down the id
    os.unlink(host.v1('runs', token, 'queue.id'))
    queue.says('500_2 queued Priority ' + token, '500_12 running - ' + token)
    st = statuses(host, token, 3)
    check([(s['state'], s['reason']) for s in st][1:] == [('queued', 'Priority'), ('starting', '-')], st)
    with open(host.v1('runs', token, 'queue.id'), 'w') as f:
        f.write('500 %d\n' % time.time())
    queue.says('500_2 queued Priority x', '500_3 queued Priority x')
    st = fields(host.far('stop', token=token + '.2', grace=1).lines()[-2])
    check((st['state'], st['reason']) == ('ended', 'stop'), st)
    out = host.far('stop', token=token, grace=1).lines()
    check(fields(out[-2])['state'] == 'ended', out)
    with open(os.path.join(queue.dir, 'cancelled')) as f:
        check(f.read() == '500_2\n--state=PENDING 500\n', 'cancelled')
    states = [(st['state'], st['reason']) for st in statuses(host, token, 4)]
    check(states == [('ended', 'exit'), ('ended', 'stop'), ('ended', 'stop'), ('ended', 'stop')], states)
    # one that the queue starts all the same
    subprocess.run([*host.argv, host.v1('runs', token, 'sup'), 'member', host.v1('runs', token), '3'], env=host.env,
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    check(not os.path.exists(host.v1('runs', token + '.3')), 'it began')


def plain_dd(host):
    """dd knows what POSIX wants and no more, until what is returned is called."""
    path, real = os.path.join(host.bin, 'dd'), shutil.which('dd')
    if host.shell == 'tiny':
        real = shutil.which('busybox') + ' dd'
        os.rename(path, path + '.real')
    with open(path, 'w') as f:
        f.write('#!/bin/sh\ncase "$*" in *iflag*) exit 1 ;; esac\nexec %s "$@"\n' % real)
    os.chmod(path, 0o755)

    def back():
        os.unlink(path)
        if host.shell == 'tiny':
            os.rename(path + '.real', path)
    return back


def test_cat(host):
    data = random.Random(1).randbytes(3 * 1048576 + 200001)
    token = started(host, 'true', tree=(('big\nfile', data, 0o644), ('dir', None, 0o755)))
    size = len(data)
    parts = ((0, ''), (70000, ''), (65536, 65536), (1048576, ''), (1048577, 1048576), (size - 2, 99), (size, ''),
             (size + 100, 5), (5, 0), (65530, 3), (65530, 70000), (3, 196605))
    for dd in ('counts in bytes', 'in blocks'):
        back = plain_dd(host) if dd == 'in blocks' else None
        for offset, length in parts:
            for sum in '01':
                f = host.far('cat', token=token, path='big\nfile', offset=offset, length=length, sum=sum)
                line = f.line()
                check(fields(line)['size'] == str(size) and fields(line)['mtime'] == '1700000000', line)
                want = data[offset:offset + length] if length != '' else data[offset:]
                check(f.line() == 'd %d' % len(want) and f.read(len(want)) == want,
                      'bytes of %s+%s, dd %s' % (offset, length, dd))
                end = ['h ' + hashed(data, tool) for tool in ('sha256sum', 'cksum')] if sum == '1' else []
                said = f.lines()
                check(said[-1] == 'end' and (said[0] in end if end else len(said) == 1), 'end %r' % said)
    back()
    for path, code in (('nothere', 'notfound'), ('dir', 'readonly')):
        line = host.far('cat', token=token, path=path).lines()
        check(line[-1].startswith('err ' + code), line)


def test_base_and_links(host):
    """What changed against a snapshot, which moves forward; a run's writing does not reach it; modes survive."""
    tree = [('keep', b'same', 0o444), ('change', b'old', 0o644), ('gone', b'x', 0o644),
            ('swap', None, 0o755), ('swap/in\nner', b'x', 0o644), ('shut', None, 0o555), ('shut/f', b'x', 0o400),
            ('exe', b'x', 0o755)]
    launch(host, 'true', tree=tree, snap_id='one')
    delta = [('change', b'newer', 0o644), ('swap', b'a file now', 0o644), ('shut/f', b'y', 0o400)]
    rm = 'rm -rf -- %s\n' % ' '.join(shlex.quote(n) for n in ('gone', 'swap/in\nner', 'swap'))
    job = 'cat change swap shut/f; echo more >>exe; echo bad >keep; chmod 700 keep; echo bad >keep; ls'
    token, line, out = launch(host, job, tree=delta, snap_id='two', base='zzz one', before=rm)
    check(fields(line)['snap'] == 'base' and fields(line)['base'] == 'one', line)
    host.await_state(token, 'ended')
    log = follow(host, token)[0]
    check(log.startswith(b'newera file nowy') and b'gone' not in log, log)
    check(os.listdir(host.v1('snap', 'proj')).count('one') == 0, 'it did not move')
    check(not os.path.exists(host.v1('snap', 'proj', 'two', 'gone')), 'not deleted')
    want = {'change': b'newer', 'swap': b'a file now', 'shut/f': b'y', 'keep': b'same', 'exe': b'x'}
    for n, c in want.items():
        with open(host.v1('snap', 'proj', 'two', n), 'rb') as f:
            check(f.read() == c, '%s of the snapshot was changed' % n)
    mode = os.stat(host.v1('snap', 'proj', 'two', 'keep')).st_mode & 0o777
    check(mode == 0o444, 'mode %o' % mode)
    token, line, out = launch(host, 'cat change', snap_id='two', base='zzz')
    check(fields(line)['snap'] == 'have' and out[0].startswith('st '), (line, out))


def snapshot(host, proj, name):
    """path -> content of a snapshot."""
    top, out = host.v1('snap', proj, name), {}
    for folder, _, files in os.walk(top):
        for f in files:
            with open(os.path.join(folder, f), 'rb') as x:
                out[os.path.relpath(os.path.join(folder, f), top)] = x.read()
    return out


def ship(host, proj, snap_id, tree, base='', data=None, before='', after=b'', **kw):
    """The tree alone, without a run: the launch line and the lines after it."""
    if kw.get('quick') and kw.get('sure'):
        kw['before'], before = before, ''
    f = host.far('launch', proj=proj, id=snap_id, base=base, zstd=0, **kw)
    line = f.line()
    if fields(line)['snap'] != 'have':
        f.send(b'.\n')
        f.send(data if data is not None else tar_of(tree_members(tree, after, before.encode())))
    f.eof()
    return fields(line), f.lines()


OLD = [('keep', b'same', 0o644), ('d', None, 0o755), ('d/gone', b'x', 0o644), ('change', b'old', 0o644)]
NEW = {'keep': b'same', 'd': b'a file', 'change': b'new', 'more/x': b'y'}
DELTA = [('d', b'a file', 0o644), ('change', b'new', 0o644), ('more', None, 0o755), ('more/x', b'y', 0o644)]


def test_quick_delta(host):
    """What little changed is put in while it comes; sent unasked, it is dropped when it does not fit."""
    check(ship(host, 'quick', 'one', OLD)[1] == ['ok', 'end'], 'first')
    said, out = ship(host, 'quick', 'two', DELTA, base='one', sure='one', quick=1, before='rm -rf -- ./d\n')
    check(said['snap'] == 'base' and out == ['ok', 'end'], (said, out))
    check(snapshot(host, 'quick', 'two') == NEW, snapshot(host, 'quick', 'two'))
    # asked for first, what must go comes in the stream, however little it is
    check(ship(host, 'asked', 'one', OLD)[1] == ['ok', 'end'], 'first')
    said, out = ship(host, 'asked', 'two', DELTA, base='one', quick=1, before='rm -rf -- ./d\n')
    check(said['snap'] == 'base' and out == ['ok', 'end'], (said, out))
    check(snapshot(host, 'asked', 'two') == NEW, snapshot(host, 'asked', 'two'))
    said, out = ship(host, 'quick', 'two', [], base='two', sure='two')
    check(said['snap'] == 'have' and out == ['ok', 'end'], (said, out))
    said, out = ship(host, 'quick', 'three', DELTA, base='one', sure='one', quick=1)
    check(said['snap'] == 'full' and out == [], 'not as thought: %s %s' % (said, out))
    await_empty(host)
    check(sorted(os.listdir(host.v1('snap', 'quick'))) == ['.moved', 'two'], os.listdir(host.v1('snap', 'quick')))


def await_empty(host):
    end = time.monotonic() + 10
    while os.listdir(host.v1('tmp')):
        check(time.monotonic() < end, 'leftovers %s' % os.listdir(host.v1('tmp')))
        time.sleep(0.02)


def test_torn_delta(host):
    """A change that is cut off at any byte is completed by the same change, and is the base of nothing else."""
    rnd = random.Random(5)
    data = tar_of(tree_members(DELTA + [('big', b'z' * 30000, 0o644)]))
    for i in range(4):
        ship(host, 'torn', 'one', OLD)
        how = dict(base='one', sure='one', quick=1, before='rm -rf -- ./d\n')
        _, out = ship(host, 'torn', 'two', [], data=data[:rnd.randrange(1024, data.rindex(b'after'))], **how)
        check(out[-1].startswith('err tar'), out)
        check(os.path.isdir(host.v1('snap', 'torn', 'one+two')), os.listdir(host.v1('snap', 'torn')))
        said, _ = ship(host, 'torn', 'other', [], base='one', sure='one', quick=1)
        check(said['snap'] == 'full', 'a torn tree is no base: %s' % said)
        said, out = ship(host, 'torn', 'two', [], data=data, **how)
        check(said['snap'] == 'base' and out == ['ok', 'end'], (said, out))
        check(snapshot(host, 'torn', 'two') == dict(NEW, big=b'z' * 30000), 'completed')
        shutil.rmtree(host.v1('snap', 'torn', 'two'))


def test_killed_delta(host):
    """Killed at any instant, the far side gives the base back, or what it had made of it."""
    rnd = random.Random(11)
    data = tar_of(tree_members(DELTA))
    for i in range(8):
        ship(host, 'killed', 'one', OLD)
        f = host.far('launch', proj='killed', id='two', base='one', zstd=0, sure='one', quick=1, before='rm -rf -- ./d\n')
        threading.Timer(rnd.random() * 0.1, f.p.kill).start()
        f.send(b'.\n' + data)
        f.close()
        said, out = ship(host, 'killed', 'two', [], data=data, base='one', before='rm -rf -- ./d\n', quick=1, sure='one')
        check(said['snap'] in ('have', 'base') and out == ['ok', 'end'], (said, out))
        check(snapshot(host, 'killed', 'two') == NEW, snapshot(host, 'killed', 'two'))
        shutil.rmtree(host.v1('snap', 'killed', 'two'))
    for d in os.listdir(host.v1('tmp')):  # what tidy does in a day
        shutil.rmtree(host.v1('tmp', d), ignore_errors=True)


def test_spare(host):
    """A copy made in advance becomes the next run's folder, moved forward with the tree."""
    tree = OLD + [('fill%d' % i, b'x', 0o644) for i in range(30)]
    token, _, _ = launch(host, 'echo bad >keep; cat change', tree=tree, proj='spare', snap_id='one', spare=1000)
    host.await_state(token, 'ended')
    end = time.monotonic() + 10
    while not os.path.isdir(host.v1('spare', 'spare', 'one')):
        check(time.monotonic() < end, 'no spare')
        time.sleep(0.02)
    spare = os.stat(host.v1('spare', 'spare', 'one', 'fill1')).st_ino
    token, line, out = launch(host, 'cat keep change more/x', tree=DELTA, proj='spare', snap_id='two', base='one', before='rm -rf ./d\n')
    check(fields(line)['snap'] == 'base', line)
    host.await_state(token, 'ended')
    check(follow(host, token)[0] == b'samenewy', follow(host, token)[0])
    check(os.stat(host.v1('runs', token, 'work', 'fill1')).st_ino == spare, 'it was copied')
    check(not os.path.exists(host.v1('spare', 'spare', 'two')), 'a spare is used once')
    want = dict(NEW, **{'fill%d' % i: b'x' for i in range(30)})
    check(snapshot(host, 'spare', 'two') == want, 'snapshot')


def test_whole_goes_on(host):
    """A whole tree that is cut off goes on where it stood."""
    tree = [('a', None, 0o755)] + [('a/%03d\n' % i, b'x' * 5000, 0o644) for i in range(60)] + [('b', b'last', 0o644)]
    data = tar_of(tree_members(tree))
    said, out = ship(host, 'whole', 'w', [], data=data[:len(data) // 2], resume=1, client='me')
    check(said['snap'] == 'full' and out[-1].startswith('err tar'), (said, out))
    said, _ = ship(host, 'whole', 'w', [], data=b'', resume=0)
    check(said['parts'] == '0', said)
    f = host.far('launch', proj='whole', id='w', zstd=0, resume=1, client='me')
    said = fields(f.line())
    parts = int(said['parts'])
    check(20 < parts < 60, said)
    # somebody's line that is thought to be alive is ended by the same client alone
    g = host.far('launch', proj='whole', id='w', zstd=0, resume=1, client='other')
    check(fields(g.line())['parts'] == '0', 'two write into one')
    g.close()
    h = host.far('launch', proj='whole', id='w', zstd=0, resume=1, client='me')
    check(int(fields(h.line())['parts']) == parts, 'the same client')
    f.close()
    h.send(b'.\n' + tar_of(tree_members(tree[:1] + tree[parts - 1:])))
    h.eof()
    check(h.lines() == ['ok', 'end'], 'completed')
    check(snapshot(host, 'whole', 'w') == {n: c for n, c, _ in tree if c is not None}, 'content')


def test_a_large_file_goes_on(host):
    """Of the file that a cut left in part only the end is asked for, again and again."""
    body = os.urandom(400000)
    name = "it's *big*"
    tree = [('a', b'first', 0o644), (name, body, 0o640), ('z', b'last', 0o644)]
    data = tar_of(tree_members(tree))
    ship(host, 'rest', 'r', [], data=data[:len(data) // 3], resume=1, client='me')
    size = 0
    for k in range(3):
        f = host.far('launch', proj='rest', id='r', zstd=0, resume=1, client='me')
        check(fields(f.line())['parts'] == '2', k)
        f.send(b'size %s\n' % name.encode())
        line = f.line()
        check(line.startswith('size ') and size < int(line[5:]) < len(body), (line, size))
        size = int(line[5:])
        at = size // 1000 * 1000
        where = b'f="./tree/it\'s *big*"; dd if=/dev/null of="$f" bs=1 count=0 seek=%d 2>/dev/null; cat x/rest >>"$f"\n' % at
        rest = tar_of([('before', b'', 0o600), ('x', None, 0o700), ('tree', None, 0o700), ('x/where', where, 0o600),
                       ('x/rest', body[at:], 0o600), ('tree/z', b'last', 0o644), ('after', b'sh -e x/where\n', 0o600)])
        f.send(b'.\n' + (rest if k == 2 else rest[:len(rest) // 2]))
        f.eof()
        out = f.lines()
    check(out == ['ok', 'end'], out)
    check(snapshot(host, 'rest', 'r') == {n: c for n, c, _ in tree}, 'content')
    # what was there before a crash is not trusted
    ship(host, 'rest', 'q', [], data=data[:len(data) // 3], resume=1, client='me')
    by = host.v1('tmp', 'full.q', 'by')
    with open(by) as f:
        words = f.read().split()
    check(words[0] == '0', words)
    with open(by, 'w') as f:
        f.write(' '.join(words[:2] + ['other'] + words[3:]) + '\n')
    f = host.far('launch', proj='rest', id='q', zstd=0, resume=1, client='me')
    check(fields(f.line())['parts'] == '0', 'trusted')
    f.close()
    end = time.monotonic() + 10
    while os.listdir(host.v1('tmp')):
        check(time.monotonic() < end, os.listdir(host.v1('tmp')))
        for d in os.listdir(host.v1('tmp')):
            if d.startswith('full.'):
                shutil.rmtree(host.v1('tmp', d), ignore_errors=True)
        time.sleep(0.02)


MIB = 1 << 20


def in_lanes(host, f, said, data, numbers, cut=None):
    """Send data to f in pieces over these lanes; of piece number cut only a part, and no more."""
    lanes = {n: host.far('lane', dir=said['dir'], n=n) for n in set(numbers) - {0}}
    f.send(b'. lanes\n')
    for k, n in enumerate(numbers):
        piece = data[k * MIB:(k + 1) * MIB]
        if not f.p.stdin.closed:
            f.send(b'%d\n' % n if len(piece) == MIB else b'%d %d\n' % (n, len(piece)))
        to = lanes[n] if n else f
        if not to.p.stdin.closed:
            to.send(piece[:len(piece) // 3] if k == cut else piece)
        if k == cut:
            to.eof()
    if not f.p.stdin.closed:
        f.eof()
    out = f.lines()
    for lane in lanes.values():
        lane.close()
    return out


def test_lanes(host):
    """A stream in pieces over several channels; behind a gap comes nothing."""
    body = os.urandom(4 * MIB + 12345)
    tree = [('a', b'first', 0o644), ('big', body, 0o640), ('z', b'last', 0o644)]
    data = tar_of(tree_members(tree))
    f = host.far('launch', proj='lanes', id='l', zstd=0, lanes=3, quick=1)
    said = fields(f.line())
    check(said['lanes'] == '3', said)
    out = in_lanes(host, f, said, data, [0, 2, 1, 3, 0])
    check(out == ['ok', 'end'], out)
    check(snapshot(host, 'lanes', 'l') == {n: c for n, c, _ in tree}, 'content')
    # exactly so many pieces, none of them over a lane; and a change, which is spooled
    whole = tar_of(tree_members([('n', b'', 0o644)]) + [('y', b'0' * (2 * MIB - 1536 - 10240), 0o644)])
    whole = whole[:2 * MIB] if len(whole) > 2 * MIB else whole.ljust(2 * MIB, b'\0')
    f = host.far('launch', proj='lanes', id='m', base='l', zstd=0, lanes=2)
    said = fields(f.line())
    check((said['lanes'], said['snap']) == ('2', 'base'), said)
    f.send(b'. lanes\n0\n' + whole[:MIB] + b'0\n' + whole[MIB:] + b'0 0\n')
    f.eof()
    check(f.lines() == ['ok', 'end'], 'whole pieces')
    check(snapshot(host, 'lanes', 'm') == {**{n: c for n, c, _ in tree}, 'n': b''}, 'changed')
    # a piece that is cut, on a lane or here: what is there is a beginning of what was sent
    for k, (numbers, cut) in enumerate((([1, 2, 1, 2, 1], 1), ([0, 1, 0, 1, 0], 2))):
        f = host.far('launch', proj='cut', id='c%d' % k, zstd=0, lanes=2, resume=1, client='me')
        said = fields(f.line())
        out = in_lanes(host, f, said, data, numbers, cut)
        check(out[-1].startswith('err tar'), out)
        with open(host.v1('tmp', 'full.c%d' % k, 'tree', 'big'), 'rb') as g:
            there = g.read()
        check(MIB // 2 < len(there) < 3 * MIB and there == body[:len(there)], 'a gap')
        f = host.far('launch', proj='cut', id='c%d' % k, zstd=0, lanes=2, resume=1, client='me')
        said = fields(f.line())
        check((said['parts'], said['lanes']) == ('2', '2'), said)
        check(in_lanes(host, f, said, data, [1, 0, 2, 2, 0]) == ['ok', 'end'], 'completed')
        check(snapshot(host, 'cut', 'c%d' % k) == {n: c for n, c, _ in tree}, 'content')
    # data: by the same way, and what a lane must not do
    f = host.far('put', id='dl', zstd=0, lanes=3)
    said = fields(f.line())
    check(in_lanes(host, f, said, data, [3, 0, 1, 2, 3]) == ['ok'], 'put')
    with open(host.v1('data', 'dl', 'big'), 'rb') as g:
        check(g.read() == body, 'data')
    for bad in ('9\n', 'x\n', '1 y\n', '0 1;id\n'):
        f = host.far('launch', proj='bad', id='b', zstd=0, lanes=1)
        check(fields(f.line())['lanes'] == '1', 'lanes')
        f.send(b'. lanes\n' + bad.encode())
        f.eof()
        check(f.lines()[-1].startswith('err tar'), bad)
    f = host.far('launch', proj='bad', id='b', zstd=0)
    check(fields(f.line())['lanes'] == '0', 'nobody asked')
    f.send(b'. lanes\n0 0\n')
    f.eof()
    check(f.lines()[-1].startswith('err proto'), 'no lanes')
    check(os.listdir(host.v1('tmp')) == [], 'leftovers')
    # a run that came so inherits nothing of it
    f = host.far('launch', token='lanerun', proj='lanes', id='r', zstd=0, lanes=3)
    said = fields(f.line())
    # what ls complains of is a descriptor that was closed meanwhile
    data = tar_of(run_members('ls -l /proc/$$/fd 2>/dev/null | grep -c lanes; exit 0', tree=tree))
    in_lanes(host, f, said, data, [1, 2, 3, 1, 2])
    host.await_state('lanerun', 'ended')
    said = follow(host, 'lanerun')[0]
    check(said == b'0\n', 'open pipes: %r' % said)
    check(not os.path.exists(host.v1('runs', 'lanerun', 'lanes')), 'pipes in the run')


def test_a_program_that_waits(host):
    """Its arguments come when they are known; without them it goes."""
    f = host.far('status', wait=1)
    f.send(b"a_root='%s'\na_tokens='a b'\ngo\n" % (b"/nowhere/it'\\''s'\"$nl\"'odd"))
    out = f.lines()
    check([l.split()[1:3] for l in out[:2]] == [['a', 'state=none'], ['b', 'state=none']] and out[2] == 'end', out)
    f = host.far('launch', wait=1)
    f.send(b"a_proj='p'\n")
    f.eof()
    check(f.lines() == [], 'no arguments')
    check(not os.path.exists(host.v1('snap', 'p')), 'made something')


def put(host, ident, members, **kw):
    f = host.far('put', id=ident, ns='data', zstd=0, **kw)
    line = f.line()
    if 'have=0' in line:
        f.send(b'.\n' + tar_of(members))
        f.eof()
    return line, f.lines()


def test_put_and_data(host):
    members = [('tree/a', b'data', 0o644), ('tree/s', None, 0o755), ('tree/s/b', b'x', 0o644)]
    line, out = put(host, 'd1', members)
    check(out[-1].startswith('err tar'), 'without "after": %s' % out)
    check('d1' not in os.listdir(host.v1('data')) and os.listdir(host.v1('tmp')) == [], 'leftovers')
    x = [('x/0', b'12345', 0o600), ('after', b"mv x/0 'tree/a'\n", 0o600)]
    line, out = put(host, 'd1', members + x)
    check(line.startswith('put have=0 base=- zstd=0 parts=0 lanes=0 ') and out == ['ok'], 'put')
    check(put(host, 'd1', members)[0] == 'put have=1 base=- zstd=0 parts=0', 'again')
    with open(host.v1('data', 'd1', 'a')) as f:
        check(f.read() == '12345', 'after')
    for n in ('', 'a', 's', 's/b'):
        check(not os.stat(host.v1('data', 'd1', n)).st_mode & 0o222, n + ' is writable')
    line, out = put(host, 'd2', tree_members([('s/b', b'y', 0o644)], before=b'rm -f a\n'), base='d1')
    check(fields(line)['base'] == 'd1' and out == ['ok'], (line, out))
    with open(host.v1('data', 'd2', 's', 'b')) as f, open(host.v1('data', 'd1', 's', 'b')) as g:
        check(f.read() + g.read() == 'yx' and not os.path.exists(host.v1('data', 'd2', 'a')), 'what changed')
    links = "link data/d1 'in put/da'\\''ta'\nlink /etc 'etc'\n"
    token = started(host, 'cat "in put/da\'ta/a"; ls -d etc/passwd', links=links)
    host.await_state(token, 'ended')
    check(follow(host, token)[0] == b'12345etc/passwd\n', 'data')
    _, _, out = launch(host, 'true', links="link data/d3 'x'\n")
    check(out[-1].startswith('err notfound'), out)
    _, _, out = launch(host, 'true', links="link /etc '../x'\n")
    check(out[-1].startswith('err proto'), out)
    check(os.listdir(host.v1('tmp')) == [], 'leftovers')


def test_bad_streams(host):
    data = tar_of(run_members('true', '', [('f%d' % i, b'x' * 700, 0o644) for i in range(20)]))
    rnd = random.Random(3)
    cuts = [rnd.randrange(len(data) - 10240) for _ in range(4)] + [512 * 2, 0]
    for cut in cuts:
        token, _, out = launch(host, 'true', snap_id='cut', data=data[:cut])
        check(out[-1].startswith('err tar'), 'cut at %d: %s' % (cut, out))
        check(host.status(token)['state'] == 'none' and not os.path.exists(host.v1('snap', 'proj', 'cut')), 'half made')
    for bad, code in (('x\n', 'proto'), ('echo x\n', 'proto'), ('', 'tar'), ('.\n', 'tar')):
        f = host.far('launch', token='badx', proj='p', id='i', base='')
        f.line()
        f.send(bad.encode())
        f.eof()
        out = f.lines()
        check(out[-1].startswith('err ' + code), (bad, out))
    check(os.listdir(host.v1('tmp')) == [], 'leftovers')


def test_killed_launch(host):
    rnd = random.Random(7)
    data = tar_of(run_members('echo once', '', [('f%d' % i, b'x' * 7000, 0o644) for i in range(30)]))
    for i in range(6):
        token = host.token()
        f = host.far('launch', token=token, proj='proj', id='kill%d' % i, start=1)
        f.line()
        threading.Timer(rnd.random() * 0.25, f.p.kill).start()
        f.send(b'.\n' + data)
        f.close()
        st = host.status(token)
        check(st['state'] in ('none', 'prepared', 'starting', 'running', 'ended'), st)
        _, _, out = launch(host, '', token=token, data=data, snap_id='kill%d' % i)
        check(fields(out[0])['state'] in ('starting', 'running', 'ended'), out)
        host.await_state(token, 'ended')
        check(follow(host, token)[0] == b'once\n', 'ran once')


def test_rm_and_clean(host):
    token = started(host, 'mkdir shut; touch shut/x; chmod 0 shut; sleep 100')
    other = started(host, 'true')
    host.await_state(other, 'ended')
    pid = job_of(host, token)
    out = host.far('rm', tokens=token).lines()
    check(out[-1].startswith('err busy'), out)
    out = host.far('clean').lines()
    check(out[-1].startswith('err busy'), out)
    check(host.far('rm', tokens=other + ' nothere').lines() == ['ok'], 'rm')
    check(host.status(other)['state'] == 'none', 'gone')
    check(host.far('rm', tokens=token, force=1).lines() == ['ok'], 'force')
    check(not alive(pid) and host.status(token)['state'] == 'none', 'it runs on')
    out = host.far('clean').lines()
    check(out[-1].startswith('ok bytes='), out)
    check(not os.path.exists(host.root), 'something stays')
    check(host.far('clean').lines() == ['ok bytes=0'], 'nothing there')


def test_probe(host):
    out = host.far('probe').lines()
    f = fields(out[0])
    for key in ('os arch host boot cores load mem_kb mem_free_kb free_kb inodes_free tar zstd hash python '
                'pyver uv conda writable setsid users kill_user_processes scheduler').split():
        check(re.fullmatch('[^ ]+', f.get(key, '')), '%s in %s' % (key, out[0]))
    check(f['os'] == 'Linux' and f['writable'] == '1' and int(f['mem_kb']) > 0 and int(f['free_kb']) > 0, f)
    tiny = host.shell == 'tiny'
    check((f['tar'], f['hash'], f['setsid']) == (('busybox', 'cksum', '0') if tiny else ('gnu', 'sha256sum', '1')), f)
    check(out[-1] == 'end' and not os.path.exists(host.root), 'it made something')


def test_tampered(host):
    token = started(host, 'sleep 100')
    pid, sup = job_of(host, token), sup_of(host, token)
    f = host.far('follow', token=token, offset=0)
    f.line()
    shutil.rmtree(host.v1('runs', token))
    check('end' in f.lines(), 'follow ends')
    await_dead([pid, sup], 12)
    token = started(host, 'echo hello; sleep 100')
    host.await_file('runs', token, 'log')
    f = host.far('follow', token=token, offset=0)
    while not f.line().startswith('d '):
        pass
    f.read(6)
    with open(host.v1('runs', token, 'log'), 'w'):
        pass
    # cut down before it looked behind itself, it goes without a word
    out = f.lines() or host.far('follow', token=token, offset=6).lines()
    check(out[-1].startswith('err sys'), 'a log that shrinks')
    for name in ('sup.id', 'job.id', 'exit'):
        with open(host.v1('runs', token, name), 'w') as f:
            f.write('* ; rubbish $(x) code=zz sig=;;\n')
        check(len(host.far('status', tokens=token).lines()) == 2, name)
    kill_all_in(host.v1('runs', token))


def kill_all_in(folder):
    """Supervisor and job by where they stand or what they were called with."""
    for pid in os.listdir('/proc'):
        try:
            with open('/proc/%s/cmdline' % pid, 'rb') as f:
                mine = folder.encode() in f.read()
            if mine or os.readlink('/proc/%s/cwd' % pid).startswith(folder):
                os.kill(int(pid), signal.SIGKILL)
        except (OSError, ValueError):
            pass


def test_elsewhere_root(host):
    """HOME read-only, a_root in another place."""
    if os.geteuid() != 0:
        host = Host(host.shell, host.base)
        os.chmod(host.home, 0o555)
        out = launch(host, 'true')[1]
        check(out.startswith('err readonly'), out)
    host = Host(host.shell, host.base)
    host.env['HOME'] = '/proc'
    line = launch(host, 'true')[1]
    check(line.startswith('err '), line)
    host.root = os.path.join(host.base, 'scr atch', "it's")
    host.args = {'root': host.root}
    st = ended(host, 'exit 3')
    check(st['code'] == '3', st)
    check(os.stat(host.root).st_mode & 0o777 == 0o700, 'mode')


def test_disk_full(host):
    if os.geteuid() != 0:
        raise Skip('a small disk needs root')
    big = Host(host.shell, host.base)
    mount = subprocess.run(['unshare', '-m', 'true'], capture_output=True, check=False)
    if mount.returncode != 0:
        raise Skip('cannot unshare: %s' % mount.stderr.decode().strip())
    # one name space for all of it: a process that keeps it is asked by nsenter
    keeper = subprocess.Popen(['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o size=1m none "$1" && echo up && exec sleep 200',
                               'sh', big.home], stdout=subprocess.PIPE)
    try:
        check(keeper.stdout.readline() == b'up\n', 'mount')
        big.argv = ['nsenter', '-m', '-t', str(keeper.pid)] + big.argv
        inside = '/proc/%d/root%s' % (keeper.pid, big.home)
        big.argv[0] = shutil.which('nsenter')
        for size in (2000000, 900000, 600000, 340000):
            token, line, out = launch(big, 'true', tree=(('f', b'x' * size, 0o644),), snap_id='s%d' % size)
            check(out[-1].startswith('err nospace'), '%d: %s' % (size, out))
            check(os.listdir(inside + '/.gnrrun/v1/tmp') == [] and os.listdir(inside + '/.gnrrun/v1/runs') == [], 'leftovers')
        token, _, out = launch(big, 'head -c 3000000 /dev/zero >big; echo lost; while [ ! -e ../go ]; do sleep 0.1; done; exit 9')
        check(out[-1] == 'end', out)
        end = time.monotonic() + 20
        while os.statvfs(inside).f_bavail:
            check(time.monotonic() < end, 'not full')
            time.sleep(0.05)
        _, line, out = launch(big, 'true', tree=(('g', b'x', 0o644),))
        check((out or [line])[-1].startswith('err nospace'), (line, out))
        # a name alone takes no room on this disk
        os.mkdir(inside + '/.gnrrun/v1/runs/%s/go' % token)
        end = time.monotonic() + 20
        while big.status(token)['state'] != 'ended':
            check(time.monotonic() < end, big.status(token))
            time.sleep(0.1)
        st = big.status(token)
        check((st['code'], st['reason']) == ('9', 'exit'), st)
        token, _, out = launch(big, '', token=token)
        check(fields(out[0])['state'] == 'ended', out)
    finally:
        keeper.kill()
        keeper.wait()


# --- the frame ----------------------------------------------------------------

def shells():
    for name in ('dash', 'bash', 'ash', 'mksh', 'tiny'):
        exe = 'busybox' if name in ('ash', 'tiny') else name
        yield name, shutil.which(exe) is not None


def main():
    os.umask(0o022)
    tests = sorted((f for n, f in globals().items() if n.startswith('test_')),
                   key=lambda f: f.__code__.co_firstlineno)
    words = sys.argv[1:]
    names = [n for n, _ in shells()]
    only = [w for w in words if w in names]
    patterns = [w for w in words if w not in names]
    count = {'passed': 0, 'failed': 0, 'skipped': 0}
    base = tempfile.mkdtemp(prefix='gnrrun-sh-')

    def one(name, there, say):
        host = Host(name, base) if there else None
        for t in tests:
            if patterns and not any(fnmatch.fnmatch(t.__name__, '*%s*' % p) for p in patterns):
                continue
            t0 = time.monotonic()
            try:
                if not there:
                    raise Skip('this shell is not installed')
                t(host)
                word, why = 'passed', ''
            except Skip as e:
                word, why = 'skipped', ': %s' % e
            except Exception as e:  # whatever it is, the test has failed
                word, why = 'failed', ': %s: %s' % (type(e).__name__, e)
            count[word] += 1
            say('%-7s %s %s (%.1f s)%s' % (word, name, t.__name__[5:], time.monotonic() - t0, why))

    def lint():
        exe = shutil.which('shellcheck')
        if patterns and 'lint' not in patterns:
            return
        if not exe:
            count['skipped'] += 1
            say('skipped lint: shellcheck is not installed')
            return
        # all in one go (it takes seconds for each look at common.sh), so what follows
        # the first program seems out of reach and redefined
        text = ''
        for name in ['common'] + sorted(n[:-3] for n in os.listdir(SH) if n.endswith('.sh')):
            if name != 'common' or not text:
                with open(os.path.join(SH, name + '.sh')) as f:
                    text += f.read()
        done = subprocess.run([exe, '-s', 'sh', '-f', 'gcc', '-e', 'SC2317,SC2034,SC2119,SC2120,SC2218', '-'],
                              input=text, capture_output=True, text=True, check=False)
        count['failed' if done.returncode else 'passed'] += 1
        say('%-7s lint %s' % ('failed' if done.returncode else 'passed', done.stdout))

    lock = threading.Lock()

    def say(text):
        with lock:
            print(text, flush=True)

    if not only:
        lint()
    threads = [threading.Thread(target=one, args=(n, there, say)) for n, there in shells()
               if not only or n in only]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    subprocess.run(['chmod', '-R', 'u+rwx', base], check=False)
    shutil.rmtree(base, ignore_errors=True)
    print('%(passed)d passed, %(failed)d failed, %(skipped)d skipped' % count)
    return 1 if count['failed'] else 0


if __name__ == '__main__':
    sys.exit(main())
