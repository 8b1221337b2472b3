# sge.sh - Grid Engine's words for queue.sh.  Its jobs are called gn-TOKEN, for a name must not begin with a digit.
q_name=sge

# q_submit SCRIPT DIR: its id.  -w e: what can never run is refused, and does not wait for ever.
q_submit() {
    id=$(cd "$2" && qsub -terse -S /bin/sh -w e -j y -o "$2/batch.out" "$1" "$2") || return 1
    id=${id%%.*}
    number "$id" && printf '%s\n' "$id"
}

# q_member ID K: q_id of that member of an array.
q_member() {
    q_id=$1.$2
}

# q_drop ID: of an array what has not begun.
q_drop() {
    # shellcheck disable=SC2046 # words
    set -- "$1" $(listed "$(now)" | awk -v id="$1." '$2 == "queued" && index($1, id) == 1 { print $1 }')
    shift
    [ $# = 0 ] || qdel "$@"
}

# q_list: "ID STATE WHY NAME TEXT" of each job of ours that it still knows, of an array each task.  One that could
# not be started waits for ever, and it says why.  What is over it knows no more: an answer that was cut, or is none, must not count.
q_list() {
    qstat -xml -g d -u "$(id -un)" >"$q_said" || return 1
    awk '
        function value() { sub(/^[^>]*>/, ""); sub(/<.*/, ""); return /^[A-Za-z0-9._:-]+$/ ? $0 : "?" }
        function cause(job, cmd, s, text) {
            cmd = "qstat -j " job " 2>/dev/null"
            while ((cmd | getline s) > 0) if (s ~ /^error reason/) text = s
            close(cmd)
            sub(/^[^:]*: */, "", text)
            sub(/^[0-9\/]+ [0-9:]+ \[[0-9:]*\]: /, "", text)
            gsub(/[^ -~]/, "?", text)
            return substr(text, 1, 200)
        }
        { whole = /^<\/job_info>/ }
        /^ *<job_list/ { id = task = name = state = "" }
        /^ *<JB_job_number>/ { id = value() }
        /^ *<tasks>/ { task = value() }
        /^ *<JB_name>/ { name = value(); sub(/^gn-/, "", name) }
        /^ *<state>/ { state = value() }
        /^ *<\/job_list>/ && id ~ /^[0-9]+$/ {
            s = "running"; why = "-"; text = ""
            if (state ~ /E/) { s = "queued"; why = "error"; if (asked++ < 5) text = cause(id) }
            else if (state ~ /w/) { s = "queued"; if (state ~ /h/) why = "held" }
            print (task ~ /^[0-9]+$/ ? id "." task : id), s, why, name (text == "" ? "" : " ") text
        }
        END { exit !whole }' "$q_said"
}

q_cancel() {
    qdel "$1"
}
