#!/usr/bin/env python3
"""Shipping against rsync, tar | ssh and scp: interleaved in one run, medians, ratios.

ship.py GNRRUN HOT PROXY [--trees A,B] [--links loop,40ms,100mbit] [--rows cold,warm0,warm1,byte,hot0,hot1,hotcold] [-n 5] [--json FILE]

Trees (from a seed): A 200 source files, 4 MB; B 10,000 files, 80 MB; C one file of 2 GB that cannot be compressed;
D one of 2 GB of text; E 100,000 files of 4 KB, half of them text.  The far side is a private sshd on this machine, the
same user; all files are in memory (--dir for elsewhere), for a disk's mood is felt more than any program.  "40ms" and "100mbit" go through proxy.c.  Nobody calls fsync.  After each kind the
tree over there is compared with the one here, outside of what is timed; what ours does after its answer (tidying) is
waited for.  ssh is given AES-GCM, which is what ours uses.
"""
import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ssh"))
import sshd as sshd_module  # noqa: E402

LINKS = {"loop": None, "40ms": ("20", "0"), "100mbit": ("0.2", "100")}
# what must be met: (row, link) -> (bar, moonshot); C and D cold by tree
BARS = {("warm0", "loop"): (0.30, 0.25), ("warm1", "loop"): (0.35, 0.30), ("cold", "loop"): (0.50, 0.40),
        ("warm0", "40ms"): (0.50, 0.45), ("warm1", "40ms"): (0.55, 0.45), ("cold", "40ms"): (0.80, 0.70),
        ("hot0", "40ms"): (0.10, 0.06), ("hot1", "40ms"): (0.12, 0.08), ("hotcold", "40ms"): (0.45, 0.40),
        ("cold", "loop", "C"): (0.90, None), ("cold", "loop", "D"): (0.90, 0.60), ("byte", "loop", "C"): (0.50, 0.20),
        ("cold", "100mbit", "C"): (1.02, 1.00), ("cold", "100mbit", "D"): (0.60, 0.50)}

SMALL = ("cold", "warm0", "warm1", "hot0", "hot1", "hotcold")
ROWS = {"C": ("cold", "byte"), "D": ("cold",), "E": ("cold", "warm0")}


