# shellcheck shell=sh disable=SC2034
# job.sh - what a run does over there: environment, setup, and then the program in its place.
#
# job.c puts lines in front: the gnj_* assignments below and `set -- ARGUMENTS`.  The supervisor
# starts it in the work folder with GNRRUN_RUN_DIR (this run's folder) and GNRRUN_ROOT (all runs'),
# stdin empty, stdout and stderr on the log.  In the end the program takes over this process, so
# its exit status and signals are its own.  What fails before that leaves `setup.failed`.
#
#   gnj_run, gnj_snapshot        names of the run and of what was shipped ("" if unknown)
#   gnj_secret                   1: the file env must not outlive its reading
#   gnj_tsetup                   the target's own lines (module load ...)
#   gnj_python                   interpreter that was asked for, or ""
#   gnj_want, gnj_want_text      expression over v = sys.version_info; what the user wrote
#   gnj_setup, gnj_sfile         none command requirements pyproject conda; its file
#   gnj_commands                 the lines of setup:
#   gnj_key                      hash of all that the setup depends on, but this machine
#   gnj_venv, gnj_local          1: in a virtual environment; 1: it installs from the work folder
#   gnj_paths                    folders, separated by ":", that hold the project's own packages
#   gnj_kind, gnj_file           python module pycmd shell exec command notebook caffe; its file
#   gnj_nodes, gnj_tasks         how many nodes, and tasks on each
#   gnj_interp, gnj_workdir      shell for gnj_file; folder to start in
#
# Indentation and whole-line comments are dropped when this is embedded: no here-documents.

# Comes after packages.sh.

# Set here only so that shellcheck knows them.
: "${gnj_run=}" "${gnj_snapshot=}" "${gnj_secret=}" "${gnj_tsetup=}" "${gnj_python=}"
: "${gnj_want=True}" "${gnj_want_text=}" "${gnj_setup=none}" "${gnj_sfile=}" "${gnj_commands=}"
: "${gnj_key=}" "${gnj_venv=}" "${gnj_local=}" "${gnj_paths=}" "${gnj_kind=}" "${gnj_file=}"
: "${gnj_interp=}" "${gnj_workdir=}" "${gnj_nodes=1}" "${gnj_tasks=1}"

gnj_say() {
    printf 'gnrrun: %s\n' "$*"
}

gnj_has() {
    command -v "$1" >/dev/null 2>&1
}

# Leave during the setup, after what was said.
gnj_fail() {
    gnj_quiet=1
    exit "$1"
}

# EXIT trap while the setup goes on, so that lines of the user's that exit are noticed too.
# shellcheck disable=SC2317
gnj_left() {
    gnj_rc=$?
    trap - EXIT
    [ "$gnj_rc" -ne 0 ] || gnj_rc=1
    [ -n "$gnj_quiet" ] || gnj_say "setup failed with status $gnj_rc"
    gnj_unlock
    echo "$gnj_rc" >"$GNRRUN_RUN_DIR/setup.failed"
    rm -f "$GNRRUN_RUN_DIR/phase" "$GNRRUN_RUN_DIR/setup.mark"
    exit "$gnj_rc"
}

gnj_phase() {
    echo setup >"$GNRRUN_RUN_DIR/phase"
}

# The setup is over: all it made in the work folder is older than setup.end, nothing the program
# makes is, also where clocks tick slowly.  What cannot be marked costs nobody the run; and no
# `: >` here, for a shell may exit when that fails.
gnj_setup_over() {
    [ -n "$gnj_tsetup" ] || [ "$gnj_setup" != none ] || return 0
    gnj_end=$GNRRUN_RUN_DIR/setup.end
    gnj_turns=0
    true >"$gnj_end.old" || return 0
    until
        true >"$gnj_end.new" || return 0
        [ -n "$(find "$gnj_end.new" -newer "$gnj_end.old")" ]
    do
        gnj_turns=$((gnj_turns + 1))
        [ "$gnj_turns" -lt 20 ] || sleep 1
        [ "$gnj_turns" -lt 25 ] || break
    done
    mv -f "$gnj_end.new" "$gnj_end"
    rm -f "$gnj_end.old"
}

# --- the target's own lines -------------------------------------------------------------------

# `module` is a function that only login shells know.  A file that this shell cannot parse would
# end it, so each is tried in a subshell first.
gnj_find_module() {
    for gnj_f in "${MODULESHOME:-/usr/share/modules}/init/sh" /etc/profile.d/modules.sh \
        /etc/profile.d/z00_lmod.sh /etc/profile.d/lmod.sh /usr/share/lmod/lmod/init/sh; do
        ! gnj_has module || return 0
        # shellcheck disable=SC1090
        if [ -r "$gnj_f" ] && (. "$gnj_f") >/dev/null 2>&1; then
            . "$gnj_f"
        fi
    done
}

