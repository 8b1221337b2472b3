# sup.sh - the supervisor: `sh sup run DIR` starts DIR/job, watches it, ends it when
# it is told to or its time is over, and writes down how it went.  It answers on its
# stdout: nothing when the job runs (or somebody else had started it), else one line
# "CODE text" for the other end; then it closes it.

# refuse CODE TEXT: nothing was started, and a later try finds no trace.
refuse() {
    rm -f "$d/sup.id.$$" "$d/exit.pre.$$"
    printf '%s %s\n' "$1" "$2"
    # in a job of a queue nobody hears it
    if [ -f "$d/queue" ]; then
        printf 'gnrrun: %s\n' "$2" >>"$d/log"
        put "$d/exit" "code=1 sig=- reason=not-made start=0 end=$(now)"
    fi
    exit 1
}

option() {
    value=$2
    [ -f "$d/opts" ] || return 0
    while IFS='=' read -r key v || [ -n "$key" ]; do
        if [ "$key" = "$1" ] && number "$v"; then value=$v; fi
        key=''
    done <"$d/opts"
}

# reserve: take the room for the first and the last word while there is some: a full
# disk must neither start half a run nor swallow its exit status.
reserve() {
    printf '%s\n' "$$ $started $boot $here" >"$d/sup.id.$$" || return 1
    dots=................................................................
    while [ ${#dots} -lt 4096 ]; do
        dots=$dots$dots
    done
    printf '%s\n' "$dots" >"$d/exit.pre.$$" || return 1
    : >>"$d/log"
}

# claim: one supervisor for ever; the names appear only once all is there.
claim() {
    start_of $$ || refuse sys 'cannot see my own process'
    boot_id
    here=$(uname -n)
    mark=$boot.$$.$started.
    e=$(reserve 2>&1) || case $e in
    *'o space left'* | *[Qq]'uota'*) refuse nospace "cannot start it: the disk is full" ;;
    *) refuse sys "cannot start it: $e" ;;
    esac
    e=$(mkdir "$d/lock" 2>&1) || {
        [ -d "$d/lock" ] || refuse nospace "cannot start it: $e"
        rm -f "$d/sup.id.$$" "$d/exit.pre.$$"
        exit 0
    }
    mv -f "$d/exit.pre.$$" "$d/exit.pre" && mv -f "$d/sup.id.$$" "$d/sup.id"
}

# be_nice COMMAND...: become it, behind others' programs and reads.  Linux weighs sessions against each other before
# it looks at the niceness within one, so that of the session is set too; that can only be done in it.
be_nice() {
    if ionice -c 2 -n 7 true 2>/dev/null; then set -- ionice -c 2 -n 7 "$@"; fi
    if nice -n "$niceness" true 2>/dev/null; then set -- nice -n "$niceness" "$@"; fi
    # shellcheck disable=SC2016 # for the sh that is in the session
    in_session sh -c 'n=$1; shift; { echo "$n" >/proc/self/autogroup; } 2>/dev/null; exec "$@"' sh "$niceness" "$@"
}

