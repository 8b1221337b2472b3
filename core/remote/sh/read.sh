# read.sh - parts of files, and what is in them.  For the programs that read them.

# bytes FILE OFFSET LENGTH: that part of it, fewer if it ends before.  One process where dd counts
# in bytes; elsewhere one for the whole blocks, and small ones for what is before and behind them.
# dd seeks where tail would read all.
bytes() {
    if dd_counts; then
        dd if="$1" bs=131072 iflag=skip_bytes,count_bytes skip="$2" count="$3" 2>/dev/null
        return
    fi
    math "$2" / 65536
    skip=$r
    math "$2" % 65536
    lead=$r left=$3
    if [ "$lead" != 0 ]; then
        n=$((65536 - lead))
        if more "$n" "$left"; then n=$left; fi
        dd if="$1" bs=65536 skip="$skip" count=1 2>/dev/null | tail -c +"$((lead + 1))" | head -c "$n" || return
        math "$left" - "$n"
        left=$r
        math "$skip" + 1
        skip=$r
    fi
    math "$left" / 65536
    n=$r
    [ "$n" = 0 ] || dd if="$1" bs=65536 skip="$skip" count="$n" 2>/dev/null || return
    math "$left" % 65536
    left=$r
    math "$skip" + "$n"
    [ "$left" = 0 ] || dd if="$1" bs=65536 skip="$r" count=1 2>/dev/null | head -c "$left"
}

dd_counts() {
    if [ -z "${dd_counts:-}" ]; then
        dd_counts=0
        if dd if=/dev/null iflag=skip_bytes,count_bytes skip=0 count=0 2>/dev/null; then dd_counts=1; fi
    fi
    [ "$dd_counts" = 1 ]
}

# choose_hash: hash=the best that works; a name alone may be a busybox without it.
choose_hash() {
    for hash in sha256sum shasum openssl cksum; do
        if has "$hash" && digest /dev/null && [ "$h" != - ]; then return; fi
    done
    hash=none
}

# digest FILE: h=its hash, "-" if it cannot be read.  On stdin: a name may begin with
# anything.
digest() {
    h='-'
    case $hash in
    sha256sum) h=$(sha256sum <"$1") ;;
    shasum) h=$(shasum -a 256 <"$1") ;;
    openssl) h=$(openssl dgst -sha256 -r <"$1") ;;
    cksum) h=$(cksum <"$1") && h=${h%% *}:${h#* } ;;
    esac 2>/dev/null || h='-'
    h=${h%% *}
}

# choose_quick_hash: as choose_hash, but openssl if it is there: it knows the instructions
# that machines have for this, which sha256sum often does not.
choose_quick_hash() {
    hash=openssl
    if has openssl && digest /dev/null && [ ${#h} = 64 ]; then return; fi
    choose_hash
}
