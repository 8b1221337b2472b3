# queue.sh - a run that a batch queue starts.  Comes with it as its file "queue", with the words of
# one scheduler behind it: q_name, q_submit, q_list, q_cancel.  Where the job runs it writes
# the same files as everywhere; they count.  What the scheduler says only fills the gaps.

# ask_queue: $v1/queue.NAME is what it says of all jobs of ours; asked=when that was.  All who want to
# know share one question a minute; without an answer what was said before goes on.
ask_queue() {
    # one look at many runs needs no more than one
    if [ -n "${round:-}" ] && [ "${asked_in:-}" = "$round" ]; then return; fi
    asked_in=${round:-}
    q=$v1/queue.$q_name
    first "$q.tried" && number "$line" || line=0
    t=$(now)
    if [ $((t - line)) -ge 60 ]; then
        if mkdir "$q.lock" 2>/dev/null; then
            if put "$q.tried" "$t" && limited listed "$t" >"$q.$$" 2>/dev/null; then
                mv -f "$q.$$" "$q"
            fi
            rm -f "$q.$$" "$q.$$".*
            rmdir "$q.lock"
        elif [ -n "$(find "$q.lock" -prune -mmin +1 2>/dev/null)" ]; then
            rmdir "$q.lock" 2>/dev/null
        fi
    fi
    first "$q" && number "$line" || line=0
    asked=$line
}

# listed TIME: what the queue says goes into a file of its own first: a pipe would keep a shell there that has the
# line to the other end open, and some shells cannot hand on much.
listed() {
    q_said=$v1/queue.$q_name.$$.said
    printf '%s\n' "$1"
    q_list
    set -- $?
    rm -f "$q_said" "$q_said".*
    return "$1"
}

# limited FUNCTION ARGUMENT: a scheduler that hangs holds nobody up for long.  Its output must go to a
# file: who reads from a pipe waits for what it has started too.
limited() {
    (
        "$@" &
        asker=$!
        (
            trap 'kill "$nap_of" 2>/dev/null; exit 0' TERM
            sleep 10 &
            nap_of=$!
            wait "$nap_of"
            kill -s KILL "$asker" # mksh puts off anything less until its command has ended
        ) >/dev/null 2>&1 &
        ender=$!
        wait "$asker"
        told_=$?
        kill "$ender" 2>/dev/null
        exit "$told_"
    )
}

# in_list ID NAME: q_state=queued, running or over, q_why and q_text of that job, as the list has it; none: an
# empty q_state.  Without an ID the name has to do, and q_id is found; of a member of a sweep the name is that
# of its lead, and the id ends in its number.
in_list() {
    q_state='' q_why=- q_text=''
    [ -f "$q" ] || return 0
    while read -r i s why name text; do
        case $1,$lead in
        ,) [ "$name" = "$2" ] || continue ;;
        ,*)
            [ "$name" = "${2%.*}" ] || continue
            case $i in *[!0-9]"${2##*.}") ;; *) continue ;; esac
            ;;
        *) [ "$i" = "$1" ] || continue ;;
        esac
        q_id=$i q_state=$s q_why=$why q_text=$text
        break
    done <"$q"
    case $q_state in queued | running | over) ;; *) q_state='' ;; esac
    case $q_why in '' | *[!A-Za-z0-9._:-]*) q_why=- ;; esac
}

# submitted DIR: q_id and q_at of its job, and what the list has of it.  One whose id nobody lived to
# write down is known by its name, which is the run's.
submitted() {
    q_id='' q_at=0
    lead_of "$1" || :
    if first "${lead:-$1}/queue.id"; then
        fields
        q_id=$f1
        number "$f2" && q_at=$f2
        [ -z "$lead" ] || q_member "$q_id" "${1##*.}"
    elif ! [ -d "${lead:-$1}/submitted" ]; then
        return 1
    fi
    ask_queue
    in_list "$q_id" "${1##*/}"
    [ -n "$q_id" ] || return 1
    [ "$q_at$lead" != 0 ] || put "$1/queue.id" "$q_id $asked" || :
}

# from_queue DIR: the state of one without an exit record, and with a supervisor at most on a host
# that is not this one.
from_queue() {
    if [ -f "$1/sweep" ]; then
        of_lead "$1"
        return
    fi
    if ! submitted "$1"; then
        state=prepared
        [ ! -d "${lead:-$1}/submitted" ] || state=starting
        if [ "$state" = starting ] && [ -n "$(find "${lead:-$1}/submitted" -prune -mmin +2)" ]; then lost not-submitted; fi
        return 0
    fi
    case $q_state,$state in
    queued,none) state=queued reason=$q_why words=$q_text ;;
    running,none) state=starting ;;
    # what it wrote on another host may take a while to be seen on this one: it may have begun and ended since
    over,none)
        state=starting
        said_long_ago && lost_by "$1"
        ;;
    # it was submitted after that was said, or nothing was said yet
    ,none)
        state=queued
        [ "$asked" -gt $((q_at + 30)) ] && said_long_ago && lost vanished
        ;;
    over,* | ,*) [ "$asked" -gt $((start + 30)) ] && said_long_ago && lost_by "$1" ;;
    esac
    [ "$state" = lost ] || from_exit "$1" || :
}

said_long_ago() {
    [ "$asked" -gt 0 ] && [ $(($(now) - asked)) -ge 30 ]
}

# lost_by DIR: the queue may have said why, or its daemon in the job's own log.
lost_by() {
    case $q_why in - | killed)
        q_why=killed
        if grep -q -e 'exceeded memory limit' -e 'oom-kill event' "$1/batch.out" 2>/dev/null; then q_why=memory; fi
        ;;
    esac
    lost "$q_why"
}

# of_lead DIR: a sweep goes on until all its members have ended; what became of each they say themselves.
of_lead() {
    state=prepared
    if ! [ -d "$1/submitted" ]; then return; fi
    state=ended reason='exit'
    if first "$1/queue.id"; then q_id=${line%% *}; fi
    while read -r k _; do
        if [ -e "$1.$k/exit" ] || { [ -s "$1/note" ] && ! [ -d "$1.$k" ]; }; then continue; fi
        state=queued reason=-
    done <"$1/sweep"
}

# submit_run DIR: once for ever.
submit_run() {
    e=$(mkdir "$1/submitted" 2>&1) || {
        [ -d "$1/submitted" ] || fail 'cannot submit it' "$e"
        return 0
    }
    if ! q_id=$(q_submit "$1/batch" "$1" 2>"$1/batch.err"); then
        e=$(cat "$1/batch.err")
        rmdir "$1/submitted"
        die sys "the queue does not take it: $e"
    fi
    put "$1/queue.id" "$q_id $(now)" || die nospace 'cannot write down the id of the job'
}
