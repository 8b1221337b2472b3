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

# q_list: "ID STATE WHY NAME TEXT" of each job of ours that it still knows.  A word that is new to us: it goes on.
# A name may hold anything, another job's line too: each line begins with a mark that no name can know.
q_list() {
    mark=${a_nonce:-$$}
    squeue -h -r -t all -u "$(id -un)" -o "$mark|%i|%T|%r|%S|%j" >"$q_said" || return 1
    awk -F '|' -v mark="$mark" '
        $1 != mark || $2 !~ /^[0-9][0-9_+]*$/ { next }
        { s = "running"; why = "-"; text = ""; name = $6 }
        $3 ~ /^(PENDING|REQUEUED|REQUEUE_FED|REQUEUE_HOLD|RESV_DEL_HOLD|SPECIAL_EXIT)$/ { s = "queued"; why = $4 }
        s == "queued" && $5 ~ /^20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]/ {
            text = " starts about " substr($5, 1, 10) " " substr($5, 12, 5) " as of now"
        }
        $3 ~ /^(COMPLETED|FAILED|CANCELLED|TIMEOUT|DEADLINE|OUT_OF_MEMORY|NODE_FAIL|BOOT_FAIL|PREEMPTED)$/ { s = "over" }
        $3 == "FAILED" { why = "killed" }
        $3 == "CANCELLED" { why = "cancelled" }
        $3 ~ /^(TIMEOUT|DEADLINE)$/ { why = "timeout" }
        $3 == "OUT_OF_MEMORY" { why = "memory" }
        $3 ~ /^(NODE_FAIL|BOOT_FAIL)$/ { why = "node-failed" }
        $3 == "PREEMPTED" { why = "preempted" }
        why == "" || why == "None" || why ~ /[^A-Za-z0-9._:-]/ { why = "-" }
        NF > 6 || name !~ /^[A-Za-z0-9._-]+$/ { name = "?" }
        { print $2, s, why, name text }' "$q_said"
}

q_cancel() {
    scancel "$1"
}
