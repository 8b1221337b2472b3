# common.sh - what every far-side program needs: words for the other end, where
# things lie, who is alive, how a run is.  Goes in front of each program and of
# the supervisor.  Protocol: PROTOCOL.md.

set -u
# The program runs with what the user's login gave; ours are for ourselves.
user_umask=$(umask)
user_lc=${LC_ALL-}
umask 077
LC_ALL=C
export LC_ALL
unset CDPATH TAR_OPTIONS GREP_OPTIONS POSIXLY_CORRECT
nl='
'
ticker='' tick=k cleanup='' died=''

# --- words for the other end ---

say() {
    printf '%s\n' "$*" || exit 1
}

# die CODE TEXT: the last line, whatever TEXT holds.
die() {
    died=$1
    tick_stop
    say "err $1 msg=$(printf '%s' "$2" | tr '\n\r\t' '   ' | cut -b 1-500)"
    exit 1
}

# fail TEXT OUTPUT: die with the code that a command's complaint stands for.
fail() {
    case $2 in
    *'o space left'* | *[Qq]'uota exceeded'*) die nospace "$1: the disk is full (or the quota used up)" ;;
    *'ead-only file system'* | *'ermission denied'*) die readonly "$1: $2" ;;
    *) die sys "$1: $2" ;;
    esac
}

# tick_start [FOLDER]: "k" (or $tick) every 5 s, so that the other end knows that we work.
# FOLDER is kept young, or somebody may take it for a leftover.
tick_start() {
    (
        while sleep 5 >/dev/null 2>&1; do
            kill -0 $$ 2>/dev/null || exit
            [ -z "${1:-}" ] || touch "$1" 2>/dev/null
            printf '%s\n' "$tick" || exit
        done
    ) </dev/null 5<&- 6<&- 7<&- 8<&- & # no lane (arrive.sh) is held open by it
    ticker=$!
}

tick_stop() {
    [ -n "$ticker" ] || return 0
    # nothing milder: what comes before a new shell has put its traps down is lost
    kill -s KILL "$ticker" 2>/dev/null
    wait "$ticker" 2>/dev/null
    ticker=
}

# greet: the first line, and no leftovers however we end.
greet() {
    trap 'tick_stop; [ -z "$cleanup" ] || discard' EXIT
    trap 'exit 1' HUP INT PIPE TERM
    say "gn1 ${a_nonce:-}"
    [ -z "${a_wait:-}" ] || await
}

# await: we were started before anybody knew what for; the arguments come now, a line each.
await() {
    while IFS= read -r line; do
        [ "$line" != go ] || return 0
        eval "$line"
    done
    exit 0
}

# discard: what was begun and not finished.
discard() {
    wipe "$cleanup"
}

# finish_ok: the last line of most programs.
finish_ok() {
    say end
    exit 0
}

# --- small tools ---

has() {
    command -v "$1" >/dev/null 2>&1
}

now() {
    date +%s
}

# nap: 0.1 s, or a second where sleep knows no fractions.
nap() {
    sleep "${1:-0.1}" 2>/dev/null || sleep 1
}

# put FILE TEXT: whole or not at all.
put() {
    { printf '%s\n' "$2" >"$1.$$" && mv -f "$1.$$" "$1"; } 2>/dev/null && return 0
    rm -f "$1.$$"
    return 1
}

# math A OP B (no product): r=A OP B, beyond 2^31 also where the shell counts in 32 bits.
# shellcheck disable=SC2003,SC1102,SC2086
case $((2147483647 + 1)) in
-*)
    math() {
        if [ ${#1} -lt 10 ] && [ ${#3} -lt 10 ]; then
            r=$(($1 $2 $3))
        else
            r=$(expr "$1" "$2" "$3")
        fi
    }
    ;;
*) math() { r=$(($1 $2 $3)); } ;;
esac

# more A B: is A > B?
more() {
    math "$2" - "$1"
    case $r in -*) return 0 ;; *) return 1 ;; esac
}

