# launch.sh - the project's tree a_id comes here; the run a_token, if one is wanted, is put
# together from it and started.  Whatever happens on the way, there is a whole tree and a
# whole run or none, and asking again goes on from there.
#
# One tree of a project lies here.  It is moved forward to what is shipped next, at the cost
# of what changed: taken away under a name of ours, changed, put down under its new name.  A
# run works in a copy of its own that no program has seen before, for programs write into
# their files in place.  A copy made in advance (a spare) is moved forward in the same way,
# so that nobody has to wait for the copying.

# --- what is there ---

# look: snap=have, base or full.  A change that was cut off has left a tree BASE+NEW: the
# same change, made again, completes it, and nothing else can be made of it.
look() {
    snap=full base='' from=''
    if [ -d "$whole" ]; then snap=have; return 0; fi
    for b in ${a_base:-}; do
        for from in "$b" "$b+$a_id"; do
            if [ -d "$snaps/$from" ]; then snap=base base=$b; return 0; fi
        done
    done
    return 1
}

# held: has somebody alive a tree in hand that could be wanted here?  What a dead one left
# whole is put back.
held() {
    for h in "$v1/tmp"/*/holds; do
        first "$h" || continue
        fields
        [ "$f1" = "$a_proj" ] || continue
        case " $a_id ${a_base:-} " in *" $f2 "* | *" $f3 "*) ;; *) continue ;; esac
        was=$f2 will=$f3 d=${h%/holds}
        if is_held "$d"; then return 0; fi
        [ ! -e "$d/changing" ] || was=$was+$will
        if rename "$d/tree" "$snaps/$was"; then return 0; fi
    done
    return 1
}

what_is_there() {
    snaps=$v1/snap/$a_proj whole=$v1/snap/$a_proj/$a_id
    n=0
    while ! look && held && [ "$n" -lt 100 ]; do
        nap
        n=$((n + 1))
    done
}

# --- moving forward ---

# take_base: it is ours alone, and whoever copies from it sees by "moved" that he must not trust his copy.
take_base() {
    note "$t/holds" "$a_proj $base $a_id" || unwritable "$t"
    if ! rename "$snaps/$from" "$t/tree"; then die moved 'another ship of this project came between'; fi
    if ! { : >"$t/changing"; } 2>/dev/null || ! note "$snaps/.moved" "$a_nonce"; then unwritable "$t"; fi
}

# give_back: what was left half changed, for the same change to go on.
give_back() {
    if [ -e "$cleanup/changing" ] && [ -d "$cleanup/tree" ]; then rename "$cleanup/tree" "$snaps/$base+$a_id"; fi
}

discard() {
    give_back
    keep_whole
}

# move_forward: from $base to a_id, by what was spooled.
move_forward() {
    take_base
    change "$t"
    spare_forward change
}

# move_quickly: so little that it is changed while it comes; a_before is what must go.
move_quickly() {
    take_base
    remove_in "$t"
    if [ -z "$a_token" ] && [ ! -d "$spares/$base" ]; then
        unpack_quickly
    else
        spool
        e=$(tar -xpof "$t/tar" -C "$t" 2>&1) || torn "$e"
        [ -f "$t/after" ] || die tar 'the archive ended before its end'
    fi
    finish_in "$t"
    spare_forward change_quickly
}

remove_in() {
    [ -z "${a_before:-}" ] || e=$(cd "$1/tree" && eval "$a_before" 2>&1) || fail 'cannot delete in the copy' "$e"
}

finish_in() {
    [ ! -s "$t/after" ] || e=$(cd "$1" && sh -e "$t/after" </dev/null 2>&1) || fail 'cannot put files together' "$e"
}

change_quickly() {
    remove_in "$1"
    e=$(tar -xpof "$t/tar" -C "$1" tree 2>&1) || torn "$e"
    finish_in "$1"
}

# put_down: the tree gets its name, unless somebody else's has it.
put_down() {
    [ -d "$snaps" ] || e=$(mkdir -p -- "$snaps" 2>&1) || fail 'cannot make the folder of snapshots' "$e"
    rename "$t/tree" "$whole" || [ -d "$whole" ] || die sys "cannot make $whole"
}

# spare_forward CHANGE: what cannot be moved is copied anew.
spare_forward() {
    [ -d "$spares/$base" ] || return 0
    if mkdir "$t/spare" && ln -s ../x "$t/spare/x" && rename "$spares/$base" "$t/spare/tree"; then
        ($1 "$t/spare") >/dev/null 2>&1 || wipe "$t/spare"
    fi
}

receive() {
    how_packed
    case $snap,${a_quick:-0} in
    full,1)
        unpack_quickly
        finish_in "$t"
        ;;
    full,*)
        unpack "$t"
        # a folder without the right to write would keep us from changing it later
        find "$t/tree" -type d ! -perm -700 -exec chmod u+rwx {} \;
        ;;
    have,*) spool run after ;;
    *,1) move_quickly ;;
    *)
        if [ -n "$a_token" ]; then spool before run x after; else spool before x after; fi
        move_forward
        ;;
    esac
    [ -z "$a_token" ] || { [ -f "$t/run/job" ] && [ -f "$t/run/sup" ]; } || die tar 'a part of the run is missing'
    [ "$snap" = have ] || put_down
}

# --- the run ---

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

# copy_whole TO [NICE...]: of the tree as it lies there, if it was not moved meanwhile.
copy_whole() {
    first "$snaps/.moved"
    moved=$line
    copy "$whole" "$@" || return 1
    first "$snaps/.moved"
    [ "$line" = "$moved" ] && [ -d "$whole" ]
}

# make_work: the run's own copy.
make_work() {
    if [ -d "$t/spare/tree" ]; then
        mv -- "$t/spare/tree" "$t/work" && return
    fi
    if rename "$spares/$a_id" "$t/work"; then return; fi
    while ! copy_whole "$t/work"; do
        [ -d "$whole" ] || die moved 'another ship of this project came between'
        [ "$line" != "$moved" ] || fail 'cannot copy the project' "$e"
        wipe "$t/work"
    done
}

# furnish: the run's folder, whole but for its name.
furnish() {
    make_work
    eval "${a_links:-}"
    wipe "$t/tree"
    e=$(mv -f -- "$t/run"/* "$t/" 2>&1) || fail 'cannot put the run together' "$e"
    for f in run spare x tar before after by holds changing lanes; do set -- "$@" "$t/$f"; done
    rm -rf -- "$@"
    chmod go-rwx "$t" "$t/job" "$t/sup"
    for f in "$t/env" "$t/m.env"; do [ ! -f "$f" ] || chmod 0600 "$f"; done
    mark "$t"
}


# --- afterwards, while nobody waits ---

# tidy: what nobody finished in a day goes, and what was long unused.
tidy() {
    touch -c "$whole"
    find "$v1/tmp/." ! -name . -prune -mtime +0 | while IFS= read -r f; do
        case $f in "$v1/tmp/./"*) wipe "$f" ;; esac
    done
    for f in "$v1/spare"/*/*; do
        [ -z "$(find "$f" -prune -mtime +6 2>/dev/null)" ] || wipe "$f"
    done
    prune "$a_proj"
}

