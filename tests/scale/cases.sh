#!/bin/sh
# cases.sh SCALE_CASES: its bars hold, and it says what result.txt says.
here=$(dirname "$0")
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
"$1" "$here/cases.csv" >"$out"
status=$?
cat "$out"
diff -u "$here/result.txt" "$out" || {
    echo "not what result.txt says; if that is meant: scale_cases cases.csv >result.txt"
    status=1
}
exit "$status"
