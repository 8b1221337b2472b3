"""What is typed: commands, options, mistakes, exit status, streams."""

import json
import os
import subprocess
import unittest

import kit

COMMANDS = ["run", "plan", "ps", "show", "logs", "attach", "fetch", "stop", "rm", "ssh", "forward",
            "files", "targets", "target", "init", "doctor"]


class Words(kit.Case):
    def usage_error(self, *words, says=""):
        r = self.ends(101, *words)
        lines = r.stderr.splitlines()
        self.assertEqual(r.stdout, "")
        self.assertLessEqual(len(lines), 2, r.stderr)
        self.assertTrue(lines[0].startswith("gnrrun: "), r.stderr)
        self.assertTrue(len(lines) < 2 or lines[1].startswith("hint: "), r.stderr)
        self.assertIn(says, r.stderr)

    def test_version_needs_nothing_of_the_world(self):
        r = subprocess.run([kit.GNRRUN, "--version"], env={}, cwd="/", capture_output=True,
                           text=True, timeout=10)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertRegex(r.stdout, r"\Agnrrun \d+\.\d+\.\d+( \([0-9a-f]+\))?\nbuilt with .*libssh \d")
        self.assertEqual(os.listdir(self.home), ["proj"])

    def test_short_help_fits_a_screen(self):
        for words in (["-h"], ["--help"], ["help"], ["-q", "--help"]):
            r = self.ends(0, *words)
            lines = r.stdout.splitlines()
            self.assertLessEqual(len(lines), 24)
            self.assertLessEqual(max(map(len, lines)), 90)
            for c in COMMANDS:
                self.assertTrue(any(line.startswith(f"  {c} ") for line in lines), c)

    def test_nothing_typed_shows_the_help_and_is_an_error(self):
        r = self.ends(101)
        self.assertEqual(r.stdout, "")
        self.assertIn("usage: gnrrun", r.stderr)

    def test_every_command_has_help_that_opens_nothing(self):
        for c in COMMANDS:
            for words in ([c, "--help"], ["--help", c], ["help", c], [c, "-h"]):
                r = self.ends(0, *words)
                self.assertIn(f"{c}", r.stdout.splitlines()[0])
                for part in ("options:", "exit status:", "examples:", "--json"):
                    self.assertIn(part, r.stdout)
        self.assertEqual(os.listdir(self.home), ["proj"])

    def test_a_typo_of_ours_never_reaches_the_program(self):
        for words in (["p", "--taget", "x"], ["p", "--taget=x"], ["--taget", "x", "p"],
                      ["p", "-target", "x"], ["plan", "p", "--gpu", "1"], ["p", "\u2014target", "x"]):
            self.usage_error(*words, says="did you mean '--")

    def test_mistakes_of_every_command_are_one_line(self):
        for c in COMMANDS:
            self.usage_error(c, "--no-such-thing-at-all")
            self.usage_error(c, "--json=yes")
        self.usage_error("ps", "word", says="'word'")
        self.usage_error("show", "a", "b")
        self.usage_error("rm")
        self.usage_error("target", "add")
        self.usage_error("target", "make", "x", says="'make'")
        self.usage_error("target", "rm", "x", "--host", "y", says="--host")
        self.usage_error("target", "add", "-x")
        self.usage_error("target", "add", "a b")
        self.usage_error("target", "add", "local")
        self.usage_error("logs", "--tail", "-1")
        self.usage_error("run", "--gpus", "many", "p")
        self.usage_error("run", "-t")
        self.usage_error("ps", "--al", says="did you mean '--all'?")

    def test_a_mistyped_command_is_named(self):
        self.usage_error("tragets", says="gnrrun targets")
        self.usage_error("lgos", says="gnrrun logs")
        self.usage_error("top", says="'gnrrun run top'")

    def test_json_says_errors_as_objects_too(self):
        r = self.ends(101, "--json", "ps", "word")
        o = json.loads(r.stdout)
        self.assertEqual((o["event"], o["status"]), ("error", 101))

    def test_control_characters_do_not_reach_the_terminal(self):
        for words in (["--\033[31mx"], ["ps", "a\033]0;x\007"], ["show", "\033[2J"],
                      ["target", "add", "\033c"]):
            r = self.run_it(*words)
            self.assertNotIn("\033", r.stderr + r.stdout, words)

    def test_no_home_is_an_error_or_comes_from_the_password_file(self):
        env = {k: v for k, v in self.env.items() if k != "HOME"}
        env.update(XDG_STATE_HOME=self.path("s"), XDG_CACHE_HOME=self.path("c"),
                   XDG_CONFIG_HOME=self.path("f"))
        r = subprocess.run([kit.GNRRUN, "ps"], env=env, cwd=self.project, capture_output=True,
                           text=True, timeout=60)
        self.assertIn(r.returncode, (0, 102), r.stderr)

    def test_a_vanished_folder_is_one_line(self):
        gone = self.path("gone")
        os.mkdir(gone)
        r = subprocess.run(["sh", "-c", 'cd "$1"; rmdir "$1"; exec "$2" ps', "sh", gone, kit.GNRRUN],
                           env=self.env, capture_output=True, text=True, timeout=60)
        self.assertEqual(r.returncode, 100, r.stderr)
        self.assertIn("current folder", r.stderr)


