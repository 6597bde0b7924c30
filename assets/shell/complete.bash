# sekisho's completion in bash. Names are compared and quoted, never expanded.
_sekisho() {
    # readline splits words at `:`, `=` and `@` as well; here they are whole again, `first` is where each begins.
    local i n=-1 word blanks line=$COMP_LINE words=() first=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        blanks=${line%%[![:space:]]*}
        if ((n < 0)) || [[ -n $blanks || -z $word ]]; then
            n=$((n + 1))
            words[n]= first[n]=$i
        fi
        words[n]=${words[n]}$word
        line=${line#"$blanks"}
        line=${line#"$word"}
    done
    local cur=${words[n]} breaks='' typed='' kind='' name quoted
    for i in : = @; do
        [[ $COMP_WORDBREAKS != *"$i"* ]] || breaks+=$i
    done
    # What readline keeps before the reply: up to the last of them. A `@` belongs to what it replaces.
    if [[ -n $breaks && $cur == *[$breaks]* ]]; then
        typed=${cur%"${cur##*[$breaks]}"}
        typed=${typed%@}
    fi
    COMPREPLY=()
    while IFS= read -r name; do
        if [[ -z $kind ]]; then
            kind=$name
            continue
        fi
        name=${name%%$'\t'*}
        printf -v quoted %q "$name"
        if [[ $name == "$cur"* || $quoted == "$cur"* ]]; then COMPREPLY+=("${quoted#"$typed"}"); fi
    done < <(command "${__sekisho_bin:-sekisho}" __complete -- "${words[@]:0:n+1}" 2>/dev/null)
    case $kind in
        # Where no word fits, no file does.
        words) compopt +o default +o bashdefault 2>/dev/null ;;
        'command '*)
            i=${first[${kind#command }]}
            # bash-completion's, by its new or its old name.
            if declare -F _comp_command_offset >/dev/null; then
                _comp_command_offset "$i"
            elif declare -F _command_offset >/dev/null; then
                _command_offset "$i"
            elif ((i == COMP_CWORD)); then
                while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
            fi ;;
    esac
}
complete -F _sekisho -o nosort -o bashdefault -o default sekisho 2>/dev/null ||
    complete -F _sekisho -o bashdefault -o default sekisho
