#!/usr/bin/env python3
"""`ps --refresh` by a kept connection against a command over OpenSSH's: both know the way, and ask one thing there.

keep.py GNRRUN PROXY [--links loop,40ms] [-n N] [--json FILE]

The peer runs `true` by a ControlMaster; ours looks into the record, asks how a run is, and writes down what it hears.
"""
import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ship  # noqa: E402

BARS = {("ps-kept", "40ms"): (0.90, None), ("ps-kept", "loop"): (2.50, None)}


class Keep(ship.Bench):
    def quietly(self, *argv):
        subprocess.run(argv, cwd=self.top, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)

    def measure(self, link):
        self.use("-", link)
        os.makedirs(self.top, exist_ok=True)
        with open(os.path.join(self.top, "train.py"), "w") as f:
            f.write("import time\ntime.sleep(3600)\n")
        rt = os.path.join(self.dir, "rt")
        config = os.path.join(self.home, ".config/gnrrun")
        for folder in (rt, config):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(os.path.join(config, "config.yaml"), "w") as f:
            f.write("targets: {kept: {host: ravan, keep: 1h}}\n")
        self.env["XDG_RUNTIME_DIR"] = rt
        ssh = ["ssh", "-F", self.home + "/.ssh/config", "-S", os.path.join(self.dir, "m-" + link)]
        self.quietly(*ssh, "-MNf", "ravan")
        self.quietly(self.opt.gnrrun, "train.py", "-t", "kept", "--detach")
        argv = {"ours": [self.opt.gnrrun, "ps", "--refresh"], "ssh master": [*ssh, "ravan", "true"]}
        took = {name: [] for name in argv}
        for i in range(4 * self.opt.n + 1):
            for name in argv:
                t = self.timed(argv[name])
                if i:
                    took[name].append(t)
        self.quietly(self.opt.gnrrun, "stop", "--now")
        self.quietly(self.opt.gnrrun, "targets", "kept", "--disconnect")
        self.quietly(*ssh, "-O", "exit", "ravan")
        self.record("ps-kept", took, ["ssh master"])

    def all(self):
        ship.BARS.update(BARS)
        for link in self.opt.links.split(","):
            self.measure(link)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("gnrrun", "proxy"):
        ap.add_argument(name)
    ap.add_argument("--links", default="loop,40ms")
    ap.add_argument("--dir", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    ap.add_argument("-n", type=int, default=5)
    ap.add_argument("--json")
    ship.finish(Keep(ap.parse_args()))


if __name__ == "__main__":
    main()
