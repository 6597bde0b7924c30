# sekisho in zsh: `switch` and `refresh` act on this shell, the session is renewed before a prompt, the prompt shows the
# target, and credentials that something else puts here are taken back. This text is constant: values are read from
# variables and never inserted here. It runs with zsh's own options, untraced, whatever the user's are.
#
# A DEBUG trap sees each command as it is written, and its last word in `$_`. So no secret is a word of a command: it goes
# from variable to variable.

zmodload zsh/datetime zsh/parameter
__SETTINGS__
# __sekisho_run VERB [ARGUMENT…]: does what sekisho's output says if it succeeded.
__sekisho_run() {
  local __sekisho_verb=$1 __sekisho_code __sekisho_out
  shift
  __sekisho_out=$(command $__sekisho_bin $__sekisho_verb --hook values "$@")
  __sekisho_code=$?
  if (( ! __sekisho_code )); then
    __sekisho_take
    __sekisho_compat
    __sekisho_keep
  fi
  return $__sekisho_code
}

# Sets and unsets the variables in $__sekisho_out: records that end in RS, a name or a name, US and a value. What stands
# outside of them was printed by a DEBUG trap.
__sekisho_take() {
  local record name value
  local -a records
  records=("${(@ps:\x1e:)__sekisho_out}")
  for record in "${(@)records[2,-2]}"; do
    name=${record%%$'\x1f'*}
    [[ $name == [A-Za-z_]* && $name != *[^A-Za-z0-9_]* ]] || continue
    if [[ ${(Pt)name} == *readonly* ]]; then
      print -ru2 -- "sekisho: $name is readonly here, and stays as it is"
    elif [[ $record == *$'\x1f'* ]]; then
      value=${record#*$'\x1f'}
      eval "$name=\$value"
      export $name
    else
      unset $name
    fi
  done
}

__sekisho() {
  local argument code
  for argument in "$@"; do
    case $argument in (-h|--help|-V|--version)
      SEKISHO_HOOK=zsh command $__sekisho_bin "$@"
      return ;;
    esac
  done
  case ${1-} in
    ('') __sekisho_run switch ;;
    (switch|shell) shift; __sekisho_run switch "$@" ;;
    (refresh) __sekisho_run "$@" ;;
    (*)
      # No verb is a target's name, and `-` is the previous target.
      if [[ $1 == -?* ]] || (( ${__sekisho_verbs[(Ie)$1]} )); then
        SEKISHO_HOOK=zsh command $__sekisho_bin "$@"
      else
        __sekisho_run "$@"
      fi ;;
  esac
  # Said, because err_exit overlooks a `case`.
  code=$?
  return $code
}

# Whether this shell's prompt shows AWS_VAULT.
__sekisho_knows_vault() { (( ${+functions[p10k]} || ${#functions[(I)*starship_precmd]} )) }

__sekisho_compat() {
  [[ -n ${SEKISHO_TARGET-} && $__sekisho_prompt_compat == auto ]] && __sekisho_knows_vault || return 0
  export AWS_VAULT=$SEKISHO_TARGET
}

# Remembers the session that this shell is in, in variables that are not exported.
__sekisho_keep() {
  local name
  unset -m '__sekisho_is_*'
  [[ -n ${SEKISHO_TARGET-} ]] || return 0
  for name in ${(k)parameters[(I)${~__sekisho_watched}]}; do
    typeset -gH __sekisho_is_$name
    eval "__sekisho_is_$name=\$$name"
  done
}

# Puts back what is remembered, where it was changed. Sets __sekisho_changed to the names.
__sekisho_undo() {
  local copy name
  __sekisho_changed=()
  for copy in ${(ko)parameters[(I)__sekisho_is_*]}; do
    name=${copy#__sekisho_is_}
    [[ -n ${(P)name+x} && ${(P)name} == "${(P)copy}" || ${(Pt)name} == *readonly* ]] && continue
    eval "$name=\$$copy"
    export $name
    __sekisho_changed+=$name
  done
  for name in ${(ko)parameters[(I)${~__sekisho_watched}]}; do
    [[ -n ${parameters[__sekisho_is_$name]-} || ${(Pt)name} == *readonly* ]] && continue
    unset $name
    __sekisho_changed+=$name
  done
}

# Keeps the prompt's mark true: direnv and its like put other credentials here as one changes the directory. A session
# that `sekisho env` has set stays: its key, its end and its target came together.
__sekisho_agree() {
  local told="$__sekisho_changed"
  if [[ -z ${__sekisho_is_SEKISHO_TARGET-} ]] || [[
    ${AWS_ACCESS_KEY_ID-}${AWS_CONTAINER_CREDENTIALS_FULL_URI-} != "${__sekisho_is_AWS_ACCESS_KEY_ID-}${__sekisho_is_AWS_CONTAINER_CREDENTIALS_FULL_URI-}" &&
    ${SEKISHO_TARGET-}/${SEKISHO_EXPIRATION-} != "$__sekisho_is_SEKISHO_TARGET/${__sekisho_is_SEKISHO_EXPIRATION-}" &&
    ${SEKISHO_EXPIRATION-} == "${AWS_CREDENTIAL_EXPIRATION-}" ]]; then
    __sekisho_keep
    return
  fi
  __sekisho_undo
  [[ -z $__sekisho_changed || "$__sekisho_changed" == $told ]] ||
    print -ru2 -- "sekisho: something changed $__sekisho_changed; undone, this shell is in $SEKISHO_TARGET"
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

# Keeps our functions last: prompt frameworks set PROMPT in theirs, and direnv changes variables.
__sekisho_last() {
  [[ ${precmd_functions[-1]-} == __sekisho_prompt ]] || precmd_functions=(${precmd_functions:#__sekisho_prompt} __sekisho_prompt)
  [[ ${chpwd_functions[-1]-} == __sekisho_agree ]] || chpwd_functions=(${chpwd_functions:#__sekisho_agree} __sekisho_agree)
}

# __sekisho_mark PERCENT SUBST: marks the prompt, by the user's options prompt_percent and prompt_subst. The mark has the
# account's colour (red for a guarded target that has none) and `!` for the guard.
__sekisho_mark() {
  [[ $__sekisho_prompt_mark == on ]] || return 0
  [[ $__sekisho_prompt_compat == none ]] || ! __sekisho_knows_vault || return 0
  local mark color=0
  local -a colors=(black red green yellow blue magenta cyan gray darkgray
    lightred lightgreen lightyellow lightblue lightmagenta lightcyan white)
  case ${SEKISHO_GUARD-} in
    (warn|confirm) __sekisho_guard='!' color=2 ;;
    (*) __sekisho_guard= ;;
  esac
  (( ! colors[(Ie)${SEKISHO_COLOR-}] )) || color=$colors[(Ie)$SEKISHO_COLOR]
  [[ -z ${NO_COLOR-} && ${TERM-dumb} != dumb ]] || color=0
  psvar[9]=${SEKISHO_TARGET:+${__sekisho_guard}[$SEKISHO_TARGET]}
  if [[ $1 == on ]]; then
    (( color )) && mark="%(9V.%F{$((color - 1))}%9v%f .)" || mark='%(9V.%9v .)'
  elif [[ $2 == on ]]; then
    mark='${SEKISHO_TARGET:+${__sekisho_guard-}[${SEKISHO_TARGET}] }'
  fi
  # A readonly prompt stays as it is.
  if [[ $PROMPT != *"$mark"* && ${(t)PROMPT} != *readonly* ]]; then
    PROMPT=$mark${PROMPT/"$__sekisho_marked"/}
    __sekisho_marked=$mark
  fi
  [[ -z $__sekisho_titled || -z ${SEKISHO_TARGET-} ]] || print -nr -- $'\e]2;'${SEKISHO_TARGET//[[:cntrl:]]/}$'\a'
}

# __sekisho_at_prompt PERCENT SUBST
__sekisho_at_prompt() {
  if [[ -n ${__sekisho_undone-} ]]; then
    print -ru2 -- "sekisho: your start-up files changed $__sekisho_undone; undone in this shell"
    unset __sekisho_undone
  fi
  __sekisho_agree
  [[ $__sekisho_renewal != prompt ]] || __sekisho_renew
  __sekisho_last
  __sekisho_mark $1 $2
}

# Where this is a subshell of sekisho's: the start-up files have run, and what they changed is undone. It is said at the
# first prompt, because powerlevel10k allows no output before it.
__sekisho_begin() {
  local copy
  unset -m '__sekisho_is_*'
  for copy in ${(k)parameters[(I)__SEKISHO_SET_*]}; do
    typeset -gH __sekisho_is_${copy#__SEKISHO_SET_}
    eval "__sekisho_is_${copy#__SEKISHO_SET_}=\$$copy"
    unset $copy
  done
  __sekisho_undo
  typeset -g __sekisho_undone="$__sekisho_changed"
  case ${TERM-} in (''|dumb|linux) ;; (*) __sekisho_titled=on ;; esac
  (( ! ${+functions[compdef]} || ${+_comps[sekisho]} )) || compdef __sekisho_complete sekisho
}

typeset -g __sekisho_bin=${__sekisho_bin:-sekisho} __sekisho_seen= __sekisho_told= __sekisho_marked= __sekisho_guard= __sekisho_titled=
typeset -gi __sekisho_due=0 __sekisho_ends=0
typeset -ga __sekisho_changed precmd_functions chpwd_functions
[[ -z ${__sekisho_subshell-} ]] || __sekisho_begin
unset __sekisho_subshell
__sekisho_changed=()
__sekisho_compat
__sekisho_keep
__sekisho_last
functions[$__sekisho_name]='__sekisho "$@"'
