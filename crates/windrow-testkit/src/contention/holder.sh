# One caller. It holds a worktree, and proves by a mark beside the worktrees that nobody else does at the same time.
# usage: holder.sh hold|lease WORK PAUSE [option of acquire...]; SOAK is the directory of marks and logs, WINDROW the program

violation() { echo "$*" >> "$SOAK/violations"; }

# Whether the process $1 that started at $2 lives; only builtins, because this runs for every lease.
alive() {
    { read -r line < "/proc/$1/stat"; } 2>/dev/null || return 1
    set -- "$2" $line
    [ "$4" != Z ] && [ "$4" != X ] && [ "${23}" = "$1" ]
}

# A mark that is there already must be that of a dead process.
put_mark() {
    echo "$own" > "$SOAK/marks/.$$"
    if ! ln "$SOAK/marks/.$$" "$mark" 2>/dev/null; then
        if ! { read -r pid start < "$mark"; } 2>/dev/null; then
            violation "$path: a mark went while $own with fence $fence came"
        elif alive "$pid" "$start"; then
            violation "$path: held by $pid $start when $own with fence $fence came"
        fi
        rm -f "$mark"
        ln "$SOAK/marks/.$$" "$mark" || violation "$path: marked by another when $own with fence $fence came"
    fi
    rm -f "$SOAK/marks/.$$"
}

take_mark_away() {
    { read -r now < "$mark"; } 2>/dev/null
    [ "$now" = "$own" ] || violation "$path: the mark of $own with fence $fence became that of $now"
    rm -f "$mark"
}

work() {
    file=work-$fence-$$
    case $work in
    none) return ;;
    write) echo "$own" > "$path/$file" ;;
    commit)
        echo "$own" > "$path/$file"
        git -C "$path" add "$file" && git -C "$path" commit --quiet --message "$file" || exit 9
        ;;
    esac
    # From here on it must not be lost.
    echo "$file" >> "$SOAK/written"
}

hold() {
    read -r line < "/proc/$$/stat"
    set -- $line
    own="$$ ${22}"
    mark=$SOAK/marks/${path##*/}
    put_mark
    echo "$path $fence" >> "$SOAK/held"
    read -r uptime _ < /proc/uptime
    echo "held $uptime"
    work
    [ "$pause" = 0 ] || sleep "$pause"
    take_mark_away
}

how=$1 work=$2 pause=$3
shift 3
case $how in
hold)
    path=$WINDROW_PATH fence=$WINDROW_FENCE
    hold
    ;;
lease)
    answer=$("$WINDROW" acquire --json --pid $$ "$@") || { code=$?; echo "$answer" >&2; exit $code; }
    rest=${answer#*\"fence\":} fence=${rest%%,*}
    rest=${answer#*\"path\":\"} path=${rest%%\"*}
    hold
    "$WINDROW" release --fence "$fence" "$path" || exit
    ;;
esac
