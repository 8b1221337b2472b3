"""Runs real jobs under each shell that a far side may have.

test_job.py MAKE_JOB [unittest options]
"""

import base64
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path

MAKE_JOB = None
TOP = None  # temporary folder of all tests
FARM = None  # a PATH of links to what this machine has, without bash and python
PYTHON = os.path.realpath(sys.executable)

SHELLS = {
    "dash": ["dash"],
    "bash": ["bash"],
    "bash-posix": ["bash", "--posix"],
    "busybox": ["busybox", "ash"],
    "mksh": ["mksh"],
}
SHELLS = {name: [shutil.which(c[0]) or c[0], *c[1:]] for name, c in SHELLS.items()}
HIDDEN = {"bash", "rbash", "uv", "conda", "mamba", "micromamba", "virtualenv", "caffe",
          "papermill", "jupyter", "jupyter-nbconvert", "pip", "pip3"}

SHOW = """import json, os, sys
json.dump({"argv": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ),
           "exe": sys.executable}, open(os.environ["GNRRUN_RUN_DIR"] + "/shown", "w"))
print("out")
"""


def make_farm(path):
    """Links to all commands but the hidden ones, so that a test decides what there is."""
    path.mkdir()
    for folder in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            link = path / name
            if name in HIDDEN or name.startswith("python") or os.path.lexists(link):
                continue
            link.symlink_to(f"{folder}/{name}")
    return path


