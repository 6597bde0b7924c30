# Completes targets, too. Names are compared and quoted, never expanded.
_sekisho_with_targets() {
    # readline splits words at `:`, `=` and `@` as well; here they are whole again.
    local i n=-1 word blanks line=$COMP_LINE words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        blanks=${line%%[![:space:]]*}
        if ((n < 0)) || [[ -n $blanks || -z $word ]]; then
            n=$((n + 1))
            words[n]=
        fi
        words[n]=${words[n]}$word
        line=${line#"$blanks"}
        line=${line#"$word"}
    done
    local cur=${words[n]} breaks='' typed=''
    for i in : = @; do
        [[ $COMP_WORDBREAKS != *"$i"* ]] || breaks+=$i
    done
    # What readline keeps before the reply: up to the last of them. A `@` belongs to what it replaces.
    if [[ -n $breaks && $cur == *[$breaks]* ]]; then
        typed=${cur%"${cur##*[$breaks]}"}
        typed=${typed%@}
    fi
    if [[ $cur == --*=* && $typed == *= ]]; then
        _sekisho "$1" "${cur#*=}" "${cur%%=*}"
        return
    fi
    _sekisho "$@"
    local verb='' plain=0 name quoted
    for ((i = 1; i < n; i++)); do
        case ${words[i]} in
            __VALUE_OPTIONS__) i=$((i + 1)) ;;
            -*) ;;
            *) plain=$((plain + 1)); [[ -n $verb ]] || verb=${words[i]} ;;
        esac
    done
    # After an option, its value; before a second word, an option.
    [[ $i == "$n" && $cur != -* ]] || return
    case $plain-$verb in
        1-*)
            case $verb in __TARGET_VERBS__) ;; *) return ;; esac
            COMPREPLY=()
            while IFS= read -r name; do
                printf -v quoted %q "$name"
                if [[ $name == "$cur"* || $quoted == "$cur"* ]]; then COMPREPLY+=("${quoted#"$typed"}"); fi
            done < <(command "${__sekisho_bin:-sekisho}" list --names 2>/dev/null) ;;
        2-exec | 2-serve)
            COMPREPLY=()
            while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}") ;;
        *-exec | *-serve) COMPREPLY=() ;;
    esac
}
complete -F _sekisho_with_targets -o nosort -o bashdefault -o default sekisho 2>/dev/null ||
    complete -F _sekisho_with_targets -o bashdefault -o default sekisho
