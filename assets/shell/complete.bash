# Completes targets, too. Names are compared and quoted, never expanded.
_sekisho_with_targets() {
    _sekisho "$@"
    local i verb='' words=0 name quoted cur=${COMP_WORDS[COMP_CWORD]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            __VALUE_OPTIONS__) i=$((i + 1)) ;;
            -*) ;;
            *) words=$((words + 1)); [[ -n $verb ]] || verb=${COMP_WORDS[i]} ;;
        esac
    done
    # After an option, its value; before a second word, an option.
    [[ $i == "$COMP_CWORD" && $cur != -* ]] || return
    case $words-$verb in
        1-*)
            case $verb in __TARGET_VERBS__) ;; *) return ;; esac
            COMPREPLY=()
            while IFS= read -r name; do
                printf -v quoted %q "$name"
                if [[ $name == "$cur"* || $quoted == "$cur"* ]]; then COMPREPLY+=("$quoted"); fi
            done < <(command "${__sekisho_bin:-sekisho}" list --names 2>/dev/null) ;;
        2-exec | 2-serve)
            COMPREPLY=()
            while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen -c -- "$cur") ;;
        *-exec | *-serve) COMPREPLY=() ;;
    esac
}
complete -F _sekisho_with_targets -o nosort -o bashdefault -o default sekisho 2>/dev/null ||
    complete -F _sekisho_with_targets -o bashdefault -o default sekisho
