"""A program on a pseudo terminal."""

import fcntl
import os
import pty
import select
import struct
import termios
import time


class Terminal:
    """A program on a pseudo terminal, by whose side it is waited for words, never for time."""

    def __init__(self, argv, cwd, env, columns=80):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.chdir(cwd)
            os.execve(argv[0], argv, env)
        self.seen = b""

    def read_some(self, seconds=30):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            raise AssertionError(f"nothing came; so far: {self.seen!r}")
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other end is closed
            data = b""
        self.seen += data
        return data

    def until(self, text):
        end = time.monotonic() + 30
        while text not in self.seen:
            if time.monotonic() > end or not self.read_some():
                raise AssertionError(f"{text!r} did not come; so far: {self.seen!r}")

    def send(self, data):
        os.write(self.fd, data)

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self):
        while self.read_some():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)
