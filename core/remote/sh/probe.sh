# probe.sh - what this machine is and has; with a_brief=1 only what it takes to choose among many.

# plain TEXT: w=it as a value: no blanks, nothing that needs quotes; "-" for nothing.
plain() {
    w=$(printf '%s' "$1" | tr -c 'A-Za-z0-9./+:,@_-' _ | cut -b 1-200)
    w=${w:--}
}

# count TEXT: w=it if it is a number, else -1.
count() {
    w=-1
    if number "$1"; then w=$1; fi
}

system() {
    plain "$(uname -s)" && line="os=$w"
    plain "$(uname -m)" && line="$line arch=$w"
    plain "$(uname -n)" && line="$line host=$w"
    boot_id
    plain "$boot" && line="$line boot=$w"
    count "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null ||
        grep -c '^processor' /proc/cpuinfo 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null)"
    line="$line cores=$w"
    if [ -r /proc/loadavg ]; then
        read -r load _ </proc/loadavg
    else
        load=$(uptime | sed 's/.*averages*: *//; s/[, ].*//')
    fi
    plain "$load" && line="$line load=$w"
}

memory() {
    if [ -r /proc/meminfo ]; then
        total=$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)
        avail=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
    else
        total=$(sysctl -n hw.memsize 2>/dev/null || sysctl -n hw.physmem 2>/dev/null)
        math "${total:-0}" / 1024
        total=$r avail=''
    fi
    count "$total" && line="$line mem_kb=$w"
    count "$avail" && line="$line mem_free_kb=$w"
}

# disk: of the nearest folder that is there; nothing of ours is made by asking.
disk() {
    nearest
    count "$(df -Pk -- "$at" 2>/dev/null | awk 'NR > 1 { n = $4 } END { print n }')"
    line="$line free_kb=$w"
    count "$(df -Pi -- "$at" 2>/dev/null | awk 'NR > 1 { n = $4 } END { print n }')"
    line="$line inodes_free=$w"
    writable=0
    if mkdir "$at/.gnrrun-probe.$$" 2>/dev/null; then
        writable=1
        rmdir "$at/.gnrrun-probe.$$"
    fi
}

tar_kind() {
    case $(tar --version 2>&1) in
    *GNU*) w=gnu ;;
    *[Bb]usy[Bb]ox*) w=busybox ;;
    *bsdtar*) w=bsd ;;
    *) w=other ;;
    esac
    has tar || w='-'
    line="$line tar=$w"
}

have() {
    w=0
    if has "$1"; then w=1; fi
}

