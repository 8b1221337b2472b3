# lane.sh - one more channel for a stream that goes to launch or put: what comes here goes into the
# pipe a_n of the folder tmp/a_dir, to its end.

main() {
    trap 'exit 1' HUP INT PIPE TERM
    find_root
    : "${a_dir:=}" "${a_n:=}"
    word "$a_dir"
    word "$a_n"
    f=$v1/tmp/$a_dir/lanes/$a_n
    [ -p "$f" ] || die notfound 'nobody reads this lane'
    # one that nobody reads would keep us waiting for ever: not one that is opened for both
    # shellcheck disable=SC2094 # it is a pipe
    exec 3<>"$f" 4>"$f" 3<&-
    say "gn1 ${a_nonce:-}"
    exec cat >&4 4>&-
}

main