class Streams(kit.Case):
    def test_a_reader_that_goes_away_is_no_error(self):
        r, w = os.pipe()
        os.close(r)
        p = subprocess.run([kit.GNRRUN, "doctor"], stdout=w, stderr=subprocess.PIPE, env=self.env,
                           cwd=self.project, text=True, timeout=60)
        os.close(w)
        self.assertEqual((p.returncode, p.stderr), (141, ""))

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full here")
    def test_a_full_disk_on_stdout_is_an_error(self):
        for words in (["doctor"], ["--version"], ["-h"], ["ps", "--help"]):
            with open("/dev/full", "w") as full:
                p = subprocess.run([kit.GNRRUN, *words], stdout=full, stderr=subprocess.PIPE,
                                   env=self.env, cwd=self.project, text=True, timeout=60)
            self.assertIn(p.returncode, (100, 106), words)
            self.assertIn("cannot write", p.stderr)

    def test_closed_streams_do_no_harm(self):
        for closing in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            for words in ("ps", "doctor", "ps word"):
                r = subprocess.run(["sh", "-c", f'exec "$1" {words} {closing}', "sh", kit.GNRRUN],
                                   env=self.env, cwd=self.project, capture_output=True, timeout=60)
                self.assertIn(r.returncode, (0, 101), (words, closing, r.stderr))
        self.assertEqual(self.rows("ps"), [])
        with open(self.path(".local", "state", "gnrrun", "state.db"), "rb") as f:
            self.assertEqual(f.read(15), b"SQLite format 3")

    def test_no_colour_and_no_bar_off_the_terminal(self):
        for words in (["doctor"], ["ps"], ["show", "x"], ["ps", "-v"]):
            r = self.run_it(*words)
            self.assertNotIn("\033", r.stdout + r.stderr)
            self.assertNotIn("\r", r.stdout + r.stderr)


class Completion(kit.Case):
    def offers(self, *words):
        return [line.split("\t")[0] for line in self.ends(0, "__complete", *words).stdout.splitlines()]

    def test_commands_and_options(self):
        self.assertLessEqual(set(COMMANDS), set(self.offers("")))
        self.assertEqual(self.offers("pl"), ["plan", ":files"])
        self.assertEqual(self.offers("ps", "--al"), ["--all"])
        self.assertIn("--target", self.offers("train.py", "--ta"))
        self.assertNotIn("--target", self.offers("ps", "--"))

    def test_values(self):
        self.assertEqual(self.offers("fetch", "--into", ""), [":dirs"])
        self.assertEqual(self.offers("target", "a"), ["add"])
        self.assertEqual(self.offers("p", "--", "--ta"), [":files"])
        self.assertIn("local", self.offers("run", "-t", "lo"))
        self.write(".config/gnrrun/config.yaml", "targets:\n  ravan: {type: ssh, host: r}\n")
        self.assertEqual(self.offers("run", "--target", "ra"), ["ravan"])
        self.assertEqual(self.offers("run", "--target=ra"), ["--target=ravan"])
        self.assertEqual(self.offers("run", "--target", "=", "ra"), ["ravan"])
        self.assertEqual(self.offers("run", "--results=x"), [":dirs"])
        self.assertEqual(self.offers("doctor", "ra"), ["ravan"])

    def test_it_is_silent_when_the_configuration_is_broken(self):
        self.write(".config/gnrrun/config.yaml", "targets: [\n")
        r = self.ends(0, "__complete", "run", "-t", "")
        self.assertEqual((r.stdout, r.stderr), ("", ""))

    def shell(self, shell, script):
        folder = os.path.join(kit.SOURCE, "cli", "completion")
        bindir = self.path("bin")
        os.mkdir(bindir)
        os.symlink(kit.GNRRUN, os.path.join(bindir, "gnrrun"))
        env = {**self.env, "PATH": bindir + ":" + self.env["PATH"], "DIR": folder}
        return subprocess.run([shell, "-c", script], env=env, cwd=self.project, capture_output=True,
                              text=True, timeout=60)

    def test_bash(self):
        r = self.shell("bash", '. "$DIR/gnrrun.bash"; COMP_WORDS=(gnrrun ps --al); COMP_CWORD=2; '
                               '_gnrrun 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"')
        self.assertEqual(r.stdout, "--all\n", r.stderr)

    def test_fish(self):
        if subprocess.run(["sh", "-c", "command -v fish"], capture_output=True).returncode:
            self.skipTest("no fish here")
        r = self.shell("fish", 'source $DIR/gnrrun.fish; complete -C "gnrrun ps --al"')
        self.assertIn("--all", r.stdout, r.stderr)

    def test_zsh_reads_its_file(self):
        if subprocess.run(["sh", "-c", "command -v zsh"], capture_output=True).returncode:
            self.skipTest("no zsh here")
        r = self.shell("zsh", 'zsh -n "$DIR/_gnrrun"')
        self.assertEqual((r.returncode, r.stderr), (0, ""))


if __name__ == "__main__":
    kit.main()
