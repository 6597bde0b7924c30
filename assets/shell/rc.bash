# A sekisho subshell in bash. Bash itself has read the system-wide bash.bashrc where there is one.

# Unexport the copies and the program's path before any of the user's files run.
for __sekisho_v in "${!__SEKISHO_SET_@}"; do export -n "$__sekisho_v"; done
__sekisho_bin=$__SEKISHO_BIN
unset __SEKISHO_BIN __sekisho_v

[ -r ~/.bashrc ] && . ~/.bashrc

# The user's aliases must not change this text; the hook's last line restores them.
__sekisho_aliases=$(shopt -p expand_aliases)
shopt -u expand_aliases

# Sets and removes sekisho's variables again, and prints which ones the start-up files had changed.
__sekisho_hold() {
  { local flags=$-; set +x; } 2>/dev/null
  local copy name pattern held=' ' undone=
  local -a names
  for copy in "${!__SEKISHO_SET_@}"; do
    name=${copy#__SEKISHO_SET_}
    [[ ${!name-} == "${!copy}" ]] || undone+=" $name"
    export "$name=${!copy}"
    unset "$copy"
    held+="$name "
  done
  for pattern in "${__sekisho_identity[@]}"; do
    names=("$pattern")
    [[ $pattern != *'*' ]] || eval "names=(\"\${!${pattern%?}@}\")"
    for name in ${names[@]+"${names[@]}"}; do
      [[ -n ${!name+x} && $held != *" $name "* ]] || continue
      unset "$name"
      undone+=" $name"
    done
  done
  [[ -z $undone ]] || printf 'sekisho: your start-up files changed%s; undone in this shell\n' "$undone" >&2
  [[ $flags != *x* ]] || set -x
}
__sekisho_hold
unset -f __sekisho_hold
unset __sekisho_identity