tools() {
    tar_kind
    have zstd && line="$line zstd=$w"
    choose_hash
    line="$line hash=$hash"
    plain "$(command -v python3 || command -v python)" && python=$w
    pyver=''
    [ "$python" = - ] || pyver=$(briefly python3 -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' ||
        briefly python -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
    plain "$pyver"
    line="$line python=$python pyver=$w"
    have uv && line="$line uv=$w"
    have conda && line="$line conda=$w writable=$writable"
    have setsid && line="$line setsid=$w"
    count "$(who 2>/dev/null | awk '!seen[$1]++ { n++ } END { print n + 0 }')" && line="$line users=$w"
    # on some machines whatever a user left running dies at logout
    kill=''
    if has loginctl; then
        kill=$(briefly loginctl show-session "${XDG_SESSION_ID:-self}" -p KillUserProcesses)
    fi
    plain "${kill#*=}" && line="$line kill_user_processes=$w"
}

# gpus: a line for each, and for each user of one.
gpus() {
    ask_smi || return 0
    uses=$(gpu_users; gpu_claims)
    printf '%s\n%s\n' "$smi" "$uses" | awk '
        $1 == "on" { procs[$2]++ }
        $1 == "gpu" {
            n++
            uuid[n] = $3; number_of[$3] = $2; idle[n] = $5 < 500 && $6 < 10
            line[n] = sprintf("gpu index=%d name=%s mem_mb=%s used_mb=%s util=%s", $2, substr($7, 2), $4, $5, $6)
        }
        $1 == "user" && ($2 in number_of) { use($2, $3); count[$2, $3]++; if ($4 > 0) mb[$2, $3] += $4 }
        $1 == "claim" && ($2 in number_of) { use($2, $3); held[$2, $3] = claimed[$2] = 1 }
        function use(id, who) {
            if (!((id, who) in known) && m < 200) { known[id, who] = 1; m++; at[m] = id; by[m] = who }
        }
        END {
            for (i = 1; i <= n; i++) printf "%s procs=%d free=%d\n", line[i], procs[uuid[i]], idle[i] && !procs[uuid[i]] && !claimed[uuid[i]]
            for (i = 1; i <= m; i++)
                printf "use gpu=%d user=%s procs=%d mem_mb=%d claim=%d\n", number_of[at[i]], by[i], count[at[i], by[i]], mb[at[i], by[i]], held[at[i], by[i]]
        }'
}

# user_of PATH: w=whose it is.
user_of() {
    # shellcheck disable=SC2012,SC2046 # one name, the words in front of it
    set -- $(ls -ld -- "$1" 2>/dev/null)
    plain "${3:-}"
}

# gpu_users: "user UUID NAME MIB" of each process on one.
gpu_users() {
    printf '%s\n' "$smi" | while read -r kind id pid mb; do
        [ "$kind" = on ] || continue
        if [ -d "/proc/$pid" ]; then user_of "/proc/$pid"; else plain "$(ps -o user= -p "$pid" 2>/dev/null)"; fi
        printf 'user %s %s %s\n' "$id" "$w" "$mb"
    done
}

# gpu_claims: "claim UUID NAME" of each run that has one or is about to.
gpu_claims() {
    [ -d "$gpu_dir" ] && [ ! -L "$gpu_dir" ] || return 0
    me=''
    printf '%s\n' "$smi" | while read -r kind _ id _; do
        if [ "$kind" = gpu ] && claimed "$id"; then
            user_of "$gpu_dir/$holder"
            printf 'claim %s %s\n' "$id" "$w"
        fi
    done
}

# people: who is logged in and what they use.
people() {
    has who || return 0
    logged=$(who 2>/dev/null | awk '{ print $1 }')
    [ -n "$logged" ] || return 0
    ps -A -o user= -o pcpu= 2>/dev/null | LOGGED=$logged awk '
        BEGIN { n = split(ENVIRON["LOGGED"], u, "\n"); for (i = 1; i <= n; i++) here[u[i]] = 1 }
        $1 in here { procs[$1]++; cpu[$1] += $2 }
        END {
            n = 0
            for (x in procs) {
                if (n++ >= 20) break
                load = int(cpu[x]); k = procs[x]
                gsub(/[^A-Za-z0-9._-]/, "_", x)
                printf "who user=%s procs=%d cpu=%d\n", x, k, load
            }
        }'
}

# nearest: at=the nearest folder of $root that is there.
nearest() {
    at=$root
    while [ ! -d "$at" ]; do
        at=${at%/*}
        at=${at:-/}
    done
}

# brief: with as few processes as can be, for many are asked at once.
brief() {
    os=$(uname -s) cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null ||
        grep -c '^processor' /proc/cpuinfo 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null)
    load='' mem=-1 writable=0
    if [ -r /proc/loadavg ]; then read -r load _ </proc/loadavg; fi
    if [ -r /proc/meminfo ]; then
        while read -r key value _; do
            [ "$key" != MemAvailable: ] || mem=$value
        done </proc/meminfo
    fi
    nearest
    [ ! -w "$at" ] || writable=1
    # shellcheck disable=SC2046 # words; the fourth of the last line
    set -- $(df -Pk -- "$at" 2>/dev/null)
    shift $(($# > 6 ? $# - 6 : 0))
    line="os=${os:--} cores=${cores:--1} load=${load:--} mem_free_kb=$mem free_kb=${4:--1} writable=$writable"
    case $line in *[!A-Za-z0-9=._\ -]*) die sys 'cannot tell what this machine is' ;; esac
    say "probe $line"
    gpus
    finish_ok
}

main() {
    greet
    find_root
    [ "${a_brief:-0}" != 1 ] || brief
    tick_start
    system
    memory
    disk
    tools
    find_queue
    tick_stop
    say "probe $line scheduler=$queue"
    gpus
    people
    finish_ok
}

main