def make_wheel(folder, name="tinypkg", version="1.0"):
    """A package that pip can install with no network and nothing to build."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\n"
                         "Tag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        digest = digest.rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as z:
        for path, text in files.items():
            z.writestr(path, text)


class Case(unittest.TestCase):
    """A project, a root of runs, and a far PATH for each test."""

    def setUp(self):
        self.top = Path(tempfile.mkdtemp(dir=TOP))
        self.project = self.top / "proj ect"
        self.project.mkdir()
        self.home = self.top / "home"
        self.home.mkdir()
        self.bin = self.top / "bin"
        self.bin.mkdir()
        (self.bin / "python3").symlink_to(PYTHON)
        self.root = self.top / "root's"
        self.path = f"{self.bin}:{FARM}"
        self.count = 0

    def file(self, rel, text, mode=0o644):
        path = self.project / rel
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def tool(self, name, text):
        path = self.bin / name
        if path.is_symlink():
            path.unlink()
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)

    def start(self, shell, words, cwd="", near=None, **keys):
        self.count += 1
        run = self.root / "runs" / f"r-{self.count}"
        run.mkdir(parents=True)
        shutil.copytree(self.project, run / "work", symlinks=True)
        args = [f"{k}={v}" for k, v in keys.items() if not isinstance(v, list)]
        args += [f"{k}={x}" for k, v in keys.items() if isinstance(v, list) for x in v]
        made = subprocess.run(
            [MAKE_JOB, str(self.project), str(self.project / cwd), str(run), *args, "--", *words],
            env={**os.environ, **(near or {})}, capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        far = {"PATH": self.path, "HOME": str(self.home), "GNRRUN_RUN_DIR": str(run),
               "GNRRUN_ROOT": str(self.root)}
        with open(run / "log", "wb") as log:
            child = subprocess.Popen([*SHELLS[shell], str(run / "job")], cwd=run / "work", env=far,
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return run, child

    def job(self, shell, words, want=0, **keys):
        run, child = self.start(shell, words, **keys)
        status = child.wait(timeout=120)
        log = (run / "log").read_text(errors="replace")
        self.assertEqual(status, want, log)
        self.assertFalse((run / "phase").exists())
        return run, log

    def shown(self, run):
        return json.loads((run / "shown").read_text())


def under_each_shell(test):
    """Calls test(self, shell) for each shell that is here."""

    @functools.wraps(test)
    def wrapper(self):
        for shell, command in SHELLS.items():
            if not os.path.isabs(command[0]):
                print(f"skipped: {shell} is not installed", file=sys.stderr)
                continue
            with self.subTest(shell=shell):
                self.setUp()
                test(self, shell)

    return wrapper


ODD = ["", " ", "a b", "it's", '"q"', "$HOME", "`id`", "$(id)", "\\n", "line\nbreak", "-x", "--",
       "*",       "é", "~", "a;b", "&", "!!", "#", "\t", "\\"]


class Programs(Case):
    @under_each_shell
    def test_words_arrive_as_they_were_typed(self, shell):
        self.file("sub dir/show.py", SHOW)
        self.file("show.sh", "printf '%s\\0' \"$@\" >\"$GNRRUN_RUN_DIR/words\"\n")
        run, log = self.job(shell, ["./show.py", *ODD], cwd="sub dir", run="proj-7")
        shown = self.shown(run)
        self.assertEqual(log, "out\n")
        self.assertEqual(shown["argv"], ODD)
        self.assertEqual(shown["cwd"], str(run / "work/sub dir"))
        self.assertEqual(shown["env"]["GNRRUN_RUN"], "proj-7")
        self.assertEqual(shown["env"]["PYTHONUNBUFFERED"], "1")
        self.assertFalse([k for k in shown["env"] if k.startswith("gnj_")])
        run, log = self.job(shell, ["show.sh", *ODD])
        self.assertEqual((run / "words").read_bytes().decode().split("\0")[:-1], ODD)

    @under_each_shell
    def test_exit_status_is_the_programs_own(self, shell):
        self.file("exit.py", "import os, sys\n"
                  "os.kill(os.getpid(), 15) if sys.argv[1] == 'TERM' else sys.exit(int(sys.argv[1]))\n")
        for status in (0, 1, 7, 127):
            run, _ = self.job(shell, ["exit.py", str(status)], want=status)
            self.assertFalse((run / "setup.failed").exists())
        self.job(shell, ["exit.py", "TERM"], want=-signal.SIGTERM)
        run, child = self.start(
            shell, ["python", "-c", "import os, time\nprint(os.getpid())\ntime.sleep(60)"])
        while not (run / "log").read_text().endswith("\n"):
            self.assertIsNone(child.poll())
        # The program took over the process that the supervisor started.
        self.assertEqual((run / "log").read_text(), f"{child.pid}\n")
        child.kill()
        self.assertEqual(child.wait(), -signal.SIGKILL)

    @under_each_shell
    def test_no_training_on_the_cpu_where_gpus_were_asked_for(self, shell):
        self.file("train.py", "from models import net\nprint('trains')\n")
        self.file("models.py", "import os\n  # import torch\nif 1:\n    import torch.nn\nnet = 1\n")
        (self.home / "lib/torch/nn").mkdir(parents=True)
        (self.home / "lib/torch/nn/__init__.py").write_text("")

        def torch(cuda, sees):
            (self.home / "lib/torch/__init__.py").write_text(
                f"import types\n__version__ = '2.9.1+x'\nversion = types.SimpleNamespace(cuda={cuda!r})\n"
                f"cuda = types.SimpleNamespace(is_available=lambda: {sees})\n")

        near = {"env": [f"PYTHONPATH={self.home}/lib"]}
        torch(None, False)
        self.assertEqual(self.job(shell, ["train.py"], **near)[1], "trains\n")
        run, log = self.job(shell, ["train.py"], want=1, gpus=1, **near)
        self.assertRegex(log, "^gnrrun: GPUs were asked for, and PyTorch 2.9.1.x on .* is a build for the CPU alone: .*\n$")
        self.assertTrue((run / "setup.failed").exists())
        torch("12.9", False)
        self.assertIn("its CUDA 12.9 may be newer than the driver", self.job(shell, ["train.py"], want=1, gpus=1, **near)[1])
        torch("12.9", True)
        self.assertEqual(self.job(shell, ["train.py"], gpus=1, **near)[1], "trains\n")
        torch(None, False)
        self.file("models.py", "net = 1  # no torch\n")
        self.assertEqual(self.job(shell, ["train.py"], gpus=1, **near)[1], "trains\n")

    @under_each_shell
    def test_kinds(self, shell):
        self.file("pkg/__init__.py", "")
        self.file("pkg/mod.py", "import sys\nprint('module', sys.argv[1:])\n")
        self.file("prog", "#!/bin/sh\necho prog \"$0\" \"$1\"\n", 0o755)
        self.file("-odd.sh", "echo odd $1\n")
        self.file("n.ipynb", "{}")
        self.file("s.prototxt", "")
        self.file("want.zsh", "echo\n")
        self.assertEqual(self.job(shell, ["-m", "pkg.mod", "-m"])[1], "module ['-m']\n")
        # bash starts it by its absolute path
        self.assertRegex(self.job(shell, ["prog", "-x"])[1], "^prog .*/prog -x\n$")
        self.assertEqual(self.job(shell, ["./-odd.sh", "y"])[1], "odd y\n")
        self.assertEqual(self.job(shell, ["printenv", "GNRRUN_RUN"])[1][:2], "r-")
        self.assertIn("not found", self.job(shell, ["nosuchcommand"], want=127)[1])
        self.assertIn("nbconvert", self.job(shell, ["n.ipynb"], want=127)[1])
        self.assertIn("caffe", self.job(shell, ["s.prototxt"], want=127)[1])
        self.tool("caffe", "echo caffe \"$@\"\n")
        self.tool("jupyter-nbconvert", "echo nb \"$@\"\n")
        self.assertEqual(self.job("dash", ["s.prototxt", "-gpu", "0"])[1],
                         "caffe train --solver=s.prototxt -gpu 0\n")
        self.assertIn("--execute --inplace", self.job("dash", ["n.ipynb"])[1])

    def test_an_interpreter_that_is_not_there(self):
        self.file("a.sh", "#!/bin/bash\necho\n")
        run, log = self.job("dash", ["a.sh"], want=127)
        self.assertIn("'bash' was not found", log)

    @under_each_shell
    def test_env_values_are_exact(self, shell):
        self.file("show.py", SHOW)
        for at in range(0, len(ODD), 10):
            part = list(enumerate(ODD))[at:at + 10]
            run, _ = self.job(shell, ["show.py"], env=[f"V{i}={value}" for i, value in part])
            env = self.shown(run)["env"]
            self.assertEqual([env[f"V{i}"] for i, _ in part], [value for _, value in part])
            self.assertTrue((run / "env").exists())
        run, _ = self.job(shell, ["show.py"], env=["PYTHONUNBUFFERED="])
        self.assertEqual(self.shown(run)["env"]["PYTHONUNBUFFERED"], "")


class Secrets(Case):
    @under_each_shell
    def test_a_secret_is_nowhere_but_in_the_environment(self, shell):
        secret = "s3cret" + os.urandom(8).hex()
        self.file("show.py", SHOW)
        self.file("setup.sh", "test -n \"$TOKEN\"; cp /dev/null made.txt; sleep 1\n")
        seen, over = [], threading.Event()

        def watch():
            while not over.wait(0.01):
                for pid in filter(str.isdigit, os.listdir("/proc")):
                    try:
                        line = Path(f"/proc/{pid}/cmdline").read_bytes()
                    except OSError:
                        continue
                    if secret.encode() in line:
                        seen.append(line)

        over.clear()
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            run, _ = self.job(shell, ["show.py"], near={"TOKEN": secret}, env=["TOKEN"],
                              setup="sh setup.sh", tsetup="test -n \"$TOKEN\"")
        finally:
            over.set()
            watcher.join()
        self.assertEqual(seen, [])
        self.assertEqual(self.shown(run)["env"]["TOKEN"], secret)
        (run / "shown").unlink()
        for path in self.root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                self.assertNotIn(secret.encode(), path.read_bytes(), path)


class SetupEnd(Case):
    @under_each_shell
    def test_what_the_setup_made_is_older_than_its_mark(self, shell):
        self.file("made.sh", "echo x >built.txt\n")
        self.file("go.sh", "echo y >result.txt; echo z >>both.txt\n")
        for _ in range(2):  # built, then put back
            run, log = self.job(shell, ["go.sh"], setup="sh made.sh; echo a >both.txt", snapshot="s1")
            mark = (run / "setup.end").stat().st_mtime_ns
            self.assertLess((run / "work/built.txt").stat().st_ctime_ns, mark, log)
            self.assertGreaterEqual((run / "work/result.txt").stat().st_ctime_ns, mark)
            self.assertGreaterEqual((run / "work/both.txt").stat().st_ctime_ns, mark)
            self.assertFalse(list(run.glob("setup.end.*")))
        run, _ = self.job(shell, ["go.sh"])
        self.assertFalse((run / "setup.end").exists())
        run, _ = self.job(shell, ["go.sh"], want=4, setup="exit 4")
        self.assertFalse((run / "setup.end").exists())
        run, _ = self.job(shell, ["go.sh"], tsetup="echo b >built.txt")
        self.assertLess((run / "work/built.txt").stat().st_ctime_ns,
                        (run / "setup.end").stat().st_mtime_ns)


class TargetLines(Case):
    @under_each_shell
    def test_they_run_in_the_same_shell(self, shell):
        self.file("show.py", SHOW)
        (self.home / "init").mkdir()
        (self.home / "init/sh").write_text(
            "module() { MODULES=\"$MODULES $*\"; export MODULES; }\n")
        run, _ = self.job(shell, ["show.py"], env=[f"MODULESHOME={self.home}"],
                          tsetup="module load cuda/12.2\nexport X='a b'\ncd /\n")
        self.assertEqual(self.shown(run)["env"]["MODULES"], " load cuda/12.2")
        self.assertEqual(self.shown(run)["env"]["X"], "a b")
        self.assertEqual(self.shown(run)["cwd"], str(run / "work"))

    @under_each_shell
    def test_one_that_fails_ends_it(self, shell):
        self.file("show.py", SHOW)
        for line, status in (("(exit 5)\ntrue", 5), ("exit 6", 6), ("exit 0", 1)):
            run, log = self.job(shell, ["show.py"], want=status, tsetup=line)
            self.assertEqual(log, f"gnrrun: setup failed with status {status}\n")
            self.assertEqual((run / "setup.failed").read_text(), f"{status}\n")
            self.assertFalse((run / "shown").exists())

    @under_each_shell
    def test_lines_for_bash_get_bash(self, shell):
        self.file("show.py", SHOW)
        (self.bin / "bash").symlink_to(shutil.which("bash"))
        (self.home / "x").write_text("export FROM=sourced\n")
        run, _ = self.job(shell, ["show.py", *ODD], tsetup="a=(~/x)\nsource ${a[0]}")
        self.assertEqual(self.shown(run)["env"]["FROM"], "sourced")
        self.assertEqual(self.shown(run)["argv"], ODD)


class Python(Case):
    @under_each_shell
    def test_one_that_fits_is_found(self, shell):
        self.file("show.py", SHOW)
        self.tool("python3", "exit 1\n")
        self.tool("python3.12", f"case $2 in -c) echo '3.12.1 0 /x' ;; esac\n")
        (self.bin / "python3.9").symlink_to(PYTHON)
        run, _ = self.job(shell, ["show.py"], range=">=3.6")
        self.assertEqual(os.path.realpath(self.shown(run)["exe"]), PYTHON)

    @under_each_shell
    def test_none_that_fits(self, shell):
        self.file("show.py", SHOW)
        run, log = self.job(shell, ["show.py"], want=127, range=">=2.7,<2.8")
        self.assertIn("no python that fits '>=2.7,<2.8'", log)
        self.assertEqual((run / "setup.failed").read_text(), "127\n")
        self.assertEqual(log.count("\n"), 1)

    @under_each_shell
    def test_none_at_all(self, shell):
        self.file("show.py", SHOW)
        self.file("x.sh", "echo fine\n")
        (self.bin / "python3").unlink()
        self.assertIn("none found", self.job(shell, ["show.py"], want=127)[1])
        # What needs none does not miss it.
        self.assertEqual(self.job(shell, ["x.sh"])[1], "fine\n")

    @under_each_shell
    def test_the_one_asked_for(self, shell):
        self.file("show.py", SHOW)
        self.file("x.sh", "exec python \"$@\"\n")
        (self.bin / "python3").unlink()
        (self.home / "my py").mkdir()
        (self.home / "my py/python").symlink_to(PYTHON)
        for words in (["show.py"], ["x.sh", "show.py"]):
            run, _ = self.job(shell, words, python="~/my py/python", range=">=3")
            self.assertEqual(self.shown(run)["exe"], str(self.home / "my py/python"))
        run, log = self.job(shell, ["show.py"], want=127, python="~/other")
        self.assertIn("does not run", log)


class Setup(Case):
    def envs(self):
        return [p for p in (self.root / "env").iterdir()
                if not p.name.endswith((".lock", ".guard"))]

    @under_each_shell
    def test_requirements_are_installed_once(self, shell):
        make_wheel(self.project / "wheels")
        self.file("requirements.txt", "--no-index\n--find-links wheels\ntinypkg==1.0\n")
        self.file("show.py", "import tinypkg\nprint(tinypkg.version)\n" + SHOW)
        shutil.rmtree(self.root, ignore_errors=True)
        run, log = self.job(shell, ["show.py"])
        self.assertIn("gnrrun: setup: requirements.txt\n", log)
        run, log = self.job(shell, ["show.py"])
        self.assertEqual(log, "1.0\nout\n")
        (env,) = self.envs()
        self.assertEqual(self.shown(run)["exe"], f"{env}/venv/bin/python")
        self.assertEqual(self.shown(run)["env"]["VIRTUAL_ENV"], f"{env}/venv")
        # The project's code is not part of the key; what it requires is.
        self.file("other.py", shell)
        self.assertEqual(self.job(shell, ["show.py"])[1], "1.0\nout\n")
        if shell == "dash":
            self.file("requirements.txt", "--no-index\n--find-links wheels\ntinypkg\n")
            self.job(shell, ["show.py"])
            self.assertEqual(len(self.envs()), 2)

    def test_packages_that_do_not_exist(self):
        self.file("requirements.txt", "--no-index\nnosuchpackage\n")
        self.file("show.py", SHOW)
        run, log = self.job("dash", ["show.py"], want=1)
        self.assertTrue(log.endswith("gnrrun: setup (requirements.txt) failed with status 1\n"), log)
        self.assertEqual((run / "setup.failed").read_text(), "1\n")
        self.assertFalse((run / "shown").exists())
        self.assertFalse(list((self.root / "env").glob("*.lock")))
        # Half built: the next one starts afresh.
        (env,) = self.envs()
        (env / "left").write_text("")
        self.job("dash", ["show.py"], want=1)
        self.assertFalse((env / "left").exists())

    def test_pyproject(self):
        make_wheel(self.home / "wheels")
        self.file("pyproject.toml", "[project]\nname = 'own'\nversion = '1'\ndependencies = ['tinypkg']\n")
        self.file("src/own/__init__.py", "x = 1\n")
        self.file("show.py", "import own, tinypkg\nprint(own.x, own.__file__)\n")
        env = ["PIP_NO_INDEX=1", f"PIP_FIND_LINKS={self.home}/wheels"]
        run, log = self.job("dash", ["show.py"], env=env)
        self.assertTrue(log.endswith(f"1 {run}/work/src/own/__init__.py\n"), log)
        self.file("src/own/__init__.py", "x = 2\n")
        run, log = self.job("dash", ["show.py"], env=env)
        self.assertEqual(log, f"2 {run}/work/src/own/__init__.py\n")

    @under_each_shell
    def test_commands_stop_at_the_first_that_fails(self, shell):
        self.file("show.py", SHOW)
        run, log = self.job(shell, ["show.py"], want=3, setup="echo one\n(exit 3)\necho two")
        self.assertIn("one\n", log)
        self.assertNotIn("two\n", log.replace("echo two", ""))
        self.assertEqual((run / "setup.failed").read_text(), "3\n")

    @under_each_shell
    def test_what_it_makes_in_the_work_folder_comes_back(self, shell):
        self.file("show.py", SHOW)
        self.file("in.txt", "a")
        setup = ("cat \"$GNRRUN_RUN_DIR/phase\"\nmkdir -p out/deep 'o d'\ncp -p in.txt out/deep/-x\n"
                 "touch 'o d/b\\s' \"it's\"\nln -sf in.txt link\n")
        shutil.rmtree(self.root, ignore_errors=True)
        made = ["out/deep/-x", "o d/b\\s", "it's", "link"]
        run, log = self.job(shell, ["show.py"], setup=setup, snapshot="s1")
        self.assertIn("\nsetup\n", log)
        run, log = self.job(shell, ["show.py"], setup=setup, snapshot="s1")
        self.assertEqual(log, "out\n")
        for name in made:
            self.assertTrue((run / "work" / name).exists(), name)
        # Another snapshot: it may make something else of it.
        run, log = self.job(shell, ["show.py"], setup=setup, snapshot="s2")
        self.assertIn("\nsetup\n", log)
        self.assertEqual(len(self.envs()), 1)
        # Unknown: never.
        self.assertIn("\nsetup\n", self.job(shell, ["show.py"], setup=setup)[1])

    @under_each_shell
    def test_a_setup_that_changes_nothing_here_holds_for_all(self, shell):
        self.file("show.py", SHOW)
        shutil.rmtree(self.root, ignore_errors=True)
        setup = "echo once; exit 0"
        self.assertIn("once", self.job(shell, ["show.py"], setup=setup, snapshot="s1")[1])
        self.assertEqual(self.job(shell, ["show.py"], setup=setup, snapshot="s2")[1], "out\n")

    def test_pip_in_a_command_has_a_place_of_its_own(self):
        make_wheel(self.project / "wheels")
        self.file("show.py", "import tinypkg\n" + SHOW)
        run, log = self.job("mksh" if shutil.which("mksh") else "dash", ["show.py"],
                            setup="pip install --no-index wheels/*.whl")
        self.assertIn("/venv/bin/python", self.shown(run)["exe"])

    def test_no_way_to_make_a_venv(self):
        self.tool("python3", f"""case "$*" in
