#compdef sekisho
# sekisho's completion in zsh.
_sekisho() {
    local -a answer shown
    answer=("${(@f)$(command ${__sekisho_bin:-sekisho} __complete -- "${(@Q)words[1,CURRENT]}" 2>/dev/null)}")
    case $answer[1] in
        (words)
            shift answer
            if [[ -n ${(M)answer:#*$'\t'*} ]]; then
                shown=("${(@)answer/$'\t'/  -- }")
                compadd -l -d shown -- "${(@)answer%%$'\t'*}"
            else
                compadd -- "${(@)answer}"
            fi ;;
        (command*)
            local -i from=${answer[1]#command }
            words=("${(@)words[from + 1,-1]}")
            (( CURRENT -= from ))
            _normal ;;
        (files) _files ;;
    esac
}
# Autoloaded from a folder of $fpath it completes at once; otherwise it is made known.
if [[ ${funcstack[1]-} == _sekisho ]]; then
    _sekisho "$@"
elif (( $+functions[compdef] )); then
    compdef _sekisho sekisho
fi
