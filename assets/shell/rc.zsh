# A sekisho subshell in zsh, second file: the user's own .zshrc, then this.
if [[ -n ${__sekisho_zdotdir+x} ]]; then export ZDOTDIR=$__sekisho_zdotdir; else unset ZDOTDIR; fi
# A system-wide zshrc may have derived it from our ZDOTDIR.
[[ ${HISTFILE-} == $__sekisho_rc/* ]] && HISTFILE=${ZDOTDIR:-$HOME}/${HISTFILE:t}
unset __sekisho_rc __sekisho_zdotdir
[[ -r ${ZDOTDIR:-$HOME}/.zshrc ]] && . "${ZDOTDIR:-$HOME}/.zshrc"

# The user's aliases must not change this text; the hook's last line restores them.
__sekisho_aliases=${options[aliases]}
setopt no_aliases

# Sets and removes sekisho's variables again. Which ones the start-up files had changed is printed at
# the first prompt, because powerlevel10k allows no output before it.
__sekisho_hold() {
  emulate -L zsh
  setopt no_xtrace
  local copy name pattern
  local -a held undone
  for copy in ${(ko)parameters[(I)__SEKISHO_SET_*]}; do
    name=${copy#__SEKISHO_SET_}
    [[ ${(P)name-} == "${(P)copy}" ]] || undone+=$name
    export "$name=${(P)copy}"
    unset $copy
    held+=$name
  done
  for pattern in $__sekisho_identity; do
    for name in ${(ko)parameters[(I)$pattern]}; do
      (( ! ${held[(Ie)$name]} )) || continue
      unset $name
      undone+=$name
    done
  done
  (( ! $#undone )) || typeset -g __sekisho_undone="$undone"
}
__sekisho_hold
unfunction __sekisho_hold
unset __sekisho_identity
