# sekisho in fish: `switch` and `refresh` act on this shell, the session is renewed before a prompt, the prompt shows the
# target, and credentials that something else puts here are taken back. This text is constant: values are read from
# variables and never inserted here. fish_trace and fish's profiler show no secret: what a function does is not traced
# where `fish_trace` is local to it, and its text names variables only.

__SETTINGS__
# __sekisho_run VERB [ARGUMENT…]: does what sekisho's output says if it succeeded.
function __sekisho_run
    set -l fish_trace
    set -l out (command $__sekisho_bin $argv[1] --hook values $argv[2..] | string split0)
    set -l code $pipestatus[1]
    test $code = 0; or return $code
    # Records that end in RS: a name to unset, or a name, US and a value.
    for record in (string split \x1e -- $out)
        set -l parts (string split -m 1 \x1f -- $record)
        string match -qr '^[A-Za-z_][A-Za-z0-9_]*$' -- $parts[1]; or continue
        if test (builtin count $parts) = 2
            set -gx $parts[1] $parts[2]
        else
            # Without `-g`, a universal variable would be erased permanently, in every shell of the user.
            set -eg $parts[1]
        end
    end
    __sekisho_compat
    __sekisho_keep
end

function __sekisho
    for argument in $argv
        if builtin contains -- $argument -h --help -V --version
            SEKISHO_HOOK=fish command $__sekisho_bin $argv
            return
        end
    end
    switch "$argv[1]"
        case ''
            __sekisho_run switch
        case switch shell
            __sekisho_run switch $argv[2..]
        case refresh
            __sekisho_run $argv
        case '*'
            # No verb is a target's name, and `-` is the previous target.
            if builtin contains -- $argv[1] $__sekisho_verbs; or string match -qr -- '^-.' $argv[1]
                SEKISHO_HOOK=fish command $__sekisho_bin $argv
            else
                __sekisho_run $argv
            end
    end
end

# Whether this shell's prompt shows AWS_VAULT.
function __sekisho_knows_vault
    builtin functions fish_prompt | string match -q '*starship*'
end

function __sekisho_compat
    if set -q SEKISHO_TARGET; and test $__sekisho_prompt_compat = auto; and __sekisho_knows_vault
        set -gx AWS_VAULT $SEKISHO_TARGET
    end
    return 0
end

# Remembers the session that this shell is in, in variables that are not exported.
function __sekisho_keep
    set -l fish_trace
    for copy in (set -n | string match '__sekisho_is_*')
        set -eg $copy
    end
    set -q SEKISHO_TARGET; or return 0
    for name in (set -ng | string match -r -- $__sekisho_watched)
        set -g __sekisho_is_$name $$name
    end
end

# Puts back what is remembered, where it was changed. Sets __sekisho_changed to the names.
function __sekisho_undo
    set -l fish_trace
    set -g __sekisho_changed
    for copy in (set -n | string match '__sekisho_is_*')
        set -l name (string replace __sekisho_is_ '' $copy)
        set -qgx $name; and test "$$name" = "$$copy"; and continue
        set -gx $name $$copy
        set -a __sekisho_changed $name
    end
    # A universal variable is left: erasing it would erase it in every shell, permanently.
    for name in (set -ng | string match -r -- $__sekisho_watched)
        set -q __sekisho_is_$name; and continue
        set -eg $name
        set -a __sekisho_changed $name
    end
end

# Keeps the prompt's mark true: direnv and its like put other credentials here as one changes the directory. A session
# that `sekisho env` has set stays: its key, its end and its target came together.
function __sekisho_agree
    set -l told "$__sekisho_changed"
    if not set -q __sekisho_is_SEKISHO_TARGET
        __sekisho_keep
        return
    end
    if test "$AWS_ACCESS_KEY_ID$AWS_CONTAINER_CREDENTIALS_FULL_URI" != "$__sekisho_is_AWS_ACCESS_KEY_ID$__sekisho_is_AWS_CONTAINER_CREDENTIALS_FULL_URI"
        and test "$SEKISHO_TARGET/$SEKISHO_EXPIRATION" != "$__sekisho_is_SEKISHO_TARGET/$__sekisho_is_SEKISHO_EXPIRATION"
        and test "$SEKISHO_EXPIRATION" = "$AWS_CREDENTIAL_EXPIRATION"
        __sekisho_keep
        return
    end
    __sekisho_undo
    test -z "$__sekisho_changed"; or test "$__sekisho_changed" = "$told"
    or builtin echo "sekisho: something changed $__sekisho_changed; undone, this shell is in $SEKISHO_TARGET" >&2
end

# __sekisho_epoch TEXT: prints the seconds of RFC 3339 in UTC.
function __sekisho_epoch
    set -l t (string match -rg '^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)' -- $argv[1])
    or return
    set -l y $t[1]
    set -l m $t[2]
    if test $m -le 2
        set y (builtin math $y - 1)
        set m (builtin math $m + 12)
    end
    builtin math "86400 * (365 * $y + floor($y / 4) - floor($y / 100) + floor($y / 400) + floor((153 * ($m - 3) + 2) / 5) + $t[3] - 719469) + 3600 * $t[4] + 60 * $t[5] + $t[6]"
end