# size_of FILE: size=BYTES.  wc -c reads the whole file in busybox; stat has two
# dialects; ls is the same everywhere.
size_of() {
    r=$(ls -lndL -- "$1" 2>/dev/null) || return 1
    r=${r#* }
    # permissions, links, owner, group, size: the fields are split by hand
    # because a name may hold anything
    for i in 2 3 4; do
        r=${r#"${r%%[! ]*}"}
        r=${r#* }
    done
    r=${r#"${r%%[! ]*}"}
    size=${r%% *}
    number "$size"
}

number() {
    case $1 in '' | *[!0-9]*) return 1 ;; esac
}

# wipe FOLDER: also when a program took away its own right to write there.
wipe() {
    rm -rf -- "$1" 2>/dev/null && return 0
    find "$1" -type d ! -perm -700 -exec chmod u+rwx {} \; 2>/dev/null
    rm -rf -- "$1"
}

# rename FOLDER NAME: fails when NAME is there.  Without -T, mv puts a folder into
# one that was there first; then it is taken out again.
rename() {
    [ ! -e "$2" ] || return 1
    mv -T -- "$1" "$2" 2>/dev/null && return
    if [ -e "$2" ] || mv_t; then return 1; fi
    # a name that nothing in it has
    mv -- "$1" "$1.$$" 2>/dev/null && mv -- "$1.$$" "$2" 2>/dev/null || return 1
    [ -e "$2/${1##*/}.$$" ] || return 0
    mv -- "$2/${1##*/}.$$" "$1"
    return 1
}

mv_t() {
    case ${mv_t:=$(mv --help 2>&1)} in *' -T'* | *finT*) return 0 ;; *) return 1 ;; esac
}

# word TEXT: stop unless it can stand for a file's name and nothing else.
word() {
    case $1 in
    '' | [-.]* | *[!A-Za-z0-9._-]*) die proto "not a name: $1" ;;
    esac
}

# --- where things lie ---

# find_root: v1=ROOT/v1; nothing is made.
find_root() {
    root=${a_root:-'~/.gnrrun'}
    case $root in
    /*) ;;
    \~ | \~/*)
        [ -n "${HOME:-}" ] || die sys 'HOME is not set over there'
        root=$HOME${root#?}
        ;;
    *) die proto "not an absolute path: $root" ;;
    esac
    v1=$root/v1
}

# no_root TEXT OUTPUT: a home that is not there is as good as one that cannot be written.
no_root() {
    case $2 in
    *'o such file'* | *'ot a directory'*) die readonly "$1: $2" ;;
    esac
    fail "$1" "$2"
}

# make_root: and nobody else may look into it.
make_root() {
    find_root
    set --
    for f in "$root" "$v1" "$v1/tmp" "$v1/runs" "$v1/snap" "$v1/spare" "$v1/data" "$v1/env"; do
        [ -d "$f" ] || set -- "$@" "$f"
    done
    if [ $# != 0 ]; then e=$(mkdir -p -- "$@" 2>&1) || [ -d "$v1/env" ] || no_root "cannot make $v1" "$e"; fi
    e=$( (: >"$v1/tmp/w.$$") 2>&1) || fail "cannot write in $root" "$e"
    rm -f "$v1/tmp/w.$$"
}

# choose_zstd: zstd=1 if both ends can.
choose_zstd() {
    zstd=0
    if [ "${a_zstd:-0}" = 1 ] && has zstd; then zstd=1; fi
}

# prune PROJECT: its 3 snapshots used last stay, and what was used within the hour.
prune() {
    n=0
    # shellcheck disable=SC2012 # by age, and they are all words
    ls -1t -- "$v1/snap/$1" | while IFS= read -r f; do
        n=$((n + 1))
        [ "$n" -gt 3 ] || continue
        f=$v1/snap/$1/$f
        [ -z "$(find "$f" -prune -mmin +60)" ] || wipe "$f"
    done
}

# --- who is alive ---

# boot_id: boot=a word that changes when the machine starts anew.
boot_id() {
    boot=
    if [ -r /proc/sys/kernel/random/boot_id ]; then
        read -r boot </proc/sys/kernel/random/boot_id
    elif has sysctl; then
        boot=$(sysctl -n kern.bootsessionuuid 2>/dev/null || sysctl -n kern.boottime 2>/dev/null)
        boot=$(printf '%s' "$boot" | tr -c 'A-Za-z0-9-' _)
    fi
    boot=${boot:-unknown}
}

# host_name: here=the name of this machine.
host_name() {
    [ -r /proc/sys/kernel/hostname ] && read -r here </proc/sys/kernel/hostname && return
    here=$(uname -n)
}

# start_of PID: started=when it was; with the number it names one process for ever.
# Fails if there is none, or only its zombie.
start_of() {
    started=
    number "$1" || return 1
    if [ -r /proc/self/stat ]; then
        st=
        { read -r st <"/proc/$1/stat"; } 2>/dev/null || return 1
        # the name, in brackets, may hold anything: go on after the last ") "
        st=${st##*") "}
        case $st in '' | Z* | X*) return 1 ;; esac
        # state is field 3, the time of the start field 22
        for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
            st=${st#* }
        done
        started=${st%% *}
    else
        st=$(ps -o stat= -o lstart= -p "$1" 2>/dev/null) || return 1
        st=${st#"${st%%[! ]*}"}
        case $st in '' | Z*) return 1 ;; esac
        started=$(printf '%s' "${st#* }" | tr -c 'A-Za-z0-9\n' _)
    fi
}

# same PID START: is it still that process?
same() {
    [ -n "${2:-}" ] && start_of "$1" && [ "$started" = "$2" ]
}

# table: "PID PPID PGID SESSION" of every living process.
table() {
    if [ -r /proc/self/stat ]; then
        cat /proc/[0-9]*/stat 2>/dev/null | awk '{
            pid = $1
            if (sub(/.*\) /, "") && $1 !~ /^[ZX]/) print pid, $2, $3, $4
        }'
    else
        { ps -A -o pid= -o ppid= -o pgid= -o sess= -o stat= 2>/dev/null ||
            ps -A -o pid= -o ppid= -o pgid= -o pgid= -o stat=; } | awk '$5 !~ /^Z/'
    fi
}

