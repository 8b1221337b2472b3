# put.sh - the folder data/a_id, shared by all runs, never changed once it is there.

# look: snap=have, base or full.
look() {
    snap=full base=
    if [ -e "$there" ]; then snap=have; return; fi
    for b in ${a_base:-}; do
        if [ -d "$v1/data/$b" ]; then snap=base base=$b; return; fi
    done
}

# copy_links FROM TO: a tree of the same files; where the disk cannot do that, of copies.
copy_links() {
    cp -al -- "$1" "$2" 2>/dev/null && return 0
    wipe "$2"
    e=$(cp -pPR -- "$1" "$2" 2>&1) || fail 'cannot copy the data' "$e"
}

receive() {
    how_packed
    if [ "$snap" = full ]; then
        unpack "$t"
        rm -f "$t/before"
        return
    fi
    spool before x after
    copy_links "$v1/data/$base" "$t/tree"
    # folders are ours alone, files are not: their permissions stay
    find "$t/tree" -type d -exec chmod u+rwx {} +
    change "$t"
}

main() {
    greet
    : "${a_id:=}" "${a_nonce:=}" "${a_client:=}"
    # shellcheck disable=SC2086 # words
    for w in "$a_id" "$a_nonce" "${a_client:-x}" ${a_base:-}; do
        word "$w"
    done
    [ "${a_ns:-data}" = data ] || die proto "no such place: $a_ns"
    make_root
    boot_id
    host_name
    choose_zstd
    there=$v1/data/$a_id t=$v1/tmp/$a_nonce parts=0
    look
    if [ "$snap" = have ]; then
        say "put have=1 base=- zstd=$zstd parts=0"
        say ok
        exit 0
    fi
    if [ "$snap" = full ]; then begin_full; else begin; fi
    make_lanes
    say "put have=0 base=${base:--} zstd=$zstd parts=$parts lanes=$lanes dir=${t##*/}"
    tick_start "$t"
    receive
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
