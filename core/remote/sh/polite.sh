# polite.sh - how a program runs on a machine that others use.  Part of the supervisor there.

# half_of_free: cap=half of the processors that nobody uses, at least one; --cpus goes before.  of=how many there are.
half_of_free() {
    of=$(OMP_NUM_THREADS='' OMP_THREAD_LIMIT='' nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null)
    load=0
    if [ -r /proc/loadavg ]; then read -r load _ </proc/loadavg; fi
    load=${load%%.*}
    number "$of" && number "$load" || of=2 load=0
    option cpus 0
    cap=$value
    [ "$cap" = 0 ] || return 0
    cap=$(((of - load) / 2))
    [ "$cap" -gt 0 ] || cap=1
}

# cap_threads: libraries that take all processors they see, unless the user said how many.
cap_threads() {
    for v in OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS NUMEXPR_NUM_THREADS VECLIB_MAXIMUM_THREADS \
        TF_NUM_INTRAOP_THREADS; do
        eval "[ -n \"\${$v+x}\" ] || { $v=\$cap && export $v; }"
    done
}

# choose_processors: chosen=so many of those that we may use, for taskset; where they begin differs from run to run.
# Empty where there is no taskset, or nothing to be left out.
choose_processors() {
    chosen=''
    has taskset && [ "$cap" -lt "$of" ] || return 0
    chosen=$(taskset -cp $$ 2>/dev/null | awk -v cap="$cap" -v from=$$ '
        {
            sub(/.*: */, "")
            parts = split($0, part, ",")
            for (i = 1; i <= parts; i++) {
                if (split(part[i], end, "-") < 2) end[2] = end[1]
                for (c = end[1]; c <= end[2] && n < 4096; c++) cpu[n++] = c
            }
        }
        END { for (i = 0; i < cap && i < n; i++) printf "%s%d", i ? "," : "", cpu[(from + i) % n] }')
    [ -n "$chosen" ] && taskset -c "$chosen" true 2>/dev/null || chosen=''
}
