# rm.sh - remove the runs a_tokens; with a_force also those that run.

# unused: of each project the 3 snapshots used last stay.
unused() {
    for p in "$v1/snap"/*; do
        [ -d "$p" ] && prune "${p##*/}"
    done
}

remove() {
    state_of "$v1/runs/$1"
    case $state,$away in
    none,*) return 0 ;;
    queued,1 | starting,1 | running,1 | stopping,1)
        [ "${a_force:-0}" = 1 ] || die busy "$1 is in the queue or runs"
        [ -z "${q_id:-}" ] || q_cancel "$q_id" >/dev/null 2>&1 || :
        ;;
    queued,* | starting,* | running,* | stopping,*)
        [ "${a_force:-0}" = 1 ] || die busy "$1 is running"
        # nobody will ask how it ended
        if [ -n "${sup_pid:-}" ] && same "$sup_pid" "$sup_start"; then kill -s KILL "$sup_pid"; fi
        grace=0
        [ "${job_pid:-0}" = 0 ] || end_all "$job_pid" "$sup_boot.$sup_pid.$sup_start."
        ;;
    elsewhere,*)
        [ "${a_force:-0}" = 1 ] || die busy "$1 runs on $host"
        ;;
    esac
    e=$(mv -f -- "$v1/runs/$1" "$v1/tmp/rm-$1.$$" 2>&1) || fail "cannot remove $1" "$e"
    e=$(wipe "$v1/tmp/rm-$1.$$" 2>&1) || fail "cannot remove $1" "$e"
}

main() {
    greet
    find_root
    tick_start
    for t in ${a_tokens:-}; do
        word "$t"
        remove "$t"
    done
    unused >/dev/null 2>&1
    tick_stop
    say ok
    exit 0
}

main
