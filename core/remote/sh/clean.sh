# clean.sh - remove all that gnrrun has on this machine, unless something runs.

main() {
    greet
    find_root
    [ -d "$v1" ] || { say 'ok bytes=0' && exit 0; }
    tick_start
    for d in "$v1/runs"/*; do
        state_of "$d"
        case $state in
        queued | starting | running | stopping | elsewhere) die busy "${d##*/} is running" ;;
        esac
    done
    freed=$(du -sk -- "$v1" 2>/dev/null | awk '{ kb = $1 } END { printf "%.0f", kb * 1024 }')
    e=$(wipe "$v1" 2>&1) || fail "cannot remove $v1" "$e"
    rmdir "$root" 2>/dev/null
    tick_stop
    say "ok bytes=$freed"
    exit 0
}

main
