# A sekisho subshell in bash. Bash itself has read the system-wide bash.bashrc where there is one. The hook follows.

# Unexport the copies and the program's path before any of the user's files run.
for __sekisho_v in "${!__SEKISHO_SET_@}"; do export -n "$__sekisho_v"; done
__sekisho_bin=$__SEKISHO_BIN
unset __SEKISHO_BIN __sekisho_v

[ -r ~/.bashrc ] && . ~/.bashrc
__sekisho_subshell=1
