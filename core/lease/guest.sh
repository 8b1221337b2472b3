# guest.sh DEADLINE HOME [TICK REST HALT]: end this machine at DEADLINE (seconds since 1970), and sooner when no
# run of ours has been on it, and nobody logged in, for REST seconds.  Root runs it, from the first start on.
deadline=$1 home=$2 tick=${3:-20} rest=${4:-600} halt=${5:-poweroff}
user=${home##*/} quiet=0

is_used() {
    for run in "$home"/.gnrrun/v1/runs/*/; do
        [ ! -d "$run" ] || [ -e "$run/exit" ] || return 0
    done
    # shellcheck disable=SC2009 # pgrep is not everywhere
    ps -e -o user= -o comm= | grep -q "^$user  *sshd"
}

while :; do
    now=$(date +%s)
    [ "$now" -lt "$deadline" ] || break
    if is_used; then
        quiet=0
    else
        quiet=$((quiet + tick))
    fi
    [ "$quiet" -lt "$rest" ] || break
    sleep "$tick"
done
sync
$halt
