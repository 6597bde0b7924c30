# sekisho's completion in fish.
function __sekisho_complete
    set -l bin sekisho
    set -q __sekisho_bin; and set bin $__sekisho_bin
    set -l words (commandline -opc) "$(commandline -ct)"
    set -l answer (command $bin __complete -- $words 2>/dev/null)
    switch "$answer[1]"
        case words
            string join \n -- $answer[2..]
        case 'command *'
            set -l from (math (string replace 'command ' '' -- $answer[1]) + 1)
            set -l rest (string escape -- $words[$from..-2])
            complete -C "$(string join ' ' -- $rest $words[-1])"
        case files
            __fish_complete_path $words[-1]
    end
end
complete -c sekisho -e
complete -c sekisho -f -a '(__sekisho_complete)'
