# sekisho in bash: `switch` and `refresh` act on this shell, the session is renewed before a prompt, the prompt shows the
# target, and credentials that something else puts here are taken back. This text is constant: values are read from
# variables and never inserted here.
#
# A DEBUG trap sees each command as it is written, and its last word in `$_`. So no secret is a word of a command: it goes
# from variable to variable.

# The user's options and aliases must not change this text, nor must it end a script.
{ __sekisho_flags=$-; \set +aeuxv; __sekisho_aliases=$(\shopt -p expand_aliases); \shopt -u expand_aliases; } 2>/dev/null
__SETTINGS__
# __sekisho_options FLAGS: turns on again what our functions turn off.
__sekisho_options() {
  local flag
  for flag in a e u v x; do [[ $1 != *$flag* ]] || set "-$flag"; done
}

# __sekisho_run VERB [ARGUMENT…]: does what sekisho's output says if it succeeded.
__sekisho_run() {
  { local __sekisho_was=$-; set +aeuxv; } 2>/dev/null
  local __sekisho_verb=$1 __sekisho_code __sekisho_out
  shift
  __sekisho_out=$(\command "$__sekisho_bin" "$__sekisho_verb" --hook values "$@")
  __sekisho_code=$?
  if [[ $__sekisho_code == 0 ]]; then
    __sekisho_take
    __sekisho_compat
    __sekisho_keep
  fi
  __sekisho_options "$__sekisho_was"
  return "$__sekisho_code"
}

# Sets and unsets the variables in $__sekisho_out: records that end in RS, a name or a name, US and a value. What stands
# outside of them was printed by a DEBUG trap.
__sekisho_take() {
  local rest=${__sekisho_out#*$'\x1e'} record name value
  while [[ $rest == *$'\x1e'* ]]; do
    record=${rest%%$'\x1e'*} rest=${rest#*$'\x1e'}
    name=${record%%$'\x1f'*}
    [[ $name == [A-Za-z_]* && $name != *[!A-Za-z0-9_]* ]] || continue
    if [[ $record == *$'\x1f'* ]]; then
      value=${record#*$'\x1f'}
      eval "$name=\$value"
      export "$name"
    else
      unset "$name"
    fi
  done
}

__sekisho() {
  local argument
  for argument in "$@"; do
    case $argument in -h | --help | -V | --version)
      SEKISHO_HOOK=bash command "$__sekisho_bin" "$@"
      return ;;
    esac
  done
  case ${1-} in
    '') __sekisho_run switch ;;
    switch | shell) shift; __sekisho_run switch "$@" ;;
    refresh) __sekisho_run "$@" ;;
    *)
      # No verb is a target's name, and `-` is the previous target.
      if __sekisho_is_verb "$1"; then
        SEKISHO_HOOK=bash command "$__sekisho_bin" "$@"
      else
        __sekisho_run "$@"
      fi ;;
  esac
}

# __sekisho_is_verb WORD: whether it is a verb or an option.
__sekisho_is_verb() {
  local verb
  [[ $1 != -?* ]] || return 0
  for verb in "${__sekisho_verbs[@]}"; do [[ $1 != "$verb" ]] || return 0; done
  return 1
}

# Whether this shell's prompt shows AWS_VAULT.
__sekisho_knows_vault() { declare -F starship_precmd >/dev/null; }

__sekisho_compat() {
  [[ -n ${SEKISHO_TARGET-} && $__sekisho_prompt_compat == auto ]] && __sekisho_knows_vault || return 0
  export AWS_VAULT=$SEKISHO_TARGET
}

# Sets __sekisho_names to the credentials and marks that stand here, sekisho's or not.
__sekisho_find() {
  local pattern
  __sekisho_names=()
  for pattern in "${__sekisho_watched[@]}"; do
    case $pattern in
      *'*') eval "__sekisho_names+=(\"\${!${pattern%?}@}\")" ;;
      *) [[ -z ${!pattern+x} ]] || __sekisho_names+=("$pattern") ;;
    esac
  done
}

