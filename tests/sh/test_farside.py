#!/usr/bin/env python3
"""The far-side programs, driven as the C side drives them, under every shell there is.

Usage: test_farside.py [PATTERN...]   (names of tests, or of shells)
"""
import fnmatch
import hashlib
import io
import os
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
    """As gn_buf_addsh does it, for the words of a program's lines: a newline as "$nl"."""
    return "'" + word.replace("'", "'\\''").replace('\n', '\'"$nl"\'') + "'"


SUP = strip('common') + strip('sup')


class Far:
    """One program over there."""

    def __init__(self, host, op, **args):
        self.nonce = '%032x' % random.getrandbits(128)
        text = 'a_nonce=%s\n' % self.nonce
        text += ''.join('a_%s=%s\n' % (k, shlex.quote(str(v))) for k, v in args.items())
        text += strip('common') + strip(op)
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
                os.symlink(busybox, os.path.join(self.bin, c))
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


def run_members(job, opts='', tree=(), after=b''):
    return ([('run/job', job.encode(), 0o600), ('run/env', b'export A=1\n', 0o600),
             ('run/opts', opts.encode(), 0o600), ('run/sup', SUP.encode(), 0o600)]
            + [('tree/' + n, c, m) for n, c, m in tree] + [('after', after, 0o600)])


def launch(host, job, opts='', token=None, tree=(('a.py', b'print(1)\n', 0o644),), snap_id=None,
           base='', deletions='', links='', start=1, data=None, **kw):
    """Returns the token, the launch line, and the lines after it."""
    token = token or host.token()
    snap_id = snap_id or hashlib.sha256(repr(tree).encode()).hexdigest()
    f = host.far('launch', token=token, proj='proj', id=snap_id, base=base, zstd=0, links=links,
                 start=start, **kw)
    line = f.line()
    if line.startswith('launch ') and fields(line)['run'] == 'none':
        if fields(line)['snap'] == 'have':
            tree, deletions = (), ''
        f.send((deletions + '.\n').encode())
        f.send(data if data is not None else tar_of(run_members(job, opts, tree)))
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


def test_states(host):
    check(host.status('nothere')['state'] == 'none', 'none')
    token, line, out = launch(host, 'echo setup >$GNRRUN_RUN_DIR/phase; while [ ! -e go ]; do sleep 0.05; done',
                              start=0, tree=(('states', b'1', 0o644),))
    check(fields(line) == {'run': 'none', 'snap': 'full', 'zstd': '0'}, line)
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


def test_follow_latency(host):
    token = started(host, 'while read -r x <$GNRRUN_RUN_DIR/pipe; do echo "$x"; done', start=0)
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
    check(sorted(slow)[4] < 0.6, 'latencies %s' % slow)
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
    check(1 <= time.monotonic() - t0 < 6, 'took %s' % (time.monotonic() - t0))
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
    check(time.monotonic() - t0 < 6, 'took %s' % (time.monotonic() - t0))
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

    lock = threading.Lock()

    def say(text):
        with lock:
            print(text, flush=True)

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
