# follow.sh - the log of the run a_token (of its task a_rank) from byte a_offset on, as it grows, until
# the run is over and all of it is sent.

# gone: has our client left?  Its end of the connection is our parent.
gone() {
    if [ -n "$parent" ]; then
        { read -r st <"/proc/$$/stat"; } 2>/dev/null || return 0
        st=${st##*") "}
        st=${st#* }
        [ "${st%% *}" != "$parent" ]
    else
        [ -n "$may_ask" ] && ! kill -0 "$PPID" 2>/dev/null
    fi
}

know_parent() {
    parent='' may_ask=''
    if [ -r /proc/self/stat ] && read -r st <"/proc/$$/stat"; then
        st=${st##*") "}
        st=${st#* }
        parent=${st%% *}
        # begun by somebody who had left already: nobody will leave again
        [ "$parent" = "$PPID" ] || exit 1
    elif kill -0 "$PPID" 2>/dev/null; then
        may_ask=1
    fi
}

# replace: one reader for each client.  An older one may hang for hours in a write to
# a connection that stalls: it is ended from here, with what it started.
replace() {
    [ -n "${a_client:-}" ] && [ -d "$d" ] || return 0
    word "$a_client"
    boot_id
    here=$(uname -n)
    f=$d/follow.$a_client
    if first "$f"; then
        fields
        if [ "$f3 $f4" = "$boot $here" ] && [ "$f1" != $$ ] && same "$f1" "$f2"; then
            members "$f1" none
            # not the parent's group or session: only it and what hangs below it
            signal TERM
            # what it was just about to start was not among them, and a shell waits for that
            (
                n=0
                while [ "$n" -lt 5 ] && sleep 1 && same "$f1" "$f2"; do
                    members "$f1" none
                    signal TERM
                    n=$((n + 1))
                done
            ) </dev/null >/dev/null 2>&1 &
        fi
        seen=''
    fi
    if start_of $$; then put "$f" "$$ $started $boot $here"; fi
}

# send: what the log has beyond offset.  If it was cut down meanwhile there was less than promised:
# whatever we said now would be taken for the rest, so the other end sees us go in mid-piece and
# learns why when it comes back.
send() {
    math "$size" - "$offset"
    say "d $r"
    bytes "$log" "$offset" "$r" || exit 1
    offset=$size
    if size_of "$log" && more "$offset" "$size"; then exit 1; fi
}

# news: the status line, if it says something new.
news() {
    [ "$state,$code,$reason,$setup,$words" != "$told" ] || return 0
    told=$state,$code,$reason,$setup,$words
    tell "$a_token"
    quiet=0
}

over() {
    case $state in ended | lost | none) return 0 ;; *) return 1 ;; esac
}

# pause: 0.1 s while things happen, then longer, to a_poll (1 s).  quiet counts tenths
# since we last said something.
pause() {
    t=$poll n=$((poll * 10))
    if [ "$idle" -lt 20 ]; then
        t=0.1 n=1
    elif [ "$idle" -lt 50 ]; then
        t=0.3 n=3
    fi
    if [ "$whole" = 1 ] || ! sleep "$t" 2>/dev/null; then
        whole=1 n=10
        sleep 1
    fi
    idle=$((idle + n)) quiet=$((quiet + n))
    if [ "$quiet" -ge 50 ]; then
        say k
        quiet=0
    fi
}

follow() {
    told='' idle=0 quiet=0 whole=0
    while :; do
        # the record first, the size after it: then that size is the last one
        state_of "$d"
        done_=0
        if over; then done_=1; fi
        if [ "$done_" = 0 ] || [ -z "$told" ]; then news; fi
        size=0
        if [ "$state" != none ] && ! size_of "$log"; then
            size=0
            # it is there: only our look at it failed, on a machine short of processes for one
            if [ -f "$log" ]; then size=$offset done_=0; fi
        fi
        if more "$offset" "$size"; then die sys "the log has $size bytes, fewer than the $offset that were read"; fi
        if more "$size" "$offset"; then
            send
            idle=0 quiet=0
        fi
        if [ "$done_" = 1 ]; then return; fi
        if gone; then exit 1; fi
        pause
    done
}

main() {
    greet
    find_root
    word "${a_token:=}"
    case ${a_rank:=0} in 0) log=log ;; *) log=log.$a_rank ;; esac
    number "$a_rank" || die proto "rank is no number: $a_rank"
    d=$v1/runs/$a_token log=$v1/runs/$a_token/$log offset=${a_offset:-0} poll=${a_poll:-1}
    number "$offset" || die proto "offset is no number: $offset"
    case $poll in [1-5]) ;; *) poll=1 ;; esac
    know_parent
    replace
    follow
    tell "$a_token"
    finish_ok
}

main
