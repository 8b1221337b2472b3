# status.sh - how the runs a_tokens are; with a_watch=1 each change of it, until all are over.

# watch: many cost something, so they are looked at less often.
watch() {
    round=0 quiet=0 left=1
    while [ "$left" != 0 ]; do
        round=$((round + 1)) i=0 left=0
        for tok in ${a_tokens:-}; do
            i=$((i + 1))
            eval "told=\${told_$i:-}"
            [ "$told" != over ] || continue
            state_of "$v1/runs/$tok"
            w=$state,$code,$reason,$setup,$words
            if [ "$w" != "$told" ]; then
                tell "$tok"
                quiet=0
            fi
            case $state in
            ended | lost | none) w=over ;;
            *) left=$((left + 1)) ;;
            esac
            eval "told_$i=\$w"
        done
        [ "$left" != 0 ] || return 0
        n=$((1 + left / 50))
        [ "$n" -le 5 ] || n=5
        sleep "$n"
        quiet=$((quiet + n))
        if [ "$quiet" -ge 5 ]; then
            say k
            quiet=0
        fi
    done
}

main() {
    greet
    find_root
    for t in ${a_tokens:-}; do
        word "$t"
    done
    if [ "${a_watch:-0}" = 1 ]; then
        watch
        finish_ok
    fi
    round=1
    for t in ${a_tokens:-}; do
        status_line "$t"
    done
    finish_ok
}

main
