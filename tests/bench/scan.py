#!/usr/bin/env python3
"""The scan against a bare parallel stat walk (statwalk.c): interleaved in one run, medians, ratios.

scan.py GNRRUN SCAN STATWALK PROXY [--files 10000,100000,1000000] [--rows cold,warm,files,ship] [-n 5] [--json FILE]

Trees of small files, a hundred in a folder, in memory (--dir for elsewhere).  "warm": gn_scan() alone, as a program
(scan.c), with the cache that the scan before left; "cold": without it: all is read and hashed; "files": the command
`gnrrun files --json`, which prints all, for what it is worth; "ship": `gnrrun ship` when nothing has changed, to a private
sshd on this machine, for its memory.  Peak memory is the kernel's word (wait4).
"""
import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ship  # noqa: E402

WARM = (1.25, 1.10)  # times the walk: bar, moonshot; for the largest tree
MEMORY_MB = 200


def make_tree(top, n):
    """In no order: file systems list in the order of making, or in none."""
    names = list(range(n))
    random.Random(1).shuffle(names)
    dirs = max(1, n // 100)
    for d in range(dirs):
        os.makedirs("%s/d%d/e%02d" % (top, d // 100, d % 100))
    for i in names:
        d = i % dirs
        fd = os.open("%s/d%d/e%02d/f%07d.txt" % (top, d // 100, d % 100, i), os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(fd, b"%d\n" % i)
        os.close(fd)


def run(argv, **kw):
    """Seconds and MB at most."""
    began = time.perf_counter()
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **kw)
    said = p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    took = time.perf_counter() - began
    p.returncode = status
    p.stderr.close()
    if status:
        raise SystemExit("%s: %s" % (argv, said.decode()[-500:]))
    return took, usage.ru_maxrss // 1024


class Scan:
    def __init__(self, opt):
        self.opt = opt
        self.results = []
        self.dir = tempfile.mkdtemp(prefix="bench-scan-", dir=opt.dir)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def note(self, row, ours, peer, ratio, bars, **more):
        """Only what has a bar goes into the table of the README by its short name."""
        tree = "M" if self.n == 1000000 else str(self.n)
        self.results.append(dict({"measure": row, "tree": tree, "link": "", "ours": ours, "peer": peer,
                                  "ratio": round(ratio, 3), "bar": bars[0], "moonshot": bars[1]}, **more))

    def record(self, row, took, mb, bars=(None, None)):
        ours, peer = (statistics.median(took[k]) for k in ("ours", "statwalk"))
        ratio = ours / peer
        self.note("scan" if row == "warm" else "scan, " + row, round(ours, 4), "stat walk", ratio, bars,
                  peer_s=round(peer, 4), n=len(took["ours"]), maxrss_mb=mb)
        print("%-6s %8d files  ours %7.3f s  statwalk %7.3f s  ratio %.3f  bar %s %s  %d MB" % (
            row, self.n, ours, peer, ratio, bars[0], "" if bars[0] is None else "ok" if ratio <= bars[0] else "MISSED", mb),
            flush=True)

    def record_memory(self, row, mb):
        self.note("scan, memory, " + row, mb, "%d MB" % MEMORY_MB, mb / MEMORY_MB, (1.0, None))
        print("%-6s memory %d MB  bar %d %s" % (row, mb, MEMORY_MB, "ok" if mb <= MEMORY_MB else "MISSED"), flush=True)

    def measure(self, row, ours, n, bars=(None, None), before=lambda: None, **kw):
        took, most = {"ours": [], "statwalk": []}, 0
        for k in range(n):
            for who in list(took)[:: 1 if k % 2 else -1]:
                if who == "ours":
                    before()
                s, mb = run(ours, **kw) if who == "ours" else run([self.opt.statwalk, self.top])
                took[who].append(s)
                most = max(most, mb if who == "ours" else 0)
        self.record(row, took, most, bars)
        if self.n >= 1000000 and row in ("warm", "ship"):
            self.record_memory(row, most)

    def forget(self):
        if os.path.exists(self.cache):
            os.unlink(self.cache)

    def ship(self):
        opt = argparse.Namespace(**dict(vars(self.opt), hot=None))
        b = ship.Bench(opt)
        try:
            b.use("M", "loop")
            b.top = self.top
            cmd = [self.opt.gnrrun, "ship", "-t", "ravan", "--all-sizes"]
            for _ in range(2):  # the second one finds everything old
                run(cmd, cwd=self.top, env=b.env)
                b.quiet()
                time.sleep(2.1)
            self.measure("ship", cmd, 3, cwd=self.top, env=b.env)
        finally:
            b.close()

    def all(self):
        rows = self.opt.rows.split(",")
        sizes = sorted(int(n) for n in self.opt.files.split(","))
        for self.n in sizes:
            self.top, self.cache = os.path.join(self.dir, "tree"), os.path.join(self.dir, "cache")
            make_tree(self.top, self.n)
            alone = [self.opt.scan, self.top, self.cache, "100"]
            env = {"HOME": self.dir, "PATH": os.environ["PATH"]}
            bars = WARM if self.n >= 1000000 else (None, None)
            if "cold" in rows:
                self.measure("cold", alone, 1 if self.n >= 1000000 else 3, before=self.forget)
            if "warm" in rows:
                run(alone)
                self.measure("warm", alone, self.opt.n, bars)
            if "files" in rows:
                time.sleep(2.1)
                cmd = [self.opt.gnrrun, "files", "--json", "--all-sizes"]
                run(cmd, cwd=self.top, env=env)
                self.measure("files", cmd, 3, cwd=self.top, env=env)
            if "ship" in rows and self.n == sizes[-1]:
                self.ship()
            shutil.rmtree(self.top)
            self.forget()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("gnrrun", "scan", "statwalk", "proxy"):
        ap.add_argument(name)
    ap.add_argument("--files", default="10000,100000,1000000")
    ap.add_argument("--rows", default="cold,warm,files,ship")
    ap.add_argument("--dir", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    ap.add_argument("-n", type=int, default=5)
    ap.add_argument("--json")
    opt = ap.parse_args()
    for name in ("gnrrun", "scan", "statwalk", "proxy"):
        setattr(opt, name, os.path.abspath(getattr(opt, name)))
    ship.finish(Scan(opt))


if __name__ == "__main__":
    main()
