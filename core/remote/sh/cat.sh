# cat.sh - a_length bytes from a_offset of the file a_path in the work folder of the run
# a_token; without a length, to its end.  a_sum=1: and the hash of all of it, which is made
# while the bytes are on their way; a_sum=still: whether nobody wrote to it meanwhile.

# seen: what changes when somebody writes to $file, as finely as can be told.
seen() {
    r=$(stat -c '%s %y %z' -- "$file" 2>/dev/null || stat -f '%z %Fm %Fc' -- "$file" 2>/dev/null || ls -lnd -- "$file")
}

sum_aside() {
    case $hash in
    sha256sum) exec sha256sum ;;
    shasum) exec shasum -a 256 ;;
    openssl) exec openssl dgst -sha256 -r ;;
    cksum) exec cksum ;;
    esac
}

# with_sum OFFSET LENGTH: those bytes, then "h HASH", "-" if somebody wrote to it meanwhile.
with_sum() {
    seen
    before=$r
    exec 3>&1
    h=$(
        sum_aside <"$file" 2>/dev/null &
        sum=$!
        if [ "$2" = 0 ] || bytes "$file" "$1" "$2" >&3; then
            tick_start >&3 3>&- # its sleep outlives it
            wait "$sum"
            tick_stop
        else
            kill "$sum"
            exit 1
        fi
    ) || exit 1
    exec 3>&-
    seen
    case $hash,$h in
    none,* | *,) h=- ;;
    cksum,*) h=${h% } h=${h%% *}:${h#* } h=${h%% *} ;;
    *) h=${h%% *} ;;
    esac
    [ "$r" = "$before" ] || h=-
    say "h $h"
}

# while_still OFFSET LENGTH: those bytes, then "h =", "h -" if somebody wrote to it meanwhile.
while_still() {
    seen
    before=$r
    [ "$2" = 0 ] || bytes "$file" "$1" "$2" || exit 1
    seen
    h='='
    [ "$r" = "$before" ] || h='-'
    say "h $h"
}

main() {
    greet
    find_root
    word "${a_token:=}"
    : "${a_path:=}" "${a_offset:=0}" "${a_length:=}" "${a_sum:=0}"
    cd "$v1/runs/$a_token/work" 2>/dev/null || die notfound "there is no run $a_token with a work folder"
    file=./$a_path
    number "$a_offset" || die proto "offset is no number: $a_offset"
    [ -e "$file" ] || die notfound "there is no file $a_path"
    readable=1
    if [ ! -f "$file" ] || [ ! -r "$file" ]; then
        # where a hash is asked for, that is an answer like any other
        readable=0
        [ "$a_sum" != 0 ] || die readonly "cannot read $a_path"
    fi
    if [ "$a_sum" = 1 ]; then choose_quick_hash; fi
    size_of "$file" || die sys "cannot see $a_path"
    mtime=$(stat -c %Y -- "$file" 2>/dev/null || stat -f %m -- "$file" 2>/dev/null || echo 0)
    say "cat size=$size mtime=$mtime"
    if [ "$readable" = 0 ]; then
        say 'd 0'
        say 'h -'
        finish_ok
    fi
    math "$size" - "$a_offset"
    case $r in -*) r=0 ;; esac
    if number "$a_length" && more "$r" "$a_length"; then r=$a_length; else math "$size" - "$a_offset"; fi
    case $r in -*) r=0 ;; esac
    say "d $r"
    case $a_sum in
    1) with_sum "$a_offset" "$r" ;;
    still) while_still "$a_offset" "$r" ;;
    *) [ "$r" = 0 ] || bytes "$file" "$a_offset" "$r" || exit 1 ;;
    esac
    finish_ok
}

main
