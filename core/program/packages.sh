# shellcheck shell=sh disable=SC2154,SC2034
# packages.sh - the setup of a run, made once and used by all runs that need the same.
#
# $GNRRUN_ROOT/env/KEY-PYTHON-MACHINE/ holds
#   venv/ conda/     what programs are started from; venv.py, conda.py: there is a python in it
#   work.tar         files that the setup made in the work folder
#   done             for which snapshot this holds: "any", its id, or "never"; written last
#   used             its time says when a run last used it
# and beside it ....lock/who is the one who builds it.  Comes before job.sh, which calls
# gnj_packages() and has the helpers and the list of variables.

# --- one at a time ----------------------------------------------------------------------------

# When process $1 began, in words of this machine; empty if it is not there.
gnj_began() {
    if [ -r "/proc/$1/stat" ]; then
        gnj_st=
        read -r gnj_st <"/proc/$1/stat" 2>/dev/null
        # shellcheck disable=SC2086
        set -- ${gnj_st##*) }
        [ $# -lt 20 ] || { shift 19 && echo "$1"; }
    else
        ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _
    fi
}

# Is the one who wrote "PID BEGAN HOST" gone?  On another host only time tells.
gnj_stale() {
    [ -n "$gnj_who" ] || return 1
    # shellcheck disable=SC2086
    set -- $gnj_who
    if [ "$3" = "$(uname -n)" ]; then
        [ "$(gnj_began "$1")" != "$2" ]
    else
        [ -n "$(find "$gnj_lock/who" -mtime +0 2>/dev/null)" ]
    fi
}

# Only who holds the guard may break a lock, and looks once more: else two could break it, the
# second one the new lock of the first.
gnj_break() {
    if ! mkdir "$gnj_lock.guard" 2>/dev/null; then
        [ -z "$(find "$gnj_lock.guard" -prune -mtime +0 2>/dev/null)" ] || rmdir "$gnj_lock.guard"
        sleep 1
        return 0
    fi
    gnj_was=$gnj_who gnj_who=
    read -r gnj_who 2>/dev/null <"$gnj_lock/who"
    [ "$gnj_who" != "$gnj_was" ] || rm -rf "$gnj_lock"
    rmdir "$gnj_lock.guard"
}

gnj_take_lock() {
    gnj_lock=$gnj_env.lock
    gnj_turns=0 gnj_blank=0
    until mkdir "$gnj_lock" 2>/dev/null; do
        if [ ! -d "$gnj_lock" ] && [ ! -w "${gnj_lock%/*}" ]; then
            gnj_say "cannot write to ${gnj_lock%/*} on $(uname -n)"
            gnj_lock=
            gnj_fail 1
        fi
        gnj_who=
        [ ! -r "$gnj_lock/who" ] || read -r gnj_who 2>/dev/null <"$gnj_lock/who"
        # Somebody killed between his mkdir and his name leaves it blank.
        [ -n "$gnj_who" ] || gnj_blank=$((gnj_blank + 1))
        if gnj_stale || [ "$gnj_blank" -gt 3 ]; then
            gnj_blank=0
            gnj_break
            continue
        fi
        gnj_turns=$((gnj_turns + 1))
        [ "$gnj_turns" -ne 2 ] ||
            gnj_say "another run prepares the same packages; waiting for it ($gnj_who)"
        sleep 1
    done
    gnj_held=1
    echo "$$ $(gnj_began $$) $(uname -n)" >"$gnj_lock/who"
}

gnj_unlock() {
    [ -z "$gnj_held" ] || rm -rf "$gnj_lock"
    gnj_held=
}

# --- an environment of packages ---------------------------------------------------------------

# Homes are shared among unlike machines, so what a build depends on is in the folder's name.
gnj_name_env() {
    gnj_os=$([ ! -r /etc/os-release ] || {
        # shellcheck disable=SC1091
        . /etc/os-release && echo "$ID $VERSION_ID"
    })
    gnj_id=$(printf '%s\n' "$(uname -sm)" "$gnj_os" "$gnj_ver" "$gnj_base" | cksum)
    gnj_env=$GNRRUN_ROOT/env/$gnj_key-${gnj_ver:-none}-${gnj_id%% *}
}

gnj_activate() {
    if [ -d "$gnj_env/conda" ]; then
        gnj_py=$gnj_env/conda/bin/python
        PATH=$gnj_env/conda/bin:$PATH
        CONDA_PREFIX=$gnj_env/conda CONDA_DEFAULT_ENV=$gnj_env/conda
        export PATH CONDA_PREFIX CONDA_DEFAULT_ENV
        for gnj_f in "$gnj_env"/conda/etc/conda/activate.d/*.sh; do
            # shellcheck disable=SC1090
            [ ! -r "$gnj_f" ] || . "$gnj_f"
        done
    elif [ -d "$gnj_env/venv" ]; then
        gnj_py=$gnj_env/venv/bin/python
        PATH=$gnj_env/venv/bin:$PATH
        VIRTUAL_ENV=$gnj_env/venv
        export PATH VIRTUAL_ENV
        unset PYTHONHOME
    fi
}

# A python that was upgraded or removed leaves dead links behind.
gnj_env_works() {
    for gnj_d in venv conda; do
        [ ! -d "$gnj_env/$gnj_d" ] || [ ! -e "$gnj_env/$gnj_d.py" ] ||
            "$gnj_env/$gnj_d/bin/python" -c '' >/dev/null 2>&1 || return 1
    done
}

# Non-login shells often lack the folder that uv installs itself into.
gnj_find_uv() {
    gnj_uv=
    for gnj_f in uv "$HOME/.local/bin/uv" "$HOME/.cargo/bin/uv"; do
        if gnj_has "$gnj_f"; then
            gnj_uv=$gnj_f
            return 0
        fi
    done
    return 1
}

# Debian splits ensurepip off, so `-m venv` may fail where pip or virtualenv would do.
gnj_make_venv() {
    gnj_v=$gnj_env/venv
    if [ "$gnj_setup" != command ] && gnj_find_uv; then
        UV_PYTHON_DOWNLOADS=never "$gnj_uv" venv -q --python "$gnj_py" "$gnj_v" && return 0
        rm -rf "$gnj_v"
    fi
    gnj_uv=
    "$gnj_py" -m venv "$gnj_v" >"$gnj_env/venv.log" 2>&1 && return 0
    rm -rf "$gnj_v"
    "$gnj_py" -m virtualenv -q "$gnj_v" >>"$gnj_env/venv.log" 2>&1 && return 0
    rm -rf "$gnj_v"
    if gnj_has virtualenv; then
        virtualenv -q -p "$gnj_py" "$gnj_v" >>"$gnj_env/venv.log" 2>&1 && return 0
        rm -rf "$gnj_v"
    fi
    "$gnj_py" -m venv --without-pip "$gnj_v" >>"$gnj_env/venv.log" 2>&1 &&
        "$gnj_py" -m pip --python "$gnj_v/bin/python" install -q pip \
            >>"$gnj_env/venv.log" 2>&1 && return 0
    rm -rf "$gnj_v"
    return 1
}

gnj_venv_or_say() {
    [ -n "$gnj_py" ] || return 0
    if gnj_make_venv; then
        : >"$gnj_env/venv.py"
        return 0
    fi
    tail -n 3 "$gnj_env/venv.log"
    gnj_say "$gnj_py on $(uname -n) cannot make a virtual environment: it needs the package" \
        "python3-venv (Debian, Ubuntu), virtualenv, or uv"
    [ "$gnj_setup" = command ] || gnj_fail 1
}

gnj_find_conda() {
    for gnj_conda in mamba micromamba conda; do
        gnj_has "$gnj_conda" && return 0
    done
    for gnj_d in "$HOME/miniconda3" "$HOME/miniforge3" "$HOME/mambaforge" "$HOME/anaconda3" \
        /opt/conda /opt/miniconda3 /opt/miniforge3 /opt/anaconda3; do
        for gnj_conda in "$gnj_d/bin/mamba" "$gnj_d/bin/conda"; do
            [ ! -x "$gnj_conda" ] || return 0
        done
    done
    for gnj_conda in "$HOME/.local/bin/micromamba" "$HOME/bin/micromamba"; do
        [ ! -x "$gnj_conda" ] || return 0
    done
    return 1
}

gnj_make_conda() {
    if ! gnj_find_conda; then
        gnj_say "$gnj_sfile needs conda, mamba or micromamba, and none was found on $(uname -n)"
        gnj_fail 127
    fi
    case $gnj_conda in
    *micromamba) "$gnj_conda" create -y -q -p "$gnj_env/conda" -f "$gnj_sfile" ;;
    *) "$gnj_conda" env create -q -p "$gnj_env/conda" -f "$gnj_sfile" ;;
    esac
    gnj_rc=$?
    [ "$gnj_rc" -eq 0 ] || gnj_fail_setup
    [ ! -x "$gnj_env/conda/bin/python" ] || : >"$gnj_env/conda.py"
}

gnj_pip() {
    if [ -n "$gnj_uv" ]; then
        "$gnj_uv" pip install "$@"
    else
        "$gnj_py" -m pip install "$@"
    fi
}

# Only what the project depends on: its own code is imported from the work folder (gnj_paths), so
# a change of it needs no new environment.  Where no reader for TOML is, all of it is installed.
gnj_install_pyproject() {
    if [ -n "$gnj_local" ]; then
        gnj_pip .
    elif [ -n "$gnj_uv" ]; then
        gnj_pip -r "$gnj_sfile"
    elif "$gnj_py" -c 'import sys
try: import tomllib as t
except ImportError: from pip._vendor import tomli as t
p = t.load(open(sys.argv[1], "rb"))["project"]
open(sys.argv[2], "w").write("".join(d + "\n" for d in p.get("dependencies", [])))' \
        "$gnj_sfile" "$gnj_env/depends.txt" 2>/dev/null; then
        gnj_pip -r "$gnj_env/depends.txt"
    else
        gnj_pip .
    fi
}

gnj_install() {
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off
    case $gnj_setup in
    command) eval "$gnj_commands" ;;
    requirements) gnj_pip -r "$gnj_sfile" ;;
    pyproject) gnj_install_pyproject ;;
    esac
}

gnj_fail_setup() {
    gnj_say "setup (${gnj_sfile:-setup:}) failed with status $gnj_rc"
    gnj_fail "$gnj_rc"
}

# --- what the setup made in the work folder ---------------------------------------------------

# A file that all later changes are newer than, also where clocks tick slowly.
gnj_mark() {
    gnj_mark=$GNRRUN_RUN_DIR/setup.mark
    gnj_turns=0
    : >"$gnj_mark"
    until
        : >"$gnj_mark.2"
        [ -n "$(find "$gnj_mark.2" -newer "$gnj_mark")" ]
    do
        gnj_turns=$((gnj_turns + 1))
        [ "$gnj_turns" -lt 20 ] || sleep 1
        [ "$gnj_turns" -lt 25 ] || break
    done
    rm -f "$gnj_mark.2"
}

# Into KEY/work.tar; gnj_scope becomes the snapshot if there was anything, as then the setup may
# have read the project's files.  By the time of change where find knows it: unpacked files carry
# old times of modification.
gnj_save_work() {
    gnj_by=-newer
    ! find "$gnj_mark" -prune -cnewer "$gnj_mark" >/dev/null 2>&1 || gnj_by=-cnewer
    gnj_tar='tar -cf' gnj_types='-type f -o -type l'
    case $(tar --version 2>/dev/null) in
    *GNU*)
        gnj_tar='tar --no-recursion --no-unquote -cf'
        gnj_types='-type f -o -type l -o -type d ! -name .'
        ;;
    esac
    # shellcheck disable=SC2086
    find . "$gnj_by" "$gnj_mark" ! -name "*$gnj_nl*" \( $gnj_types \) -print >"$gnj_env/work.list"
    [ -s "$gnj_env/work.list" ] || return 0
    gnj_scope=${gnj_snapshot:-never}
    # shellcheck disable=SC2086
    $gnj_tar "$gnj_env/work.tar.new" -T "$gnj_env/work.list" 2>/dev/null &&
        mv -f "$gnj_env/work.tar.new" "$gnj_env/work.tar" && return 0
    rm -f "$gnj_env/work.tar.new"
    gnj_scope=never
    gnj_say "note: what the setup made could not be kept for the next run"
}

# --- setup as a whole -------------------------------------------------------------------------

# Is it done already: for any snapshot, or for this one?
gnj_done() {
    gnj_scope=
    [ -r "$gnj_env/done" ] && read -r gnj_scope <"$gnj_env/done" && gnj_env_works || return 1
    [ "$gnj_scope" = any ] || { [ -n "$gnj_snapshot" ] && [ "$gnj_scope" = "$gnj_snapshot" ]; }
}

gnj_stamp() {
    echo "$1" >"$gnj_env/done.new" && mv -f "$gnj_env/done.new" "$gnj_env/done"
}

# One that is whole but belongs to another snapshot is only brought up to date: a run may be using
# it.  One without a stamp was left half built; a venv cannot be moved, so it is made in place.
gnj_build() {
    gnj_first=${gnj_commands%%"$gnj_nl"*}
    [ "$gnj_first" = "${gnj_commands%"$gnj_nl"}" ] || gnj_first="$gnj_first ..."
    gnj_say "setup: ${gnj_sfile:-$gnj_first}"
    if [ -r "$gnj_env/done" ] && gnj_env_works; then
        gnj_stamp never
        gnj_uv=
        [ "$gnj_setup" = command ] || [ -x "$gnj_env/venv/bin/pip" ] || gnj_find_uv
    else
        rm -rf "$gnj_env"
        mkdir -p "$gnj_env" || gnj_fail 1
        if [ "$gnj_setup" = conda ]; then
            gnj_make_conda
        elif [ -n "$gnj_venv" ]; then
            gnj_venv_or_say
        fi
    fi
    gnj_activate
    gnj_mark
    # A subshell of its own, and not after `if` or `||`, or set -e would mean nothing.
    (
        trap - EXIT
        set -e
        gnj_install
    )
    gnj_rc=$?
    [ "$gnj_rc" -eq 0 ] || gnj_fail_setup
    gnj_scope=any
    [ -z "$gnj_local" ] || gnj_scope=${gnj_snapshot:-never}
    rm -f "$gnj_env/work.tar"
    gnj_save_work
    gnj_stamp "$gnj_scope"
    rm -f "$gnj_mark"
}

gnj_packages() {
    gnj_env=
    [ "$gnj_setup" != none ] || return 0
    gnj_phase
    gnj_name_env
    if ! mkdir -p "$GNRRUN_ROOT/env"; then
        gnj_say "cannot make $GNRRUN_ROOT/env on $(uname -n)"
        gnj_fail 1
    fi
    # Without the lock if nothing can change under our hands.
    if ! gnj_done || [ "$gnj_scope" != any ]; then
        gnj_take_lock
        if ! gnj_done; then
            gnj_build
        elif [ -r "$gnj_env/work.tar" ] && ! tar -xpf "$gnj_env/work.tar"; then
            gnj_say "cannot put back what the setup made"
            gnj_fail 1
        fi
        gnj_unlock
    fi
    : >"$gnj_env/used"
    [ "$gnj_env/venv/bin/python" = "$gnj_py" ] || [ "$gnj_env/conda/bin/python" = "$gnj_py" ] ||
        gnj_activate
}
