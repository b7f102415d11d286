//! A zoo of processes that try to outlive their command.

use std::path::Path;

use crate::kit::{confined, helper, scratch};

/// Seven processes that are left when the script ends, each in another way.
const ZOO: &str = r#"
cat > cleaned <<'S'
for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" = 255 ] || eval "exec $fd>&-"; done
exec sleep 307
S
cat > zoo <<'S'
sleep 301 &
(set -m; sleep 302 &)
setsid sleep 303 &
(setsid sleep 304 &)
(setsid setsid bash cleaned &)
bash -c 'trap "" TERM; : > ignoring; exec sleep 305' &
setsid bash -c 'trap "" TERM HUP INT; : > deaf; exec sleep 306' &
lines() { for f in /proc/[0-9]*/cmdline; do tr '\0' ' ' < $f; echo; done 2>/dev/null | grep -x 'sleep 30[1-7] ' | sort -u; }
sleeping() { lines | wc -l; }
until [ "$(sleeping)" = 7 ]; do command sleep 0.02; done
S
survivors() { for f in /proc/[0-9]*/cmdline; do tr '\0' ' ' < $f; echo; done 2>/dev/null | grep '^sleep 30[1-7]'; }
gone() { for i in $(seq 500); do [ -z "$(survivors)" ] && [ ! -e "/proc/$1" ] && return; command sleep 0.02; done; echo "left: $(survivors)"; }
appears() { for i in $(seq 1000); do [ -e "$1" ] && return; command sleep 0.02; done; echo "no $1"; exit 1; }
"#;

fn run(dir: &Path, script: &str) -> Option<String> {
    confined(dir, &format!("{ZOO}\nH={}\n{script}", helper().display()))
}

#[test]
fn a_run_ends_everything_it_left_and_lists_it() {
    let dir = scratch();
    let script = "$H result grace-ms 300 occupancy lock -- bash zoo; survivors; cat result";
    let Some(text) = run(dir.path(), script) else { return };
    let terminated = text.matches("straggler sleep Term\n").count();
    let killed = text.matches("straggler sleep Kill\n").count();
    assert!(text.starts_with("Code(0)\n"), "{text}");
    assert_eq!((terminated, killed), (5, 2), "{text}");
}

#[test]
fn nothing_survives_a_manager_that_is_killed() {
    let dir = scratch();
    let script = "echo ': > ready; exec sleep 300' >> zoo
        $H result grace-ms 200 -- bash zoo & manager=$!
        appears ready; read reaper command < result.started
        kill -9 $manager; gone $reaper; [ -e /proc/$command ] && echo command left; true";
    let Some(text) = run(dir.path(), script) else { return };
    assert_eq!(text, "");
}

#[test]
fn a_killed_reaper_is_an_error_and_the_lock_finds_the_rest() {
    let dir = scratch();
    let script =
        "sed -i 's/setsid setsid bash cleaned/:/; s/= 7 /= 6 /' zoo; echo ': > ready; exec sleep 300' >> zoo
        $H result grace-ms 200 occupancy lock -- bash zoo & manager=$!
        appears ready; read reaper command < result.started
        kill -9 $reaper; wait $manager; survivors; [ -e /proc/$command ] && echo command left; cat result";
    let Some(text) = run(dir.path(), script) else { return };
    assert!(text.starts_with("error the reaper died; "), "{text}");
}

#[test]
fn the_lock_is_held_while_a_daemon_lives() {
    let dir = scratch();
    let script = "
        $H result grace-ms 2000 occupancy lock -- bash -c 'setsid bash -c \"trap : TERM; : > up; until [ -e go ]; do command sleep 0.02; done\" & until [ -e up ]; do command sleep 0.02; done; : > ready' & manager=$!
        appears ready; flock -n lock true && echo free; : > go; wait $manager
        flock -n lock true || echo held";
    let Some(text) = run(dir.path(), script) else { return };
    assert_eq!(text, "");
}

#[test]
fn processes_that_multiply_are_ended_too() {
    let dir = scratch();
    // Each generation is forked by the one before, which ends: no process lives longer than a few milliseconds.
    let script = "
        cat > runner <<'S'
        trap '' TERM
        run() { command sleep 0.003; run & }
        run & run & run &
        command sleep 0.2
S
        $H result grace-ms 50 -- bash runner; command sleep 0.1
        for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; done 2>/dev/null | grep -c 'bash [r]unner'; head -n 1 result";
    let Some(text) = run(dir.path(), script) else { return };
    assert_eq!(text, "0\nCode(0)\n");
}
