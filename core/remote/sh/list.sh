# list.sh - what is in the work folder of the run a_token: all of it, or what is not
# older than the run.  Records, not lines: names may hold anything.  See PROTOCOL.md.

# gnu: times in full, in one go.
gnu() {
    r="%m %s %T@ %C@ %p\\n"
    find . ! -name . "$@" \( -type f -printf "$a_nonce f $r" -o -type d -printf "$a_nonce d $r" \
        -o -type l -printf "$a_nonce l $r" -o -printf "$a_nonce o $r" \)
}

# others: by the stat of busybox or of a BSD.
others() {
    if stat -c %s . >/dev/null 2>&1; then
        flag=-c r='%a %s %Y %Z %n'
    else
        flag=-f r='%Lp %z %m %c %N'
    fi
    find . ! -name . "$@" \( -type f -exec stat "$flag" "$a_nonce f $r" {} + \
        -o -type d -exec stat "$flag" "$a_nonce d $r" {} + \
        -o -type l -exec stat "$flag" "$a_nonce l $r" {} + \
        -o -exec stat "$flag" "$a_nonce o $r" {} + \)
}

main() {
    greet
    find_root
    : "${a_token:=}" "${a_nonce:=}"
    word "$a_token"
    run=$v1/runs/$a_token
    cd "$run/work" 2>/dev/null || die notfound "there is no run $a_token with a work folder"
    fmt=s
    if find . -prune -printf '' >/dev/null 2>&1; then fmt=ns; fi
    set --
    [ "${a_full:-0}" = 1 ] || [ ! -f ../shipped ] || set -- -cnewer ../shipped
    marker=0
    if [ -f ../shipped ]; then
        if [ "$fmt" = ns ]; then
            marker=$(find ../shipped -prune -printf '%T@')
        else
            marker=$(stat -c %Y ../shipped 2>/dev/null || stat -f %m ../shipped)
        fi
    fi
    choose_hash
    say "list clock=$(now) fmt=$fmt hash=$hash marker=${marker:-0}"
    if [ "$fmt" = ns ]; then gnu "$@"; else others "$@"; fi 2>/dev/null
    say "$a_nonce end"
    exit 0
}

main