# __sekisho_now: prints a clock in seconds that needs no fork (fish has none of its own): Linux's uptime.
function __sekisho_now
    if test -r /proc/uptime
        read -l uptime rest </proc/uptime
        builtin math "floor($uptime)"
    else
        command date +%s
    end
end

# Compares the expiry with the clock; on Linux it forks only when a renewal is due.
function __sekisho_renew
    set -q SEKISHO_TARGET; and set -q AWS_CREDENTIAL_EXPIRATION; or return 0
    set -l now (__sekisho_now)
    if test "$AWS_CREDENTIAL_EXPIRATION" != "$__sekisho_seen"
        set -l ends (__sekisho_epoch $AWS_CREDENTIAL_EXPIRATION)
        or return 0
        set -g __sekisho_seen $AWS_CREDENTIAL_EXPIRATION
        set -g __sekisho_told ''
        set -l left (builtin math $ends - (command date +%s))
        set -g __sekisho_ends (builtin math $now + $left)
        # Due 15 min before the end; for a short session, at half its life.
        set -g __sekisho_due (builtin math "$__sekisho_ends - min(900, floor($left / 2))")
    end
    test $now -ge $__sekisho_due; or return 0
    set -g __sekisho_due (builtin math $now + 60)
    __sekisho_run refresh --quiet </dev/null 2>/dev/null; and return 0
    set -l left (builtin math $__sekisho_ends - $now)
    if test $left -le 0
        test "$__sekisho_told" = ended; or builtin echo "sekisho: the session has ended; `$__sekisho_name refresh` asks for a code" >&2
        set -g __sekisho_told ended
    else if test $left -le 600; and test -z "$__sekisho_told"
        builtin echo "sekisho: the session ends in "(builtin math "ceil($left / 60)")" min; `$__sekisho_name refresh` asks for a code" >&2
        set -g __sekisho_told soon
    end
end

function __sekisho_status
    return $argv[1]
end

# Prints the mark: the account's colour (red for a guarded target that has none), and `!` for the guard.
function __sekisho_draw
    set -q SEKISHO_TARGET; or return 0
    set -l color
    set -l guard
    builtin contains -- "$SEKISHO_GUARD" warn confirm; and set guard !; and set color red
    switch "$SEKISHO_COLOR"
        case black red green yellow blue magenta cyan
            set color $SEKISHO_COLOR
        case gray
            set color white
        case darkgray
            set color brblack
        case white
            set color brwhite
        case 'light*'
            set color (string replace light br -- $SEKISHO_COLOR)
    end
    test -z "$NO_COLOR"; and test "$TERM" != dumb; or set color
    test -z "$color"; or set_color $color 2>/dev/null
    builtin printf '%s[%s]' "$guard" $SEKISHO_TARGET
    test -z "$color"; or set_color normal
    builtin printf ' '
end

# Wraps the existing prompt and title when the first prompt is drawn, after all of the user's start-up files have run.
function __sekisho_mark
    set -q __sekisho_marked; and return 0
    set -g __sekisho_marked
    test $__sekisho_prompt_mark = on; or return 0
    test $__sekisho_prompt_compat != none; and __sekisho_knows_vault; and return 0
    if builtin functions -q fish_prompt
        builtin functions -c fish_prompt __sekisho_own_prompt
    else
        function __sekisho_own_prompt
            builtin echo -n '> '
        end
    end
    function fish_prompt
        set -l code $status
        __sekisho_draw
        __sekisho_status $code
        __sekisho_own_prompt
    end
    set -q __sekisho_titled; and builtin functions -q fish_title; or return 0
    builtin functions -c fish_title __sekisho_own_title
    function fish_title
        set -q SEKISHO_TARGET; and builtin echo -n "$SEKISHO_TARGET "
        __sekisho_own_title $argv
    end
end

function __sekisho_prompt --on-event fish_prompt
    __sekisho_agree
    test $__sekisho_renewal != prompt; or __sekisho_renew
    __sekisho_mark
end

# Where this is a subshell of sekisho's: the start-up files have run, and what they changed is undone.
function __sekisho_begin
    set -l fish_trace
    for copy in (set -nx | string match '__SEKISHO_SET_*')
        set -g (string replace __SEKISHO_SET_ __sekisho_is_ $copy) $$copy
        set -eg $copy
    end
    __sekisho_undo
    set -g __sekisho_titled
    test -z "$__sekisho_changed"
    or builtin echo "sekisho: your start-up files changed $__sekisho_changed; undone in this shell" >&2
    # fish cannot hide an exported universal variable.
    set -l universal (set -nUx | string match -r -- $__sekisho_watched)
    set -l shown
    for name in $universal
        set -qg $name; or set -a shown $name
    end
    test -z "$shown"
    or builtin echo "sekisho: fish gives your universal $shown to every program, here too; `set -Uu $shown` keeps it to fish" >&2
end

set -q __sekisho_bin; or set -g __sekisho_bin sekisho
set -g __sekisho_seen ''
set -g __sekisho_told ''
set -q __sekisho_subshell; and __sekisho_begin
set -eg __sekisho_subshell
set -g __sekisho_changed
__sekisho_compat
__sekisho_keep
function $__sekisho_name
    __sekisho $argv
end
