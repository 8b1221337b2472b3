# pbs.sh - PBS's words for queue.sh: those of OpenPBS and PBS Professional, and of Torque, whose jobs wish otherwise and
# who knows no -x.  No sweeps.  Written after the manuals; nobody has tried it on a real one yet.
q_name=pbs

is_torque() {
    case $(qstat --version 2>&1) in *pbs_version*) return 1 ;; esac
}

# q_submit SCRIPT DIR: its id.  A job gets no arguments there, so its script says where it is.
q_submit() {
    keep=PRO drop=TORQUE
    if is_torque; then keep=TORQUE drop=PRO; fi
    {
        sed -n "s/^#$keep /#PBS /; /^#$drop /d; /^#/p" "$1" &&
            printf '%s' "$2" | sed "s/'/'\\\\''/g; 1s/^/set -- '/; \$s/\$/'/" && echo &&
            sed '/^#/d' "$1"
    } >"$2/batch.pbs" || return 1
    said=$(qsub -o "$2/batch.out" "$2/batch.pbs") && id=${said##*"$nl"} || id=''
    case $id in
    '' | [!0-9]* | *[!A-Za-z0-9._:-]*)
        # a filter of the site's may speak here
        printf '%s\n' "$said" >&2
        return 1
        ;;
    esac
    printf '%s\n' "$id"
}

# others: the ids of runs of ours that have not ended.
others() {
    for f in "$v1/runs"/*/queue.id; do
        if [ ! -e "${f%/queue.id}/exit" ] && first "$f"; then printf 'also %s\n' "${line%% *}"; fi
    done
}

# q_list: "ID STATE WHY NAME TEXT" of each job of ours that it still knows: which those are says qselect, how they are
# qstat, where some may be missing.  Of jobs that are over only those that we wait for.  A job is known by where its
# output goes, for of its name they keep little.
q_list() {
    me=$(id -un)
    known=all
    : >"$q_said.ids" || return 1
    if has qselect; then
        known=these
        qselect -u "$me" >"$q_said.ids" || return 1
        others >>"$q_said.ids"
        # shellcheck disable=SC2046 # words
        set -- $(sed 's/^also //; /^[0-9][][A-Za-z0-9._:-]*$/!d' "$q_said.ids" | sort -u)
        : >"$q_said"
        # asked about nobody it would tell of everybody's
        [ $# = 0 ] || if is_torque; then qstat -f "$@"; else qstat -x -f -w "$@"; fi >"$q_said" 2>/dev/null || :
    else
        qstat -f >"$q_said" || return 1
    fi
    awk -v me="$me" -v known="$known" '
        function is_id(s) { return s ~ /^[0-9][][A-Za-z0-9._:-]*$/ }
        function over(code) {
            if (code == "" || code == 271 || code == 143) return "cancelled"
            if (code == -29) return "timeout"
            if (code == -27 || code == -26) return "memory"
            return code == 0 ? "-" : "killed"
        }
        function tell(id, sure, s, why, name, text) {
            state = value[id, "job_state"]
            # twice the same id: one of them is a forgery
            if (count[id] != 1 || state == "") { if (!sure) return; state = "?" }
            s = "running"; why = "-"; text = ""
            if (state ~ /^[QWHT]$/) { s = "queued"; text = value[id, "comment"] }
            if (state == "H") why = "hold"
            if (state ~ /^[FCX]$/) { s = "over"; why = over(value[id, "Exit_status"]) }
            name = value[id, "Output_Path"]
            if (!sub(/\/batch\.out$/, "", name) || !sub(/.*\/runs\//, "", name) || name !~ /^[A-Za-z0-9._-]+$/) name = "?"
            gsub(/[^ -~]/, "?", text)
            print id, s, why, name (text == "" ? "" : " ") substr(text, 1, 200)
        }
        FILENAME ~ /\.ids$/ {
            sure = $1 != "also"; id = sure ? $1 : $2
            if (!is_id(id)) next
            if (!(id in want)) { want[id] = sure; list[++n] = id }
            next
        }
        /^Job Id:[ \t]/ { indent = ""; key = ""; job = is_id($3) ? $3 : ""; count[job]++; if (known == "all" && job != "") { list[++n] = job; want[job] = 0 } next }
        # what is too long goes on behind a tab, where the others have none
        /^\t/ && indent == " " { if (fresh) value[job, key] = value[job, key] substr($0, 2); next }
        /^[ \t]+[A-Za-z_.]+ = / {
            if (indent == "") indent = substr($0, 1, 1)
            key = $1; s = $0
            sub(/^[ \t]+[A-Za-z_.]+ = /, "", s)
            fresh = !((job, key) in value)
            if (fresh) value[job, key] = s
            next
        }
        END {
            for (i = 1; i <= n; i++)
                if (known != "all" || index(value[list[i], "Job_Owner"] "@", me "@") == 1) tell(list[i], want[list[i]])
        }' "$q_said.ids" "$q_said"
}

q_cancel() {
    qdel "$1"
}
