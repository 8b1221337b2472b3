#!/bin/sh
# layers.sh ROOT: who may include whom.
cd "$1" || exit 1
bad=0
say() { printf '%s\n' "$1" | sed 's/^/not ok: /'; bad=1; }

# each third-party header has one owner
owner() { # PATTERN OWNER
    found=$(grep -rlE "#include <($1)" --include='*.[ch]' cli core providers include | grep -vE "^($2)")
    [ -z "$found" ] || say "$found includes <$1> but only $2 may"
}
owner 'libssh/' 'core/remote/ssh/libssh\.h'
owner 'openssl/' 'core/base/libcrypto\.h'
owner 'jansson\.h' 'core/base/json\.c'
owner 'yaml\.h' 'core/config/yaml\.c'
owner 'sqlite3\.h' 'core/state/db\.c'
owner 'archive' 'core/ship/archive\.c'
owner 'curl/' 'core/net/http\.c'
owner 'expat\.h' 'core/net/xml\.c'
owner 'zstd\.h' 'core/ship/tar\.c'

# core and providers know nothing of the command line; include/ only of itself
found=$(grep -rnE '#include "(cli|opt|ui|cmd)[/.]' core providers include)
[ -z "$found" ] || say "$found"
found=$(grep -rnE '#include "' include | grep -vE '"gnrrun/')
[ -z "$found" ] || say "$found"
found=$(grep -rnE '#include "\.\./' cli core providers include)
[ -z "$found" ] || say "$found"

# core asks ctx for the world, and neither prints nor exits (a child of fork may)
found=$(grep -rnE '(^|[^_a-z])(getenv|time|clock_gettime|exit|printf|fprintf|puts|perror)\(' core --include='*.c' |
    grep -vE 'core/base/ctx\.c|^[^:]*:[0-9]*: \*|/\*')
[ -z "$found" ] || say "$found"

# names that have no bounds, no thread, or no place here
found=$(grep -rnE '(^|[^_a-z])(strcpy|strcat|sprintf|strncpy|strtok|atoi|gmtime|localtime|system|popen|tmpnam|rand|alloca)\(' \
    cli core providers --include='*.c')
[ -z "$found" ] || say "$found"
exit $bad
