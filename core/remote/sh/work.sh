# work.sh - a run gets a work folder of its own, and its supervisor.  For launch, and for the supervisor of a sweep.

# copy FROM TO [NICE...]: real copies; blocks are shared where the file system does it by itself.
copy() {
    from=$1 to=$2
    shift 2
    e=$("$@" cp -pPR --reflink=auto -- "$from" "$to" 2>&1) && return 0
    case $e in *reflink* | *[Uu]'sage'*) ;; *) return 1 ;; esac
    e=$("$@" cp -pPR -- "$from" "$to" 2>&1)
}

# mark DIR: what the run changes is younger than this file; on some disks a clock stands
# still for a second.
mark() {
    e=$( (: >"$1/shipped") 2>&1) || fail 'cannot put the run together' "$e"
    n=0
    while [ "$n" -lt 30 ]; do
        e=$( (: >"$1/later") 2>&1) || fail 'cannot put the run together' "$e"
        [ -z "$(find "$1/later" -newer "$1/shipped")" ] || break
        rm -f "$1/later"
        sleep 0.01 2>/dev/null || sleep 1
        n=$((n + 1))
    done
    rm -f "$1/later"
}

# start_run DIR: silence means that it runs, or that somebody else has started it.
start_run() {
    e=$(
        (
            umask "$user_umask"
            unset LC_ALL
            [ -z "$user_lc" ] || { LC_ALL=$user_lc && export LC_ALL; }
            in_session sh "$1/sup" run "$1"
        ) </dev/null 2>&1 &
    )
    # a shell that does not know the user's locale says so, before anything of ours
    case ${e##*"$nl"} in
    nospace\ * | notfound\ * | toofew\ * | sys\ *)
        e=${e##*"$nl"}
        die "${e%% *}" "${e#* }"
        ;;
    esac
    [ -z "$e" ] || [ -d "$1/lock" ] || die sys "the supervisor says: $e"
}
