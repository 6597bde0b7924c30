# sekisho in bash: `switch` and `refresh` act on this shell, the session is renewed before a prompt, and the
# prompt shows the target. This text is constant: values are read from variables and never inserted here.

# The user's aliases must not change this text.
__sekisho_aliases=${__sekisho_aliases:-$(shopt -p expand_aliases)}
shopt -u expand_aliases

# __sekisho_run VERB [ARGUMENT…]: evaluates sekisho's output if it succeeded. `set -x` does not show it.
__sekisho_run() {
  { local __sekisho_flags=$-; set +xv; } 2>/dev/null
  local __sekisho_verb=$1 __sekisho_code __sekisho_out
  shift
  __sekisho_out=$(command "$__sekisho_bin" "$__sekisho_verb" --hook bash "$@") && eval "$__sekisho_out"
  __sekisho_code=$?
  [[ $__sekisho_code != 0 ]] || __sekisho_compat
  [[ $__sekisho_flags != *v* ]] || set -v
  [[ $__sekisho_flags != *x* ]] || set -x
  return "$__sekisho_code"
}

__sekisho() {
  local argument
  for argument in "$@"; do
    case $argument in -h | --help | -V | --version)
      command "$__sekisho_bin" "$@"
      return ;;
    esac
  done
  case ${1-} in
    '') __sekisho_run switch ;;
    switch | shell) shift; __sekisho_run switch "$@" ;;
    refresh) __sekisho_run "$@" ;;
    *) command "$__sekisho_bin" "$@" ;;
  esac
}

# Whether this shell's prompt shows AWS_VAULT.
__sekisho_knows_vault() { declare -F starship_precmd >/dev/null; }

__sekisho_compat() {
  [[ -n ${SEKISHO_TARGET-} && $__sekisho_prompt_compat == auto ]] && __sekisho_knows_vault || return 0
  export AWS_VAULT=$SEKISHO_TARGET
}

# __sekisho_epoch TEXT: sets __sekisho_ends from RFC 3339 in UTC. Checked first: arithmetic runs code.
__sekisho_epoch() {
  local n='[0-9]'
  [[ $1 == $n$n$n$n-$n$n-${n}${n}T$n$n:$n$n:$n$n* ]] || return
  local y=$((10#${1:0:4})) m=$((10#${1:5:2})) d=$((10#${1:8:2}))
  ((m > 2)) || ((y -= 1, m += 12))
  local days=$((365 * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + d - 719469))
  __sekisho_ends=$((86400 * days + 3600 * 10#${1:11:2} + 60 * 10#${1:14:2} + 10#${1:17:2}))
}

# Compares the expiry with the clock; forks only when a renewal is due (bash 4.2 and later).
__sekisho_renew() {
  [[ -n ${SEKISHO_TARGET-} && -n ${AWS_CREDENTIAL_EXPIRATION-} ]] || return 0
  local now=${EPOCHSECONDS-} margin
  [[ -n $now ]] || printf -v now '%(%s)T' -1 2>/dev/null || now=$(date +%s)
  if [[ $AWS_CREDENTIAL_EXPIRATION != "$__sekisho_seen" ]]; then
    __sekisho_seen=$AWS_CREDENTIAL_EXPIRATION __sekisho_told=
    __sekisho_epoch "$AWS_CREDENTIAL_EXPIRATION" || { __sekisho_seen=; return 0; }
    # Due 15 min before the end; for a short session, at half its life.
    margin=$(((__sekisho_ends - now) / 2))
    ((margin < 900)) || margin=900
    __sekisho_due=$((__sekisho_ends - margin))
  fi
  ((now >= __sekisho_due)) || return 0
  __sekisho_due=$((now + 60))
  __sekisho_run refresh --quiet </dev/null 2>/dev/null && return 0
  local left=$((__sekisho_ends - now))
  if ((left <= 0)); then
    [[ $__sekisho_told == ended ]] || printf 'sekisho: the session has ended; `%s refresh` asks for a code\n' "$__sekisho_name" >&2
    __sekisho_told=ended
  elif ((left <= 600)) && [[ -z $__sekisho_told ]]; then
    printf 'sekisho: the session ends in %d min; `%s refresh` asks for a code\n' $(((left + 59) / 60)) "$__sekisho_name" >&2
    __sekisho_told=soon
  fi
}

__sekisho_mark() {
  [[ $__sekisho_prompt_mark == on ]] || return 0
  case $PS1 in *SEKISHO_TARGET*) return ;; esac
  [[ $__sekisho_prompt_compat == none ]] || ! __sekisho_knows_vault || return 0
  PS1='${SEKISHO_TARGET:+[${SEKISHO_TARGET}] }'$PS1
}

__sekisho_prompt() {
  local code=$?
  [[ $__sekisho_renewal != prompt ]] || __sekisho_renew
  __sekisho_mark
  return "$code"
}

__sekisho_bin=${__sekisho_bin:-sekisho} __sekisho_seen='' __sekisho_told='' __sekisho_due=0 __sekisho_ends=0
__sekisho_compat
# Called through a variable that is never exported, so that a nested shell that inherits PROMPT_COMMAND runs nothing.
# A newline comes first, because the user's command may end in ";".
__sekisho_hook=__sekisho_prompt
if [[ " ${PROMPT_COMMAND[*]-} " != *__sekisho_hook* ]]; then
  if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == "declare -a"* ]]; then
    PROMPT_COMMAND+=('${__sekisho_hook-}')
  else
    PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}'${__sekisho_hook-}'
  fi
fi
