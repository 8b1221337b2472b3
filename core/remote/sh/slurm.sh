# slurm.sh - Slurm's words for queue.sh.
q_name=slurm

# q_submit SCRIPT DIR: its id.  What a prolog or Slurm itself has to say goes beside our own log.
q_submit() {
    id=$(cd "$2" && sbatch --parsable --output="$2/batch.out" --open-mode=append "$1" "$2") || return 1
    id=${id%%;*}
    number "$id" && printf '%s\n' "$id"
}

# q_find NAME: the id of the job of that name.
q_find() {
    squeue -h -t all -u "$(id -un)" -n "$1" -o %i | head -n 1
}

# q_list: "ID STATE WHY" of each job of ours that it still knows.  A word that is new to us: it goes on.
q_list() {
    jobs=$(squeue -h -t all -u "$(id -un)" -o '%i|%T|%r') || return 1
    printf '%s\n' "$jobs" | awk -F '|' '
        $1 == "" { next }
        $3 == "None" { $3 = "-" }
        $2 ~ /^(PENDING|REQUEUED|REQUEUE_FED|REQUEUE_HOLD|RESV_DEL_HOLD|SPECIAL_EXIT)$/ { print $1, "queued", $3; next }
        $2 == "COMPLETED" { print $1, "over", "-"; next }
        $2 == "FAILED" { print $1, "over", "killed"; next }
        $2 == "CANCELLED" { print $1, "over", "cancelled"; next }
        $2 ~ /^(TIMEOUT|DEADLINE)$/ { print $1, "over", "timeout"; next }
        $2 == "OUT_OF_MEMORY" { print $1, "over", "memory"; next }
        $2 ~ /^(NODE_FAIL|BOOT_FAIL)$/ { print $1, "over", "node-failed"; next }
        $2 == "PREEMPTED" { print $1, "over", "preempted"; next }
        { print $1, "running", "-" }'
}

q_cancel() {
    scancel "$1"
}
