"""sge.py - a real Grid Engine on the loopback: sge_qmaster and one sge_execd.

Its daemons listen on every address and want a host name of their own, so the whole test runs in namespaces: a network
with nothing but lo, a host called hpc, an /etc/hosts that knows it.  enter() starts the test anew in there.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

LIB, SHARE = "/usr/lib/gridengine", "/usr/share/gridengine"
BOOTSTRAP = """admin_user              none
default_domain          none
ignore_fqdn             true
spooling_method         classic
spooling_lib            libspoolc
spooling_params         %(common)s;%(dir)s/spool/cell
binary_path             /usr/sbin
qmaster_spool_dir       %(dir)s/spool/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
"""
PE = """pe_name            smp
slots              999
user_lists         NONE
xuser_lists        NONE
start_proc_args    NONE
stop_proc_args     NONE
allocation_rule    $pe_slots
control_slaves     TRUE
job_is_first_task  TRUE
urgency_slots      min
accounting_summary FALSE
qsort_args         NONE
"""


def why_not():
    """None when it can be had here."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [n for n in ("sge_qmaster", "sge_execd", "qsub", "unshare", "ip") if not shutil.which(n, path=path)]
    if missing:
        return "not installed: " + ", ".join(missing)
    if os.geteuid() != 0:
        return "needs root"
    if subprocess.run(["unshare", "--net", "--uts", "--mount", "true"], capture_output=True).returncode:
        return "no namespaces here"
    return None


def enter():
    """This program, in a network, a host and an /etc/hosts of its own."""
    if os.environ.get("GN_IN_SGE"):
        return
    hosts = tempfile.NamedTemporaryFile("w", prefix="gn-hosts-", delete=False)
    hosts.write("127.0.0.1 localhost hpc\n")
    hosts.close()
    os.chmod(hosts.name, 0o644)
    script = 'mount --bind %s /etc/hosts && rm -f %s; hostname hpc && ip link set lo up && exec "$@"' % (hosts.name, hosts.name)
    os.environ["GN_IN_SGE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--uts", "--mount", "sh", "-c", script, "sh", sys.executable, "-W", "ignore", *sys.argv])


class Sge:
    def __init__(self, slots=4, gpus=2):
        self.slots, self.gpus = slots, gpus
        self.dir = tempfile.mkdtemp(prefix="gn-sge-")
        os.chmod(self.dir, 0o755)
        self.common = self.path("root/default/common")
        self.vars = {"SGE_ROOT": self.path("root"), "SGE_CELL": "default", "SGE_QMASTER_PORT": "26444", "SGE_EXECD_PORT": "26445"}
        self.env = {**os.environ, **self.vars}
        self.daemons = []
        try:
            self.lay_out()
            self.start()
        except BaseException:
            self.close()
            raise

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def say(self, *argv, text=None):
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=30, input=text)

    def lay_out(self):
        for d in ("root/default/common", "root/bin", "root/utilbin", "spool/qmaster", "spool/execd", "spool/cell", "conf"):
            os.makedirs(self.path(d), 0o755)
        os.symlink(SHARE + "/util", self.path("root/util"))
        arch = self.say("sh", SHARE + "/util/arch").stdout.strip()
        for d in ("bin", "utilbin"):
            os.symlink(LIB, self.path("root", d, arch))
        self.write(self.common + "/host_aliases", "hpc localhost\n")
        self.write(self.common + "/bootstrap", BOOTSTRAP % {"common": self.common, "dir": self.dir})
        self.write(self.common + "/act_qmaster", "hpc\n")
        with open(SHARE + "/default-configuration") as f:
            lines = f.read().split("\n")
        ours = {"execd_spool_dir": self.path("spool/execd"), "min_uid": "0", "min_gid": "0", "gid_range": "65400-65500"}
        self.write(self.path("conf/global"), "\n".join("%s %s" % (w, ours[w]) if (w := l.split(" ")[0].split("\t")[0]) in ours else l for l in lines))
        self.must(LIB + "/spoolinit", "classic", "libspoolc", "%s;%s" % (self.common, self.path("spool/cell")), "init")
        for what in (("configuration", self.path("conf/global")), ("complexes", SHARE + "/util/resources/centry"),
                     ("usersets", SHARE + "/util/resources/usersets"), ("managers", "root")):
            self.must(LIB + "/spooldefaults", *what)

    def write(self, path, text):
        with open(path, "w") as f:
            f.write(text)
        return path

    def must(self, *argv):
        p = self.say(*argv)
        if p.returncode:
            raise AssertionError("%s: %s%s" % (argv, p.stdout, p.stderr))
        return p.stdout

    def daemon(self, name):
        # in the foreground, so that we know it; with a clean environment, for jobs get what it has
        p = subprocess.Popen(["/usr/sbin/" + name], env={"PATH": "/usr/local/bin:/usr/bin:/bin", "SGE_ND": "1", **self.vars},
                             stdin=subprocess.DEVNULL, stdout=open(self.path("conf", name + ".log"), "w"), stderr=subprocess.STDOUT)
        self.daemons.append(p)

    def wait(self, what, test, seconds=40):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if test():
                return
            time.sleep(0.1)
        raise AssertionError("gave up waiting for " + what)

    def start(self):
        self.daemon("sge_qmaster")
        self.wait("qmaster", lambda: self.say("qconf", "-sh").returncode == 0)
        self.say("qconf", "-as", "hpc")
        self.say("qconf", "-ah", "hpc")
        self.daemon("sge_execd")
        self.wait("execd", lambda: "hpc" in self.say("qconf", "-sel").stdout)
        self.must("qconf", "-Ahgrp", self.write(self.path("conf/hgrp"), "group_name @allhosts\nhostlist hpc\n"))
        self.must("qconf", "-Mc", self.write(self.path("conf/c"), self.must("qconf", "-sc") + "gpu gpu INT <= YES YES 0 0\n"))
        self.must("qconf", "-aattr", "exechost", "complex_values", "gpu=%d" % self.gpus, "hpc")
        self.must("qconf", "-Ap", self.write(self.path("conf/pe"), PE))
        ours = {"qname": "all.q", "hostlist": "@allhosts", "slots": str(self.slots), "pe_list": "smp", "shell": "/bin/sh",
                "shell_start_mode": "unix_behavior", "load_thresholds": "NONE"}
        queue = "\n".join("%s %s" % (w, ours[w]) if (w := l.split(" ")[0]) in ours else l for l in self.must("qconf", "-sq").split("\n"))
        self.must("qconf", "-Aq", self.write(self.path("conf/q"), queue))
        fast = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}
        conf = "\n".join("%s %s" % (w, fast[w]) if (w := l.split(" ")[0]) in fast else l for l in self.must("qconf", "-ssconf").split("\n"))
        self.must("qconf", "-Msconf", self.write(self.path("conf/s"), conf))
        self.wait("a queue that takes jobs", lambda: any(l.startswith("all.q@") and len(l.split()) == 5 for l in self.say("qstat", "-f").stdout.split("\n")), 60)

    def jobs(self):
        return [l for l in self.say("qstat", "-u", "*").stdout.split("\n")[2:] if l]

    def close(self):
        if self.daemons:
            self.say("qdel", "-u", "*", "-f")
            end = time.monotonic() + 10
            while time.monotonic() < end and self.jobs():
                time.sleep(0.2)
        for p in reversed(self.daemons):
            p.terminate()
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
