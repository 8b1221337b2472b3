#!/usr/bin/env python3
"""Put the measurements of the other scripts into the README: table.py BENCH.json [README]

Between the lines "<!-- bench -->" and "<!-- /bench -->".  Ratios of medians, ours to the best peer's; less is better.
"""
import datetime
import json
import os
import platform
import re
import subprocess
import sys

WORDS = {"cold": "first ship", "warm0": "nothing changed", "warm1": "1 % changed", "byte": "1 byte changed",
         "hot0": "nothing changed, line open", "hot1": "1 % changed, line open", "hotcold": "first ship, line open",
         "fetch": "fetch results", "stream": "a log of 10 million lines", "line": "a log of one line of 1 GB",
         "late-busy": "a log line to the screen", "late-idle": "the same after silence",
         "ps-kept": "ps --refresh, connection kept", "scan": "scan, nothing changed",
         "scan, memory, warm": "memory of that", "scan, memory, ship": "memory of a ship of that"}
PEERS = {"wait": "one way + poll", "ssh master": "ssh ControlMaster"}
TREES = {"A": "A: 200 files, 4 MB", "B": "B: 10,000 files, 80 MB", "C": "C: one file of %d MB, random",
         "D": "D: one file of %d MB, text", "E": "E: 100,000 files of 4 KB", "M": "M: 1,000,000 small files", "": ""}
LINKS = {"loop": "loopback", "40ms": "40 ms round trip", "100mbit": "100 Mbit/s", "": ""}


def machine():
    cpu = "unknown processor"
    try:
        with open("/proc/cpuinfo") as f:
            cpu = re.search(r"model name\s*: (.*)", f.read()).group(1)
    except (OSError, AttributeError):
        pass
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    said = subprocess.run(["ssh", "-V"], stderr=subprocess.PIPE, text=True).stderr.split(",")[0].split(" ")[0]
    rsync = subprocess.run(["rsync", "--version"], stdout=subprocess.PIPE, text=True).stdout.split("\n")[0]
    return "%d cores of %s shared by both sides, %.0f GB, %s, %s, rsync %s, all files in memory, %s" % (
        os.cpu_count(), cpu, memory, platform.system(), said.replace("_", " "), rsync.split()[2],
        datetime.date.today().isoformat())


def rows(results):
    order = {k: i for i, k in enumerate(WORDS)}
    links = {k: i for i, k in enumerate(LINKS)}
    for r in sorted((r for r in results if r.get("bar")), key=lambda r: (order.get(r["measure"], 99), links.get(r["link"], 99), r["tree"])):
        met = "%.2f%s" % (r["bar"], "" if r["ratio"] <= r["bar"] else " (missed)")
        yield "| %s | %s | %s | %s | %.2f | %s |" % (
            WORDS.get(r["measure"], r["measure"]), TREES.get(r["tree"], "").replace("%d", str(r.get("mb", "?"))), LINKS.get(r["link"], r["link"]),
            PEERS.get(r["peer"], r["peer"]), r["ratio"], met)


def main():
    with open(sys.argv[1]) as f:
        results = json.load(f)
    readme = sys.argv[2] if len(sys.argv) > 2 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../README.md")
    with open(readme) as f:
        text = f.read()
    table = ["| what | of what | line | best peer | time, peer = 1 | bar |", "|---|---|---|---|---|---|", *rows(results)]
    new = "<!-- bench -->\n%s\n\nMedians of interleaved runs; %s.\n<!-- /bench -->" % ("\n".join(table), machine())
    text, n = re.subn(r"<!-- bench -->.*<!-- /bench -->", lambda _: new, text, flags=re.S)
    if n != 1:
        sys.exit("no place for the table in " + readme)
    with open(readme, "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