*"-m venv"*) echo "ensurepip is not available"; exit 1 ;;
*"-m virtualenv"* | *"-m pip"*) echo "No module named $2"; exit 1 ;;
esac
exec {PYTHON} "$@"
""")
        self.file("show.py", SHOW)
        run, log = self.job("dash", ["show.py"], setup="python3 -V")  # does without
        self.assertIn("cannot make a virtual environment", log)
        self.file("requirements.txt", "six\n")
        run, log = self.job("dash", ["show.py"], want=1)
        self.assertIn("python3-venv", log)

    def test_uv_and_conda_are_used_as_they_should_be(self):
        self.tool("uv", f"""echo "uv $*" >>"$HOME/calls"
case $1 in venv) for last; do :; done; exec {PYTHON} -m venv --without-pip "$last" ;; esac
""")
        self.file("show.py", SHOW)
        self.file("requirements.txt", "six\n")
        self.job("dash", ["show.py"])
        calls = (self.home / "calls").read_text().splitlines()
        self.assertEqual(len(calls), 2)
        self.assertEqual(calls[1], "uv pip install -r requirements.txt")

        (self.project / "requirements.txt").unlink()
        self.file("environment.yml", "dependencies: [python]\n")
        (self.bin / "python3").unlink()
        self.assertIn("conda", self.job("dash", ["show.py"], want=127)[1])
        conda = self.home / "miniconda3/bin"
        conda.mkdir(parents=True)
        (conda / "conda").write_text(f"""#!/bin/sh
