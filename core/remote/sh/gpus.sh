# gpus.sh - which GPUs a run gets on a machine that it shares.  Part of the supervisor, with site.sh and smi.sh.
#
# A GPU is free when no process is on it, next to none of its memory is taken, it is idle, and no run of anybody's has
# put a claim on it.  Who wants a GPU puts his claim on it, looks again, and takes it away when another living one is
# there.  Of those who wait, the one who came first goes first: files wait.TIME.GPUS.PID.START, GPUS being the numbers
# of those that would do for him.  What belongs to no living process of its owner's does not count; others cannot
# remove it there.  Nobody enforces any of it, and a scheduler that hands out GPUs is believed.

claims='' ticket='' visible=''

# list_gpus: gpus="INDEX UUID FREE FITS SHOWN" of each; fails when nobody knows.  Free as far as the driver says; FITS:
# its kind and memory are what was asked for.
list_gpus() {
    gpus=''
    ask_smi || return 1
    gpus=$(printf '%s\n' "$smi" | awk -v kind="$want_kind" -v mb="$want_mb" '
        BEGIN {
            kind = tolower(kind)
            gsub(/[^A-Za-z0-9._-]+/, "_", kind)
        }
        $1 == "on" { taken[$2] = 1 }
        $1 == "gpu" {
            n++
            index_[n] = $2; uuid[n] = $3; shown[n] = $8
            idle[n] = $5 < 500 && $6 < 10
            fits[n] = (kind == "" || index(tolower($7), kind)) && (mb == 0 || $4 >= mb + 0)
        }
        END { for (i = 1; i <= n; i++) print index_[i], uuid[i], idle[i] && !(uuid[i] in taken), fits[i] ? 1 : 0, shown[i] }')
    [ -n "$gpus" ]
}

# count_fitting: n=how many there are, whoever has them; fitting=their numbers, joined by "-".
count_fitting() {
    # shellcheck disable=SC2086 # words
    set -- $gpus
    n=0 fitting=''
    while [ $# -ge 5 ]; do
        [ "$4" = 0 ] || n=$((n + 1)) fitting=$fitting-$1
        shift 5
    done
    fitting=${fitting#-}
}

# open_claims: the folder is one, everybody's, and no link to somewhere else.  Without it only the driver's word counts.
open_claims() {
    if ! [ -e "$gpu_dir" ] && ! [ -L "$gpu_dir" ]; then
        (umask 000 && mkdir -m 1777 "$gpu_dir") 2>/dev/null
    fi
    [ -d "$gpu_dir" ] && [ ! -L "$gpu_dir" ] && [ -w "$gpu_dir" ] && [ -x "$gpu_dir" ]
}

# lay NAME: a file of that name; what somebody has put there, a link say, is not written to.
lay() {
    (set -C && : >"$gpu_dir/$1") 2>/dev/null
}

# find_earlier: earlier=" 0 2 " the GPUs that somebody waits for who came before us, and who still looks after his place.
find_earlier() {
    earlier=' '
    for f in "$gpu_dir"/wait.*; do
        f=${f##*/}
        case ${f#wait.} in "$ticket" | *[!A-Za-z0-9._-]*) continue ;; esac
        t=${f#wait.}
        set=${t#*.} t=${t%%.*}
        set=${set%%.*}
        case $set in *[!0-9-]*) continue ;; esac
        if ! number "$t" || [ "${#t}" -gt 12 ] || [ "${#set}" -gt 300 ] || [ "$t" -gt "$since" ]; then continue; fi
        if ! is_alive "$f" || ! recent "$f"; then continue; fi
        # in the same second: any order will do
        if [ -n "$ticket" ] && [ "$t" = "$since" ] && expr "x$f" '>' "xwait.$ticket" >/dev/null; then continue; fi
        for i in $(printf '%s' "$set" | tr -- - ' '); do earlier="$earlier$i "; done
    done
}

drop_claims() {
    for f in $claims; do rm -f "$gpu_dir/$f.$me"; done
    claims=''
}

drop_ticket() {
    [ -z "$ticket" ] || rm -f "$gpu_dir/wait.$ticket"
    ticket=''
}

# try_gpus N: visible=N free ones of $gpus, now; all or none.
try_gpus() {
    visible='' got=0 want=$1 earlier=' ' met=0
    [ "$shared_claims" = 0 ] || find_earlier
    # shellcheck disable=SC2086 # words
    set -- $gpus
    while [ $# -ge 5 ] && [ "$got" -lt "$want" ]; do
        case $3$4$earlier in
        11*" $1 "*) ;;
        11*) ! take "$2" || visible="$visible,$5" got=$((got + 1)) ;;
        esac
        shift 5
    done
    visible=${visible#,}
    # somebody without claims may have come meanwhile
    if [ "$got" = "$want" ] && list_gpus && still_free; then return 0; fi
    drop_claims
    visible=''
    return 1
}

# take UUID: claim, look, and step back where another was as quick.
take() {
    [ "$shared_claims" = 1 ] || return 0
    if claimed "$1" || ! lay "$1.$me"; then return 1; fi
    claims="$claims $1"
    claimed "$1" || return 0
    met=1
    rm -f "$gpu_dir/$1.$me"
    claims=${claims% *}
    return 1
}

still_free() {
    for i in $(printf '%s' "$visible" | tr , ' '); do
        case $nl$gpus$nl in *" 1 "[01]" $i$nl"*) ;; *) return 1 ;; esac
    done
}

# want_gpus: what was asked for: want_n, want_kind, want_mb.  Fails when nothing is to be done: nobody asked and the
# machine is ours, or has none; or somebody has chosen already, as a batch queue does.
want_gpus() {
    option gpus 0
    want_n=$value
    option gpu_mb 0
    want_mb=$value
    option share 0
    share=$value
    want_kind=''
    if first "$d/gpu_type"; then want_kind=$line; fi
    [ -z "${CUDA_VISIBLE_DEVICES+x}${ROCR_VISIBLE_DEVICES+x}${HIP_VISIBLE_DEVICES+x}" ] || return 1
    [ "$want_n" != 0 ] || { [ "$share" = 1 ] && { has nvidia-smi || has rocm-smi; }; }
}

# check_gpus: what can never be is said before anything is begun.  Fails where nobody asked and there is nothing to hide.
check_gpus() {
    me=$$.$started
    asked="$want_n were"
    [ "$want_n" != 1 ] || asked='1 was'
    if ! list_gpus; then
        # nothing to hide; or a queue that gave us this place knows what is in it
        if [ "$want_n" = 0 ] || [ -f "$d/queue" ]; then return 1; fi
        why='has no GPU'
        if has nvidia-smi || has rocm-smi; then why='has no GPU whose driver answers'; fi
        refuse toofew "'$(uname -n)' $why, $asked asked for"
    fi
    count_fitting
    if [ "$n" -ge "$want_n" ]; then
        shared_claims=1
        open_claims || shared_claims=0
        return 0
    fi
    of="$n GPUs"
    [ "$n" != 1 ] || of='1 GPU'
    [ -z "$want_kind" ] || of="$of of type '$want_kind'"
    [ "$want_mb" = 0 ] || of="$of with $want_mb MiB"
    refuse toofew "'$(uname -n)' has $of, $asked asked for"
}

# take_gpus: without a wait.  Who did not ask gets one if one is free, for else he would see all of them.
take_gpus() {
    since=$(now)
    if [ "$want_n" = 0 ]; then
        try_gpus 1 ||
            { [ "$met" = 1 ] && nap "0.$(($$ % 9 + 1))" && list_gpus && try_gpus 1; } ||
            printf 'gnrrun: no GPU is free here, so the program sees none; --gpus 1 waits for one\n' >>"$d/log"
        return 0
    fi
    [ "$shared_claims" = 1 ] ||
        printf 'gnrrun: no claims can be kept in %s: who else waits for a GPU is not seen\n' "$gpu_dir" >>"$d/log"
    ticket=$since.$fitting.$me
    if [ "$shared_claims" = 0 ] || ! lay "wait.$ticket"; then ticket=''; fi
    try_gpus "$want_n" || return 1
    drop_ticket
}

# wait_gpus: until they are ours, or somebody ends us.
wait_gpus() {
    put "$d/phase" gpus
    turns=0
    while [ -z "$hit" ]; do
        # two that step back for each other do so at different times
        sleep 1
        [ $(($$ % 3)) != 0 ] || nap 0.3
        if [ -s "$d/note" ] || [ ! -d "$d" ]; then hit=stop; fi
        [ -z "$hit" ] || break
        turns=$((turns + 1))
        [ -z "$ticket" ] || [ $((turns % 10)) != 0 ] || touch -c "$gpu_dir/wait.$ticket"
        # a driver is no cheap thing to ask
        if [ $((turns % 3)) = 0 ] && list_gpus && try_gpus "$want_n"; then break; fi
    done
    drop_ticket
    rm -f "$d/phase"
}

# sample_gpus: $d/idle is "SINCE UNTIL" while none of ours has anything to do; nothing is known where no driver tells.
sample_gpus() {
    [ -n "$claims" ] && ask_smi || return 0
    t=$(now)
    if printf '%s\n' "$smi" | awk -v ours="$claims " '
        $1 == "gpu" && index(ours, " " $3 " ") { known += $6 >= 0; busy += $6 >= 5 }
        END { exit !known || busy }'; then
        since=$t
        if first "$d/idle" && number "${line%% *}"; then since=${line%% *}; fi
        put "$d/idle" "$since $t"
    else
        rm -f "$d/idle"
    fi
}

# keep_claims: now and then, for where nobody sees that we live.
keep_claims() {
    for f in $claims; do touch -c "$gpu_dir/$f.$me"; done
}

# leave_gpus: at the end, whatever came before; and what dead ones of ours have left there.
leave_gpus() {
    drop_ticket
    drop_claims
    [ "$shared_claims" = 0 ] ||
        find "$gpu_dir/." ! -name . -prune -user "$(id -u)" -type f -mtime +0 -exec rm -f {} + 2>/dev/null
}

# show_gpus: for the program.
show_gpus() {
    if [ -z "$visible" ]; then
        CUDA_VISIBLE_DEVICES='' HIP_VISIBLE_DEVICES=-1
        export CUDA_VISIBLE_DEVICES HIP_VISIBLE_DEVICES
    elif [ "$smi_kind" = amd ]; then
        ROCR_VISIBLE_DEVICES=$visible
        export ROCR_VISIBLE_DEVICES
    else
        CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=$visible
        export CUDA_DEVICE_ORDER CUDA_VISIBLE_DEVICES
    fi
}
