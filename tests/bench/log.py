#!/usr/bin/env python3
"""The log: streamed against `ssh cat`, how late a line is on the screen, what waiting costs.

log.py GNRRUN PROXY [--rows stream,line,late,idle] [--links loop,40ms] [-n 5] [--json FILE]

stream: a finished run of --lines lines (10 million), its copy here removed: `gnrrun logs` against `ssh HOST cat`, both to
/dev/null, interleaved.  line: one line of --mb MB; the ratio, and the peak memory.  late: a run that writes the
time, after activity (every 0.3 s to 0.9 s) and after silence (every 6 s to 8 s): from its write to our output, against 1.2 x
(one way + the poll that is in force); for "wait" the clock is one.  idle: a run that says nothing for 20 s: processor time of both
ends.  The far side is a private sshd on this machine; all files are in memory.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ship  # noqa: E402

BARS = {("stream", "loop"): (1.1, 1.0), ("line", "loop"): (1.1, 1.0), ("stream", "40ms"): (1.1, 1.0),
        ("late-busy", "loop"): (1.2, 1.0), ("late-busy", "40ms"): (1.2, 1.0),
        ("late-idle", "loop"): (1.2, 1.0), ("late-idle", "40ms"): (1.2, 1.0)}
RSS_MB = 32  # what following may take, whatever the log is like
ONE_WAY = {"loop": 0.0, "40ms": 0.020}
POLL = {"busy": 0.1, "idle": 1.0}

STREAM = """
import sys
o = sys.stdout.buffer
for i in range(0, %(lines)d, 10000):
    o.write(b"".join(b"epoch %%8d loss 0.%%06d, some words to make it a line\\n" %% (k, k * 7919 %% 1000000) for k in range(i, min(i + 10000, %(lines)d))))
"""
LINE = """
import sys
for i in range(%(mb)d): sys.stdout.buffer.write(b"0123456789abcdef" * 62500)
"""
LATE = """
import random, sys, time
r = random.Random(5)
for i in range(%(count)d):
    time.sleep(r.uniform(%(least)g, %(most)g))
    sys.stdout.write("%%.6f\\n" %% time.time())
    sys.stdout.flush()
"""
IDLE = """
import time
print("up", flush=True)
time.sleep(60)
"""


def ticks(pid):
    """Processor time in seconds of a process and the children that it has waited for."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            part = f.read().rsplit(") ", 1)[1].split()
        return int(part[1]), sum(map(int, part[11:15])) / os.sysconf("SC_CLK_TCK")
    except (FileNotFoundError, ProcessLookupError):
        return None


def below(top):
    """Processor time of everything that hangs below a process."""
    table = {int(p): ticks(int(p)) for p in os.listdir("/proc") if p.isdigit()}
    table = {p: t for p, t in table.items() if t}
    total = 0
    for p in table:
        q = p
        while q in table and q != top:
            q = table[q][0]
        total += table[p][1] if q == top and p != top else 0
    return total


