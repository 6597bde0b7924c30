# sekisho in fish: `switch` and `refresh` act on this shell, the session is renewed before a prompt, and the
# prompt shows the target. This text is constant: values are read from variables and never inserted here.

# __sekisho_run VERB [ARGUMENT…]: evaluates sekisho's output if it succeeded. fish_trace does not show it.
function __sekisho_run
    set -l fish_trace
    set -l out (command $__sekisho_bin $argv[1] --hook fish $argv[2..])
    or return
    string join \n -- $out | source
    __sekisho_compat
end

function __sekisho
    for argument in $argv
        if contains -- $argument -h --help -V --version
            command $__sekisho_bin $argv
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
            command $__sekisho_bin $argv
    end
end

# Whether this shell's prompt shows AWS_VAULT.
function __sekisho_knows_vault
    functions fish_prompt | string match -q '*starship*'
end

function __sekisho_compat
    if set -q SEKISHO_TARGET; and test $__sekisho_prompt_compat = auto; and __sekisho_knows_vault
        set -gx AWS_VAULT $SEKISHO_TARGET
    end
    return 0
end

# __sekisho_epoch TEXT: prints the seconds of RFC 3339 in UTC.
function __sekisho_epoch
    set -l t (string match -rg '^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)' -- $argv[1])
    or return
    set -l y $t[1]
    set -l m $t[2]
    if test $m -le 2
        set y (math $y - 1)
        set m (math $m + 12)
    end
    math "86400 * (365 * $y + floor($y / 4) - floor($y / 100) + floor($y / 400) + floor((153 * ($m - 3) + 2) / 5) + $t[3] - 719469) + 3600 * $t[4] + 60 * $t[5] + $t[6]"
end

# __sekisho_now: prints a clock in seconds that needs no fork (fish has none of its own): Linux's uptime.
function __sekisho_now
    if test -r /proc/uptime
        read -l uptime rest </proc/uptime
        math "floor($uptime)"
    else
        date +%s
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
        set -l left (math $ends - (date +%s))
        set -g __sekisho_ends (math $now + $left)
        # Due 15 min before the end; for a short session, at half its life.
        set -g __sekisho_due (math "$__sekisho_ends - min(900, floor($left / 2))")
    end
    test $now -ge $__sekisho_due; or return 0
    set -g __sekisho_due (math $now + 60)
    __sekisho_run refresh --quiet </dev/null 2>/dev/null; and return 0
    set -l left (math $__sekisho_ends - $now)
    if test $left -le 0
        test "$__sekisho_told" = ended; or echo "sekisho: the session has ended; `$__sekisho_name refresh` asks for a code" >&2
        set -g __sekisho_told ended
    else if test $left -le 600; and test -z "$__sekisho_told"
        echo "sekisho: the session ends in "(math "ceil($left / 60)")" min; `$__sekisho_name refresh` asks for a code" >&2
        set -g __sekisho_told soon
    end
end

function __sekisho_status
    return $argv[1]
end

# Wraps the existing prompt when the first one is drawn, after all of the user's start-up files have run.
function __sekisho_mark
    set -q __sekisho_marked; and return 0
    set -g __sekisho_marked
    test $__sekisho_prompt_mark = on; or return 0
    test $__sekisho_prompt_compat != none; and __sekisho_knows_vault; and return 0
    if functions -q fish_prompt
        functions -c fish_prompt __sekisho_own_prompt
    else
        function __sekisho_own_prompt
            echo -n '> '
        end
    end
    function fish_prompt
        set -l code $status
        set -q SEKISHO_TARGET; and printf '[%s] ' $SEKISHO_TARGET
        __sekisho_status $code
        __sekisho_own_prompt
    end
end

function __sekisho_prompt --on-event fish_prompt
    test $__sekisho_renewal != prompt; or __sekisho_renew
    __sekisho_mark
end

set -q __sekisho_bin; or set -g __sekisho_bin sekisho
set -g __sekisho_seen ''
set -g __sekisho_told ''
__sekisho_compat