# marked MARK: who has it in its environment (Linux only): launchers give their
# workers sessions of their own, and when they die nothing else ties those to us.
# tail names the files it goes through; grep stops at a NUL in busybox.
marked() {
    [ -r /proc/self/environ ] || return 0
    tail -c +1 /proc/[0-9]*/environ 2>/dev/null | tr '\000' '\n' |
        awk -v mark="GNRRUN_MARK=$1" '
            /^==> \/proc\/[0-9]+\/environ <==$/ { split($2, part, "/"); pid = part[3] }
            $0 == mark { print pid }'
}

# members JOB MARK: all=the numbers of what belongs to a run: its group, its
# session, its descendants, the marked, and what was one of these when last seen.
members() {
    all=
    for p in $( (table | awk -v top="$1" '
        { parent[$1] = $2; if ($1 == top || $3 == top || $4 == top) mine[$1] = 1 }
        END {
            for (p in parent) {
                n = 0
                for (q = p; q > 1 && !(q in mine) && n < 100; n++) q = (q in parent) ? parent[q] : 0
                if (q in mine) print p
            }
        }'; marked "$2") | sort -un); do
        if [ "$p" = $$ ] || ! start_of "$p"; then continue; fi
        all="$all $p"
        case "$seen " in *" $p:$started "*) ;; *) seen="$seen $p:$started" ;; esac
    done
    for p in $seen; do
        case "$all " in *" ${p%%:*} "*) continue ;; esac
        same "${p%%:*}" "${p#*:}" && all="$all ${p%%:*}"
    done
}
seen='' grace=30

