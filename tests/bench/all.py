#!/usr/bin/env python3
"""All measurements one after the other, whatever misses its bar; then the table of the README.

all.py BUILD [--quick] [--only NAME,...] [--readme]      results go to BUILD/bench.json; about an hour and a half, --quick: a third

--readme puts the table into README.md (table.py); without it the results are only kept.
"""
import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("build")
    ap.add_argument("--quick", action="store_true", help="fewer rounds, smaller large files")
    ap.add_argument("--only")
    ap.add_argument("--readme", action="store_true")
    opt = ap.parse_args()
    build = os.path.abspath(opt.build)
    gnrrun, fill = build + "/cli/gnrrun", build + "/tests/cli/fill"
    hot, proxy, scan, statwalk = (build + "/tests/bench/" + n for n in ("hot", "proxy", "scan", "statwalk"))
    results = build + "/bench.json"
    n = ["-n", "3" if opt.quick else "5"]
    large = ["--mb", "1024" if opt.quick else "2048", "-n", "3"]
    narrow = ["--mb", "256", "-n", "2" if opt.quick else "3"]  # its time is that of the line, whatever the size
    ship = ["ship.py", gnrrun, hot, proxy]
    steps = {
        "startup": ["startup.py", gnrrun, fill],
        "ship": [*ship, *n],
        "hot": [*ship, *n, "--links", "40ms", "--rows", "hot0,hot1,hotcold"],
        "large": [*ship, *large, "--trees", "C,D", "--links", "loop"],
        "many": [*ship, "-n", "3", "--trees", "E", "--links", "loop", "--rows", "cold"],
        "narrow": [*ship, *narrow, "--trees", "C,D", "--links", "100mbit", "--rows", "cold"],
        "fetch": ["fetch.py", gnrrun, proxy, *large],
        "log": ["log.py", gnrrun, proxy, *n],
        "keep": ["keep.py", gnrrun, proxy, *n],
        "scan": ["scan.py", gnrrun, scan, statwalk, proxy, *n],
    }
    bad = 0
    for name, step in steps.items():
        if opt.only and name not in opt.only.split(","):
            continue
        print("--- %s" % name, flush=True)
        keep = [] if name == "startup" else ["--json", results]
        bad += subprocess.call([sys.executable, os.path.join(HERE, step[0]), *step[1:], *keep]) != 0
    if opt.readme:
        subprocess.check_call([sys.executable, HERE + "/table.py", results])
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
