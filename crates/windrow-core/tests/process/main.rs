//! Supervision of real processes: what a command leaves behind, how it ends, what a terminal sees.

mod job_control;
mod kit;
mod tree;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use kit::{helper, request, scratch, wait_for};
use windrow_core::process::{Cancel, Exit, Input, Output, SuperviseError, TeeTarget, supervise};

#[test]
fn exit_codes_and_signals_are_told_exactly() {
    let dir = scratch();
    for (script, expected) in [
        ("exit 0", Exit::Code(0)),
        ("exit 3", Exit::Code(3)),
        ("exit 255", Exit::Code(255)),
        ("kill -9 $$", Exit::Signal(9)),
        ("kill -15 $$", Exit::Signal(15)),
    ] {
        let ended = supervise(request(dir.path(), script), &mut |_| {}).expect("run");
        assert_eq!(ended.exit, expected, "{script}");
        assert!(!ended.timed_out && ended.interrupted.is_none() && ended.stragglers.is_empty());
    }
}

#[test]
fn a_start_that_fails_is_an_error_of_its_kind() {
    let dir = scratch();
    let start = |program: &str, cwd: PathBuf| {
        let mut request = request(dir.path(), "");
        request.program = OsString::from(program);
        request.cwd = cwd;
        supervise(request, &mut |_| panic!("nothing starts")).expect_err("no start")
    };
    let here = dir.path().to_owned();
    assert!(matches!(start("no-such-program", here.clone()), SuperviseError::NotFound { .. }));
    assert!(matches!(start("./missing", here.clone()), SuperviseError::NotFound { .. }));
    std::fs::write(dir.path().join("plain"), "text").expect("write");
    assert!(matches!(start("./plain", here.clone()), SuperviseError::NotExecutable { .. }));
    assert!(matches!(start("/", here), SuperviseError::NotExecutable { .. }));
    assert!(matches!(start("true", dir.path().join("gone")), SuperviseError::Directory { .. }));
    assert!(matches!(start("nul\0byte", dir.path().to_owned()), SuperviseError::Start { .. }));
    let mut without_helper = request(dir.path(), "true");
    without_helper.helper = dir.path().join("no-helper");
    let error = supervise(without_helper, &mut |_| {}).expect_err("no helper");
    assert!(matches!(error, SuperviseError::Helper { .. }));
    let mut wrong_helper = request(dir.path(), "true");
    wrong_helper.helper = PathBuf::from("/bin/true");
    let error = supervise(wrong_helper, &mut |_| {}).expect_err("no reaper");
    assert!(matches!(error, SuperviseError::Helper { .. }));
}

#[test]
fn the_command_gets_its_directory_environment_and_nothing_else() {
    let dir = scratch();
    let script = "exec > seen; pwd; env | grep -vE '^(PWD|_|SHLVL)=' | sort; ls /proc/$$/fd; \
                  while IFS= read -r line; do case $line in SigBlk*|SigIgn*) echo \"$line\"; esac; done < /proc/$$/status";
    let mut request = request(dir.path(), script);
    request.env.push(("ODD".into(), OsString::from("a b")));
    supervise(request, &mut |_| {}).expect("run");
    let seen = std::fs::read_to_string(dir.path().join("seen")).expect("read");
    let directory = dir.path().canonicalize().expect("path");
    // The C library keeps signals 32 and 33 for itself and lets nobody reset them.
    let seen = seen.replace("SigIgn:\t0000000080000000", "SigIgn:\t0000000000000000");
    let expected = format!(
        "{}\nODD=a b\nPATH=/usr/local/bin:/usr/bin:/bin\n0\n1\n2\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n",
        directory.display()
    );
    assert_eq!(seen, expected);
}

#[test]
fn nothing_of_ours_is_left_after_a_run() {
    let dir = scratch();
    let count = || std::fs::read_dir("/proc/self/fd").expect("fds").count();
    let mut reaper = None;
    let mut tee = request(dir.path(), "echo done");
    tee.output = Output::TeeToStderr(TeeTarget { path: dir.path().join("log"), max_bytes: 0, keep: 0 });
    let lock = dir.path().join("occupancy");
    tee.occupancy = Some(lock.clone());
    // The first run arranges the signal handlers, which stay.
    supervise(tee.clone(), &mut |_| {}).expect("run");
    let before = count();
    supervise(tee, &mut |started| reaper = Some(started.clone())).expect("run");
    let started = reaper.expect("it started");
    // Other tests of this process open and close descriptors too.
    wait_for("descriptors to be closed", || count() <= before);
    for process in [started.reaper, started.command] {
        let state = windrow_core::process::liveness(&process).expect("liveness");
        assert_eq!(state, windrow_core::process::Liveness::Dead);
    }
    let state = windrow_core::process::is_free(&lock).expect("lock");
    assert_eq!(state, windrow_core::process::LockState::Free);
    let log = std::fs::read_to_string(dir.path().join("log")).expect("log");
    assert_eq!(log, "done\ndone\n");
}

