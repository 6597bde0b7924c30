# A sekisho subshell in fish, read after the user's own config.fish. The hook follows.
set -g __sekisho_bin $__SEKISHO_BIN
set -g __sekisho_subshell
# Completions beside this file, for where none are installed.
set -ga fish_complete_path (string replace -r '/[^/]*$' /completions -- $__SEKISHO_RC)
set -e __SEKISHO_BIN
set -e __SEKISHO_RC
