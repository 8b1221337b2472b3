"""machines.py - what is behind moto's instances: a real sshd for each, at its private address, with the host key and the
login that its user-data gives, as cloud-init would make it.
"""
import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ssh"))
import sshd as sshd_module  # noqa: E402


def why_not():
    if sshd_module.why_not():
        return sshd_module.why_not()
    if os.getuid() != 0:
        return "only root may listen on port 22 of 127.77.0.0/16"
    return None


class Machines:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="gn-vm-")
        os.chmod(self.dir, 0o755)
        self.running, self.impostor = {}, False

    def on_call(self, action, form, answer):
        """Of Proxy.after."""
        if action == "RunInstances" and form.get("DryRun") != "true":
            for item in re.findall(r"<instanceId>(i-\w+)</instanceId>.*?<privateIpAddress>([0-9.]+)<", answer, re.S):
                if item[0] not in self.running:
                    self.boot(item[0], item[1], base64.b64decode(form["UserData"]).decode())
        elif action == "TerminateInstances":
            for key, id_ in form.items():
                if key.startswith("InstanceId."):
                    self.end(id_)

    def boot(self, id_, address, user_data):
        folder = os.path.join(self.dir, id_)
        home = os.path.join(folder, "home")
        os.makedirs(home)
        key = "".join(line[4:] + "\n" for line in re.search(r"(?m)^  ed25519_private: \|\n((?:    .*\n)+)", user_data).group(1).splitlines())
        if self.impostor:
            sshd_module.keygen(os.path.join(folder, "key"))
        else:
            sshd_module.write(os.path.join(folder, "key"), key)
        sshd_module.write(os.path.join(folder, "authorized"), re.search(r'ssh_authorized_keys: \["(.*)"\]', user_data).group(1) + "\n", 0o644)
        conf = ["HostKey %s/key" % folder, "AuthorizedKeysFile %s/authorized" % folder, "SetEnv HOME=%s" % home, "ListenAddress %s:22" % address,
                "StrictModes no", "UsePAM no", "PidFile none", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
                "PermitRootLogin yes", "LogLevel VERBOSE", "MaxStartups 100:30:200", "UseDNS no"]
        sshd_module.write(os.path.join(folder, "conf"), "\n".join(conf) + "\n")
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.running[id_] = subprocess.Popen([sshd_module.SSHD, "-D", "-f", folder + "/conf", "-E", folder + "/log"], stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def home(self, id_):
        return os.path.join(self.dir, id_, "home")

    def connections(self):
        """How often somebody knocked, at all that run."""
        n = 0
        for id_ in self.running:
            with open(os.path.join(self.dir, id_, "log"), "a+") as f:
                f.seek(0)
                n += f.read().count("Connection from")
        return n

    def end(self, id_):
        """Power off: what runs there, and who is logged in."""
        p = self.running.pop(id_, None)
        if not p:
            return
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(p.pid)], stdout=subprocess.PIPE, text=True).stdout
        p.terminate()
        p.wait()
        for pid in out.split():
            try:
                os.kill(int(pid), signal.SIGTERM)
            except ProcessLookupError:
                pass
        runs = os.path.join(self.home(id_), ".gnrrun/v1/runs")
        for run in os.listdir(runs) if os.path.isdir(runs) else ():
            for name in ("job.id", "sup.id"):
                try:
                    with open(os.path.join(runs, run, name)) as f:
                        pid, start = f.read().split()[:2]
                    with open("/proc/%s/stat" % pid) as f:
                        if f.read().rsplit(") ", 1)[1].split()[19] == start:
                            os.kill(int(pid), signal.SIGKILL)
                except (OSError, ValueError, IndexError):
                    pass

    def close(self):
        for id_ in list(self.running):
            self.end(id_)
        shutil.rmtree(self.dir, ignore_errors=True)
