# stop.sh - end the run a_token: TERM, a_grace seconds, KILL, all of it.

# ask: its supervisor does it; the note is for one on another host, who looks for it.
ask() {
    put "$d/grace" "$grace" || :
    [ -s "$d/note" ] || put "$d/note" stop || :
    if [ -z "$away" ] && same "$sup_pid" "$sup_start"; then kill -s TERM "$sup_pid" 2>/dev/null; fi
}

# await SECONDS: until it has ended.
await() {
    deadline=$(($(now) + $1))
    while :; do
        state_of "$d"
        case $state in queued | starting | running | stopping | elsewhere) ;; *) return 0 ;; esac
        [ "$(now)" -lt "$deadline" ] || return 1
        nap 0.2
    done
}

# end_it: without its supervisor, or past one that hangs.  Nobody was there to see
# how it ended, so the record says what we did.
end_it() {
    [ "$job_pid" != 0 ] || return 0
    hung=
    if same "$sup_pid" "$sup_start"; then hung=1; fi
    begun=$start
    end_all "$job_pid" "$sup_boot.$sup_pid.$sup_start."
    if [ -n "$hung" ]; then
        await 5
        return
    fi
    put "$d/exit" "code=143 sig=TERM reason=stop start=$begun end=$(now)" || :
}

# dequeue: it may start at this very moment, and then it is asked like any other.
dequeue() {
    if [ -n "${q_id:-}" ]; then q_cancel "$q_id" >/dev/null 2>&1 || :; fi
    if first "$d/sup.id"; then
        ask_away
    else
        # a member of a sweep has no folder yet, and gets none but this
        [ -d "$d" ] || mkdir "$d" 2>/dev/null || :
        put "$d/exit" "code=143 sig=TERM reason=stop start=0 end=$(now)" || :
    fi
}

# ask_away: its supervisor looks for the note; when that does not help the queue ends the job.
ask_away() {
    ask
    if await $((grace + 15)) || [ -z "${q_id:-}" ]; then return; fi
    # where the queue does not even take that, nobody can say that it has ended
    q_cancel "$q_id" >/dev/null 2>&1 || return 0
    await 60 || put "$d/exit" "code=143 sig=TERM reason=stop start=$start end=$(now)" || :
}

# stop_sweep: what waits will not begin; what runs ends as any run does.
stop_sweep() {
    put "$d/grace" "$grace" || :
    [ -s "$d/note" ] || put "$d/note" stop || :
    rm -f "$d/m.env"
    [ -z "${q_id:-}" ] || q_drop "$q_id" >/dev/null 2>&1 || :
    top=$d
    for d in "$top".* "$top"; do
        [ -d "$d" ] || continue
        state_of "$d"
        case $state in running | stopping | starting | elsewhere) ask ;; esac
    done
    limit=$(($(now) + grace + 15))
    for d in "$top".* "$top"; do
        [ -d "$d" ] || continue
        n=$((limit - $(now)))
        [ "$n" -gt 0 ] || n=0
        await "$n" && continue
        if [ -z "$away" ]; then
            end_it
        elif [ -n "${q_id:-}" ]; then
            q_cancel "$q_id" >/dev/null 2>&1 || :
        fi
    done
    d=$top
}

main() {
    greet
    find_root
    word "${a_token:-}"
    d=$v1/runs/$a_token grace=${a_grace:-30}
    number "$grace" || die proto "grace is no number: $grace"
    tick_start
    state_of "$d"
    # one that is just starting knows its job in a moment
    n=0
    while [ "$state,$away" = starting, ] && [ "$n" -lt 50 ]; do
        nap
        state_of "$d"
        n=$((n + 1))
    done
    [ ! -f "$d/sweep" ] || state=sweep
    case $state,$away in
    sweep,*) stop_sweep ;;
    queued,* | starting,1) dequeue ;;
    running,1 | stopping,1) ask_away ;;
    elsewhere,*)
        ask
        await $((grace + 15)) || :
        ;;
    starting,* | running,* | stopping,*)
        ask
        if ! same "$sup_pid" "$sup_start" || ! await $((grace + 5)); then end_it; fi
        ;;
    esac
    tick_stop
    status_line "$a_token"
    finish_ok
}

main
