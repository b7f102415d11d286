# windrow: `wcd NAME` and `windrow cd NAME` change into a worktree.
function wcd --description 'Change into a worktree'
    set -l directory /tmp
    set -q TMPDIR; and set directory $TMPDIR
    set -l file (command mktemp $directory/windrow-cd.XXXXXX); or return
    WINDROW_CD_FILE=$file command windrow path --to-file $argv
    set -l code $status
    if test $code -eq 0
        # Keeps newlines, also at the end.
        set -l target (command cat -- $file | string collect --no-trim-newlines)
        builtin cd -- $target
        set code $status
    end
    command rm -f -- $file
    return $code
end
function windrow --description 'Worktrees for agents'
    if test "$argv[1]" = cd
        wcd $argv[2..]
    else
        command windrow $argv
    end
end