# Remembers the session that this shell is in, in variables that are not exported.
__sekisho_keep() {
  local name
  unset "${!__sekisho_is_@}"
  [[ -n ${SEKISHO_TARGET-} ]] || return 0
  __sekisho_find
  for name in "${__sekisho_names[@]}"; do eval "__sekisho_is_$name=\$$name"; done
}

# Puts back what is remembered, where it was changed. Sets __sekisho_changed to the names.
__sekisho_undo() {
  local copy name
  __sekisho_changed=
  for copy in "${!__sekisho_is_@}"; do
    name=${copy#__sekisho_is_}
    [[ -z ${!name+x} || ${!name} != "${!copy}" ]] || continue
    eval "$name=\$$copy" 2>/dev/null || continue # readonly
    export "$name"
    __sekisho_changed+=" $name"
  done
  __sekisho_find
  for name in "${__sekisho_names[@]}"; do
    copy=__sekisho_is_$name
    [[ -z ${!copy+x} ]] || continue
    unset "$name" 2>/dev/null || continue
    __sekisho_changed+=" $name"
  done
}

# Keeps the prompt's mark true: direnv and its like put other credentials here as one changes the directory. A session
# that `sekisho env` has set stays: its key, its end and its target came together.
__sekisho_agree() {
  local key=${AWS_ACCESS_KEY_ID-}${AWS_CONTAINER_CREDENTIALS_FULL_URI-} told=${__sekisho_changed-}
  if [[ -z ${__sekisho_is_SEKISHO_TARGET-} ]] || [[
    $key != "${__sekisho_is_AWS_ACCESS_KEY_ID-}${__sekisho_is_AWS_CONTAINER_CREDENTIALS_FULL_URI-}" &&
    ${SEKISHO_TARGET-}/${SEKISHO_EXPIRATION-} != "$__sekisho_is_SEKISHO_TARGET/${__sekisho_is_SEKISHO_EXPIRATION-}" &&
    ${SEKISHO_EXPIRATION-} == "${AWS_CREDENTIAL_EXPIRATION-}" ]]; then
    __sekisho_keep
    return
  fi
  __sekisho_undo
  [[ -z $__sekisho_changed || $__sekisho_changed == "$told" ]] ||
    printf 'sekisho: something changed%s; undone, this shell is in %s\n' "$__sekisho_changed" "$SEKISHO_TARGET" >&2
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

# Sets __sekisho_now to the seconds since 1970. A bash before 4.2 (macOS's is 3.2) cannot say them; it counts its own seconds, so
# `date` is asked once, and again where SECONDS was set back or a renewal seems due.
__sekisho_clock() {
  __sekisho_now=${EPOCHSECONDS-}
  [[ -z $__sekisho_now ]] || return 0
  printf -v __sekisho_now '%(%s)T' -1 2>/dev/null && return
  __sekisho_now=$((__sekisho_began + ${SECONDS:-0}))
  if ((__sekisho_began == 0 || SECONDS < __sekisho_counted || __sekisho_now >= __sekisho_due)); then
    __sekisho_now=$(\command date +%s)
    __sekisho_began=$((__sekisho_now - ${SECONDS:-0}))
  fi
  __sekisho_counted=${SECONDS:-0}
}

# Compares the expiry with the clock; forks only when a renewal is due.
__sekisho_renew() {
  [[ -n ${SEKISHO_TARGET-} && -n ${AWS_CREDENTIAL_EXPIRATION-} ]] || return 0
  local __sekisho_now margin now
  __sekisho_clock
  now=$__sekisho_now
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

# Sets what the mark consists of: the account's colour (red for a guarded target that has none), `!` for the guard, and
# the terminal's title.
__sekisho_paint() {
  local code= i
  local colors=(black red green yellow blue magenta cyan gray darkgray
    lightred lightgreen lightyellow lightblue lightmagenta lightcyan white)
  __sekisho_guard= __sekisho_on= __sekisho_off= __sekisho_title=
  [[ -n ${SEKISHO_TARGET-} ]] || return 0
  case ${SEKISHO_GUARD-} in warn | confirm) __sekisho_guard='!' code=31 ;; esac
  for i in "${!colors[@]}"; do
    [[ ${colors[i]} != "${SEKISHO_COLOR-}" ]] || code=$((i < 8 ? 30 + i : 82 + i))
  done
  if [[ -n $code && -z ${NO_COLOR-} && ${TERM-dumb} != dumb ]]; then
    __sekisho_on=$'\e['${code}m __sekisho_off=$'\e[0m'
  fi
  [[ -z $__sekisho_titled ]] || __sekisho_title=$'\e]2;'${SEKISHO_TARGET//[[:cntrl:]]/}$'\a'
}

# The title comes last, because the user's own prompt may set one.
__sekisho_mark() {
  [[ $__sekisho_prompt_mark == on ]] || return 0
  __sekisho_paint
  case $PS1 in *SEKISHO_TARGET*) return ;; esac
  [[ $__sekisho_prompt_compat == none ]] || ! __sekisho_knows_vault || return 0
  local mark='\[${__sekisho_on-}\]${SEKISHO_TARGET:+${__sekisho_guard-}[${SEKISHO_TARGET}]}\[${__sekisho_off-}\]${SEKISHO_TARGET:+ }'
  # In `eval`, because it may be readonly: then it stays as it is.
  eval "PS1=\$mark\$PS1'\[\${__sekisho_title-}\]'" 2>/dev/null || __sekisho_prompt_mark=off
}

__sekisho_prompt() {
  { local code=$? flags=$-; set +aeuxv; } 2>/dev/null
  __sekisho_agree
  [[ $__sekisho_renewal != prompt ]] || __sekisho_renew
  __sekisho_mark
  __sekisho_options "$flags"
  [[ $flags != *e* ]] || return 0
  return "$code"
}

# Where this is a subshell of sekisho's: the start-up files have run, and what they changed is undone.
__sekisho_begin() {
  local copy
  unset "${!__sekisho_is_@}"
  for copy in "${!__SEKISHO_SET_@}"; do
    eval "__sekisho_is_${copy#__SEKISHO_SET_}=\$$copy"
    unset "$copy"
  done
  __sekisho_undo
  [[ -z $__sekisho_changed ]] ||
    printf 'sekisho: your start-up files changed%s; undone in this shell\n' "$__sekisho_changed" >&2
  case ${TERM-} in '' | dumb | linux) ;; *) __sekisho_titled=on ;; esac
  complete -p sekisho >/dev/null 2>&1 || complete -F __sekisho_complete sekisho
}

