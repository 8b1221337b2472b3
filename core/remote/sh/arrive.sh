# arrive.sh - how a tree comes in: all of it (snap=full), which may be cut off and go on
# later, or what changed (snap=base), which is complete before anything is touched.  Part of
# launch and put; a_id is the tree's name, $t the folder in which all is made.

# choose_records: a pipe is read in records, and small ones take twice the time.
choose_records() {
    records=
    if tar -b 128 -cf /dev/null /dev/null 2>/dev/null; then records='-b 128'; fi
}

# unpack FOLDER: the archive on stdin, then the script "after" that is its last member:
# without it the stream was cut, even if tar found nothing wrong.  Owners are not
# kept, permissions are.
unpack() {
    choose_records
    # shellcheck disable=SC2086 # words
    if [ "$zstd" = 1 ]; then
        e=$({ zstd -dcq | tar -xpof - $records -C "$1"; echo "rc=$?"; } 2>&1 | shorten)
    else
        e=$({ tar -xpof - $records -C "$1"; echo "rc=$?"; } 2>&1 | shorten)
    fi
    # what is left is padding; a sender must not fail for it
    cat >/dev/null
    case $e in
    *rc=0) ;;
    *'o space left'* | *[Qq]'uota'*) fail 'cannot unpack' "$e" ;;
    *)
        if full "$1"; then die nospace 'cannot unpack: the disk is full'; fi
        die tar "cannot unpack: $e"
        ;;
    esac
    [ -f "$1/after" ] || die tar 'the archive ended before its end'
    e=$(cd "$1" && sh -e ./after </dev/null 2>&1) || fail 'cannot put sparse files together' "$e"
    rm -rf -- "$1/x" "$1/after"
}

# shorten: of many complaints the first, those about space, and the last.
shorten() {
    awk 'n < 3 || /^rc=/ || (/o space left|uota/ && !seen++) { print; n++ }'
}

# full FOLDER: is there no room for a small file?
full() {
    if head -c 65536 /dev/zero 2>/dev/null >"$1/room"; then
        rm -f "$1/room"
        return 1
    fi
    rm -f "$1/room"
}

# is_held FOLDER: is its maker alive?  One on another host is, while the folder is young.
is_held() {
    first "$1/by" || return 1
    fields
    if [ "$f1" = 0 ]; then return 1; fi
    if [ "$f4" = "$here" ]; then [ "$f3" = "$boot" ] && same "$f1" "$f2"; return; fi
    [ -n "$(find "$1" -prune -mmin -2 2>/dev/null)" ]
}

# begin: the folder in which all is made, and who makes it.
begin() {
    [ -d "$t" ] || e=$(mkdir "$t" 2>&1) || fail "cannot make $t" "$e"
    cleanup=$t
    start_of $$
    note "$t/by" "$$ ${started:-0} $boot $here ${a_client:-}" || unwritable "$t"
}

# note FILE TEXT: where nobody looks before it is there.
note() {
    { printf '%s\n' "$2" >"$1"; } 2>/dev/null
}

# unwritable FOLDER: a word could not be put there.
unwritable() {
    if full "$1"; then die nospace "cannot write in $1: the disk is full (or the quota used up)"; fi
    fail "cannot write in $1" "$( (: >"$1/room") 2>&1)"
}

# take_over: a whole tree that broke off on its way goes on where it stood.  If its maker
# is still there, his line is not.
take_over() {
    part=$v1/tmp/full.$a_id
    if is_held "$part"; then
        first "$part/by"
        fields
        pid=$f1 since=$f2
        if [ "$f4" != "$here" ] || [ "$f5" != "${a_client:-}" ]; then return; fi
        members "$pid" none
        signal KILL
        n=0
        while same "$pid" "$since" && [ "$n" -lt 50 ]; do nap; n=$((n + 1)); done
    fi
    rename "$part" "$t" || return
    # what a crash of this machine left may never have reached the disk
    if ! first "$t/by" || { fields && [ "$f4" = "$here" ] && [ "$f3" != "$boot" ]; }; then
        wipe "$t"
        return
    fi
    # the rest of a large file that was cut off as well goes to the file
    if [ -f "$t/x/rest" ]; then (cd "$t" && sh -e x/where </dev/null) || wipe "$t/tree"; fi
    rm -rf -- "$t/run" "$t/before" "$t/after" "$t/by" "$t/x" "$t/lanes"
    # names may hold newlines, but no part of a path is a dot
    parts=$(find "$t/tree/." 2>/dev/null | grep -c '/tree/\./')
}

begin_full() {
    [ "${a_resume:-0}" = 0 ] || take_over
    begin
    if [ "${a_resume:-0}" = 1 ] && rename "$t" "$v1/tmp/full.$a_id"; then
        t=$v1/tmp/full.$a_id cleanup=$t
    fi
}

