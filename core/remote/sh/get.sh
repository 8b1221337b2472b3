# get.sh - hashes and contents of files in the work folder of the run a_token.

# hashes PATH...: many at once where that is safe: one line came for each of them.
hashes() {
    if [ $# -gt 1 ] && plain_files "$@"; then
        h=$(hash_many "$@" 2>/dev/null | awk -v n=$# '
            { sub(/^\\/, ""); print "h " substr($0, 1, 64); if (!/^[0-9a-f]+ /) bad = 1 }
            END { exit bad || NR != n }') && {
            # so much is no single write: no sign of life may come into its middle
            tick_stop
            say "$h"
            tick_start
            return
        }
    fi
    for p; do
        h='-'
        if [ -f "$p" ] && [ ! -L "$p" ] && [ -r "$p" ]; then digest "$p"; fi
        say "h $h"
    done
}

hash_many() {
    case $hash in
    sha256sum) sha256sum -- "$@" ;;
    openssl) openssl dgst -sha256 -r "$@" ;;
    esac
}

# dotted PATH...: do all begin with ./, so that none is an option?
dotted() {
    for p; do
        case $p in ./*) ;; *) return 1 ;; esac
    done
}

# plain_files PATH...: and none with a name of two lines.  One process for all of them; one that
# is gone is found by the count.
plain_files() {
    case $* in *"$nl"*) return 1 ;; esac
    dotted "$@" && [ -z "$(find "$@" -prune ! -type f 2>/dev/null)" ]
}

# archive PATH...: the files and links among them that are still there; each from ./ on,
# so that none is an option.
archive() {
    if [ "$gnu_tar" = 0 ] || ! dotted "$@"; then
        n=$#
        while [ "$n" -gt 0 ]; do
            p=./${1#./}
            if [ -L "$p" ] || { [ -f "$p" ] && [ -r "$p" ]; }; then set -- "$@" "$p"; fi
            shift
            n=$((n - 1))
        done
    fi
    # 1: a file grew meanwhile; the other end looks at the hashes anyway
    [ $# != 0 ] || return 0
    # GNU tar leaves out by itself what is gone, takes a backslash in a name for an escape, and
    # a file with several names is to be sent under each of them; others do not know these options
    if [ "$gnu_tar" = 1 ]; then set -- -b 256 --no-recursion --no-unquote --hard-dereference "$@"; fi
    tar -cf - "$@" 2>/dev/null
}

# take LENGTH: words='p' 'p'..., so many bytes with the newline.  read asks the system for each
# byte; GNU's head takes no more than it is told to, that of others may.
take() {
    number "$1" || die proto "no length: $1"
    if [ "$gnu_head" = 1 ]; then
        words=$(head -c "$1")
    else
        IFS= read -r words
    fi || exit 1
}

# names LENGTH: what is named in so many bytes, each name with a NUL behind it, by GNU tar: 1 when
# something is gone, cannot be read or changed while it was read.
names() {
    number "$1" || exit 1
    head -c "$1" | tar -cf - -b 256 --no-recursion --no-unquote --hard-dereference --null -T - 2>/dev/null
}

# archives: from the first line with "t" or "n" on; 1 when names() once said so.
archives() {
    bad=0
    while :; do
        case $line in
        .) return "$bad" ;;
        'n '*) names "${line#n }" || bad=1 ;;
        't '*)
            take "${line#t }"
            eval "archive $words"
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
    choose_quick_hash
    choose_zstd
    gnu_tar=0 gnu_head=0
    case $(head --version 2>/dev/null </dev/null) in *GNU*) gnu_head=1 ;; esac
    case $(tar --version 2>/dev/null) in *GNU*) gnu_tar=1 ;; esac
    tick_start
    while IFS= read -r line; do
        case $line in
        .)
            tick_stop
            finish_ok
            ;;
        's '*)
            take "${line#s }"
            eval "hashes $words"
            ;;
        't '* | 'n '*)
            tick_stop
            say "tar zstd=$zstd"
            if [ "$zstd" = 0 ]; then
                archives || exit 3
                exit 0
            fi
            exec 4>&1
            bad=$({ { archives; echo $? >&3; } | zstd -q -1 -c >&4; } 3>&1) || exit 1
            [ "$bad" = 0 ] || exit 3
            exit 0
            ;;
        *) die proto 'neither s nor t nor the end' ;;
        esac
    done
    die proto 'the requests ended before their end'
}

main