# Loads the completions when the first is asked for; 124 asks again.
__sekisho_complete() { eval "$(\command "$__sekisho_bin" completions bash)" && return 124; }

__sekisho_bin=${__sekisho_bin:-sekisho} __sekisho_seen= __sekisho_told= __sekisho_changed= __sekisho_titled=
__sekisho_due=0 __sekisho_ends=0
__sekisho_began=0 __sekisho_counted=0
[[ -z ${__sekisho_subshell-} ]] || __sekisho_begin
unset __sekisho_subshell
__sekisho_compat
__sekisho_keep
# Called through a variable that is never exported, so that a nested shell that inherits PROMPT_COMMAND runs nothing.
# A newline comes first, because the user's command may end in ";". In `eval`, because it may be readonly.
__sekisho_hook=__sekisho_prompt
if [[ " ${PROMPT_COMMAND[*]-} " != *__sekisho_hook* ]]; then
  if [[ $(\declare -p PROMPT_COMMAND 2>/dev/null) == "declare -a"* ]]; then
    eval "PROMPT_COMMAND+=('\${__sekisho_hook-}')" 2>/dev/null
  else
    eval "PROMPT_COMMAND=\${PROMPT_COMMAND:+\$PROMPT_COMMAND\$'\n'}'\${__sekisho_hook-}'" 2>/dev/null
  fi
fi
eval "$__sekisho_name() { __sekisho \"\$@\"; }"
\eval "$__sekisho_aliases"; __sekisho_options "$__sekisho_flags"; \unset __sekisho_aliases __sekisho_flags