gnj_target_lines() {
    [ -n "$gnj_tsetup" ] || return 0
    gnj_phase
    case $gnj_tsetup in
    *module*) gnj_find_module ;;
    esac
    set -e
    eval "$gnj_tsetup"
    set +e
    cd "$gnj_work" || gnj_fail 1
}

# --- python -----------------------------------------------------------------------------------

# Sets gnj_py, gnj_ver, gnj_base, gnj_fits; false if $1 is no python that runs.
gnj_try_python() {
    gnj_try=$(command -v "$1" 2>/dev/null) || return 1
    gnj_out=$("$gnj_try" -E -c 'import sys
v = sys.version_info
p = getattr(sys, "base_prefix", sys.prefix)
print("%d.%d.%d %d %s" % (v[0], v[1], v[2], bool(eval(sys.argv[1])), p))' "$gnj_want" \
        2>/dev/null </dev/null) || return 1
    gnj_py=$gnj_try
    gnj_ver=${gnj_out%% *}
    gnj_out=${gnj_out#* }
    gnj_fits=${gnj_out%% *}
    gnj_base=${gnj_out#* }
}

gnj_python_asked() {
    case $gnj_python in
    [~]/*) gnj_python=$HOME/${gnj_python#??} ;;
    /*) ;;
    */*) gnj_python=$gnj_work/$gnj_python ;;
    esac
    if ! gnj_try_python "$gnj_python"; then
        [ -n "$gnj_need" ] || return 0
        gnj_say "python '$gnj_python' does not run on $(uname -n)"
        gnj_fail 127
    fi
    [ "$gnj_fits" = 1 ] ||
        gnj_say "note: '$gnj_python' is $gnj_ver, the project says python: $gnj_want_text"
    # Scripts that say `python` mean this one.
    case $gnj_py in
    /*) PATH=${gnj_py%/*}:$PATH && export PATH ;;
    esac
}

# The first that fits, or gnj_py empty.  Names without a version first: they are what the user of
# that machine, or a module that was loaded, chose.
gnj_python_found() {
    gnj_seen=
    for gnj_c in python3 python python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 \
        python3.8 python3.7 python3.6; do
        gnj_try_python "$gnj_c" || continue
        [ "$gnj_fits" = 0 ] || return 0
        gnj_seen="$gnj_seen${gnj_seen:+, }$gnj_c is $gnj_ver"
    done
    gnj_py=
}

gnj_pick_python() {
    gnj_py='' gnj_ver='' gnj_base='' gnj_seen='' gnj_need=''
    case $gnj_kind in
    python | module | pycmd) gnj_need=1 ;;
    esac
    case $gnj_setup in
    requirements | pyproject) gnj_need=1 ;;
    conda) return 0 ;;
    esac
    if [ -n "$gnj_python" ]; then
        gnj_python_asked
    elif [ -n "$gnj_need$gnj_venv" ] || [ "$gnj_kind" = notebook ]; then
        gnj_python_found
    fi
    [ -z "$gnj_py" ] && [ -n "$gnj_need" ] || return 0
    gnj_fit=${gnj_want_text:+" that fits '$gnj_want_text'"}
    gnj_say "no python$gnj_fit on $(uname -n) (${gnj_seen:-none found}); name one with" \
        "--python or with python: of the target"
    gnj_fail 127
}

gnj_own_packages() {
    gnj_rest=$gnj_paths
    while [ -n "$gnj_rest" ]; do
        gnj_d=${gnj_rest%%:*}
        case $gnj_rest in
        *:*) gnj_rest=${gnj_rest#*:} ;;
        *) gnj_rest= ;;
        esac
        gnj_d=$gnj_work/$gnj_d
        [ ! -d "$gnj_d/src" ] || gnj_d=$gnj_d/src:$gnj_d
        PYTHONPATH=$gnj_d${PYTHONPATH:+:$PYTHONPATH}
        export PYTHONPATH
    done
}

# --- the program ------------------------------------------------------------------------------

gnj_need() {
    gnj_has "$1" && return 0
    gnj_say "'$1' was not found on $(uname -n)${2:+: $2}"
    exit 127
}

# Older nbconvert gives a cell 30 s.
gnj_notebook() {
    gnj_limit=--ExecutePreprocessor.timeout=-1
    gnj_nb="--to notebook --execute --inplace $gnj_limit"
    # shellcheck disable=SC2086
    if [ -n "$gnj_py" ] && "$gnj_py" -c 'import nbconvert, nbclient' 2>/dev/null; then
        exec "$gnj_py" -m nbconvert $gnj_nb "$@" "$gnj_file"
    elif gnj_has jupyter-nbconvert; then
        exec jupyter-nbconvert $gnj_nb "$@" "$gnj_file"
    elif [ -n "$gnj_py" ] && "$gnj_py" -c 'import papermill' 2>/dev/null; then
        exec "$gnj_py" -m papermill "$gnj_file" "$gnj_file" "$@"
    elif gnj_has papermill; then
        exec papermill "$gnj_file" "$gnj_file" "$@"
    fi
    gnj_say "a notebook needs nbconvert and ipykernel (or papermill), and neither is on" \
        "$(uname -n): add them to requirements.txt or to setup:"
    exit 127
}

# Become the command; on several nodes, one of it for each task of the job.
gnj_become() {
    [ "$gnj_nodes" != 1 ] || exec "$@"
    gnj_need srun 'several nodes are the work of Slurm'
    # torchrun starts the processes of a node itself
    case $1 in torchrun | */torchrun) gnj_tasks=1 ;; esac
    gnj_port=$((20000 + ${SLURM_JOB_ID:-0} % 20000))
    # one that fails ends all: the others would wait for it
    exec srun --kill-on-bad-exit=1 --nodes="$gnj_nodes" --ntasks-per-node="$gnj_tasks" \
        ${SLURM_CPUS_PER_TASK:+--cpus-per-task="$SLURM_CPUS_PER_TASK"} \
        sh "$GNRRUN_RUN_DIR/rank" "$gnj_port" "$gnj_tasks" "$@"
}

gnj_start() {
    case $gnj_kind in
    python) gnj_become "$gnj_py" "$gnj_file" "$@" ;;
    module) gnj_become "$gnj_py" -m "$gnj_file" "$@" ;;
    pycmd) gnj_become "$gnj_py" "$@" ;;
    shell)
        gnj_need "$gnj_interp" "'$gnj_file' asks for it"
        gnj_become "$gnj_interp" "$gnj_file" "$@"
        ;;
    exec)
        if [ ! -x "$gnj_file" ]; then
            gnj_say "'$gnj_file' cannot be executed on $(uname -n)"
            exit 126
        fi
        gnj_become "$gnj_file" "$@"
        ;;
    command)
        gnj_need "$gnj_file"
        gnj_become "$gnj_file" "$@"
        ;;
    notebook) gnj_notebook "$@" ;;
    caffe)
        gnj_need caffe "'$gnj_file' is taken for a solver of Caffe"
        exec caffe train --solver="$gnj_file" "$@"
        ;;
    esac
    gnj_say "unknown kind of program '$gnj_kind'"
    exit 126
}

