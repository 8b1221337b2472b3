# cat.sh - a_length bytes from a_offset of the file a_path in the work folder of the run
# a_token; without a length, to its end.

main() {
    greet
    find_root
    word "${a_token:=}"
    : "${a_path:=}" "${a_offset:=0}" "${a_length:=}"
    cd "$v1/runs/$a_token/work" 2>/dev/null || die notfound "there is no run $a_token with a work folder"
    f=./$a_path
    number "$a_offset" || die proto "offset is no number: $a_offset"
    [ -e "$f" ] || die notfound "there is no file $a_path"
    if [ ! -f "$f" ] || [ ! -r "$f" ]; then die readonly "cannot read $a_path"; fi
    size_of "$f" || die sys "cannot see $a_path"
    mtime=$(stat -c %Y -- "$f" 2>/dev/null || stat -f %m -- "$f" 2>/dev/null || echo 0)
    say "cat size=$size mtime=$mtime"
    math "$size" - "$a_offset"
    case $r in -*) r=0 ;; esac
    if number "$a_length" && more "$r" "$a_length"; then r=$a_length; else math "$size" - "$a_offset"; fi
    case $r in -*) r=0 ;; esac
    say "d $r"
    [ "$r" = 0 ] || bytes "$f" "$a_offset" "$r" || exit 1
    finish_ok
}

main
