# get.sh - hashes and contents of files in the work folder of the run a_token.

# hashes PATH...: many at once where that is safe: one line came for each of them.
hashes() {
    if [ "$hash" = sha256sum ] && [ $# -gt 1 ] && plain_files "$@"; then
        h=$(sha256sum -- "$@" 2>/dev/null | awk '{ sub(/^\\/, ""); print "h " substr($0, 1, 64) }')
        if [ "$(printf '%s\n' "$h" | grep -c '^h [0-9a-f]*$')" = $# ] &&
            [ "$(printf '%s\n' "$h" | grep -c '')" = $# ]; then
            say "$h"
            return
        fi
    fi
    for p; do
        h='-'
        if [ -f "$p" ] && [ ! -L "$p" ] && [ -r "$p" ]; then digest "$p"; fi
        say "h $h"
    done
}

plain_files() {
    for p; do
        case $p in *"$nl"*) return 1 ;; esac
        [ -f "$p" ] && [ ! -L "$p" ] && [ -r "$p" ] || return 1
    done
}

# archive PATH...: the files and links among them that are still there; each from ./ on,
# so that none is an option.
archive() {
    n=$#
    while [ "$n" -gt 0 ]; do
        p=./${1#./}
        if [ -L "$p" ] || { [ -f "$p" ] && [ -r "$p" ]; }; then set -- "$@" "$p"; fi
        shift
        n=$((n - 1))
    done
    # 1: a file grew meanwhile; the other end looks at the hashes anyway
    [ $# != 0 ] || return 0
    # GNU tar takes a backslash in a name for an escape; a file with several names is sent
    # under each of them; others do not know these options
    if [ "$gnu_tar" = 1 ]; then set -- --no-unquote --hard-dereference "$@"; fi
    tar -cf - "$@" 2>/dev/null
}

# archives: from the first line with "t" on.
archives() {
    while :; do
        case $line in
        .) return 0 ;;
        't '*)
            eval "archive ${line#t }"
            ;;
        *) exit 1 ;;
        esac
        IFS= read -r line || exit 1
    done
}

main() {
    greet
    find_root
    word "${a_token:=}"
    cd "$v1/runs/$a_token/work" 2>/dev/null || die notfound "there is no run $a_token with a work folder"
    choose_hash
    choose_zstd
    gnu_tar=0
    case $(tar --version 2>/dev/null) in *GNU*) gnu_tar=1 ;; esac
    tick_start
    while IFS= read -r line; do
        case $line in
        .)
            tick_stop
            finish_ok
            ;;
        's '*) eval "hashes ${line#s }" ;;
        't '*)
            tick_stop
            say "tar zstd=$zstd"
            if [ "$zstd" = 1 ]; then archives | zstd -q -1 -c; else archives; fi
            exit 0
            ;;
        *) die proto 'neither s nor t nor the end' ;;
        esac
    done
    die proto 'the requests ended before their end'
}

main
