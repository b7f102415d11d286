# windrow: `wcd NAME` and `windrow cd NAME` change into a worktree.
wcd() {
    local _windrow_file _windrow_dir _windrow_code
    _windrow_file=$(command mktemp "${TMPDIR:-/tmp}/windrow-cd.XXXXXX") || return
    WINDROW_CD_FILE=$_windrow_file command windrow path --to-file "$@"
    _windrow_code=$?
    if [ "$_windrow_code" -eq 0 ]; then
        # Reads up to a NUL, which no path holds, so that newlines stay.
        IFS= read -r -d '' _windrow_dir <"$_windrow_file" || :
        builtin cd -- "$_windrow_dir"
        _windrow_code=$?
    fi
    command rm -f -- "$_windrow_file"
    return "$_windrow_code"
}
windrow() {
    if [ "${1-}" = cd ]; then
        shift
        wcd "$@"
    else
        command windrow "$@"
    fi
}
