#!/usr/bin/env python3
"""Where the time of a first ship goes, ours beside the peers and beside a stream that was made before.

profile.py GNRRUN [--trees B,C,D,E] [-n 3] [--mb 1024]

For the quickest peer, for ours and for "ready": the time, the processor seconds of this side and of the far side (user and
system, of all processes that were waited for, as the kernel counts them), how many of the machine's cores were busy, and
which programs had them, read from /proc every 25 ms, so each process may miss its last 25 ms.  All but the cores are shares
of the quickest peer's time.  "ready": what tar and zstd made before, outside of what is timed, carried by a plain ssh to a far side that
only unpacks it (tree C: the file, to `cat`).  It shows what reading and compressing cost, and is no lower bound: another
unpacker, or more than one, can be quicker.
"""
import argparse
import os
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ship  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()


def stat(pid):
    """(name, parent, own seconds, seconds of ended children), or nothing."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
    except (OSError, IndexError):
        return None
    f = rest.split()
    return name, int(f[1]), (int(f[11]) + int(f[12])) / TICK, (int(f[13]) + int(f[14])) / TICK


class Watch(threading.Thread):
    """Who of those that came after now had how much."""

    def __init__(self):
        super().__init__(daemon=True)
        self.before = self.pids()
        self.seen, self.over = {}, threading.Event()
        self.start()

    @staticmethod
    def pids():
        return {int(p) for p in os.listdir("/proc") if p.isdigit()}

    def run(self):
        while not self.over.wait(0.025):
            for p in self.pids() - self.before:
                s = stat(p)
                if s:
                    self.seen[p] = (s[0], s[2])

    def by_name(self):
        self.over.set()
        self.join()
        total = {}
        for name, secs in self.seen.values():
            total[name] = total.get(name, 0) + secs
        return total


class Profile(ship.Bench):
    def ready(self):
        """The stream of "ready" and its command."""
        f = os.path.join(self.dir, "ready")
        ssh = "ssh -F %s/.ssh/config -o Ciphers=aes128-gcm@openssh.com ravan" % self.home
        if self.tree == "C":
            return ["sh", "-c", "%s \"mkdir -p '%s' && cat > '%s/big'\" < '%s/big'" % (ssh, self.dst, self.dst, self.top)]
        subprocess.check_call("tar -cf - -C '%s' . | zstd -q -f -1 -T2 -o '%s'" % (self.top, f), shell=True)
        return ["sh", "-c", "%s \"mkdir -p '%s' && cd '%s' && zstd -dcq | tar -xpf -\" < '%s'" % (ssh, self.dst, self.dst, f)]

    def one(self, argv):
        """(time, this side, far side, by program)"""
        watch = Watch()
        far = stat(self.sshd.process.pid)[3]
        near = os.times()
        took = self.timed(argv)
        after = os.times()
        near = after.children_user + after.children_system - near.children_user - near.children_system
        end = time.monotonic() + 30
        while self.sshd.process.pid in (s[1] for s in map(stat, watch.pids()) if s) and time.monotonic() < end:
            time.sleep(0.01)
        far = stat(self.sshd.process.pid)[3] - far
        return took, near, far, watch.by_name()

    def cold(self):
        ways = dict(self.peers, ours=self.ours, ready=self.ready())
        for k in ("rsync -W", "scp") if self.tree not in "CD" else ():
            del ways[k]
        seen = {k: [] for k in ways}
        for i in range(self.opt.n):
            for k in (list(ways) * 2)[i % len(ways):][:len(ways)]:
                self.forget_theirs()
                if k == "ours":
                    self.forget_ours()
                seen[k].append(self.one(ways[k]))
                if k == "ours":
                    self.quiet()
        self.same()
        best = min((k for k in ways if k not in ("ours", "ready")), key=lambda k: statistics.median(s[0] for s in seen[k]))
        least = statistics.median(s[0] for s in seen[best])
        for k in ("ours", best, "ready"):
            took, near, far = (statistics.median(s[j] for s in seen[k]) for j in range(3))
            names = sorted({n for s in seen[k] for n in s[3]})
            had = {n: statistics.median(s[3].get(n, 0) for s in seen[k]) for n in names}
            print("%s %-9s time %.2f of the best peer's; processor here %.2f, there %.2f, of %d cores %.0f %% busy; %s" % (
                self.tree, k, took / least, near / least, far / least, CORES, 100 * (near + far) / took / CORES,
                ", ".join("%s %.2f" % (n, v / least) for n, v in sorted(had.items(), key=lambda i: -i[1]) if v / least >= 0.02)),
                flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("gnrrun")
    ap.add_argument("--trees", default="B,C,D,E")
    ap.add_argument("--mb", type=int, default=1024, help="size of C and D")
    ap.add_argument("--dir", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    ap.add_argument("-n", type=int, default=3)
    opt = ap.parse_args()
    opt.gnrrun = os.path.abspath(opt.gnrrun)
    opt.links, opt.rows = "loop", "cold"
    bench = Profile(opt)
    try:
        bench.all()
    finally:
        bench.close()


if __name__ == "__main__":
    main()
