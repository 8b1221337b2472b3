#!/bin/sh
# format.sh ROOT: the formatter is the law.
cd "$1" || exit 1
command -v clang-format-14 >/dev/null || { echo "skipped: no clang-format-14"; exit 77; }
find cli core providers include tests -name '*.[ch]' -not -path '*/corpus/*' -exec clang-format-14 --dry-run --Werror {} +
