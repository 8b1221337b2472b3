# gpus.sh - which GPUs a run gets on a machine that it shares.  Part of the supervisor, with site.sh.
#
# A GPU is free when no process is on it, next to none of its memory is taken, it is idle, and no run of anybody's has
# put a claim on it.  Claims are empty files UUID.PID.START in a folder of /tmp that is everybody's: who wants a GPU puts
# his there, looks again, and takes it away when another living one is there.  Of those who wait, the one who came
# first goes first: files wait.TIME.PID.START.  What belongs to no living process of its owner's does not count;
# others cannot remove it there.  Nobody enforces any of it, and a scheduler that hands out GPUs is believed.

gpu_dir=${GNRRUN_GPU_DIR:-/tmp/gnrrun-gpus}
claims='' ticket='' visible=''

# list_gpus: "INDEX UUID FREE FITS" of each; fails when nobody knows.  Free as far as the driver says; FITS: its kind
# and memory are what was asked for.
list_gpus() {
    gpus=''
    has nvidia-smi || return 1
    apps=$(briefly nvidia-smi --query-compute-apps=gpu_uuid --format=csv,noheader) || return 1
    gpus=$(briefly nvidia-smi --query-gpu=index,uuid,name,memory.total,memory.used,utilization.gpu \
        --format=csv,noheader,nounits) || return 1
    gpus=$(printf '%s\n' "$gpus" | APPS=$apps awk -F ', *' -v kind="$want_kind" -v mb="$want_mb" '
        BEGIN {
            n = split(ENVIRON["APPS"], app, "\n")
            for (i = 1; i <= n; i++) { sub(/[^A-Za-z0-9-].*/, "", app[i]); procs[app[i]]++ }
        }
        NF >= 6 && NR <= 64 && $1 ~ /^[0-9]+$/ && $2 ~ /^[A-Za-z0-9-]+$/ && length($2) <= 80 {
            free = !($2 in procs) && (($5 ~ /^[0-9]+$/) ? $5 < 500 : 1) && (($6 ~ /^[0-9]+$/) ? $6 < 10 : 1)
            fits = (kind == "" || index(tolower($3), tolower(kind))) && (mb == 0 || ($4 ~ /^[0-9]+$/ && $4 + 0 >= mb + 0))
            print $1, $2, free, fits
        }')
    [ -n "$gpus" ]
}

# count_fitting: n=how many there are, whoever has them.
count_fitting() {
    n=$(printf '%s\n' "$gpus" | awk '$4 == 1 { n++ } END { print n + 0 }')
}

# open_claims: the folder is one, everybody's, and no link to somewhere else.  Without it only the driver's word counts.
open_claims() {
    if ! [ -e "$gpu_dir" ] && ! [ -L "$gpu_dir" ]; then
        (umask 000 && mkdir -m 1777 "$gpu_dir") 2>/dev/null
    fi
    [ -d "$gpu_dir" ] && [ ! -L "$gpu_dir" ] && [ -w "$gpu_dir" ] && [ -x "$gpu_dir" ]
}

# owner PATH: uid of it.
owner() {
    # shellcheck disable=SC2012,SC2046 # one name, the numbers in front of it
    set -- $(ls -lnd -- "$1" 2>/dev/null)
    uid=${3:-}
    number "$uid"
}

# is_alive NAME: ...PID.START names a process that lives, and the file is its owner's.  Where others' processes are
# not to be seen, a file counts while it is touched.
is_alive() {
    st_=${1##*.} pid_=${1%.*}
    pid_=${pid_##*.}
    number "$pid_" && [ -n "$st_" ] || return 1
    if same "$pid_" "$st_"; then
        [ ! -d "/proc/$pid_" ] || { owner "$gpu_dir/$1" && was=$uid && owner "/proc/$pid_" && [ "$uid" = "$was" ]; }
        return
    fi
    [ -r /proc/self/stat ] && [ ! -e /proc/1/stat ] && [ -n "$(find "$gpu_dir/$1" -prune -mmin -3 2>/dev/null)" ]
}

# claimed UUID: has a living one of somebody else's been put on it?
claimed() {
    for f in "$gpu_dir/$1".*; do
        f=${f##*/}
        case ${f#"$1."} in "$me" | *[!A-Za-z0-9._]*) continue ;; esac
        if is_alive "$f"; then return 0; fi
    done
    return 1
}

# is_first: does nobody wait who came before?
is_first() {
    for f in "$gpu_dir"/wait.*; do
        f=${f##*/}
        case ${f#wait.} in "$ticket" | *[!A-Za-z0-9._]*) continue ;; esac
        t=${f#wait.} && t=${t%%.*}
        if ! number "$t" || [ "${#t}" -gt 12 ] || [ "$t" -gt "$since" ]; then continue; fi
        # in the same second: any order will do
        if [ "$t" = "$since" ] && expr "x$f" '>' "xwait.$ticket" >/dev/null; then continue; fi
        if is_alive "$f"; then return 1; fi
    done
    return 0
}

drop_claims() {
    for f in $claims; do rm -f "$gpu_dir/$f.$me"; done
    claims=''
}

drop_ticket() {
    [ -z "$ticket" ] || rm -f "$gpu_dir/wait.$ticket"
    ticket=''
}

# try_gpus N: visible=N free ones, now; all or none.
try_gpus() {
    list_gpus || return 1
    visible='' got=0
    # shellcheck disable=SC2086 # words
    set -- "$1" $gpus
    want=$1
    shift
    while [ $# -ge 4 ] && [ "$got" -lt "$want" ]; do
        if [ "$3$4" = 11 ]; then
            if [ "$shared_claims" = 0 ]; then
                visible="$visible,$1" got=$((got + 1))
            elif ! claimed "$2" && { : >"$gpu_dir/$2.$me"; } 2>/dev/null; then
                claims="$claims $2"
                if claimed "$2"; then
                    # at the same instant: both step back
                    rm -f "$gpu_dir/$2.$me"
                    claims=${claims% *}
                else
                    visible="$visible,$1" got=$((got + 1))
                fi
            fi
        fi
        shift 4
    done
    visible=${visible#,}
    # somebody without claims may have come meanwhile
    if [ "$got" = "$want" ] && list_gpus && still_free; then return 0; fi
    drop_claims
    visible=''
    return 1
}

still_free() {
    for i in $(printf '%s' "$visible" | tr , ' '); do
        printf '%s\n' "$gpus" | awk -v i="$i" '$1 == i && $3 == 1 { ok = 1 } END { exit !ok }' || return 1
    done
}

# want_gpus: what was asked for: want_n, want_kind, want_mb.  Fails when nothing is to be done.
want_gpus() {
    option gpus 0
    want_n=$value
    option gpu_mb 0
    want_mb=$value
    option share 0
    share=$value
    want_kind=''
    if first "$d/gpu_type"; then want_kind=$line; fi
    [ -z "${CUDA_VISIBLE_DEVICES+x}" ] || return 1
    [ "$want_n" != 0 ] || { [ "$share" = 1 ] && has nvidia-smi; }
}

# check_gpus: what can never be is said before anything is begun.
check_gpus() {
    me=$$.$started
    shared_claims=1
    open_claims || shared_claims=0
    [ "$want_n" != 0 ] || return 0
    list_gpus || refuse nospace "$(uname -n) has no GPU that nvidia-smi knows of"
    count_fitting
    [ "$n" -ge "$want_n" ] || refuse nospace \
        "$(uname -n) has $n such GPU(s)${want_kind:+ of type $want_kind}, and $want_n were asked for"
}

# take_gpus: without a wait.  Who did not ask gets one if one is free, for else he would see all of them.
take_gpus() {
    [ "$shared_claims" = 1 ] ||
        printf 'gnrrun: no claims can be kept in %s: who else waits for a GPU is not seen\n' "$gpu_dir" >>"$d/log"
    if [ "$want_n" = 0 ]; then
        try_gpus 1 || printf 'gnrrun: no GPU is free here, so the program sees none; --gpus 1 waits for one\n' >>"$d/log"
        return 0
    fi
    since=$(now)
    ticket=$since.$me
    [ "$shared_claims" = 0 ] || { : >"$gpu_dir/wait.$ticket"; } 2>/dev/null || ticket=''
    if { [ -z "$ticket" ] || is_first; } && try_gpus "$want_n"; then
        drop_ticket
        return 0
    fi
    return 1
}

# wait_gpus: until they are ours, or somebody ends us.
wait_gpus() {
    put "$d/phase" gpus
    turns=0
    while [ -z "$hit" ]; do
        [ ! -s "$d/note" ] || hit=stop
        [ -d "$d" ] || hit=stop
        [ -z "$hit" ] || break
        turns=$((turns + 1))
        [ -z "$ticket" ] || [ $((turns % 10)) != 0 ] || touch -c "$gpu_dir/wait.$ticket"
        # a driver is no cheap thing to ask
        if [ $((turns % 3)) = 0 ] && { [ -z "$ticket" ] || is_first; } && try_gpus "$want_n"; then break; fi
        # two that step back for each other do so at different times
        sleep 1
        [ $(($$ % 3)) != 0 ] || nap 0.3
    done
    drop_ticket
    rm -f "$d/phase"
    [ -z "$hit" ]
}

# keep_claims: now and then, for where nobody sees that we live.
keep_claims() {
    for f in $claims; do touch -c "$gpu_dir/$f.$me"; done
}

# leave_gpus: at the end, whatever came before.
leave_gpus() {
    drop_ticket
    drop_claims
}

# show_gpus: for the program.
show_gpus() {
    CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=$visible
    export CUDA_DEVICE_ORDER CUDA_VISIBLE_DEVICES
}
