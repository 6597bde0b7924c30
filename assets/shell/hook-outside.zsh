# These run with the user's own options: the prompt is drawn with them, and zsh's completion sets some.
__sekisho_prompt() {
  __sekisho_at_prompt "${options[promptpercent]}" "${options[promptsubst]}"
}
# Loads the completions when the first is asked for.
__sekisho_complete() {
  \builtin eval "$(\command "$__sekisho_bin" completions zsh)"
  _sekisho "$@"
}
