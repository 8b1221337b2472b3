#!/bin/sh
# man.sh ROOT: manual pages without a complaint.
cd "$1" || exit 1
command -v mandoc >/dev/null || { echo "skipped: no mandoc"; exit 77; }
mandoc -T lint -W warning cli/man/gnrrun.1 cli/man/gnrrun.yaml.5
