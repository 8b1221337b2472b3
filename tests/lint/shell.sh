#!/bin/sh
# shell.sh ROOT: every sh file under shellcheck.
cd "$1" || exit 1
command -v shellcheck >/dev/null || { echo "skipped: no shellcheck"; exit 77; }
bad=0
# the far side's programs are read together with common.sh, which goes in front of each
for f in core/remote/sh/*.sh; do
    case $f in */common.sh) cat "$f" ;; *) cat core/remote/sh/common.sh "$f" ;; esac |
        shellcheck -s sh -e SC2034,SC2154,SC2317,SC2119,SC2120 - || { echo "in $f"; bad=1; }
done
shellcheck -s sh core/lease/*.sh || bad=1
shellcheck -s sh -e SC2034,SC2154 core/program/*.sh || bad=1
shellcheck -s sh tests/install tests/run tests/first-run tests/run-digits .ci/run tests/lint/*.sh || bad=1
exit $bad
