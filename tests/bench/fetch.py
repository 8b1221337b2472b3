#!/usr/bin/env python3
"""Fetching results against rsync: interleaved in one run, medians, ratios.

fetch.py GNRRUN PROXY [--trees C,E] [--links loop,40ms] [-n 5] [--json FILE]

C: one checkpoint of --mb MiB (2048) that cannot be compressed; E: --files files (100,000) of 4 KB, half of them text.  A real
run makes them; the far side is a private sshd on this machine; all files are in memory.  What arrives is compared with
what is there, outside of what is timed.  Nobody calls fsync but for what `gnrrun fetch` promises by itself.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ship  # noqa: E402

BARS = {("C", "loop"): (0.9, 0.6), ("E", "loop"): (0.9, 0.6)}

MAKE = {"C": """
import os
os.makedirs("out")
with open("out/checkpoint", "wb") as f:
    for _ in range(%(mb)d): f.write(os.urandom(1 << 20))
""", "E": """
import os, random
r = random.Random(1)
for i in range(%(files)d):
    d = "out/d%%d" %% (i %% 1000)
    os.makedirs(d, exist_ok=True)
    with open("%%s/f%%d" %% (d, i), "wb") as f:
        f.write(r.randbytes(4096) if i %% 2 else b"%%d some text\\n" %% i * 256)
"""}


class Fetch(ship.Bench):
    def make(self, tree):
        top = os.path.join(self.dir, "tree-" + tree)
        os.mkdir(top)
        with open(os.path.join(top, "train.py"), "w") as f:
            f.write(MAKE[tree] % vars(self.opt))
        with open(os.path.join(top, "gnrrun.yaml"), "w") as f:
            f.write("results: [out/]\n")

    def run(self):
        self.forget_ours()
        self.timed([self.opt.gnrrun, "train.py", "-t", "ravan", "--no-fetch"])
        runs = os.path.join(self.far, ".gnrrun/v1/runs")
        return os.path.join(runs, os.listdir(runs)[0], "work/out")

    def row(self, tree, link):
        self.use(tree, link)
        there = self.run()
        ours, theirs = os.path.join(self.dir, "ours"), os.path.join(self.dir, "theirs")
        ssh = "ssh -F %s/.ssh/config -o Ciphers=aes128-gcm@openssh.com" % self.home
        took = {"ours": [], "rsync": [], "rsync -W": []}
        rss = 0
        for k in range(self.opt.n):
            for who in list(took)[:: 1 if k % 2 else -1]:
                for d in (ours, theirs):
                    shutil.rmtree(d, ignore_errors=True)
                if who == "ours":
                    began = time.perf_counter()
                    p = subprocess.Popen([self.opt.gnrrun, "fetch", "--into", ours], cwd=self.top, env=self.env,
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                    said = p.stderr.read()
                    _, status, usage = os.wait4(p.pid, 0)
                    took[who].append(time.perf_counter() - began)
                    p.returncode = status
                    rss = max(rss, usage.ru_maxrss)
                    if status:
                        raise SystemExit("fetch: %s" % said.decode()[-500:])
                    if subprocess.call(["diff", "-r", "-q", there, os.path.join(ours, "out")]):
                        raise SystemExit("what was fetched differs")
                else:
                    argv = ["rsync", "-a", *(["-W"] if "-W" in who else []), "-e", ssh, "ravan:%s/" % there, theirs + "/"]
                    took[who].append(self.timed(argv))
        for d in (ours, theirs):
            shutil.rmtree(d, ignore_errors=True)
        self.record("fetch", took, ["rsync", "rsync -W"])
        self.results[-1]["maxrss_mb"] = rss // 1024
        print("         peak memory %d MB" % (rss // 1024), flush=True)

    def all(self):
        for key, bar in BARS.items():
            ship.BARS[("fetch", key[1], key[0])] = bar
        for tree in self.opt.trees.split(","):
            self.make(tree)
            for link in self.opt.links.split(","):
                self.row(tree, link)
            self.forget_ours()
            shutil.rmtree(os.path.join(self.dir, "tree-" + tree))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("gnrrun", "proxy"):
        ap.add_argument(name)
    ap.add_argument("--trees", default="C,E")
    ap.add_argument("--links", default="loop")
    ap.add_argument("--mb", type=int, default=2048)
    ap.add_argument("--files", type=int, default=100000)
    ap.add_argument("--dir", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    ap.add_argument("-n", type=int, default=5)
    ap.add_argument("--json")
    ship.finish(Fetch(ap.parse_args()))


if __name__ == "__main__":
    main()
