# blob.sh - one large file by itself, a_key, so that it can go on where it was cut off.  It
# waits in tmp/part.KEY until a launch or put takes it into its tree.

# take_over: whoever still writes it has lost his line, if he is the same client.
take_over() {
    first "$part.by" || return 0
    fields
    [ "$f3" = "$boot" ] && same "$f1" "$f2" || return 0
    pid=$f1 since=$f2
    [ "$f4" = "$here-$a_client" ] || die busy 'somebody else is sending that file'
    members "$pid" none
    signal KILL
    n=0
    while same "$pid" "$since" && [ "$n" -lt 50 ]; do nap; n=$((n + 1)); done
}

discard() {
    rm -f "$part.by"
}

main() {
    greet
    : "${a_key:=}" "${a_client:=}"
    word "$a_key"
    word "$a_client"
    make_root
    boot_id
    host_name
    choose_zstd
    part=$v1/tmp/part.$a_key
    take_over
    start_of $$
    put "$part.by" "$$ ${started:-0} $boot $here-$a_client" ||
        die nospace "cannot write in $v1/tmp: is the disk full?"
    cleanup=$part.by
    [ -f "$part" ] || e=$( (: >"$part") 2>&1) || fail "cannot make $part" "$e"
    size_of "$part" || die sys "cannot look at $part"
    say "blob size=$size zstd=$zstd"
    tick_start "$part"
    line=
    IFS= read -r line
    case $line in
    z) e=$({ zstd -dcq >>"$part"; echo "rc=$?"; } 2>&1 | shorten) ;;
    .) e=$({ cat >>"$part"; echo "rc=$?"; } 2>&1 | shorten) ;;
    *) e=rc=0 ;;
    esac
    case $e in *'o space left'* | *[Qq]'uota'*) fail 'cannot write' "$e" ;; esac
    size_of "$part" || die sys "cannot look at $part"
    tick_stop
    say "ok size=$size"
    finish_ok
}

main
