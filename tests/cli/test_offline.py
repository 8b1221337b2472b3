"""Commands that need no network: init, target, targets, files, ps, show, doctor."""

import json
import os
import socket
import stat
import subprocess
import threading

import kit


class Init(kit.Case):
    def test_it_writes_what_is_found_and_what_can_be_read(self):
        self.write("proj/train.py", "print(1)\n")
        self.write("proj/requirements.txt")
        row = self.rows("init")[0]
        self.assertEqual((row["program"], row["packages"]), ("train.py", "requirements.txt"))
        with open(self.path("proj", "gnrrun.yaml"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn("run: python train.py\n", text)
        self.ends(0, "files")
        # every key that is only suggested is right too
        with open(self.path("proj", "gnrrun.yaml"), "w", encoding="utf-8") as f:
            for line in text.splitlines():
                key = line[2:].split(":")[0] if line.startswith("# ") else ""
                f.write((line[2:] if key.isidentifier() and key.islower() else line) + "\n")
        os.mkdir(self.path("proj", "data"))
        self.ends(0, "files")

    def test_it_never_overwrites(self):
        self.write("proj/gnrrun.yaml", "name: mine\n")
        r = self.ends(100, "init")
        self.assertIn("is there already", r.stderr)
        with open(self.path("proj", "gnrrun.yaml"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "name: mine\n")

    def test_odd_folders(self):
        for name in ("a b", "7", "\u00e4\n", "-x", "'\"#: {"):
            folder = self.path("odd", name)
            os.makedirs(folder)
            with open(os.path.join(folder, "x.py"), "w", encoding="utf-8"):
                pass
            self.ends(0, "init", cwd=folder)
            self.ends(0, "files", cwd=folder)


class Targets(kit.Case):
    def names(self):
        return {row["target"]: row for row in self.rows("targets")}

    def test_add_and_remove(self):
        self.ends(0, "target", "add", "ravan", "--host", "r.example.org", "--user", "s1", "--port",
                  "2222", "--jump", "gate", "--workdir", "/scratch/s1", "--shared", "--tag", "campus")
        row = self.names()["ravan"]
        self.assertEqual((row["host"], row["user"], row["port"], row["jump"], row["workdir"]),
                         ("r.example.org", "s1", 2222, "gate", "/scratch/s1"))
        self.assertTrue(row["shared"])
        self.assertEqual(row["tags"], ["campus"])
        mode = os.stat(self.path(".config", "gnrrun", "config.yaml")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        r = self.run_it("target", "add", "ravan", "--host", "other")
        self.assertGreaterEqual(r.returncode, 100)
        self.assertIn("ravan", r.stderr)
        self.ends(0, "target", "rm", "ravan")
        self.assertNotIn("ravan", self.names())
        self.assertGreaterEqual(self.run_it("target", "rm", "ravan").returncode, 100)

    def test_local_and_aliases_are_listed(self):
        self.write(".ssh/config", "Host lab lab2\n  HostName lab.example.org\nHost *\n  User me\n")
        names = self.names()
        self.assertLessEqual({"local", "lab", "lab2"}, set(names))
        self.assertIn("lab", self.ends(0, "targets").stdout)


class Files(kit.Case):
    def setUp(self):
        super().setUp()
        self.write("proj/train.py", "x" * 100)
        self.write("proj/sub/a b.txt", "y")
        self.write("proj/.gitignore", "*.log\n")
        self.write("proj/big.log", "z" * 1000)

    def test_rows(self):
        rows = {r["path"]: r for r in self.rows("files")}
        self.assertEqual(rows["train.py"]["bytes"], 100)
        self.assertIn("sub/a b.txt", rows)
        self.assertNotIn("big.log", rows)
        self.assertIn("train.py", self.ends(0, "files").stdout)
        self.assertIn("sub/", self.ends(0, "files", "--all").stdout)

    def test_why(self):
        for path, cwd in (("big.log", "proj"), ("../big.log", "proj/sub"), ("./sub/../big.log", "proj")):
            row = self.rows("files", "--why", path, cwd=self.path(cwd))[0]
            self.assertEqual(row["path"], "big.log")
            self.assertFalse(row["shipped"])
            self.assertIn("*.log", row["why"])
        self.assertTrue(self.rows("files", "--why", "a b.txt", cwd=self.path("proj", "sub"))[0]["shipped"])
        self.ends(101, "files", "--why", "/etc/passwd")
        self.ends(101, "files", "--why", "../outside")

    def test_a_secret_is_named_and_may_be_allowed(self):
        self.write("proj/.env", "KEY=secret\n")
        r = self.ends(102, "files")
        self.assertIn(".env", r.stderr)
        self.assertNotIn("secret\n", r.stderr)
        self.ends(0, "files", "--allow", ".env")

    def test_our_own_output_is_not_part_of_the_project(self):
        out = self.path("proj", "own [out]put*.txt")
        with open(out, "w", encoding="utf-8") as f, open(self.write("proj/err"), "w") as e:
            subprocess.run([kit.GNRRUN, "files", "--json"], stdout=f, stderr=e, env=self.env,
                           cwd=self.project, check=True, timeout=60)
        with open(out, encoding="utf-8") as f:
            paths = {json.loads(line)["path"] for line in f}
        self.assertIn("train.py", paths)
        self.assertFalse({"err", "own [out]put*.txt"} & paths)

    def test_size_gate(self):
        self.ends(106, "files", "--max-size", "50")
        self.ends(0, "files", "--max-size", "50", "--all-sizes")


class Runs(kit.Case):
    def fill(self, n):
        subprocess.run([os.environ["GNRRUN_FILL"], str(n), self.project], env=self.env, check=True,
                       cwd=self.project, timeout=120)

    def test_nothing_yet(self):
        r = self.ends(0, "ps")
        self.assertEqual(r.stdout, "")
        self.assertIn("no runs yet", r.stderr)
        self.assertEqual(self.rows("ps"), [])
        self.assertGreaterEqual(self.run_it("show").returncode, 100)
        self.assertGreaterEqual(self.run_it("show", "proj-1").returncode, 100)

    def test_ps_shows_the_newest_and_what_goes_on(self):
        self.fill(200)
        rows = self.rows("ps")
        self.assertEqual(len(rows), 10 + 4)
        self.assertEqual(rows[0]["run"], "proj-200")
        self.assertEqual(len(self.rows("ps", "--all")), 200)
        r = self.ends(0, "ps")
        self.assertEqual(len(r.stdout.splitlines()), 15)
        self.assertIn("186 older runs", r.stderr)
        self.assertEqual(self.ends(0, "ps", "--quiet").stderr, "")

    def test_show(self):
        self.fill(3)
        self.assertEqual(self.rows("show")[0]["run"], "proj-3")
        row = self.rows("show", "proj-2")[0]
        for key in ("token", "spec", "snapshot", "log", "state", "command", "target", "created"):
            self.assertIn(key, row)
        self.assertIn("python train.py", self.ends(0, "show", "proj-2").stdout)


class Doctor(kit.Case):
    def findings(self, *words, status=0, **env):
        r = self.run_it("doctor", "--json", *words, **env)
        self.assertEqual(r.returncode, status, r.stdout + r.stderr)
        return [json.loads(line) for line in r.stdout.splitlines()]

    def of(self, rows, check):
        return [r for r in rows if r["check"] == check]

    def test_a_healthy_home(self):
        key = self.write(".ssh/id_ed25519", "x")
        os.chmod(key, 0o600)
        rows = self.findings()
        self.assertFalse([r for r in rows if r["health"] == "problem"], rows)
        for check in ("config", "state", "cache", "disk", "runs", "clock", "ssh", "key"):
            self.assertTrue(self.of(rows, check), check)

    def test_a_key_that_others_can_read(self):
        key = self.write(".ssh/id_ed25519", "x")
        os.chmod(key, 0o644)
        bad = [r for r in self.findings(status=104) if r["health"] == "problem"]
        self.assertEqual(len(bad), 1)
        self.assertEqual(bad[0]["remedy"], f"chmod 600 {key}")

    def test_a_broken_configuration(self):
        self.write("proj/gnrrun.yaml", "nmae: x\n")
        bad = [r for r in self.findings(status=102) if r["health"] == "problem"]
        self.assertIn("gnrrun.yaml:1:1", bad[0]["text"])
        self.assertIn("name", bad[0]["remedy"])

    def agent(self, answer):
        path = self.path("agent")
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(1)
        self.addCleanup(s.close)

        def serve():
            c, _ = s.accept()
            c.recv(100)
            c.sendall(answer)
            c.close()
        t = threading.Thread(target=serve, daemon=True)
        t.start()
        return path

    def test_agents(self):
        path = self.agent(bytes([0, 0, 0, 5, 12, 0, 0, 0, 2]))
        row = self.of(self.findings(SSH_AUTH_SOCK=path), "agent")[0]
        self.assertIn("2 keys", row["text"])
        row = self.of(self.findings(SSH_AUTH_SOCK=self.path("none")), "agent")[0]
        self.assertEqual(row["health"], "warning")

    def test_an_agent_that_talks_nonsense(self):
        path = self.agent(b"HTTP/1.0")
        row = self.of(self.findings(SSH_AUTH_SOCK=path), "agent")[0]
        self.assertEqual(row["health"], "warning")

    def test_a_target_of_a_later_version(self):
        self.write(".config/gnrrun/config.yaml", "targets: {cloud: {type: colab}}\n")
        rows = self.of(self.findings("cloud", status=102), "target")
        self.assertIn("colab", rows[0]["text"])

    def test_the_local_target(self):
        self.assertEqual(self.of(self.findings("local"), "target")[0]["health"], "ok")

    def test_no_such_target(self):
        self.assertEqual(self.of(self.findings("nosuch:name:x", status=102), "target")[0]["health"],
                         "problem")


if __name__ == "__main__":
    kit.main()
