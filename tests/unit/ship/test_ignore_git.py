#!/usr/bin/env python3
"""Random trees and random rules: our verdict must be git's.

usage: test_ignore_git.py SHIPPER [ROUNDS [SEED]]

`git check-ignore` judges every path of each tree, `shipper why` must agree; and what
`shipper scan` finds must be what git would add.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

NAMES = ["a", "b", "c", "ab", "abc", "foo", "bar", "foo.o", "x.py", "a b", "a ", " a", "[a]", "a*b", "A", "-x",
         "!a", "#a", "a\\", "\\a", ".h", "d1", "d2", "a-c", "]", "^", "ü", "a\tb", "*", "**", "?", "a]b", "0", "_"]
ATOMS = ["*", "**", "?", "a", "b", "c", "foo", "bar", ".o", ".py", "[a-c]", "[!a]", "[^b]", "[]a]", "[a", "[[:alpha:]]",
         "[[:digit:][:space:]]", "[[:bogus:]]", "[[:alpha]", "\\*", "\\a", "\\", "\\ ", " ", "  ", "\\[", "[\\]]",
         "[a\\-c]", "[-a]", "[a-]", "!", "#", "\\!", "\\#", "ü", "\t", "***", "[*]", "[?]", "[/]", "[a/b]", "[!-~]",
         "[z-a]", "[\\a-\\c]", "[[]", "[[:alpha:]-z]", "\\/", "]", "-", "^"]


def pattern(rng, paths):
    if rng.random() < 0.3 and paths:  # close to something that exists
        p = rng.choice(paths)
        parts = p.split("/")
        parts = parts[rng.randrange(len(parts)):] if rng.random() < 0.5 else parts
        for _ in range(rng.randrange(3)):
            i = rng.randrange(len(parts))
            parts[i] = rng.choice(["*", "**", "?", parts[i][:1] + "*", "*" + parts[i][-1:], parts[i]])
        s = "/".join(parts)
    else:
        s = ""
        for i in range(rng.randrange(1, 5)):
            if i and rng.random() < 0.4:
                s += "/"
            s += "".join(rng.choice(ATOMS) for _ in range(rng.randrange(1, 4)))
    if rng.random() < 0.2:
        s = "/" + s
    if rng.random() < 0.2:
        s += "/"
    if rng.random() < 0.2:
        s = "!" + s
    if rng.random() < 0.15:
        s += rng.choice([" ", "  ", "\\ ", "\\  ", "\t", "\r", "\\"])
    return s


def rules(rng, paths):
    lines = [pattern(rng, paths) for _ in range(rng.randrange(1, 7))]
    if rng.random() < 0.1:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(["", "# note", "   ", "/", "//", "!", "**/", "/**"]))
    text = rng.choice(["\n", "\n", "\n", "\r\n"]).join(lines)
    if rng.random() < 0.8:
        text += "\n"
    if rng.random() < 0.05:
        text = "\ufeff" + text
    return text.encode("utf-8", "surrogateescape")


def make_tree(rng, root):
    paths, dirs = [], [""]
    for _ in range(rng.randrange(5, 30)):
        base = rng.choice(dirs)
        path = (base + "/" if base else "") + rng.choice(NAMES)
        full = os.path.join(root, path)
        if os.path.lexists(full) or path.count("/") > 4:
            continue
        kind = rng.random()
        if kind < 0.45:
            os.mkdir(full)
            dirs.append(path)
        elif kind < 0.95:
            open(full, "w").close()
        else:
            os.symlink(rng.choice(["a", "/etc", "."]), full)
        paths.append(path)
    for d in dirs:
        if not d or rng.random() < 0.3:
            with open(os.path.join(root, d, ".gitignore"), "wb") as f:
                f.write(rules(rng, paths))
    with open(os.path.join(root, ".git/info/exclude"), "wb") as f:
        f.write(rules(rng, paths) if rng.random() < 0.3 else b"")
    return paths


def git_says(root, paths, env):
    """True for the ignored ones."""
    data = b"".join(os.fsencode(p) + b"\0" for p in paths)
    r = subprocess.run(["git", "-C", root, "check-ignore", "--no-index", "-z", "-v", "-n", "--stdin"], input=data,
                       stdout=subprocess.PIPE, env=env, check=False)
    if r.returncode not in (0, 1):
        raise SystemExit("git check-ignore failed")
    f = r.stdout.split(b"\0")[:-1]
    return [bool(f[i + 2]) and not f[i + 2].startswith(b"!") for i in range(0, len(f), 4)], f


def we_say(shipper, root, paths):
    data = b"".join(os.fsencode(p) + b"\0" for p in paths)
    r = subprocess.run([shipper, "why", root], input=data, stdout=subprocess.PIPE, check=True)
    lines = r.stdout.split(b"\n")[:-1]
    return [x.startswith(b"0") for x in lines], lines


def check_scan(shipper, root, env):
    r = subprocess.run(["git", "-C", root, "ls-files", "-z", "-o", "--exclude-standard"], stdout=subprocess.PIPE,
                       env=env, check=True)
    want = set(r.stdout.split(b"\0")[:-1])
    r = subprocess.run([shipper, "scan", root], stdout=subprocess.PIPE, check=True)
    got = [x.split(b" ", 3) for x in r.stdout.split(b"\0")[:-1]]
    return want, {x[3] for x in got if x[0] != b"d"}


def main():
    shipper = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 150
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
    if not shutil.which("git"):
        print("skipped: there is no git to compare with")
        return 77
    with tempfile.TemporaryDirectory(prefix="gnrrun-ignore-") as top:
        return compare(shipper, rounds, seed, top)


def compare(shipper, rounds, seed, top):
    rng = random.Random(seed)
    env = dict(os.environ, HOME=top, XDG_CONFIG_HOME=top, GIT_CONFIG_NOSYSTEM="1", LC_ALL="C.UTF-8")
    judged = ignored = bad = 0
    root = os.path.join(top, "t")
    subprocess.run(["git", "init", "-q", "--template=", root], env=env, check=True)
    os.mkdir(os.path.join(root, ".git/info"))
    for n in range(rounds):
        for name in os.listdir(root):
            full = os.path.join(root, name)
            if name != ".git":
                shutil.rmtree(full) if os.path.isdir(full) and not os.path.islink(full) else os.unlink(full)
        paths = make_tree(rng, root)
        want, why_git = git_says(root, paths, env)
        got, why_us = we_say(shipper, root, paths)
        judged += len(paths)
        ignored += sum(want)
        for p, w, g, i in zip(paths, want, got, range(len(paths))):
            if w != g:
                bad += 1
                print("seed %d round %d: %r git %s %r, we %s %r" % (seed, n, p, w, why_git[4 * i:4 * i + 3], g, why_us[i]))
        a, b = check_scan(shipper, root, env)
        if a != b:
            bad += 1
            print("seed %d round %d: scan: git only %r, we only %r" % (seed, n, sorted(a - b), sorted(b - a)))
    print("seed %d: %d paths judged, %d of them ignored, %d disagreements" % (seed, judged, ignored, bad))
    return 1 if bad or not ignored or ignored == judged else 0


if __name__ == "__main__":
    sys.exit(main())