# start_job: its environment and streams; ours stay out of it.
start_job() {
    option nice 0
    niceness=$value
    cap=0 chosen=''
    if has half_of_free; then
        half_of_free
        choose_processors
    fi
    start=$(now)
    (
        trap - HUP TERM USR1 USR2
        cd "$d/work" || exit 126
        umask "$user_umask"
        unset LC_ALL
        [ -z "$user_lc" ] || { LC_ALL=$user_lc && export LC_ALL; }
        GNRRUN_MARK=$mark GNRRUN_RUN_DIR=$d GNRRUN_ROOT=${d%/runs/*} PYTHONUNBUFFERED=1
        export GNRRUN_MARK GNRRUN_RUN_DIR GNRRUN_ROOT PYTHONUNBUFFERED
        [ "$gpus_given" = 0 ] || show_gpus
        set -- sh "$d/job"
        [ "$cap" = 0 ] || cap_threads
        [ -z "$chosen" ] || set -- taskset -c "$chosen" "$@"
        [ "$niceness" = 0 ] || be_nice "$@"
        in_session "$@"
    ) </dev/null >>"$d/log" 2>&1 &
    job=$!
    start_of "$job"
    put "$d/job.id" "$job ${started:--} $job $start $cap"
}

# watch: ask the supervisor, again and again, to end a job whose time is over, whose
# log has grown beyond all measure, or that somebody wrote a note about.
watch() {
    trap 'kill "$z" 2>/dev/null; exit 0' TERM
    option max_seconds 0
    max=$value
    option log_cap 1073741824
    log_cap=$value
    option sample 60
    sample=$value
    z='' sampled=$start
    while :; do
        wait_for=2
        if [ "$max" -gt 0 ]; then
            rest=$((start + max - $(now)))
            if [ "$rest" -le 0 ]; then kill -s USR1 $$ || exit; fi
            if [ "$rest" -lt 2 ]; then wait_for=1; fi
        fi
        sleep "$wait_for" &
        z=$!
        wait "$z"
        kill -0 $$ 2>/dev/null || exit
        if [ "$gpus_given" = 1 ] && [ $(($(now) - sampled)) -ge "$sample" ]; then
            sampled=$(now)
            keep_claims
            # a driver in trouble must not keep us from what we are here for
            sample_gpus &
        fi
        if [ -s "$d/note" ] || [ ! -d "$d" ]; then kill -s TERM $$; fi
        if size_of "$d/log" && more "$size" "$log_cap"; then kill -s USR2 $$; fi
    done
}

# again: what somebody in a hurry says while we wait.
again() {
    if first "$d/grace" && number "$line"; then grace=$line; fi
}

# ask_all: TERM tells srun to kill its tasks at once, and on the other nodes they would hear nothing before; so
# where there are tasks Slurm hands the signal to each of them, and srun waits for them as it did.
ask_all() {
    if first "$d/step" && number "$line" && scancel --signal=TERM "${SLURM_JOB_ID:-}.$line" 2>/dev/null; then return; fi
    signal TERM
}

# wait_job: rc=how it ended.  A trapped signal makes wait return early, with the
# signal's number; then it is asked again.
wait_job() {
    early=''
    while :; do
        if [ -z "$hit" ]; then
            wait "$job"
            rc=$?
            if same "$job" "$job_start"; then
                if [ -z "$hit" ]; then nap && continue; fi
            else
                early=$rc
                [ -n "$hit" ] || break
            fi
        fi
        stop_job
        wait "$job"
        rc=$?
        # a shell that had told us already does not tell twice
        if [ "$rc" = 127 ] && [ -n "$early" ]; then rc=$early; fi
        break
    done
}

stop_job() {
    why=$hit
    [ -s "$d/note" ] || put "$d/note" "$why" || :
    trap '' TERM USR1 USR2
    option grace 30
    grace=$value
    again
    end_all "$job" "$mark"
}

# name_signal: sig, from rc; the numbers that are the same on every system.
name_signal() {
    sig='-'
    [ "$rc" -gt 128 ] || return 0
    case $((rc - 128)) in
    1) sig=HUP ;; 2) sig=INT ;; 3) sig=QUIT ;; 4) sig=ILL ;; 5) sig=TRAP ;; 6) sig=ABRT ;;
    8) sig=FPE ;; 9) sig=KILL ;; 11) sig=SEGV ;; 13) sig=PIPE ;; 14) sig=ALRM ;; 15) sig=TERM ;;
    *) sig=$(kill -l "$rc" 2>/dev/null) || sig=- ;;
    esac
    case $sig in '' | *[!A-Z0-9]*) sig=- ;; esac
}

# last_word: in place, in the room that was taken for it, then by rename.
last_word() {
    name_signal
    reason='exit'
    [ "$sig" = - ] || reason=signal
    if [ "$rc" != 0 ] && [ -e "$d/setup.failed" ]; then reason=setup; fi
    reason=${why:-$reason}
    printf 'code=%s sig=%s reason=%s start=%s end=%s\n' \
        "$rc" "$sig" "$reason" "$start" "$(now)" 1<>"$d/exit.pre"
    mv -f "$d/exit.pre" "$d/exit"
}

run() {
    d=$1 hit='' why=''
    if ! [ -f "$d/job" ] || ! [ -d "$d/work" ]; then refuse notfound "there is no whole run in $d"; fi
    # ended before it began, while a queue had it
    [ ! -e "$d/exit" ] || exit 0
    trap '' HUP
    trap 'hit=stop' TERM
    trap 'hit=timeout' USR1
    trap 'hit=log-cap' USR2
    gpus_given=0
    if has want_gpus && want_gpus && start_of $$ && check_gpus; then gpus_given=1; fi
    claim
    if [ "$gpus_given" = 1 ]; then
        # who started us waits for no more: a driver may be slow to answer
        exec >/dev/null 2>&1
        take_gpus || wait_gpus
        # ended before it began
        if [ -n "$hit" ]; then
            leave_gpus
            rc=143 why=$hit start=0
            last_word
            exit 0
        fi
    fi
    start_job
    job_start=$started
    # closed before the watcher starts: a shell may keep a copy of what it redirects
    exec >/dev/null 2>&1
    watch &
    watcher=$!
    wait_job
    kill "$watcher" 2>/dev/null
    # what it left behind goes too, or its GPUs stay taken
    grace=2
    members "$job" "$mark"
    [ -z "$all" ] || end_all "$job" "$mark"
    # a signal that comes between its fork and its trap is lost in some shells
    while start_of "$watcher"; do
        kill "$watcher" 2>/dev/null
        nap
    done
    [ "$gpus_given" = 0 ] || leave_gpus
    last_word
    exit 0
}

case ${1-} in
run) run "$2" ;;
sweep | member) "$@" ;;
*) exit 2 ;;
esac
