# slurm.sh - Slurm's words for queue.sh.
q_name=slurm

# q_submit SCRIPT DIR: its id.  What a prolog or Slurm itself has to say goes beside our own log.
q_submit() {
    id=$(cd "$2" && sbatch --parsable --output="$2/batch.out" --open-mode=append "$1" "$2") || return 1
    id=${id%%;*}
    number "$id" && printf '%s\n' "$id"
}

# q_member ID K: q_id of that member of an array.
q_member() {
    q_id=$1_$2
}

# q_drop ID: of an array what has not begun.
q_drop() {
    scancel --state=PENDING "$1"
}

# q_list: "ID STATE WHY NAME" of each job of ours that it still knows.  A word that is new to us: it goes on.
q_list() {
    jobs=$(squeue -h -r -t all -u "$(id -un)" -o '%i|%T|%r|%j') || return 1
    printf '%s\n' "$jobs" | awk -F '|' '
        $1 == "" { next }
        { s = "running"; why = "-" }
        $2 ~ /^(PENDING|REQUEUED|REQUEUE_FED|REQUEUE_HOLD|RESV_DEL_HOLD|SPECIAL_EXIT)$/ { s = "queued"; why = $3 }
        $2 ~ /^(COMPLETED|FAILED|CANCELLED|TIMEOUT|DEADLINE|OUT_OF_MEMORY|NODE_FAIL|BOOT_FAIL|PREEMPTED)$/ { s = "over" }
        $2 == "FAILED" { why = "killed" }
        $2 == "CANCELLED" { why = "cancelled" }
        $2 ~ /^(TIMEOUT|DEADLINE)$/ { why = "timeout" }
        $2 == "OUT_OF_MEMORY" { why = "memory" }
        $2 ~ /^(NODE_FAIL|BOOT_FAIL)$/ { why = "node-failed" }
        $2 == "PREEMPTED" { why = "preempted" }
        why == "" || why == "None" || why ~ /[^A-Za-z0-9._:-]/ { why = "-" }
        { print $1, s, why, $4 }'
}

q_cancel() {
    scancel "$1"
}
