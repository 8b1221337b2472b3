# status.sh - how the runs a_tokens are.

main() {
    greet
    find_root
    for t in ${a_tokens:-}; do
        word "$t"
        status_line "$t"
    done
    finish_ok
}

main
