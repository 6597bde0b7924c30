# A sekisho subshell in fish, read after the user's own config.fish.
set -g __sekisho_bin $__SEKISHO_BIN
set -e __SEKISHO_BIN
set -e __SEKISHO_RC

# Sets and removes sekisho's variables again, and prints which ones the start-up files had changed.
function __sekisho_hold
    set -l fish_trace
    set -l held
    set -l undone
    set -l universal
    for copy in (set -nx | string match '__SEKISHO_SET_*')
        set -l name (string replace __SEKISHO_SET_ '' $copy)
        test "$$name" = "$$copy"; or set -a undone $name
        set -gx $name $$copy
        set -e $copy
        set -a held $name
    end
    for pattern in $__sekisho_identity
        for name in (set -n | string match -- $pattern)
            contains $name $held; and continue
            if set -qg $name
                set -eg $name
                set -a undone $name
            end
            # Erasing a universal variable would erase it in every shell, permanently, and fish cannot
            # hide an exported one.
            set -qUx $name; and set -a universal $name
        end
    end
    test -z "$undone"; or echo "sekisho: your start-up files changed $undone; undone in this shell" >&2
    test -z "$universal"; or echo "sekisho: fish gives your universal $universal to every program, here too; `set -Uu $universal` keeps it to fish" >&2
end
__sekisho_hold
functions -e __sekisho_hold
set -e __sekisho_identity
