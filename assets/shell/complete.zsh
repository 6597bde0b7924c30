
# Completes targets, too.
(( $+functions[_sekisho_targets] )) ||
_sekisho_targets() {
    local -a names
    names=("${(@f)$(command ${__sekisho_bin:-sekisho} list --names 2>/dev/null)}")
    compadd -a names
}
