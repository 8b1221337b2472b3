"""The tables, the help and the man pages say the same."""

import os
import re
import shutil
import subprocess

import kit

MAN = os.path.join(kit.SOURCE, "cli", "man")


def read(*parts):
    with open(os.path.join(kit.SOURCE, *parts), encoding="utf-8") as f:
        return f.read()


def section(page, name):
    return re.split(r"(?m)^\.Sh ", page.split(f".Sh {name}\n", 1)[1])[0]


class Docs(kit.Case):
    def setUp(self):
        super().setUp()
        self.page = read("cli", "man", "gnrrun.1")
        self.commands = re.findall(r"(?m)^GN_COMMAND\((\w+),", read("cli", "commands.def"))
        self.help = {c: self.ends(0, c, "--help").stdout for c in self.commands}

    def options(self):
        """{command: {long option: letter or ""}} as the binary says."""
        return {c: {name: letter for letter, name in
                    re.findall(r"(?m)^  (?:-(\w), |    )--([\w-]+)", text)}
                for c, text in self.help.items()}

    def test_every_command_is_in_help_and_man_and_nothing_else_is(self):
        listed = re.findall(r"(?m)^  (\w+) ", self.ends(0, "-h").stdout)
        in_man = re.findall(r"(?m)^\.It Ic (\w+)$", section(self.page, "COMMANDS"))
        self.assertGreater(len(self.commands), 10)
        self.assertEqual(sorted(listed), sorted(self.commands))
        self.assertEqual(sorted(in_man), sorted(self.commands))

    def test_every_option_is_in_the_man_page_and_nothing_else_is(self):
        known = {}
        for table in self.options().values():
            known.update(table)
        self.assertGreater(len(known), 30)
        in_man = set(re.findall(r"Fl -([\w-]+)", section(self.page, "OPTIONS")))
        self.assertEqual(set(known), in_man)
        letters = {(a, b) for a, b in re.findall(r"\.It Fl (\w)(?: Ar \w+)? , Fl -([\w-]+)", self.page)}
        self.assertEqual(letters, {(v, k) for k, v in known.items() if v})
        everywhere = set(re.findall(r"Fl -([\w-]+)", self.page)) - {"version", "help"}
        self.assertLessEqual(everywhere, set(known))

    def test_options_of_the_contract_exist(self):
        want = """target gpus gpu-type gpu-memory cpus memory nodes time max-cost name env data setup
            python detach no-fetch results dry-run json quiet verbose accept-new-host-key sync allow
            all-sizes max-size nice grace""".split()
        for c in ("run", "plan"):
            self.assertLessEqual(set(want), set(self.options()[c]))

    def test_every_exit_status_is_in_help_and_man(self):
        table = re.findall(r'(?m)^GN_EXIT\(\w+, (\d+), "(.*)"\)', read("cli", "exit.def"))
        in_man = re.findall(r"(?m)^\.It (\d+)\n((?:[^.].*\n|\.Nm\n)+)",
                            section(self.page, "EXIT STATUS"))
        self.assertEqual([n for n, _ in in_man], ["0"] + [n for n, _ in table])
        said = {n: re.sub(r"\s+", " ", text.replace(".Nm", "gnrrun")).strip() for n, text in in_man}
        for number, text in table:
            self.assertEqual(said[number].lower().rstrip("."), text.lower())
            self.assertIn(f"  {number}  {text}", self.help["run"] + self.help["plan"])

    def test_every_key_of_the_configuration_is_in_its_man_page(self):
        source = "".join(read("core", "config", f) for f in ("project.c", "choose.c", "target_read.c"))
        keys = set(re.findall(r'\{"([a-z_]+)", (?:gn_)?read_', source))
        self.assertGreater(len(keys), 25)
        for name in sorted(os.listdir(os.path.join(kit.SOURCE, "providers"))):
            if name.endswith(".c"):
                for table in re.findall(r"(?s)const char \*const (?:common|keys)\[\] = \{(.*?)NULL\}", read("providers", name)):
                    keys.update(re.findall(r'"([a-z_]+)"', table))
        page = read("cli", "man", "gnrrun.yaml.5")
        in_man = set()
        for line in re.findall(r"(?m)^\.(?:It )?Ic (.*)$", page):
            in_man.update(w for w in re.findall(r"[a-z_]+", line))
        self.assertEqual(keys, in_man)

    def test_helps_fit_and_examples_are_read(self):
        for c, text in self.help.items():
            for line in text.splitlines():
                self.assertLessEqual(len(line), 120, line)
            for example in text.split("examples:\n")[1].splitlines():
                self.assertTrue(example.startswith("  gnrrun "), example)

    def test_mandoc_has_nothing_to_say(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc here")
        for page in sorted(os.listdir(MAN)):
            r = subprocess.run(["mandoc", "-T", "lint", os.path.join(MAN, page)],
                               capture_output=True, text=True, timeout=60)
            # whether other pages are installed is not our mistake
            said = [line for line in r.stdout.splitlines() if "referenced manual not found" not in line]
            self.assertEqual(said, [])


if __name__ == "__main__":
    kit.main()