#[test]
fn a_cancelled_command_ends_with_all_that_is_below_it() {
    let dir = scratch();
    let cancel = Cancel::new().expect("a pipe");
    let mut request = request(dir.path(), "sleep 300 & trap '' TERM; while :; do sleep 0.05; done");
    request.grace = Duration::from_millis(200);
    request.cancel = Some(cancel.clone());
    let ended = supervise(request.clone(), &mut |_| cancel.cancel()).expect("run");
    assert_eq!((ended.exit, ended.timed_out), (Exit::Signal(9), false));
    assert!(cancel.is_cancelled());
    let late = supervise(request, &mut |_| {}).expect("run");
    assert_eq!(late.exit, Exit::Signal(9), "one that begins later is ended as well");
}

#[test]
fn a_command_reads_what_it_is_given_and_its_output_goes_to_the_log_alone() {
    let dir = scratch();
    let mut request = request(dir.path(), "cat; echo done >&2; cat");
    let log = TeeTarget { path: dir.path().join("log"), max_bytes: 0, keep: 0 };
    request.output = Output::Log(log.clone());
    let long: Vec<u8> = b"0123456789".repeat(20_000);
    request.input = Input::Bytes(long.clone());
    assert_eq!(supervise(request.clone(), &mut |_| {}).expect("run").exit, Exit::Code(0));
    assert_eq!(std::fs::read(&log.path).expect("log"), [&long[..], b"done\n"].concat());
    request.input = Input::Nothing;
    std::fs::remove_file(&log.path).expect("remove");
    supervise(request, &mut |_| {}).expect("run");
    assert_eq!(std::fs::read(&log.path).expect("log"), b"done\n");
}

#[test]
fn a_timeout_ends_the_whole_tree() {
    let dir = scratch();
    let mut request = request(dir.path(), "sleep 300 & trap '' TERM; while :; do sleep 0.05; done");
    request.timeout = Some(Duration::from_millis(200));
    request.grace = Duration::from_millis(200);
    let ended = supervise(request, &mut |_| {}).expect("run");
    assert!(ended.timed_out);
    assert_eq!(ended.exit, Exit::Signal(9));
    assert!(ended.elapsed >= Duration::from_millis(400), "{:?}", ended.elapsed);
    assert!(ended.stragglers.iter().any(|straggler| straggler.command == "sleep"));
}

#[test]
fn a_command_that_follows_term_tells_its_own_code_after_a_timeout() {
    let dir = scratch();
    let mut request = request(dir.path(), "trap 'exit 7' TERM; while :; do sleep 0.02; done");
    request.timeout = Some(Duration::from_millis(200));
    let ended = supervise(request, &mut |_| {}).expect("run");
    assert!(ended.timed_out);
    assert_eq!(ended.exit, Exit::Code(7));
}

#[test]
fn output_is_copied_and_the_log_rotated() {
    let dir = scratch();
    let mut manager = kit::manager(dir.path());
    manager.args(["tee", "log", "--", "sh", "-c", "seq 1 5000; echo problem >&2"]);
    let output = manager.output().expect("run");
    let expected: String = (1..=5000).map(|number| format!("{number}\n")).collect();
    assert_eq!(String::from_utf8(output.stdout).expect("text"), expected);
    assert_eq!(output.stderr, b"problem\n");
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("log");
    let kept = format!("{}{}{}", read("log.2"), read("log.1"), read("log"));
    assert!(read("log").len() <= 10_000 && read("log.1").len() <= 10_000);
    assert!(!dir.path().join("log.3").exists());
    assert!(kept.replace("problem\n", "").ends_with("4999\n5000\n"), "{kept}");
    assert!(kept.contains("problem\n"));
}

#[test]
fn a_reader_that_closes_ends_the_writer_as_without_a_copy() {
    let dir = scratch();
    let mut shell = kit::command("bash");
    let script = format!("{} result tee log -- yes | head -n 1", helper().display());
    let output = shell.current_dir(dir.path()).args(["-c", &script]).output().expect("run");
    assert_eq!(output.stdout, b"y\n");
    let result = std::fs::read_to_string(dir.path().join("result")).expect("result");
    assert!(result.starts_with("Signal(13)\n"), "{result}");
}