echo "$*" >>"$HOME/calls"
[ "$1 $2 $3 $4" = "env create -q -p" ] || exit 9
mkdir -p "$5/bin" "$5/etc/conda/activate.d" && ln -s {PYTHON} "$5/bin/python"
echo 'export ACTIVE=1' >"$5/etc/conda/activate.d/a.sh"
""")
        (conda / "conda").chmod(0o755)
        for _ in "first", "cached":
            run, _ = self.job("dash", ["show.py"])
            self.assertEqual(self.shown(run)["env"]["ACTIVE"], "1")
            self.assertIn("/conda/bin/python", self.shown(run)["exe"])
        self.assertEqual(len((self.home / "calls").read_text().splitlines()), 3)

    @under_each_shell
    def test_two_at_once_build_once(self, shell):
        self.file("show.py", SHOW)
        setup = "echo x >>\"$HOME/count\"; until [ -e \"$HOME/go\" ]; do sleep 0.1; done"
        shutil.rmtree(self.root, ignore_errors=True)
        for name in "count", "go":
            (self.home / name).unlink(missing_ok=True)
        runs = [self.start(shell, ["show.py"], setup=setup) for _ in range(3)]
        logs = [run / "log" for run, _ in runs]
        while sum("waiting" in p.read_text() for p in logs) < 2:
            self.assertIsNone(runs[0][1].poll() and runs[1][1].poll())
        (self.home / "go").write_text("")
        for run, child in runs:
            self.assertEqual(child.wait(timeout=60), 0)
            self.assertTrue((run / "shown").exists())
        self.assertEqual((self.home / "count").read_text(), "x\n")

    @under_each_shell
    def test_a_lock_of_the_dead_is_broken(self, shell):
        self.file("show.py", SHOW)
        self.file("count", "")
        setup = "echo once"
        shutil.rmtree(self.root, ignore_errors=True)
        self.job(shell, ["show.py"], setup=setup)
        (env,) = self.envs()
        for who in (f"{os.getpid()} 1 {os.uname().nodename}\n", ""):
            (env / "done").unlink()
            lock = Path(f"{env}.lock")
            lock.mkdir()
            (lock / "who").write_text(who)
            self.assertIn("once", self.job(shell, ["show.py"], setup=setup)[1])
            self.assertFalse(lock.exists())
        # Killed in the middle: what it left is made anew.
        run, child = self.start(shell, ["show.py"], setup="echo begun; sleep 60; exit 4 # " + shell)
        while "begun\n" not in (run / "log").read_text().replace("echo begun", ""):
            self.assertIsNone(child.poll())
        child.kill()
        child.wait()

    def test_nothing_can_be_written_there(self):
        self.file("show.py", SHOW)
        (self.root).mkdir()
        (self.root / "env").write_text("")
        run, log = self.job("dash", ["show.py"], want=1, setup="true")
        self.assertIn("cannot make", log)


def main():
    global MAKE_JOB, TOP, FARM
    MAKE_JOB = sys.argv.pop(1)
    with tempfile.TemporaryDirectory(prefix="gn-job-") as top:
        TOP = top
        FARM = make_farm(Path(top) / "farm")
        result = unittest.main(exit=False).result
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
