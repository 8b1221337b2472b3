# list.sh - what is in the work folder of the run a_token: all of it, or what is not
# older than the run.  Records, not lines: names may hold anything.  See PROTOCOL.md.

# gnu: with the fraction of a second, in one go.
gnu() {
    r="%m %s %T@ %C@ %p\\n"
    find . ! -name . "$@" \( -type f -printf "$a_nonce f $r" -o -type d -printf "$a_nonce d $r" \
        -o -type l -printf "$a_nonce l $r" -o -printf "$a_nonce o $r" \)
}

# others: by the stat of busybox or of a BSD.  busybox forgets -exec + in brackets, and
# has no -cnewer: what is older than $1 is taken out here.
others() {
    if stat -c %s . >/dev/null 2>&1; then
        flag='-c' r='%a %s %Y %Z %n'
    else
        flag='-f' r='%Lp %z %m %c %N'
    fi
    {
        for kind in f d l; do
            find . ! -name . -type "$kind" -exec stat "$flag" "$a_nonce $kind $r" {} +
        done
        find . ! -name . ! -type f ! -type d ! -type l -exec stat "$flag" "$a_nonce o $r" {} +
    } | awk -v nonce="$a_nonce" -v oldest="$1" '$1 == nonce { keep = $6 >= oldest + 0 } keep'
}

# the_marker: marker=when the run was put together.
the_marker() {
    marker=0
    [ -f ../shipped ] || return 0
    if [ "$fmt" = ns ]; then
        marker=$(find ../shipped -prune -printf '%T@')
    else
        marker=$(stat -c %Y ../shipped 2>/dev/null || stat -f %m ../shipped)
    fi
}

main() {
    greet
    find_root
    : "${a_token:=}" "${a_nonce:=}"
    word "$a_token"
    cd "$v1/runs/$a_token/work" 2>/dev/null || die notfound "there is no run $a_token with a work folder"
    fmt=s
    if find . -prune -printf '' >/dev/null 2>&1; then fmt=ns; fi
    the_marker
    choose_hash
    say "list clock=$(now) fmt=$fmt hash=$hash marker=$marker"
    oldest=$marker
    if [ "${a_full:-0}" = 1 ]; then oldest=0; fi
    if [ "$fmt" = s ]; then
        others "$oldest"
    elif [ "$oldest" = 0 ]; then
        gnu
    else
        gnu -cnewer ../shipped
    fi 2>/dev/null
    say "$a_nonce end"
    exit 0
}

main