# end_all JOB MARK: TERM, $grace seconds, KILL until nothing is left.  again is called between
# two looks: it may shorten $grace.
end_all() {
    members "$1" "$2"
    ask_all
    until_=$(now)
    while members "$1" "$2" && [ -n "$all" ]; do
        again
        # whole seconds: the first of them may have been nearly over
        if [ "$grace" -le 0 ] || [ $(($(now) - until_)) -gt "$grace" ]; then break; fi
        nap
    done
    n=0
    while [ -n "$all" ] && [ "$n" -lt 100 ]; do
        signal KILL
        nap
        members "$1" "$2"
        n=$((n + 1))
    done
}

signal() {
    for p in $all; do
        kill -s "$1" "$p" 2>/dev/null
    done
}

again() {
    :
}

ask_all() {
    signal TERM
}

# in_session COMMAND...: become it, in a session of our own if there is a way, with
# interrupts as they are by default: a shell ignores them in what it starts aside.  Grid Engine and PBS end what
# is in a job's own group or session, and would miss what is not; where they warn first, that is for us, who wait for
# what follows.
in_session() {
    if [ -n "${SGE_TASK_ID:-}${PBS_JOBID:-}" ]; then
        trap '' USR1 USR2
        env --default-signal=INT,QUIT true 2>/dev/null || exec "$@"
        exec env --default-signal=INT,QUIT "$@"
    fi
    if has setsid && env --default-signal=INT,QUIT true 2>/dev/null; then
        exec env --default-signal=INT,QUIT setsid "$@"
    elif has perl && perl -MPOSIX -e 1 2>/dev/null; then
        exec perl -MPOSIX -e '$SIG{INT} = $SIG{QUIT} = "DEFAULT"; POSIX::setsid();
            exec { $ARGV[0] } @ARGV or exit 127' "$@"
    elif has setsid; then
        exec setsid "$@"
    elif has python3 && python3 -c 'import os' 2>/dev/null; then
        exec python3 -c 'import os, signal as s, sys
for n in (s.SIGINT, s.SIGQUIT, s.SIGPIPE): s.signal(n, s.SIG_DFL)
if os.getpid() != os.getpgrp(): os.setsid()
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
    else
        trap '' HUP
        exec "$@"
    fi
}

# --- how a run is ---

# first FILE: line=its first line, empty if there is none.
first() {
    line=
    [ -f "$1" ] && { read -r line <"$1"; } 2>/dev/null
    [ -n "$line" ]
}

# fields: f1 to f5, the words of $line.  No here-document: some shells make a file of
# it, and the disk may be full.
fields() {
    set -f
    # shellcheck disable=SC2086 # it is to be split
    set -- $line
    set +f
    f1=${1-} f2=${2-} f3=${3-} f4=${4-} f5=${5-}
}

# state_of DIR: state, code, sig, reason, start, end, setup, host; without a child
# on Linux, for it is asked ten times a second.
state_of() {
    state=none code=0 sig=- reason=- start=0 end=0 setup=0 host='-' away='' words='' cpus=0
    if ! [ -d "$1" ]; then
        of_sweep "$1"
        return
    fi
    if from_exit "$1"; then return 0; fi
    if ! first "$1/sup.id"; then
        if queue_of "$1"; then return 0; fi
        state=prepared
        if ! [ -d "$1/lock" ]; then
            of_sweep "$1"
            return
        fi
        # it puts its id there a moment after the lock, if it lives
        state=starting
        [ -z "$(find "$1/lock" -prune -mmin +1 2>/dev/null)" ] || lost killed
        return 0
    fi
    from_ids "$1"
    if [ "$state" = elsewhere ] && [ -f "$1/queue" ]; then
        state=running
        goes_on "$1"
        queue_of "$1"
    fi
    # the record may have come since we looked, and its writer be gone since
    [ "$state" != lost ] || from_exit "$1" || :
}

