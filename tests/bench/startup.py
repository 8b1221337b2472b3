#!/usr/bin/env python3
"""Start-up over /bin/true: `gnrrun --version`, and offline `gnrrun ps` with 10,000 runs; medians of interleaved starts.

startup.py GNRRUN FILL [N]      bars: 2 ms and 10 ms; --factor F allows F times that (noisy machines)
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

ap = argparse.ArgumentParser()
ap.add_argument("gnrrun")
ap.add_argument("fill")
ap.add_argument("n", type=int, nargs="?", default=41)
ap.add_argument("--factor", type=float, default=1)
opt = ap.parse_args()


def one(argv, env):
    began = time.perf_counter()
    subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   stdin=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


with tempfile.TemporaryDirectory() as home:
    env = {"HOME": home, "PATH": "/usr/bin:/bin"}
    subprocess.run([opt.fill, "10000", home], env=env, check=True, stdout=subprocess.DEVNULL)
    peers = {"true": ["/bin/true"], "version": [opt.gnrrun, "--version"], "ps": [opt.gnrrun, "ps"],
             "ps --all": [opt.gnrrun, "ps", "--all"]}
    took = {name: [] for name in peers}
    for _ in range(opt.n):
        for name, argv in peers.items():
            took[name].append(one(argv, env))
    base = statistics.median(took["true"])
    bad = 0
    for name, bar in (("version", 2), ("ps", 10), ("ps --all", 10)):
        over = statistics.median(took[name]) - base
        ok = over <= bar * opt.factor
        bad += not ok
        print("%s: %.1f ms over /bin/true (%.1f ms); bar %g ms%s" % (name, over, base, bar, "" if ok else ": MISSED"))
    print("%d passed, %d failed" % (3 - bad, bad))
    sys.exit(1 if bad else 0)
