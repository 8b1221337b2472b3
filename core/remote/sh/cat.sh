# cat.sh - a_length bytes from a_offset of the file a_path in the work folder of the run
# a_token; without a length, to its end.  a_sum=1: and the hash of all of it, which is made
# while the bytes are on their way.

# blocks FIRST N: blocks of 64 KB of $file.  Larger reads cost less.
blocks() {
    skip=$1 n=$2
    if [ $((skip % 16)) = 0 ] && [ "$n" -ge 16 ]; then
        dd if="$file" bs=1048576 skip=$((skip / 16)) count=$((n / 16)) 2>/dev/null || return 1
        skip=$((skip + n / 16 * 16)) n=$((n % 16))
    fi
    [ "$n" = 0 ] || dd if="$file" bs=65536 skip="$skip" count="$n" 2>/dev/null
}

# part OFFSET LENGTH: those bytes of $file, each copied as rarely as can be.  Odd bytes at either
# end go by a pipe.
part() {
    math "$1" % 65536
    odd=$r
    math "$1" / 65536
    at=$r left=$2
    if [ "$odd" != 0 ]; then
        n=$((65536 - odd))
        if more "$n" "$left"; then n=$left; fi
        blocks "$at" 1 | tail -c +"$((odd + 1))" | head -c "$n" || return 1
        math "$at" + 1
        at=$r
        math "$left" - "$n"
        left=$r
    fi
    math "$left" / 65536
    whole=$r
    math "$left" % 65536
    odd=$r
    blocks "$at" "$whole" || return 1
    math "$at" + "$whole"
    [ "$odd" = 0 ] || blocks "$r" 1 | head -c "$odd"
}

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

# with_sum OFFSET LENGTH: part, then "h HASH", "-" if somebody wrote to it meanwhile.
with_sum() {
    seen
    before=$r
    exec 3>&1
    h=$(
        sum_aside <"$file" 2>/dev/null &
        sum=$!
        if [ "$2" = 0 ] || part "$1" "$2" >&3; then
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

main() {
    greet
    find_root
    word "${a_token:=}"
    : "${a_path:=}" "${a_offset:=0}" "${a_length:=}" "${a_sum:=0}"
    cd "$v1/runs/$a_token/work" 2>/dev/null || die notfound "there is no run $a_token with a work folder"
    file=./$a_path
    number "$a_offset" || die proto "offset is no number: $a_offset"
    [ -e "$file" ] || die notfound "there is no file $a_path"
    if [ ! -f "$file" ] || [ ! -r "$file" ]; then die readonly "cannot read $a_path"; fi
    if [ "$a_sum" = 1 ]; then choose_quick_hash; fi
    size_of "$file" || die sys "cannot see $a_path"
    mtime=$(stat -c %Y -- "$file" 2>/dev/null || stat -f %m -- "$file" 2>/dev/null || echo 0)
    say "cat size=$size mtime=$mtime"
    math "$size" - "$a_offset"
    case $r in -*) r=0 ;; esac
    if number "$a_length" && more "$r" "$a_length"; then r=$a_length; else math "$size" - "$a_offset"; fi
    case $r in -*) r=0 ;; esac
    say "d $r"
    if [ "$a_sum" = 1 ]; then
        with_sum "$a_offset" "$r"
    else
        [ "$r" = 0 ] || part "$a_offset" "$r" || exit 1
    fi
    finish_ok
}

main