def words(rnd, n):
    stock = ["%x" % rnd.getrandbits(rnd.choice((16, 24, 40))) for _ in range(4000)]
    return " ".join(rnd.choices(stock, k=n // 7 + 1))[:n]


def make_tree(which, top, mb):
    rnd = random.Random(which)
    if which in "CD":
        path = os.path.join(top, "big")
        with open(path, "wb") as f:
            for _ in range(mb):
                f.write(rnd.randbytes(1 << 20) if which == "C" else words(rnd, 1 << 20).encode())
        return
    n, size, dirs = {"A": (200, 20000, 10), "B": (10000, 8000, 100), "E": (100000, 4096, 1000)}[which]
    for i in range(n):
        d = os.path.join(top, "d%d" % (i % dirs))
        os.makedirs(d, exist_ok=True)
        length = 4096 if which == "E" else int(size * (0.5 + rnd.random()))
        with open(os.path.join(d, "f%d.py" % i), "wb") as f:
            f.write(rnd.randbytes(length) if which == "E" and i % 2 else words(rnd, length).encode())


class Bench:
    def __init__(self, opt):
        self.opt = opt
        self.dir = tempfile.mkdtemp(prefix="bench-ship-", dir=opt.dir)
        os.chmod(self.dir, 0o755)
        self.far = os.path.join(self.dir, "far")
        os.mkdir(self.far, 0o700)
        self.sshd = sshd_module.Sshd(os.path.join(self.dir, "sshd"), ["SetEnv HOME=" + self.far, "MaxStartups 100:30:200"],
                                     ttl=3600)
        self.sshd.start()
        self.results, self.proxies, self.rss = [], [], 0

    def close(self):
        for p in self.proxies:
            p.stdin.close()
            p.wait()
        self.sshd.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def use(self, tree, link):
        """A client's home for this link, and the commands."""
        port = None
        if LINKS[link]:
            p = subprocess.Popen([self.opt.proxy, str(self.sshd.port), *LINKS[link]], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
            port = int(p.stdout.readline())
            self.proxies.append(p)
        for f in ("config", "known_hosts"):
            if os.path.exists(os.path.join(self.sshd.home, ".ssh", f)):
                os.unlink(os.path.join(self.sshd.home, ".ssh", f))
        self.home = self.sshd.client("ravan", port=port)
        self.env = dict(self.sshd.env(), USER=self.sshd.env().get("USER", "root"))
        for k in ("PYTHONPATH", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            self.env.pop(k, None)
        self.tree, self.link = tree, link
        self.top = os.path.join(self.dir, "tree-" + tree)
        self.dst = os.path.join(self.dir, "dst")
        ssh = "ssh -F %s/.ssh/config -o Ciphers=aes128-gcm@openssh.com" % self.home
        to = "'%s' && cd '%s'" % (self.dst, self.dst)
        self.peers = {
            "rsync": ["rsync", "-a", "--delete", "-e", ssh, self.top + "/", "ravan:%s/" % self.dst],
            "rsync -z": ["rsync", "-a", "--delete", "-z", "--zc=zstd", "--zl=1", "-e", ssh, self.top + "/",
                         "ravan:%s/" % self.dst],
            "rsync -W": ["rsync", "-a", "-W", "-e", ssh, self.top + "/", "ravan:%s/" % self.dst],
            "tar": ["sh", "-c", "tar -cf - -C '%s' . | %s ravan \"mkdir -p %s && tar -xpf -\"" % (self.top, ssh, to)],
            "tar zstd": ["sh", "-c", "tar -cf - -C '%s' . | zstd -q -1 -T2 | %s ravan \"mkdir -p %s && zstd -dcq | tar -xpf -\""
                         % (self.top, ssh, to)],
            "scp": ["scp", "-q", "-r", "-F", self.home + "/.ssh/config", "-o", "Ciphers=aes128-gcm@openssh.com",
                    self.top, "ravan:" + self.dst],
        }
        self.ours = [self.opt.gnrrun, "ship", "-t", "ravan", "--all-sizes"]

    # --- one measurement each ---

    def timed(self, argv):
        with tempfile.TemporaryFile() as said:
            began = time.perf_counter()
            p = subprocess.Popen(argv, cwd=self.top, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=said)
            _, p.returncode, usage = os.wait4(p.pid, 0)
            took = time.perf_counter() - began
            if p.returncode:
                said.seek(0)
                raise SystemExit("%s: %s" % (argv, said.read().decode()[-500:]))
        if argv[0] == self.opt.gnrrun:
            self.rss = max(self.rss, usage.ru_maxrss // 1024)
        return took

    def quiet(self):
        """What ours does when nobody waits any more is over."""
        tmp = os.path.join(self.far, ".gnrrun/v1/tmp")
        end = time.monotonic() + 60
        while os.path.isdir(tmp) and os.listdir(tmp) and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.1)

    def forget_ours(self):
        shutil.rmtree(os.path.join(self.far, ".gnrrun"), ignore_errors=True)
        for d in (".cache/gnrrun", ".local/state/gnrrun"):
            shutil.rmtree(os.path.join(self.home, d), ignore_errors=True)

    def forget_theirs(self):
        shutil.rmtree(self.dst, ignore_errors=True)

    def change(self, k):
        time.sleep(1.1)  # rsync sees no change of a file that keeps its size within a second
        files = sorted(os.path.join(a, f) for a, _, c in os.walk(self.top) for f in c)
        for path in random.Random(k).sample(files, max(2, len(files) // 100)):
            with open(path, "r+b") as f:
                f.write(b"%d " % k)

    def same(self):
        snaps = os.path.join(self.far, ".gnrrun/v1/snap")
        project = os.path.join(snaps, os.listdir(snaps)[0])
        there = [d for d in os.listdir(project) if not d.startswith(".")]
        for other in [os.path.join(project, d) for d in there] + ([self.dst] if os.path.isdir(self.dst) else []):
            if subprocess.call(["diff", "-r", "-q", self.top, other]):
                raise SystemExit("%s differs" % other)

    # --- rows ---

    def record(self, row, took, among):
        ours = statistics.median(took.pop("ours"))
        medians = {k: statistics.median(v) for k, v in took.items()}
        best = min((k for k in medians if k in among), key=lambda k: medians[k])
        bar, moon = BARS.get((row, self.link, self.tree)) or BARS.get((row, self.link)) or (None, None)
        ratio = ours / medians[best]
        self.results.append({"measure": row, "tree": self.tree, "link": self.link, "ours_s": round(ours, 4), "peer": best,
                             "peer_s": round(medians[best], 4), "ratio": round(ratio, 3), "bar": bar, "moonshot": moon,
                             "n": self.opt.n, "rss_mb": self.rss, "mb": getattr(self.opt, "mb", None), "all": {k: round(v, 4) for k, v in medians.items()}})
        self.rss = 0
        print("%-8s %s %-8s ours %7.3f s  %-9s %7.3f s  ratio %.3f  bar %s %s  (%s)" % (
            row, self.tree, self.link, ours, best, medians[best], ratio, bar,
            "" if bar is None else "ok" if ratio <= bar else "MISSED",
            ", ".join("%s %.3f" % kv for kv in medians.items())), flush=True)

    def cold(self):
        names = ["rsync", "rsync -z", "tar", "tar zstd"] + (["scp", "rsync -W"] if self.tree in "CD" else [])
        took = {k: [] for k in ["ours"] + names}
        for i in range(self.opt.n):
            # each comes after each: what was freed before is the sooner had again
            for k in (list(took) * 2)[i % len(took):][:len(took)]:
                self.forget_theirs()
                if k == "ours":
                    self.forget_ours()
                    took[k].append(self.timed(self.ours))
                    self.quiet()
                else:
                    took[k].append(self.timed(self.peers[k]))
        self.same()
        self.record("cold", took, names)

    def warm(self, row):
        took = {"ours": [], "rsync": []}
        self.timed(self.peers["rsync"])
        self.timed(self.ours)
        time.sleep(2.1)  # what was just written is looked at again by everybody who cares: let it become old
        self.timed(self.ours)
        self.quiet()
        for k in range(self.opt.n):
            if row == "warm1":
                self.change(k)
            if row == "byte":
                with open(os.path.join(self.top, "big"), "r+b") as f:
                    f.seek(123456789 % os.path.getsize(f.name))
                    f.write(b"%d" % (k % 10))
            for who in (("ours", "rsync"), ("rsync", "ours"))[k % 2]:
                took[who].append(self.timed(self.ours if who == "ours" else self.peers[who]))
                self.quiet()
        self.same()
        self.record(row, took, ["rsync"])

    def hot(self, row):
        cold = row == "hotcold"
        peers = ["rsync", "rsync -z", "tar", "tar zstd"] if cold else ["rsync"]
        took = {k: [] for k in ["ours"] + peers}
        self.timed(self.peers["rsync"])
        self.timed(self.ours)
        time.sleep(2.1)
        hot = subprocess.Popen([self.opt.hot, self.top, "ravan"], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
        if hot.stdout.readline() != "ready\n":
            raise SystemExit("hot does not start")
        for k in range(self.opt.n + 1):
            if row == "hot1":
                self.change(100 + k)
            if cold:
                self.forget_ours()
            hot.stdin.write("\n")
            hot.stdin.flush()
            ms = float(hot.stdout.readline())
            self.quiet()
            if k:  # the first opens what later ones find open
                took["ours"].append(ms / 1000)
            for p in peers:
                if cold:
                    self.forget_theirs()
                took[p].append(self.timed(self.peers[p]))
        hot.stdin.close()
        hot.wait()
        self.same()
        self.record(row, took, peers)

    def all(self):
        for tree in self.opt.trees.split(","):
            top = os.path.join(self.dir, "tree-" + tree)
            os.mkdir(top)
            make_tree(tree, top, self.opt.mb)
            for link in self.opt.links.split(","):
                self.use(tree, link)
                for row in self.opt.rows.split(","):
                    if row not in ROWS.get(tree, SMALL):
                        continue
                    self.forget_ours()
                    self.forget_theirs()
                    if row == "cold":
                        self.cold()
                    elif row.startswith("hot"):
                        self.hot(row)
                    else:
                        self.warm(row)
            self.forget_ours()
            self.forget_theirs()
            shutil.rmtree(top)


def finish(bench):
    """Measure, note, say how many bars were missed."""
    opt = bench.opt
    try:
        bench.all()
    finally:
        bench.close()
    if opt.json:
        old = []
        if os.path.exists(opt.json):
            with open(opt.json) as f:
                old = json.load(f)
        key = [(r["measure"], r["tree"], r["link"]) for r in bench.results]
        with open(opt.json, "w") as f:
            json.dump([r for r in old if (r["measure"], r["tree"], r["link"]) not in key] + bench.results, f, indent=1)
    missed = sum(1 for r in bench.results if r["bar"] is not None and r["ratio"] > r["bar"])
    print("%d passed, %d failed" % (len(bench.results) - missed, missed))
    sys.exit(1 if missed else 0)



def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("gnrrun", "hot", "proxy"):
        ap.add_argument(name)
    ap.add_argument("--trees", default="A,B")
    ap.add_argument("--links", default="loop,40ms")
    ap.add_argument("--rows", default="cold,warm0,warm1,byte")
    ap.add_argument("--mb", type=int, default=2048, help="size of C and D")
    ap.add_argument("--dir", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    ap.add_argument("-n", type=int, default=5)
    ap.add_argument("--json")
    opt = ap.parse_args()
    finish(Bench(opt))


if __name__ == "__main__":
    main()
