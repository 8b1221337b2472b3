# launch.sh - the run a_token: what it needs comes here, is put together beside, gets
# its name whole, and is started.  Whatever happens on the way, there is a whole run
# or none, and asking again goes on from there.

# link TARGET PATH: PATH in the work folder is TARGET; a_links calls it.
link() {
    case $1 in
    data/*) target=$v1/$1 ;;
    \~/*) target=${HOME:-}${1#?} ;;
    *) target=$1 ;;
    esac
    [ -e "$target" ] || die notfound "there is no data at $target"
    case /$2/ in */../* | //*) die proto "not a path inside: $2" ;; esac
    case $2 in */*) e=$(mkdir -p -- "$t/work/${2%/*}" 2>&1) || fail "cannot make $2" "$e" ;; esac
    e=$(ln -s -- "$target" "$t/work/$2" 2>&1) || fail "cannot link $2" "$e"
}

# copy_links FROM TO: a tree of the same files; where the disk cannot do that, of copies.
copy_links() {
    cp -al -- "$1" "$2" 2>/dev/null && return 0
    wipe "$2"
    copy "$1" "$2"
}

# copy FROM TO: real copies, for programs write into their files in place; blocks are
# shared where the file system does it by itself.
copy() {
    if : >"$t/probe" && cp --reflink=auto "$t/probe" "$t/probe2" 2>/dev/null; then
        e=$(cp -pPR --reflink=auto -- "$1" "$2" 2>&1)
    else
        e=$(cp -pPR -- "$1" "$2" 2>&1)
    fi || fail "cannot copy the project" "$e"
    rm -f "$t/probe" "$t/probe2"
}

# deletions: lines of `rm -rf -- 'path'...` up to the line ".".
deletions() {
    while IFS= read -r line; do
        case $line in
        .) return 0 ;;
        'rm -rf -- '*) (cd "$t/tree" && eval "$line") 2>/dev/null || die sys 'cannot delete in the copy' ;;
        *) die proto 'neither a deletion nor the end of them' ;;
        esac
    done
    die proto 'the stream ended before its end'
}

# begin_tree: the tree that the stream changes.
begin_tree() {
    e=$(mkdir "$t" 2>&1) || fail "cannot make $t" "$e"
    cleanup=$t
    if [ "$snap" = base ]; then
        touch "$base" 2>/dev/null
        copy_links "$base" "$t/tree"
        # a folder without the right to write would keep us from changing it
        find "$t/tree" -type d ! -perm -700 -exec chmod u+rwx {} \;
    else
        e=$(mkdir "$t/tree" 2>&1) || fail "cannot make $t/tree" "$e"
    fi
}

# receive: deletions, archive, what is to be done after it.
receive() {
    deletions
    unpack "$t"
    if ! [ -f "$t/run/job" ] || ! [ -f "$t/run/sup" ]; then die tar 'a part of the run is missing'; fi
}

# take_name: the tree becomes the snapshot, unless somebody else's was there first.
take_name() {
    [ "$snap" != have ] || return 0
    e=$(mkdir -p -- "$v1/snap/$a_proj" 2>&1) || fail 'cannot make the folder of snapshots' "$e"
    rename "$t/tree" "$whole" || [ -d "$whole" ] || die sys "cannot make $whole"
}

# furnish: the run's folder, whole but for its name.
furnish() {
    touch "$whole" 2>/dev/null
    copy "$whole" "$t/work"
    find "$t/work" -type d ! -perm -700 -exec chmod u+rwx {} \;
    eval "${a_links:-}"
    wipe "$t/tree"
    e=$(mv -f -- "$t/run"/* "$t/" 2>&1) || fail 'cannot put the run together' "$e"
    rmdir "$t/run"
    chmod go-rwx "$t" "$t/job" "$t/sup"
    [ ! -f "$t/env" ] || chmod 0600 "$t/env"
    mark
}

# mark: what the run changes is younger than this file; on some disks a clock stands
# still for a second.
mark() {
    e=$( (: >"$t/shipped") 2>&1) || fail 'cannot put the run together' "$e"
    n=0
    while [ "$n" -lt 30 ]; do
        e=$( (: >"$t/later") 2>&1) || fail 'cannot put the run together' "$e"
        [ -z "$(find "$t/later" -newer "$t/shipped")" ] || break
        rm -f "$t/later"
        sleep 0.01 2>/dev/null || sleep 1
        n=$((n + 1))
    done
    rm -f "$t/later"
}

# start_run: silence means that it runs, or that somebody else has started it.
start_run() {
    e=$(
        (
            umask "$user_umask"
            unset LC_ALL
            [ -z "$user_lc" ] || { LC_ALL=$user_lc && export LC_ALL; }
            in_session sh "$run/sup" run "$run"
        ) </dev/null 2>&1 &
    )
    # a shell that does not know the user's locale says so, before anything of ours
    case ${e##*"$nl"} in
    nospace\ * | notfound\ * | sys\ *)
        e=${e##*"$nl"}
        die "${e%% *}" "${e#* }"
        ;;
    esac
    [ -z "$e" ] || [ -d "$run/lock" ] || die sys "the supervisor says: $e"
}

# tidy: what nobody finished in a day goes, and snapshots long unused.
tidy() {
    find "$v1/tmp/." ! -name . -prune -mtime +0 | while IFS= read -r f; do
        case $f in "$v1/tmp/./"*) wipe "$f" ;; esac
    done
    prune "$a_proj"
}

# what_is_there: snap=have, base or full.
what_is_there() {
    whole=$v1/snap/$a_proj/$a_id base=$v1/snap/$a_proj/${a_base:-.} snap=full
    if [ -d "$whole" ]; then
        snap=have
    elif [ -n "${a_base:-}" ] && [ -d "$base" ]; then
        snap=base
    fi
}

ship() {
    t=$v1/tmp/$a_nonce
    tick_start "$t"
    begin_tree
    receive
    take_name
    furnish
    cleanup=$t
    if rename "$t" "$run"; then cleanup=; fi
    [ -d "$run" ] || die sys "cannot make $run"
    tidy >/dev/null 2>&1
    tick_stop
}

main() {
    greet
    : "${a_token:=}" "${a_proj:=}" "${a_id:=}" "${a_nonce:=}"
    for w in "$a_token" "$a_proj" "$a_id" "$a_nonce" "${a_base:-x}"; do
        word "$w"
    done
    make_root
    run=$v1/runs/$a_token
    choose_zstd
    what_is_there
    state_of "$run"
    say "launch run=$state snap=$snap zstd=$zstd"
    [ "$state" != none ] || ship
    state_of "$run"
    if [ "$state" = prepared ] && [ "${a_start:-1}" = 1 ]; then start_run; fi
    status_line "$a_token"
    finish_ok
}

main
