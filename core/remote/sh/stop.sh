# stop.sh - end the run a_token: TERM, a_grace seconds, KILL, all of it.

# ask: its supervisor does it; the note is for one on another host, who looks for it.
ask() {
    put "$d/grace" "$grace" || :
    [ -s "$d/note" ] || put "$d/note" stop || :
    if same "$sup_pid" "$sup_start"; then kill -s TERM "$sup_pid" 2>/dev/null; fi
}

# await SECONDS: until it has ended.
await() {
    deadline=$(($(now) + $1))
    while :; do
        state_of "$d"
        case $state in starting | running | stopping | elsewhere) ;; *) return 0 ;; esac
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
    while [ "$state" = starting ] && [ "$n" -lt 50 ]; do
        nap
        state_of "$d"
        n=$((n + 1))
    done
    case $state in
    elsewhere)
        ask
        await $((grace + 15)) || :
        ;;
    starting | running | stopping)
        ask
        if ! same "$sup_pid" "$sup_start" || ! await $((grace + 5)); then end_it; fi
        ;;
    esac
    tick_stop
    status_line "$a_token"
    finish_ok
}

main