gnj_main() {
    gnj_quiet='' gnj_held='' gnj_uv='' gnj_scope='' gnj_who=''
    gnj_nl='
'
    gnj_work=$(pwd -P) || exit 1
    # People write their lines for bash (`source`, arrays).
    if [ -n "$gnj_tsetup$gnj_commands" ] && [ -z "$BASH_VERSION" ] && gnj_has bash; then
        exec bash "$GNRRUN_RUN_DIR/job"
    fi
    if [ -r "$GNRRUN_RUN_DIR/env" ]; then
        # shellcheck disable=SC1091
        . "$GNRRUN_RUN_DIR/env"
        [ -z "$gnj_secret" ] || rm -f "$GNRRUN_RUN_DIR/env"
    fi
    # what is this member's own, in a sweep
    if [ -r "$GNRRUN_RUN_DIR/vary" ]; then
        nl=$gnj_nl
        # shellcheck disable=SC1091
        . "$GNRRUN_RUN_DIR/vary"
    fi
    GNRRUN_RUN=${gnj_run:-${GNRRUN_RUN_DIR##*/}}
    PYTHONUNBUFFERED=${PYTHONUNBUFFERED-1}
    export GNRRUN_RUN PYTHONUNBUFFERED
    trap gnj_left EXIT
    gnj_target_lines
    gnj_pick_python
    gnj_packages
    gnj_own_packages
    ! gnj_has gnj_preflight || gnj_preflight
    gnj_setup_over
    trap - EXIT
    rm -f "$GNRRUN_RUN_DIR/phase"
    if ! cd "$gnj_work${gnj_workdir:+/$gnj_workdir}"; then
        gnj_say "there is no folder '$gnj_workdir' in the run's work folder"
        exit 126
    fi
    gnj_start "$@"
}

gnj_main "$@"
