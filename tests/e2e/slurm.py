"""slurm.py - a real Slurm on the loopback: munged, slurmctld, a few slurmd; no systemd, no cgroups, no accounting.

Each daemon runs in a UTS namespace called localhost, for it binds to the address of its host's name.  All are ended by
their pid files.
"""
import os
import shutil
import socket
import subprocess
import tempfile
import time

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "unshare")
CONF = """ClusterName=gnrrun
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=%(port)d
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=%(dir)s/munge/socket
CryptoType=crypto/munge
SlurmctldPidFile=%(dir)s/run/slurmctld.pid
SlurmctldLogFile=%(dir)s/log/slurmctld.log
SlurmdPidFile=%(dir)s/run/slurmd-%%n.pid
SlurmdLogFile=%(dir)s/log/slurmd-%%n.log
SlurmdSpoolDir=%(dir)s/spool/%%n
StateSaveLocation=%(dir)s/state
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=256
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
KillWait=5
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=10
AccountingStorageType=accounting_storage/none
GresTypes=gpu
SlurmdParameters=config_overrides
PartitionName=debug Nodes=ALL Default=YES DefaultTime=10 MaxTime=60 State=UP
PartitionName=closed Nodes=ALL MaxTime=60 State=DOWN
"""


def why_not():
    """None when it can be had here."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [n for n in NEEDED if not shutil.which(n, path=path)]
    if missing:
        return "not installed: " + ", ".join(missing)
    if os.geteuid() != 0:
        return "needs root"
    if subprocess.run(["unshare", "--uts", "true"], capture_output=True).returncode:
        return "no namespaces here"
    return None


def free_ports(n):
    """The first of n in a row."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            first = s.getsockname()[1]
        if first + n > 60000:
            continue
        try:
            for port in range(first, first + n):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue


class Slurm:
    def __init__(self, nodes=2, cpus=4, gpus=2):
        self.dir = tempfile.mkdtemp(prefix="gn-slurm-")
        self.nodes = ["gn%d" % i for i in range(1, nodes + 1)]
        self.cpus, self.gpus = cpus, gpus
        self.conf = os.path.join(self.dir, "slurm.conf")
        self.env = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin", SLURM_CONF=self.conf)
        os.chmod(self.dir, 0o755)
        for d in ("run", "log", "state", "spool", "dev", "munge", *("spool/" + n for n in self.nodes)):
            os.mkdir(os.path.join(self.dir, d), 0o755)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def daemon(self, *argv):
        subprocess.run(["unshare", "--uts", "sh", "-c", 'hostname localhost; exec "$@"', "sh", *argv], env=self.env,
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def say(self, *argv):
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=30)

    def start(self):
        with open(self.path("munge/key"), "wb") as f:
            f.write(os.urandom(1024))
        os.chmod(self.path("munge/key"), 0o600)
        subprocess.run(["munged", "--force", "--key-file=" + self.path("munge/key"), "--socket=" + self.path("munge/socket"),
                        "--pid-file=" + self.path("run/munged.pid"), "--log-file=" + self.path("log/munged.log"),
                        "--seed-file=" + self.path("munge/seed")], env=self.env, check=True, capture_output=True)
        for i in range(self.gpus):  # slurmd looks at the kind of file only; by their number they are /dev/null
            os.mknod(self.path("dev/nvidia%d" % i), 0o666 | 0o020000, os.makedev(1, 3))
        port = free_ports(len(self.nodes) + 1)
        with open(self.conf, "w") as f:
            f.write(CONF % {"dir": self.dir, "port": port})
            for i, n in enumerate(self.nodes):
                f.write("NodeName=%s NodeHostname=localhost NodeAddr=127.0.0.1 Port=%d CPUs=%d RealMemory=2048 "
                        "Gres=gpu:fake:%d\n" % (n, port + 1 + i, self.cpus, self.gpus))
        with open(self.path("gres.conf"), "w") as f:
            f.write("Name=gpu Type=fake File=%s[0-%d]\n" % (self.path("dev/nvidia"), self.gpus - 1))
        with open(self.path("cgroup.conf"), "w") as f:
            f.write("CgroupAutomount=no\n")
        self.start_controller()
        for n in self.nodes:
            self.start_node(n)
        self.wait("idle nodes", lambda: self.say("sinfo", "-h", "-N", "-p", "debug", "-t", "idle", "-o", "%N").stdout.split())

    def wait(self, what, test, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if test():
                return
            time.sleep(0.1)
        logs = "".join(open(self.path("log", n), errors="replace").read()[-1500:] for n in os.listdir(self.path("log")))
        raise AssertionError("gave up waiting for %s: %s" % (what, logs))

    def start_controller(self):
        self.daemon("slurmctld")
        self.wait("slurmctld", lambda: self.say("scontrol", "ping").returncode == 0)

    def start_node(self, name):
        self.daemon("slurmd", "-N", name)

    def end(self, name, sig=15):
        """The daemon of that pid file, and wait for it."""
        path = self.path("run", name + ".pid")
        try:
            with open(path) as f:
                pid = int(f.read())
            os.kill(pid, sig)
        except (OSError, ValueError):
            return
        end = time.monotonic() + 15
        while time.monotonic() < end:
            try:
                with open("/proc/%d/stat" % pid) as f:
                    if f.read().rsplit(") ", 1)[1][0] in "ZX":
                        return
            except OSError:
                return
            time.sleep(0.05)
        os.kill(pid, 9)

    def jobs(self):
        return self.say("squeue", "-h", "-o", "%i|%j|%T|%r").stdout.split("\n")[:-1]

    def close(self):
        if os.path.exists(self.conf):
            self.say("scancel", "-u", "root")
            end = time.monotonic() + 15
            while time.monotonic() < end and self.say("squeue", "-h").stdout.strip():
                time.sleep(0.2)
        for name in [*("slurmd-" + n for n in self.nodes), "slurmctld", "munged"]:
            self.end(name)
        shutil.rmtree(self.dir, ignore_errors=True)
