# polite.sh - how a program runs on a machine that others use.  Part of the supervisor there.

# half_of_free: n=half of the processors that nobody uses, at least one; --cpus goes before.
half_of_free() {
    option cpus 0
    n=$value
    [ "$n" = 0 ] || return 0
    n=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null)
    load=0
    if [ -r /proc/loadavg ]; then read -r load _ </proc/loadavg; fi
    load=${load%%.*}
    number "$n" && number "$load" || n=2 load=0
    n=$(((n - load) / 2))
    [ "$n" -gt 0 ] || n=1
}

# cap_threads: libraries that take all processors they see, unless the user said how many.
cap_threads() {
    half_of_free
    for v in OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS NUMEXPR_NUM_THREADS VECLIB_MAXIMUM_THREADS \
        TF_NUM_INTRAOP_THREADS; do
        eval "[ -n \"\${$v+x}\" ] || { $v=\$n && export $v; }"
    done
}