class Log(ship.Bench):
    def __init__(self, opt):
        super().__init__(opt)
        self.number = 0

    def project(self, text):
        self.number += 1
        top = os.path.join(self.dir, "tree-p%d" % self.number)
        os.mkdir(top)
        with open(os.path.join(top, "train.py"), "w") as f:
            f.write(text)
        return top

    def finished(self, text, link):
        """A run that is over; the log over there."""
        self.top = self.project(text)
        self.use("p%d" % self.number, link)
        self.forget_ours()
        self.timed([self.opt.gnrrun, "train.py", "-t", "ravan", "--no-fetch"])
        runs = os.path.join(self.far, ".gnrrun/v1/runs")
        return os.path.join(runs, os.listdir(runs)[0], "log")

    def copy_here(self):
        runs = os.path.join(self.home, ".local/state/gnrrun/runs")
        return os.path.join(runs, os.listdir(runs)[0], "log")

    def measured(self, argv):
        """Seconds, peak memory in MB."""
        began = time.perf_counter()
        p = subprocess.Popen(argv, cwd=self.top, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE)
        said = p.stderr.read()
        _, p.returncode, usage = os.wait4(p.pid, 0)
        if p.returncode:
            raise SystemExit("%s: %s" % (argv, said.decode()[-500:]))
        return time.perf_counter() - began, usage.ru_maxrss // 1024

    def bulk(self, row, text, link):
        log = self.finished(text, link)
        size = os.path.getsize(log)
        ssh = ["ssh", "-F", self.home + "/.ssh/config", "-o", "Ciphers=aes128-gcm@openssh.com", "ravan", "cat " + log]
        took = {"ours": [], "ssh cat": []}
        rss = 0
        for k in range(self.opt.n):
            for who in list(took)[:: 1 if k % 2 else -1]:
                if who == "ours":
                    os.unlink(self.copy_here())
                    t, mb = self.measured([self.opt.gnrrun, "logs"])
                    rss = max(rss, mb)
                else:
                    t, _ = self.measured(ssh)
                took[who].append(t)
        if subprocess.call(["cmp", log, self.copy_here()]):
            raise SystemExit("the copy here differs")
        self.record(row, took, ["ssh cat"])
        self.results[-1].update(maxrss_mb=rss, mb=size // 1000000)
        print("         %d MB, peak memory %d MB%s" % (size // 1000000, rss, "" if rss <= RSS_MB else ": MISSED"), flush=True)
        self.forget_ours()

    def late(self, kind, link):
        """The delay of each line, seconds."""
        words = {"busy": {"count": 40, "least": 0.3, "most": 0.9}, "idle": {"count": 8, "least": 6, "most": 8}}[kind]
        self.top = self.project(LATE % words)
        self.use("p%d" % self.number, link)
        self.forget_ours()
        p = subprocess.Popen([self.opt.gnrrun, "train.py", "-t", "ravan", "--no-fetch"], cwd=self.top, env=self.env,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        delays = []
        for line in p.stdout:
            delays.append(time.time() - float(line))
        if p.wait():
            raise SystemExit("a run failed")
        delays = sorted(delays[1:])  # the first is late by the start
        most = ONE_WAY[link] + POLL[kind]
        median, p90 = statistics.median(delays), delays[len(delays) * 9 // 10]
        self.tree = "-"
        self.record("late-" + kind, {"ours": [p90], "wait": [most]}, ["wait"])
        self.results[-1].update(median_s=round(median, 4), n=len(delays))
        print("         median %.0f ms, p90 %.0f ms, longest %.0f ms; one way and poll %.0f ms" % (
            median * 1e3, p90 * 1e3, delays[-1] * 1e3, most * 1e3), flush=True)

    def idle(self, link):
        self.top = self.project(IDLE)
        self.use("p%d" % self.number, link)
        self.forget_ours()
        p = subprocess.Popen([self.opt.gnrrun, "train.py", "-t", "ravan", "--no-fetch"], cwd=self.top, env=self.env,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        p.stdout.readline()
        time.sleep(10)  # it has become as quiet as it gets
        near, far = ticks(p.pid)[1], below(self.sshd.process.pid)
        time.sleep(20)
        near, far = ticks(p.pid)[1] - near, below(self.sshd.process.pid) - far
        subprocess.run([self.opt.gnrrun, "stop"], cwd=self.top, env=self.env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        p.wait()
        self.results.append({"measure": "idle", "tree": "-", "link": link, "near_ms_per_s": round(near * 50, 2),
                             "far_ms_per_s": round(far * 50, 2), "ratio": None, "bar": None, "moonshot": None, "n": 1})
        print("idle     - %-8s processor time a second: here %.2f ms, there %.2f ms" % (link, near * 50, far * 50), flush=True)

    def all(self):
        for (row, link), bar in BARS.items():
            ship.BARS[(row, link)] = bar
        for link in self.opt.links.split(","):
            for row in self.opt.rows.split(","):
                if row == "stream":
                    self.bulk(row, STREAM % vars(self.opt), link)
                elif row == "line" and link == "loop":
                    self.bulk(row, LINE % vars(self.opt), link)
                elif row == "late":
                    self.late("busy", link)
                    self.late("idle", link)
                elif row == "idle" and link == "loop":
                    self.idle(link)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("gnrrun", "proxy"):
        ap.add_argument(name)
    ap.add_argument("--rows", default="stream,line,late,idle")
    ap.add_argument("--links", default="loop,40ms")
    ap.add_argument("--lines", type=int, default=10000000)
    ap.add_argument("--mb", type=int, default=1000)
    ap.add_argument("--dir", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    ap.add_argument("-n", type=int, default=5)
    ap.add_argument("--json")
    ship.finish(Log(ap.parse_args()))


if __name__ == "__main__":
    main()
