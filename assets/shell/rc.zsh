# A sekisho subshell in zsh, second file: the user's own .zshrc, then this. The hook follows.
if [[ -n ${__sekisho_zdotdir+x} ]]; then export ZDOTDIR=$__sekisho_zdotdir; else unset ZDOTDIR; fi
# A system-wide zshrc may have derived it from our ZDOTDIR.
[[ ${HISTFILE-} == $__sekisho_rc/* ]] && HISTFILE=${ZDOTDIR:-$HOME}/${HISTFILE:t}
unset __sekisho_rc __sekisho_zdotdir
[[ -r ${ZDOTDIR:-$HOME}/.zshrc ]] && . "${ZDOTDIR:-$HOME}/.zshrc"
__sekisho_subshell=1
