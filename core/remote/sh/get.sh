# get.sh - hashes and contents of files in the work folder of the run a_token.

# digest FILE: h=its hash, "-" if it cannot be read.  On stdin: a name may begin with
# anything.
digest() {
    h=-
    [ -f "$1" ] && [ ! -L "$1" ] && [ -r "$1" ] || return 0
    case $hash in
    sha256sum) h=$(sha256sum <"$1") ;;
    shasum) h=$(shasum -a 256 <"$1") ;;
    openssl) h=$(openssl dgst -sha256 -r <"$1") ;;
    *) h=$(cksum <"$1") && h=${h%% *}:${h#* } ;;
    esac 2>/dev/null || h=-
    h=${h%% *}
}

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
        digest "$p"
        say "h $h"
    done
}

plain_files() {
    for p; do
        case $p in *"$nl"*) return 1 ;; esac
        [ -f "$p" ] && [ ! -L "$p" ] && [ -r "$p" ] || return 1
    done
}

# archive PATH...: the files and links among them that are still there.
archive() {
    n=$#
    while [ "$n" -gt 0 ]; do
        if [ -L "$1" ] || { [ -f "$1" ] && [ -r "$1" ]; }; then set -- "$@" "$1"; fi
        shift
        n=$((n - 1))
    done
    # 1: a file grew meanwhile; the other end looks at the hashes anyway
    [ $# = 0 ] || tar -cf - "$@" 2>/dev/null
}

# archives: from the first line with "t" on.
archives() {
    while :; do
        case $line in
        .) return 0 ;;
        't '*)
            words "${line#t }"
            eval "archive $line"
            ;;
        *) exit 1 ;;
        esac
        IFS= read -r line || exit 1
    done
}

# words TEXT: line=the quoted words of TEXT, each from ./ on, so that none is an option.
words() {
    line=$(printf '%s' "$1" | sed "s|^'|'./|; s| '| './|g")
}

main() {
    greet
    find_root
    word "${a_token:=}"
    cd "$v1/runs/$a_token/work" 2>/dev/null || die notfound "there is no run $a_token with a work folder"
    choose_hash
    choose_zstd
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