# make_spare: where there is room for it (four times a_spare KiB).
make_spare() {
    [ "${a_spare:-0}" != 0 ] && [ -d "$whole" ] && [ ! -d "$spares/$a_id" ] || return 0
    # shellcheck disable=SC2046 # words
    set -- $(df -kP "$v1" | tail -n 1)
    if ! number "$a_spare" || ! number "${4:-}" || ! more "$4" "$((a_spare * 4))"; then return; fi
    s=$v1/tmp/spare.$a_nonce
    mkdir "$s" || return
    set --
    if nice -n 10 true 2>/dev/null; then set -- nice -n 10; fi
    if ionice -c 3 true 2>/dev/null; then set -- "$@" ionice -c 3; fi
    if copy_whole "$s/tree" "$@"; then
        for f in "$spares"/*; do wipe "$f"; done
        mkdir -p "$spares"
        rename "$s/tree" "$spares/$a_id"
    fi
    wipe "$s"
}

afterwards() {
    (
        trap '' HUP
        [ -z "$leftover" ] || wipe "$leftover"
        tidy
        make_spare
    ) </dev/null >/dev/null 2>&1 &
}

# --- ---

# bring: the tree, and the run's files.
bring() {
    # what must go came with the question only where all was sent unasked
    if [ "$snap" = base ] && [ -z "${a_sure:-}" ]; then a_quick=0; fi
    [ "${a_quick:-0}" = 1 ] || tick_start "$t"
    receive
    close_lanes
    if [ -n "$a_token" ]; then
        furnish
        cleanup=$t
        if rename "$t" "$run"; then cleanup=; fi
        [ -d "$run" ] || die sys "cannot make $run"
    elif [ -d "$t/spare/tree" ]; then
        for f in "$spares"/*; do wipe "$f"; done
        rename "$t/spare/tree" "$spares/$a_id"
    fi
    # what is left in it goes when nobody waits
    leftover=$cleanup cleanup=
    tick_stop
}

# ask_for_queue: one that is installed and does not answer is not asked again for an hour.
ask_for_queue() {
    [ ! -e "$v1/queue.none" ] || [ -z "$(find "$v1/queue.none" -prune -mmin -60 2>/dev/null)" ] || return 0
    find_queue
    if [ "$queue" != - ] || ! { has sbatch || has qsub; }; then return; fi
    { : >"$v1/queue.none"; } 2>/dev/null || :
}

# as_thought: does what is on its way without having been asked for fit?
as_thought() {
    [ -n "${a_sure:-}" ] || return 0
    [ "$state" = none ] && { [ "$snap" = have ] || [ "$base" = "$a_sure" ]; }
}

main() {
    greet
    : "${a_token:=}" "${a_proj:=}" "${a_id:=}" "${a_nonce:=}" "${a_client:=}"
    # shellcheck disable=SC2086 # words
    for w in "${a_token:-x}" "$a_proj" "$a_id" "$a_nonce" "${a_client:-x}" ${a_base:-} "${a_sure:-x}"; do
        word "$w"
    done
    find_root
    if ! [ -d "$v1/snap" ] || ! [ -d "$v1/tmp" ] || ! [ -d "$v1/runs" ]; then make_root; fi
    boot_id
    host_name
    run=$v1/runs/$a_token t=$v1/tmp/$a_nonce spares=$v1/spare/$a_proj parts=0 lanes=0 state=none leftover=''
    choose_zstd
    what_is_there
    [ -z "$a_token" ] || state_of "$run"
    queue=-
    if [ -n "$a_token" ] && [ -z "${a_sched:-}" ]; then
        case $state in none | prepared) ask_for_queue ;; esac
    fi
    if [ "$state$queue" = none- ] && as_thought && [ "$snap$a_token" != have ]; then
        if [ "$snap" = full ]; then begin_full; else begin; fi
        make_lanes
    fi
    case ${SHELL:-} in
    */bash | */zsh | */dash | */ksh | */mksh | */ash | */sh) plain=1 ;;
    *) plain=0 ;;
    esac
    say "launch run=$state snap=$snap base=${base:--} zstd=$zstd parts=$parts plain=$plain lanes=$lanes dir=${t##*/} queue=$queue"
    # a login node is nobody's to train on, unless that was said
    if [ "$queue" != - ] || ! as_thought; then
        cat >/dev/null
        exit 0
    fi
    if [ "$state" = none ] && [ "$snap$a_token" != have ]; then bring; fi
    if [ -n "$a_token" ]; then
        state_of "$run"
        if [ "$state" = prepared ] && [ "${a_start:-1}" = 1 ]; then
            if [ -n "$away" ]; then submit_run "$run"; else start_run "$run"; fi
        fi
        status_line "$a_token"
    else
        say 'ok'
    fi
    afterwards
    finish_ok
}

main
