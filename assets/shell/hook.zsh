# sekisho in zsh: `switch` and `refresh` act on this shell, the session is renewed before a prompt, and the
# prompt shows the target. This text is constant: values are read from variables and never inserted here.

# The user's aliases must not change this text.
: ${__sekisho_aliases:=${options[aliases]}}
setopt no_aliases

# __sekisho_run VERB [ARGUMENT…]: evaluates sekisho's output if it succeeded. `set -x` does not show it.
__sekisho_run() {
  emulate -L zsh
  setopt no_xtrace no_verbose
  local __sekisho_verb=$1 __sekisho_code __sekisho_out
  shift
  __sekisho_out=$(command $__sekisho_bin $__sekisho_verb --hook zsh "$@") && eval "$__sekisho_out"
  __sekisho_code=$?
  (( __sekisho_code )) || __sekisho_compat
  return $__sekisho_code
}

__sekisho() {
  emulate -L zsh
  local argument
  for argument in "$@"; do
    case $argument in (-h|--help|-V|--version)
      command $__sekisho_bin "$@"
      return ;;
    esac
  done
  case ${1-} in
    ('') __sekisho_run switch ;;
    (switch|shell) shift; __sekisho_run switch "$@" ;;
    (refresh) __sekisho_run "$@" ;;
    (*) command $__sekisho_bin "$@" ;;
  esac
}

# Whether this shell's prompt shows AWS_VAULT.
__sekisho_knows_vault() { (( ${+functions[p10k]} || ${#functions[(I)*starship_precmd]} )) }

__sekisho_compat() {
  [[ -n ${SEKISHO_TARGET-} && $__sekisho_prompt_compat == auto ]] && __sekisho_knows_vault || return 0
  export AWS_VAULT=$SEKISHO_TARGET
}

# __sekisho_epoch TEXT: sets __sekisho_ends from RFC 3339 in UTC. Checked first: arithmetic runs code.
__sekisho_epoch() {
  [[ $1 == [0-9](#c4)-[0-9](#c2)-[0-9](#c2)T[0-9](#c2):[0-9](#c2):[0-9](#c2)* ]] || return
  local -i 10 y=$((10#${1[1,4]})) m=$((10#${1[6,7]})) d=$((10#${1[9,10]})) days
  (( m > 2 )) || (( y -= 1, m += 12 ))
  (( days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + d - 719469 ))
  (( __sekisho_ends = 86400 * days + 3600 * 10#${1[12,13]} + 60 * 10#${1[15,16]} + 10#${1[18,19]} ))
  return 0
}

# Compares the expiry with the clock; forks only when a renewal is due.
__sekisho_renew() {
  setopt extended_glob
  [[ -n ${SEKISHO_TARGET-} && -n ${AWS_CREDENTIAL_EXPIRATION-} ]] || return 0
  local -i now=$EPOCHSECONDS margin left
  if [[ $AWS_CREDENTIAL_EXPIRATION != "$__sekisho_seen" ]]; then
    __sekisho_seen=$AWS_CREDENTIAL_EXPIRATION __sekisho_told=
    __sekisho_epoch $AWS_CREDENTIAL_EXPIRATION || { __sekisho_seen=; return 0 }
    # Due 15 min before the end; for a short session, at half its life.
    (( margin = (__sekisho_ends - now) / 2, margin = margin < 900 ? margin : 900 ))
    (( __sekisho_due = __sekisho_ends - margin ))
  fi
  (( now >= __sekisho_due )) || return 0
  (( __sekisho_due = now + 60 ))
  __sekisho_run refresh --quiet </dev/null 2>/dev/null && return 0
  (( left = __sekisho_ends - now ))
  if (( left <= 0 )); then
    [[ $__sekisho_told == ended ]] || print -ru2 -- "sekisho: the session has ended; \`$__sekisho_name refresh\` asks for a code"
    __sekisho_told=ended
  elif (( left <= 600 )) && [[ -z $__sekisho_told ]]; then
    print -ru2 -- "sekisho: the session ends in $(( (left + 59) / 60 )) min; \`$__sekisho_name refresh\` asks for a code"
    __sekisho_told=soon
  fi
}

# Keeps our function last: prompt frameworks set PROMPT in theirs.
__sekisho_mark() {
  [[ ${precmd_functions[-1]} == __sekisho_prompt ]] || precmd_functions=(${precmd_functions:#__sekisho_prompt} __sekisho_prompt)
  [[ $__sekisho_prompt_mark == on ]] || return 0
  [[ $__sekisho_prompt_compat == none ]] || ! __sekisho_knows_vault || return 0
  psvar[9]=${SEKISHO_TARGET-}
  [[ $PROMPT == *%9v* ]] || PROMPT="%(9V.[%9v] .)$PROMPT"
}

__sekisho_prompt() {
  local code=$?
  emulate -L zsh
  if [[ -n ${__sekisho_undone-} ]]; then
    print -ru2 -- "sekisho: your start-up files changed $__sekisho_undone; undone in this shell"
    unset __sekisho_undone
  fi
  [[ $__sekisho_renewal != prompt ]] || __sekisho_renew
  __sekisho_mark
  return $code
}

# The user's options must not change this text.
__sekisho_start() {
  emulate -L zsh
  zmodload zsh/datetime zsh/parameter
  typeset -g __sekisho_bin=${__sekisho_bin:-sekisho} __sekisho_seen= __sekisho_told=
  typeset -gi __sekisho_due=0 __sekisho_ends=0
  typeset -ga precmd_functions
  precmd_functions=(${precmd_functions:#__sekisho_prompt} __sekisho_prompt)
  __sekisho_compat
}
__sekisho_start
unfunction __sekisho_start