#[test]
fn a_signal_to_the_manager_reaches_the_command() {
    let dir = scratch();
    for (signal, name, interrupted) in [("TERM", 15, true), ("INT", 2, true), ("USR1", 10, false)] {
        let _ = std::fs::remove_file(dir.path().join("ready"));
        let _ = std::fs::remove_file(dir.path().join("result"));
        let script = format!("trap 'exit 9' {signal}; : > ready; while :; do sleep 0.02; done");
        let mut manager = kit::manager(dir.path());
        let mut manager = manager.args(["--", "sh", "-c", &script]).spawn().expect("start");
        wait_for("the command", || dir.path().join("ready").exists());
        kit::send(manager.id(), signal);
        assert!(manager.wait().expect("wait").success());
        let result = std::fs::read_to_string(dir.path().join("result")).expect("result");
        let told = if interrupted { format!("Some({name})") } else { "None".to_owned() };
        assert_eq!(result, format!("Code(9)\ntimed_out false\ninterrupted {told}\n"), "{signal}");
    }
}

#[test]
fn signals_do_what_they_did_before_once_a_run_is_over() {
    use std::os::unix::process::ExitStatusExt as _;
    let dir = scratch();
    std::fs::write(dir.path().join("result.linger"), "").expect("write");
    let mut manager = kit::manager(dir.path()).args(["--", "true"]).spawn().expect("start");
    wait_for("the end of the run", || dir.path().join("result").exists());
    kit::send(manager.id(), "TERM");
    assert_eq!(manager.wait().expect("wait").signal(), Some(15));
}

#[test]
fn a_second_signal_cuts_the_grace_short() {
    let dir = scratch();
    let script = "sh -c 'trap \"\" TERM; : > ready; exec sleep 300' & until [ -e ready ]; do sleep 0.02; done; trap 'exit 3' TERM; : > up; while :; do sleep 0.02; done";
    let mut manager = kit::manager(dir.path());
    let mut manager = manager.args(["grace-ms", "600000", "--", "sh", "-c", script]).spawn().expect("start");
    wait_for("the command", || dir.path().join("up").exists());
    // Each signal that comes while stragglers have their grace ends it; how many came before does not matter.
    wait_for("the end", || {
        let over = manager.try_wait().expect("wait").is_some();
        if !over {
            kit::send(manager.id(), "TERM");
        }
        over
    });
    let result = std::fs::read_to_string(dir.path().join("result")).expect("result");
    assert_eq!(result, "Code(3)\ntimed_out false\ninterrupted Some(15)\nstraggler sleep Kill\n");
}

#[test]
fn a_stopped_manager_stops_the_command_and_goes_on_with_it() {
    let dir = scratch();
    let script = "echo $$ > pid; until [ -e go ]; do :; done; exit 6";
    let mut manager = kit::manager(dir.path()).args(["--", "sh", "-c", script]).spawn().expect("start");
    wait_for("the command", || {
        std::fs::read_to_string(dir.path().join("pid")).is_ok_and(|pid| pid.ends_with('\n'))
    });
    let pid = std::fs::read_to_string(dir.path().join("pid")).expect("pid");
    kit::send(manager.id(), "TSTP");
    for process in [pid.trim(), &manager.id().to_string()] {
        wait_for("both to stop", || kit::stat(process, 3) == "T");
    }
    std::fs::write(dir.path().join("go"), "").expect("write");
    kit::send(manager.id(), "CONT");
    assert!(manager.wait().expect("wait").success());
    let result = std::fs::read_to_string(dir.path().join("result")).expect("result");
    assert_eq!(result, "Code(6)\ntimed_out false\ninterrupted None\n");
}

#[test]
fn a_panic_of_the_callback_ends_the_command() {
    let dir = scratch();
    let mut seen = None;
    let run = std::panic::AssertUnwindSafe(|| {
        supervise(request(dir.path(), "exec sleep 300"), &mut |started| {
            seen = Some(started.clone());
            panic!("as a caller's mistake would");
        })
    });
    assert!(std::panic::catch_unwind(run).is_err());
    let started = seen.expect("it started");
    for process in [started.reaper, started.command] {
        let state = windrow_core::process::liveness(&process).expect("liveness");
        assert_eq!(state, windrow_core::process::Liveness::Dead);
    }
}

#[test]
fn runs_beside_each_other_do_not_disturb_each_other() {
    let dirs: Vec<_> = (0..8).map(|_| scratch()).collect();
    std::thread::scope(|scope| {
        for (code, dir) in (0..).zip(&dirs) {
            scope.spawn(move || {
                let script = format!("setsid sleep 300 & exit {code}");
                let ended = supervise(request(dir.path(), &script), &mut |_| {}).expect("run");
                assert_eq!(ended.exit, Exit::Code(code));
                assert_eq!(ended.stragglers.len(), 1, "{:?}", ended.stragglers);
            });
        }
    });
}
