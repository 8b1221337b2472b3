# bash completion for gnrrun(1): all knowledge is in the program.

_gnrrun()
{
    local cur=${COMP_WORDS[COMP_CWORD]} line word=$'\t'
    # bash splits at "=": --target=ra comes as three words.
    if [[ $cur == "=" ]]; then
        cur=
    fi
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :files) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur") ;;
        :dirs) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$cur") ;;
        *) COMPREPLY+=("${line%%"$word"*}") ;;
        esac
    done < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" "$cur" 2>/dev/null)
}
complete -F _gnrrun gnrrun
