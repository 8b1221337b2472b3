# sweep.sh - the supervisor's words for a sweep.  The run that was shipped, the lead, has the project's tree as
# its work, and a line "K WORDS" for each member in its file `sweep`; no program runs in it.  A member is
# a run like any other, TOKEN.K, made from the lead when its turn comes.

# make_member K: whole or not at all; fails when somebody else has made it.
make_member() {
    t=$v1/tmp/${d##*/}.$1.$$
    cleanup=$t
    e=$(mkdir "$t" 2>&1) || fail 'cannot make a member' "$e"
    copy "$d/work" "$t/work" || fail 'cannot copy the project' "$e"
    for f in job env opts rank gpu_type; do
        [ -f "$d/m.$f" ] || continue
        e=$(cp -p -- "$d/m.$f" "$t/$f" 2>&1) || fail 'cannot make a member' "$e"
    done
    e=$(cp -p -- "$d/sup" "$t/sup" 2>&1) || fail 'cannot make a member' "$e"
    [ ! -f "$d/queue" ] || e=$(cp -p -- "$d/queue" "$t/queue" 2>&1) || fail 'cannot make a member' "$e"
    e=$( (sed -n "s/^$1 //p" "$d/sweep" >"$t/vary") 2>&1) || fail 'cannot make a member' "$e"
    mark "$t"
    rename "$t" "$d.$1" && cleanup=''
}

# forget_secrets: when none is left that could need them.
forget_secrets() {
    while read -r k _; do
        [ -e "$d.$k" ] || return 0
    done <"$d/sweep"
    rm -f "$d/m.env"
}

# member DIR K: what the queue starts for each of them.
member() {
    d=$1 v1=${1%/runs/*}
    [ ! -s "$d/note" ] && number "$2" || exit 0
    [ -d "$d.$2" ] || (trap '[ -z "$cleanup" ] || wipe "$cleanup"' EXIT && make_member "$2") || [ -d "$d.$2" ] || exit 1
    forget_secrets
    umask "$user_umask"
    unset LC_ALL
    [ -z "$user_lc" ] || { LC_ALL=$user_lc && export LC_ALL; }
    exec sh "$d.$2/sup" run "$d.$2"
}

# room: so many at a time.  Nobody knows how much one takes unless it was said.
room() {
    option parallel 0
    room=$value
    [ "$room" = 0 ] || return 0
    option each_gpus 0
    if [ "$value" != 0 ]; then
        want_kind='' want_mb=0 each=$value
        list_gpus || gpus=''
        count_fitting
        room=$((n / each))
    else
        option each_cpus 0
        n=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null)
        if [ "$value" != 0 ] && number "$n"; then room=$((n / value)); fi
    fi
    [ "$room" -gt 0 ] || room=1
}

# begin K: what cannot start has ended, and the others go on.
begin() {
    if e=$( (
        trap '[ -z "$cleanup" ] || wipe "$cleanup"' EXIT
        make_member "$1"
    ) 2>&1 9<&-) && e=$( (start_run "$d.$1") 2>&1 9<&-); then
        going="$going $1"
        return 0
    fi
    # somebody was told to end it before it began
    [ ! -e "$d.$1/exit" ] || return 0
    printf 'member %s cannot start: %s\n' "$1" "$e"
    [ -d "$d.$1" ] || mkdir "$d.$1" 2>/dev/null
    put "$d.$1/exit" "code=1 sig=- reason=not-made start=0 end=$(now)"
}

# look_after: whom to wait for.
look_after() {
    left=''
    for k in $going; do
        state_of "$d.$k"
        case $state in
        ended | lost | none) printf 'member %s: %s code=%s reason=%s\n' "$k" "$state" "$code" "$reason" ;;
        *) left="$left $k" ;;
        esac
    done
    going=$left
}

# pass_on: what ends the sweep ends its members.
pass_on() {
    for k in $going; do
        put "$d.$k/note" stop
        if first "$d.$k/sup.id"; then
            fields
            if same "$f1" "$f2"; then kill -s TERM "$f1" 2>/dev/null; fi
        fi
    done
}

# sweep DIR: the program of the lead, where no queue starts the members.
sweep() {
    d=$1 v1=${1%/runs/*} going='' stopping='' passed='' more=1
    # their supervisors outlive this one when it is killed
    unset GNRRUN_MARK
    trap 'stopping=1' TERM
    room
    exec 9<"$d/sweep"
    while [ -n "$going$more" ]; do
        [ ! -s "$d/note" ] || stopping=1
        if [ -n "$stopping$passed" ]; then
            more=''
            [ -n "$passed" ] || pass_on
            passed=1
        fi
        look_after
        # shellcheck disable=SC2086 # words
        set -- $going
        if [ $# -lt "$room" ] && [ -n "$more" ]; then
            if read -r k _ <&9 && number "$k"; then
                [ -e "$d.$k" ] || begin "$k" || exit 1
                continue
            fi
            more=''
            continue
        fi
        [ -z "$going" ] || nap 0.5
    done
    forget_secrets
    exit 0
}
