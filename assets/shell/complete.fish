# Completes targets, too, as the first word after a verb that takes one.
function __sekisho_wants_target
    set -l plain
    set -l skip yes # the program's own name
    for word in (commandline -opc)
        if test $skip = yes
            set skip no
        else if contains -- $word __VALUE_OPTIONS__
            set skip yes
        else if not string match -q -- '-*' $word
            set -a plain $word
        end
    end
    test $skip = no; and test (count $plain) = 1; and contains -- $plain[1] __TARGET_VERBS__
end
function __sekisho_targets
    command sekisho list --names 2>/dev/null
end
complete -c sekisho -n __sekisho_wants_target -f -a '(__sekisho_targets)'
