"""What happens on a terminal: questions, bars, colours, Ctrl-C."""

import os
import re
import subprocess

import kit

ASK = os.environ["GNRRUN_ASK"]


class Questions(kit.Case):
    def terminal(self, *words, **env):
        return kit.Terminal([ASK, *words], self.project, {**self.env, **env})

    def test_a_hidden_answer_is_not_shown(self):
        t = self.terminal("hidden")
        t.until(b"Password for 'me': ")
        self.assertFalse(t.echoes())
        t.send(b"se cret\n")
        t.until(b"answer=[se cret]")
        self.assertEqual(t.end(), 0)
        self.assertEqual(t.seen.count(b"se cret"), 1)

    def test_ctrl_c_gives_the_terminal_back(self):
        t = self.terminal("hidden")
        t.until(b"Password for 'me': ")
        t.send(b"half\x03")
        t.until(b"interrupted")
        self.assertTrue(t.echoes())
        self.assertEqual(t.end(), 130)
        self.assertNotIn(b"half", t.seen)

    def test_a_term_signal_gives_the_terminal_back(self):
        t = self.terminal("hidden")
        t.until(b"Password for 'me': ")
        os.kill(t.pid, 15)
        t.until(b"interrupted")
        self.assertTrue(t.echoes())
        self.assertEqual(t.end(), 130)

    def test_ctrl_z_leaves_no_silent_terminal(self):
        t = self.terminal("hidden")
        t.until(b"Password for 'me': ")
        t.send(b"\x1ax\n")
        t.until(b"answer=[x]")
        self.assertEqual(t.end(), 0)

    def test_end_of_file_is_no_answer(self):
        t = self.terminal("hidden")
        t.until(b"Password for 'me': ")
        t.send(b"\x04")
        t.until(b"no answer")
        self.assertEqual(t.end(), 104)

    def test_yes_or_no_is_asked_until_it_is_one(self):
        t = self.terminal("yes")
        t.until(b"(yes/no) ")
        self.assertTrue(t.echoes())
        t.send(b"y\n")
        t.until(b"please type 'yes' or 'no': ")
        t.send(b"yes\n")
        t.until(b"answer=[yes]")
        self.assertEqual(t.end(), 0)

    def test_without_a_terminal_the_error_names_the_flag(self):
        r = subprocess.run([ASK, "hidden"], env=self.env, cwd=self.project, text=True, timeout=60,
                           stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True)
        self.assertEqual(r.returncode, 104)
        self.assertIn("there is no terminal to ask: 'Password for 'me''", r.stderr)
        self.assertIn("hint: give it with --some-flag", r.stderr)


class Bars(kit.Case):
    def test_a_bar_comes_and_goes(self):
        t = kit.Terminal([ASK, "work"], self.project, self.env, columns=60)
        t.until(b" left")
        t.send(b"\n")
        self.assertEqual(t.end(), 0)
        drawn = re.findall(rb"\rshipping[^\r\n]*\x1b\[K", t.seen)
        self.assertTrue(drawn, t.seen)
        for bar in drawn:
            self.assertLess(len(bar) - len(b"\r\x1b[K"), 60)
        # cleared before the next word, and the program's half line is left alone
        self.assertRegex(t.seen, rb"\r\x1b\[K[^s]*a word")
        self.assertIn(b"50%\r100%\r\n", t.seen)

    def test_ctrl_c_ends_the_work(self):
        t = kit.Terminal([ASK, "work"], self.project, self.env)
        t.until(b"shipping")
        t.send(b"\x03")
        self.assertEqual(t.end(), 130)
        self.assertIn(b"\r\x1b[K", t.seen)

    def test_off_the_terminal_the_log_is_exact_and_there_is_no_bar(self):
        r = subprocess.run([ASK, "work"], input=b"\n", env=self.env, cwd=self.project,
                           capture_output=True, timeout=60)
        self.assertEqual(r.stdout, b"50%\r100%")
        self.assertEqual(r.stderr, b"gnrrun: a word\ngnrrun: another\n")

    def test_colour_is_for_terminals_that_want_it(self):
        for more, colour in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False),
                             ({"NO_COLOR": ""}, True)):
            t = kit.Terminal([kit.GNRRUN, "ps", "word"], self.project, {**self.env, **more})
            self.assertEqual(t.end(), 101)
            self.assertEqual(b"\x1b[31m" in t.seen, colour, more)

    def test_rows_are_cut_at_the_width_of_the_terminal(self):
        self.write(".config/gnrrun/config.yaml",
                   "targets: {ravan: {type: ssh, host: %s.example.org}}\n" % ("r" * 40))
        t = kit.Terminal([kit.GNRRUN, "targets"], self.project, self.env, columns=70)
        self.assertEqual(t.end(), 0)
        self.assertIn(b"ravan", t.seen)
        for line in t.seen.splitlines():
            self.assertLessEqual(len(line), 70)


if __name__ == "__main__":
    kit.main()