# make_lanes: where the stream may come over several channels, each brings its pieces into a pipe of
# its own (lane.sh).  Their reading ends are open from here on, and nothing here holds a writing one.
make_lanes() {
    lanes=0
    [ "${a_lanes:-0}" != 0 ] && dd if=/dev/null iflag=fullblock count=1 2>/dev/null || return 0
    mkdir "$t/lanes" && mkfifo "$t/lanes/all" || return 0
    for n in 1 2 3; do
        if [ "$n" -gt "$a_lanes" ] || ! mkfifo "$t/lanes/$n"; then return 0; fi
        # a pipe that is opened for both does not wait for its other end; where it cannot be, the
        # shell would end
        (exec 4<>"$t/lanes/$n") 2>/dev/null || return 0
        eval "exec 4<>\"\$t/lanes/$n\" $((n + 5))<\"\$t/lanes/$n\" 4<&-"
        lanes=$n
    done
}

# join: the stream from its pieces.  A line "N" says that the next MiB comes by lane N (0: behind
# this line), "N BYTES" that so many come, and are the last.  A piece that was cut is the last as
# well: nothing may come behind a gap.
join() {
    exec 4>&1
    while IFS=' ' read -r n rest; do
        case $n,$rest in
        [0-3],)
            e=$(eval "dd bs=1048576 count=1 iflag=fullblock 2>&1 >&4 <&$((n + 5))")
            case $e in 1+0*) ;; *) exit 1 ;; esac
            ;;
        [0-3],0 | *,*[!0-9]* | [!0-3]*) exit ;;
        *)
            eval "head -c $rest <&$((n + 5))"
            exit
            ;;
        esac
    done <&5
}

# join_lanes: from here on our stdin is what join makes.  Both ends are opened by us: neither waits
# for the other, whoever dies.
join_lanes() {
    exec 5<&0 4<>"$t/lanes/all"
    # shellcheck disable=SC2094 # it is a pipe
    exec <"$t/lanes/all" 3>"$t/lanes/all" 4<&-
    join </dev/null >&3 3>&- &
    exec 3>&-
    close_lanes
}

close_lanes() {
    exec 5<&- 6<&- 7<&- 8<&-
}

# keep_whole: a whole tree that was cut off may go on later.
keep_whole() {
    case ${a_resume:-0},$died,$cleanup in
    1,,"$v1/tmp/full.$a_id" | 1,tar,"$v1/tmp/full.$a_id") note "$cleanup/by" "0 0 $boot $here" ;;
    *) wipe "$cleanup" ;;
    esac
}

discard() {
    keep_whole
}

# unpack_quickly: little, without a ticker and without what only much can run into.
unpack_quickly() {
    records=
    [ "$snap" != full ] || choose_records
    # shellcheck disable=SC2086 # words
    if [ "$zstd" = 1 ]; then
        e=$(zstd -dcq | tar -xpof - $records -C "$t" 2>&1) || torn "$e"
    else
        e=$(tar -xpof - $records -C "$t" 2>&1) || torn "$e"
    fi
    [ -f "$t/after" ] || die tar 'the archive ended before its end'
}

# how_packed: the first line: "z" is zstd, "." is not; "z lanes": in pieces.  Before it, for a tree that goes on:
# "size FILE", for the length of one that may be there in part.
how_packed() {
    line=
    IFS= read -r line
    case $line in
    'size '*)
        size_of "$t/tree/${line#size }" || size=0
        say "size $size"
        line=
        IFS= read -r line
        ;;
    esac
    case $line in
    *' lanes')
        [ "$lanes" != 0 ] || die proto 'there are no lanes'
        join_lanes
        line=${line% lanes}
        ;;
    esac
    case $line in
    z) zstd=1 ;;
    .) zstd=0 ;;
    '') die tar 'the stream ended before its end' ;;
    *) die proto 'the stream does not say how it is packed' ;;
    esac
}

# spool [MEMBER...]: all of it comes into a file, and these out of it.
spool() {
    if [ "$zstd" = 1 ]; then
        e=$(zstd -dcq 2>&1 >"$t/tar") || torn "$e"
    else
        e=$(cat 2>&1 >"$t/tar") || torn "$e"
    fi
    [ $# = 0 ] || e=$(tar -xpof "$t/tar" -C "$t" "$@" 2>&1) || torn "$e"
}

# torn TEXT: cut off, or no room for it.
torn() {
    cat >/dev/null
    case $1 in *'o space left'* | *[Qq]'uota'*) fail 'cannot unpack' "$1" ;; esac
    if full "$t"; then die nospace 'cannot unpack: the disk is full'; fi
    die tar "cannot unpack: $1"
}

# change FOLDER: its tree becomes what was shipped.
change() {
    if [ -s "$t/before" ]; then
        e=$(cd "$1/tree" && sh -e "$t/before" </dev/null 2>&1) || fail 'cannot delete in the copy' "$e"
    fi
    e=$(tar -xpof "$t/tar" -C "$1" tree 2>&1) || torn "$e"
    if [ -s "$t/after" ]; then
        e=$(cd "$1" && sh -e "$t/after" </dev/null 2>&1) || fail 'cannot put files together' "$e"
    fi
}
