# put.sh - the folder data/a_id, shared by all runs, never changed once it is there.

main() {
    greet
    : "${a_id:=}" "${a_nonce:=}"
    word "$a_id"
    word "$a_nonce"
    [ "${a_ns:-data}" = data ] || die proto "no such place: $a_ns"
    make_root
    choose_zstd
    there=$v1/data/$a_id
    if [ -e "$there" ]; then
        say "put have=1 zstd=$zstd"
        say ok
        exit 0
    fi
    t=$v1/tmp/$a_nonce
    e=$(mkdir "$t" 2>&1) || fail "cannot make $t" "$e"
    cleanup=$t
    say "put have=0 zstd=$zstd"
    tick_start "$t"
    unpack "$t"
    [ -e "$t/tree" ] || die tar 'there is no tree in the archive'
    chmod -R a-w "$t/tree"
    # some systems will not rename a folder that they may not write to
    [ ! -d "$t/tree" ] || chmod u+w "$t/tree"
    rename "$t/tree" "$there" || [ -e "$there" ] || die sys "cannot make $there"
    [ ! -d "$there" ] || chmod a-w "$there"
    tick_stop
    say ok
    exit 0
}

main
