# smi.sh - what is known of this machine's GPUs: what their drivers say, and who has put a claim on one.  For probe,
# and for the supervisor; needs site.sh.
#
# Claims are empty files UUID.PID.START in a folder of /tmp that is everybody's (gpus.sh).  What lies in there may be
# anybody's work: names are looked at, nothing is opened, followed or run.

gpu_dir=${GNRRUN_GPU_DIR:-/tmp/gnrrun-gpus}

# ask_smi: smi= a line "gpu INDEX UUID TOTAL USED BUSY NAME SHOWN" for each GPU (MiB, percent; -1: nobody knows; SHOWN:
# its name for those who may see it), and "on UUID PID MIB" for each process on one.  Fails when there is none.
ask_smi() {
    smi='' smi_kind=nvidia
    # shellcheck disable=SC2016 # both in the time of one
    if has nvidia-smi && told=$(briefly sh -c '
        nvidia-smi --query-gpu=index,uuid,name,memory.total,memory.used,utilization.gpu --format=csv,noheader,nounits &&
        echo processes &&
        nvidia-smi --query-compute-apps=gpu_uuid,pid,used_memory --format=csv,noheader,nounits'); then
        smi=$(printf '%s\n' "$told" | awk -F ', *' '
            function known(v) { return v ~ /^[0-9]+$/ ? v : -1 }
            $1 == "processes" { apps = 1; next }
            $(apps ? 1 : 2) !~ /^[A-Za-z0-9-]+$/ || length($(apps ? 1 : 2)) > 80 { next }
            apps { if (++k <= 500) print "on", $1, known($2), known($3); next }
            NF >= 6 && n < 64 && $1 ~ /^[0-9]+$/ {
                n++
                gsub(/[^A-Za-z0-9._-]+/, "_", $3)
                print "gpu", $1, $2, known($4), known($5), known($6), "_" $3, $1
            }')
    fi
    case $smi in gpu*) return 0 ;; esac
    ask_rocm
    case $smi in gpu*) ;; *) return 1 ;; esac
}

# ask_rocm: the same for AMD's, which tell no processes.  Columns are known by their heads, which differ from version
# to version; what has next to no memory is the processor's own.
ask_rocm() {
    has rocm-smi || return 0
    smi_kind=amd
    smi=$(briefly rocm-smi --showproductname --showuniqueid --showuse --showmeminfo vram --csv | awk -F ',' '
        tolower($1) == "device" { for (i = 1; i <= NF; i++) at[tolower($i)] = i; next }
        $1 !~ /^card[0-9]+$/ || !(("vram total memory (b)") in at) || n >= 64 { next }
        {
            n++
            total = $(at["vram total memory (b)"])
            used = ("vram total used memory (b)" in at) ? $(at["vram total used memory (b)"]) : ""
            busy = ("gpu use (%)" in at) ? $(at["gpu use (%)"]) : ""
            id = ("unique id" in at) ? $(at["unique id"]) : ""
            name = ("card series" in at) ? $(at["card series"]) : ""
            if (total !~ /^[0-9]+$/ || total < 1073741824) next
            used = used ~ /^[0-9]+$/ ? int(used / 1048576) : -1
            if (busy !~ /^[0-9]+$/) busy = -1
            index_ = substr($1, 5)
            sub(/^0x/, "", id)
            shown = id ~ /^[0-9a-fA-F]+$/ && length(id) <= 16 ? "GPU-" id : index_
            gsub(/[^A-Za-z0-9._-]+/, "_", name)
            print "gpu", index_, shown == index_ ? "amd-" index_ : shown, int(total / 1048576), used, busy, "_" name, shown
        }')
}

# owner PATH: uid of it.
owner() {
    # shellcheck disable=SC2012,SC2046 # one name, the numbers in front of it
    set -- $(ls -lnd -- "$1" 2>/dev/null)
    uid=${3:-}
    number "$uid"
}

# recent NAME: is that file of the folder looked after?
recent() {
    [ -n "$(find "$gpu_dir/$1" -prune -type f -mmin -3 2>/dev/null)" ]
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
    [ -r /proc/self/stat ] && [ ! -e /proc/1/stat ] && recent "$1"
}

# claimed UUID: holder=the claim of a living one, other than ours ($me), that has been put on it; fails when there is none.
claimed() {
    for holder in "$gpu_dir/$1".*; do
        holder=${holder##*/}
        case ${holder#"$1."} in "$me" | *[!A-Za-z0-9._]*) continue ;; esac
        if is_alive "$holder"; then return 0; fi
    done
    return 1
}
