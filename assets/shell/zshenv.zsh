# A sekisho subshell in zsh, first file: the user's own .zshenv from its real place. ZDOTDIR
# names our folder only until zsh has found our .zshrc.
__sekisho_rc=$ZDOTDIR
typeset +x -m '__SEKISHO_SET_*'
typeset -g __sekisho_bin=$__SEKISHO_BIN
unset __SEKISHO_BIN
if [[ -n ${__SEKISHO_ZDOTDIR+x} ]]; then export ZDOTDIR=$__SEKISHO_ZDOTDIR; unset __SEKISHO_ZDOTDIR; else unset ZDOTDIR; fi
[[ -r ${ZDOTDIR:-$HOME}/.zshenv ]] && . "${ZDOTDIR:-$HOME}/.zshenv"
if [[ -o interactive ]]; then
  [[ -n ${ZDOTDIR+x} ]] && __sekisho_zdotdir=$ZDOTDIR
  ZDOTDIR=$__sekisho_rc
else
  unset __sekisho_rc
fi
