#!/bin/sh
# words.sh ROOT: comments in one style, files that can be read in one sitting, headers that stand alone.
cd "$1" || exit 1
bad=0
say() { printf '%s\n' "$1" | sed 's/^/not ok: /'; bad=1; }
found=$(grep -rnE '(^|[;{} ])//' --include='*.[ch]' cli core providers include | grep -vE '["'\''].*//|https?://')
[ -z "$found" ] || say "$found"
found=$(grep -rnE 'TODO|FIXME|XXX[^X]' --include='*.[ch]' --include='*.sh' cli core providers include | grep -v XXXXXX)
[ -z "$found" ] || say "$found"
for f in $(git ls-files 'cli/*.c' 'core/*.c' 'providers/*.c' 2>/dev/null); do
    n=$(wc -l <"$f")
    [ "$n" -le 500 ] || say "$f has $n lines: more than 500"
done
for f in include/gnrrun/*.h; do
    printf '#include "gnrrun/%s"\n' "${f##*/}" |
        ${CC:-cc} -std=c17 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only -xc - ||
        say "$f does not stand alone"
done
exit $bad
