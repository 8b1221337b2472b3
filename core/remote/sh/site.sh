# site.sh - what stands before this machine.  For launch and probe.

# briefly COMMAND...: not for ever; a driver in trouble never answers.
briefly() {
    if has timeout && timeout 1 true 2>/dev/null; then
        timeout 10 "$@"
    else
        "$@"
    fi 2>/dev/null </dev/null
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