# lead_of DIR: lead=the run that a member of a sweep is made from; fails when it is none.
lead_of() {
    lead=
    case ${1##*/} in *.*) ;; *) return 1 ;; esac
    [ -f "${1%.*}/sweep" ] && lead=${1%.*}
}

# of_sweep DIR: a member whose turn has not come is as its sweep is.
of_sweep() {
    lead_of "$1" || return 0
    if [ -s "$lead/note" ]; then
        state=ended code=143 sig=TERM reason=stop
        return
    fi
    [ ! -f "$lead/queue" ] || [ -d "$1" ] || {
        queue_of "$lead" "$1"
        return
    }
    member=$1
    state_of "$lead"
    code=0 sig=- start=0 end=0 setup=0
    case $state in
    prepared | starting | running | stopping | elsewhere) state=queued reason=turn ;;
    ended) lost not-started ;;
    esac
    # it may have come to be since we looked
    if [ "$state" = lost ] && [ -e "$member/sup.id" ]; then state_of "$member"; fi
}

# queue_of DIR [MEMBER]: what the queue that starts it says, if there is one; away=1: its processes are none
# of this machine's.
queue_of() {
    [ -f "$1/queue" ] || return 1
    away=1
    # shellcheck disable=SC1091 # queue.sh
    . "$1/queue"
    from_queue "${2:-$1}"
}

goes_on() {
    if [ -s "$1/note" ]; then state=stopping; fi
    if first "$1/phase" && [ "$line" = setup ]; then setup=1; fi
}

lost() {
    state=lost reason=$1
}

from_ids() {
    : "${boot:=}" "${here:=}"
    [ -n "$boot" ] || boot_id
    [ -n "$here" ] || host_name
    fields
    sup_pid=$f1 sup_start=$f2 sup_boot=$f3 host=$f4
    job_pid=0 job_start=-
    if first "$1/job.id"; then
        fields
        job_pid=$f1 job_start=$f2 start=$f4 cpus=$f5
        number "$start" || start=0
        number "$cpus" || cpus=0
    fi
    if [ "$host" != "$here" ]; then state=elsewhere; return; fi
    if [ "$sup_boot" != "$boot" ]; then lost reboot; return; fi
    if same "$sup_pid" "$sup_start"; then
        state=starting
        if [ "$job_pid" != 0 ]; then
            state=running
        elif first "$1/phase" && [ "$line" = gpus ]; then
            state=queued reason=gpus
            return
        fi
    elif same "$job_pid" "$job_start"; then
        state=running
    else
        lost killed
        return
    fi
    goes_on "$1"
}

# from_exit DIR: what its last word says, if it is there.  Foreign by now: checked.
from_exit() {
    [ -e "$1/exit" ] || return 1
    state=ended code=255 sig=- reason=unreadable start=0 end=0 setup=0 host=-
    first "$1/exit" || return 0
    for kv in code sig reason start end; do
        case " $line" in *" $kv="*) ;; *) continue ;; esac
        v=" $line"
        v=${v#*" $kv="}
        v=${v%% *}
        case $kv,$v in
        *, | *[!A-Za-z0-9,-]*) ;;
        sig,*) sig=$v ;;
        reason,*) reason=$v ;;
        *[!0-9]) ;;
        code,*) number "$v" && code=$v ;;
        start,*) number "$v" && start=$v ;;
        end,*) number "$v" && end=$v ;;
        esac
    done
    if first "$1/sup.id"; then host=${line##* }; fi
}

# tell TOKEN: its status line, from what state_of found; with the size of $log, if that is another one.
tell() {
    size=-1 idle=0 quiet=0
    if [ "$state" = running ]; then rests "$v1/runs/$1"; fi
    [ "$state" = none ] || size_of "${log:-$v1/runs/$1/log}" || size=-1
    say "st $1 state=$state code=$code sig=$sig reason=$reason start=$start end=$end now=$(now)" \
        "log=$size setup=$setup host=$host cpus=$cpus idle=$idle quiet=$quiet${words:+ msg=$words}"
}

# rests DIR: idle=so long its GPUs had nothing to do, when last looked at; quiet=1: no log for an hour.
rests() {
    if first "$1/idle"; then
        fields
        if number "$f1" && number "$f2" && math "$f2" - "$f1" && number "$r"; then idle=$r; fi
    fi
    [ -z "$(find "$1/log" -prune -mmin +60 2>/dev/null)" ] || quiet=1
}

status_line() {
    state_of "$v1/runs/$1"
    tell "$1"
}
