# list.sh - what is in the work folder of the run a_token: all of it, or what is not
# older than the run.  Records, not lines: names may hold anything.  See PROTOCOL.md.

# Each record leaves by a write of its own, so that a sign of life never stands inside one.

# gnu: with the fraction of a second, in one go; \c flushes.
gnu() {
    r="%m %s %T@ %C@ %p\\n\\c"
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
    } | awk -v nonce="$a_nonce" -v oldest="$1" '
        function out() { if (keep) { print record; fflush() } }
        $1 == nonce { out(); keep = $6 >= oldest + 0; record = $0; next }
        { record = record "\n" $0 }
        END { out() }'
}

# time_of FILE: r=when it was written, 0 if it is not there.
time_of() {
    r=0
    [ -f "$1" ] || return 0
    if [ "$fmt" = ns ]; then
        r=$(find "$1" -prune -printf '%T@')
    else
        r=$(stat -c %Y "$1" 2>/dev/null || stat -f %m "$1")
    fi
}

# the_setup: setup=when it was over, 0 if there was none, - if it goes on or never came to
# its end.  The mark comes before the phase goes, so it is looked for last.
the_setup() {
    going=0
    if [ -f ../setup.failed ] || { first ../phase && [ "$line" = setup ]; }; then going=-; fi
    time_of ../setup.end
    setup=$r
    if [ "$setup" = 0 ]; then setup=$going; fi
}

main() {
    greet
    find_root
    : "${a_token:=}" "${a_nonce:=}"
    word "$a_token"
    cd "$v1/runs/$a_token/work" 2>/dev/null || die notfound "there is no run $a_token with a work folder"
    fmt=s
    if find . -prune -printf '' >/dev/null 2>&1; then fmt=ns; fi
    time_of ../shipped
    marker=$r
    the_setup
    choose_hash
    names=0
    case $(tar --version 2>/dev/null)$(head --version 2>/dev/null </dev/null) in *GNU*GNU*) names=1 ;; esac
    say "list clock=$(now) fmt=$fmt hash=$hash marker=$marker setup=$setup names=$names"
    tick="$a_nonce k"
    tick_start
    oldest=$marker
    if [ "${a_full:-0}" = 1 ]; then oldest=0; fi
    if [ "$fmt" = s ]; then
        others "$oldest"
    elif [ "$oldest" = 0 ]; then
        gnu
    else
        gnu -cnewer ../shipped
    fi 2>/dev/null
    tick_stop
    say "$a_nonce end"
    exit 0
}

main
