# site.sh - what stands before this machine.  For launch and probe.

# briefly COMMAND...: its lines and its status, after 11 s at the latest.  One that hangs within the kernel cannot be
# killed: it is left behind, and holds only a pipe of its own.
briefly() {
    if has timeout && timeout -s KILL 1 true 2>/dev/null; then set -- timeout -s KILL 10 "$@"; fi
    (
        # by exec: a shell keeps a copy of what it redirects for less than its life
        exec 2>/dev/null </dev/null
        sleep 11 &
        late=$!
        printf '%s\n' "gn-brief nap $late"
        {
            "$@"
            printf '\n%s\n' "gn-brief status $?"
        } &
        wait "$late" && printf '\n%s\n' 'gn-brief status 124'
    ) | (
        nap_of='' status=124
        while IFS= read -r text; do
            case $text in
            'gn-brief nap '*) nap_of=${text##* } ;;
            'gn-brief status '*) status=${text##* } && break ;;
            ?*) printf '%s\n' "$text" ;;
            esac
        done
        [ -z "$nap_of" ] || kill "$nap_of" 2>/dev/null
        exit "$status"
    )
}

# find_queue: queue=the batch system that takes jobs here, or -.  A command alone is no proof: it is asked.
find_queue() {
    queue=-
    has sbatch || has qsub || return 0
    if has sbatch && briefly sinfo -h >/dev/null; then
        queue=slurm
    elif has qsub; then
        # Grid Engine's says so in its first line; PBS's knows no such option
        case ${SGE_ROOT:-}$(briefly qstat -help | head -n 1) in
        /* | *GE*) ! briefly qstat >/dev/null || queue=sge ;;
        *) ! briefly qstat -B >/dev/null || queue=pbs ;;
        esac
    fi
}
