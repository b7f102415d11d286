//! Identities, locks and occupants against real processes; the supervision itself is tested from outside.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use super::wire::{Report, Spec, TerminalUse, read_frame, write_frame};
use super::*;

/// A process that is ended and collected with the test.
struct Guest(Child);

impl Guest {
    fn start(dir: &Path, script: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "tests start the processes they examine")]
        let mut command = Command::new("sh");
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(dir);
        command.args(["-c", script]).stdin(Stdio::null());
        Self(command.spawn().expect("start"))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn scratch() -> TempDir {
    tempfile::tempdir().expect("a scratch directory")
}

fn wait_for(what: &str, reached: impl FnMut() -> bool) {
    windrow_testkit::poll_until(Duration::from_secs(30), what, reached);
}

#[test]
fn only_the_very_process_is_alive() {
    let own = identify_self().expect("identity");
    assert_eq!(liveness(&own).expect("liveness"), Liveness::Alive);
    assert_eq!(identify(own.pid).expect("identity"), Some(own.clone()));
    let mut reused = own.clone();
    reused.start_ticks += 1;
    assert_eq!(liveness(&reused).expect("liveness"), Liveness::Dead);
    let mut before_reboot = own;
    before_reboot.scope = "another/1".to_owned();
    assert_eq!(liveness(&before_reboot).expect("liveness"), Liveness::Dead);
    assert_eq!(identify(u32::MAX).expect("identity"), None);
}

#[test]
fn a_zombie_is_dead() {
    let dir = scratch();
    let guest = Guest::start(dir.path(), "until [ -e go ]; do sleep 0.01; done");
    let identity = identify(guest.pid()).expect("identity").expect("it runs");
    assert_eq!(liveness(&identity).expect("liveness"), Liveness::Alive);
    fs::write(dir.path().join("go"), "").expect("write");
    wait_for("its end", || liveness(&identity).expect("liveness") == Liveness::Dead);
    let row = platform::row(guest.pid()).expect("row");
    assert!(row.is_some_and(|row| !row.running), "not collected yet");
    assert_eq!(identify(guest.pid()).expect("identity"), None);
}

#[test]
fn a_signal_never_reaches_a_later_process_of_the_number() {
    let dir = scratch();
    let mut guest = Guest::start(dir.path(), "exec sleep 300");
    let row = platform::row(guest.pid()).expect("row").expect("it runs");
    let sent = platform::signal(row.pid, row.start_ticks + 1, Signal::KILL).expect("signal");
    assert_eq!(sent, platform::Sent::Gone);
    assert!(guest.0.try_wait().expect("wait").is_none());
    let sent = platform::signal(row.pid, row.start_ticks, Signal::KILL).expect("signal");
    assert_eq!(sent, platform::Sent::Delivered);
    guest.0.wait().expect("wait");
    let sent = platform::signal(row.pid, row.start_ticks, Signal::KILL).expect("signal");
    assert_eq!(sent, platform::Sent::Gone);
}

#[test]
fn ancestors_come_nearest_first() {
    let dir = scratch();
    let guest = Guest::start(dir.path(), "exec sleep 300");
    let above = ancestors(guest.pid()).expect("ancestors");
    let own = identify_self().expect("identity");
    assert_eq!(above.first().map(|nearest| &nearest.process), Some(&own));
    assert_eq!(above[1..], ancestors(own.pid).expect("ancestors"));
    assert_eq!(ancestors(u32::MAX).expect("ancestors"), []);
}

#[test]
fn a_lock_excludes_and_is_released() {
    let dir = scratch();
    let path = dir.path().join("lock");
    assert_eq!(is_free(&path).expect("state"), LockState::Missing);
    let lock = FileLock::acquire(&path, Wait::No).expect("lock").expect("free");
    assert_eq!(is_free(&path).expect("state"), LockState::Held);
    assert!(FileLock::acquire(&path, Wait::No).expect("lock").is_none());
    let began = Instant::now();
    let wait = Duration::from_millis(60);
    assert!(FileLock::acquire(&path, Wait::For(wait)).expect("lock").is_none());
    assert!(began.elapsed() >= wait);
    drop(lock);
    assert_eq!(is_free(&path).expect("state"), LockState::Free);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("file").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn who_waited_for_a_removed_lock_gets_a_new_one() {
    let dir = scratch();
    let path = dir.path().join("lock");
    let first = FileLock::acquire(&path, Wait::Forever).expect("lock").expect("locked");
    let there = path.clone();
    let waiter =
        std::thread::spawn(move || FileLock::acquire(&there, Wait::Forever).expect("lock").expect("locked"));
    wait_for("the waiter", || {
        let locks = fs::read_to_string("/proc/locks").expect("locks");
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).expect("file"));
        locks.lines().any(|line| line.contains("-> ") && line.contains(&format!(":{inode} ")))
    });
    first.remove().expect("remove");
    let second = waiter.join().expect("join");
    assert_eq!(is_free(second.path()).expect("state"), LockState::Held);
}

#[test]
fn what_is_no_regular_file_is_no_lock() {
    let dir = scratch();
    let file = dir.path().join("file");
    fs::write(&file, "").expect("write");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&file, &link).expect("link");
    assert!(matches!(FileLock::acquire(&link, Wait::No), Err(LockError::Open { .. })));
    assert!(matches!(is_free(Path::new("/dev/null")), Err(LockError::NotAFile { .. })));
}

#[test]
fn occupants_are_found_by_what_they_use() {
    let dir = scratch();
    let place = dir.path().join("a place\nwith lines");
    let inside = place.join("inside");
    fs::create_dir_all(&inside).expect("directories");
    fs::copy("/bin/sleep", place.join("program")).expect("copy");
    let prefix = "cd '../a place\nwith lines' &&";
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("directory");
    let guests = [
        (Guest::start(&inside, "exec sleep 300"), OccupiedBy::Cwd),
        (Guest::start(&elsewhere, "exec '../a place\nwith lines/program' 300"), OccupiedBy::Executable),
        (
            Guest::start(&elsewhere, &format!("{prefix} exec 7> held && cd / && exec sleep 300")),
            OccupiedBy::Descriptor,
        ),
    ];
    let stranger = Guest::start(&elsewhere, "exec sleep 300");
    for (guest, how) in &guests {
        wait_for(&format!("{how:?}"), || {
            let found = occupants(&place, &[]).expect("occupants");
            found.iter().any(|occupant| {
                occupant.pid == guest.pid() && occupant.how == *how && occupant.command != "sh"
            })
        });
    }
    let found = occupants(&place, &[guests[0].0.pid()]).expect("occupants");
    assert!(found.iter().all(|occupant| occupant.pid != guests[0].0.pid()));
    assert!(found.iter().all(|occupant| occupant.pid != stranger.pid()));
}

#[test]
fn kill_tree_ends_who_holds_the_lock_and_nobody_else() {
    let dir = scratch();
    let path = dir.path().join("lock");
    let own_look = fs::File::create(&path).expect("create");
    assert_eq!(kill_tree(&path, Duration::ZERO).expect("kill"), []);
    let mut looker = Guest::start(dir.path(), "exec 8< lock; : > looks; exec sleep 300");
    let script = "exec 9<> lock; flock -s 9; trap '' TERM; sleep 301 & : > holds; wait; wait";
    let mut holder = Guest::start(dir.path(), script);
    for ready in ["looks", "holds"] {
        wait_for(ready, || dir.path().join(ready).exists());
    }
    let held = holders_of(&path).expect("holders");
    assert!(held.iter().any(|process| process.pid == holder.pid()));
    assert!(held.iter().all(|process| process.pid != looker.pid()));
    let ended = kill_tree(&path, Duration::from_millis(100)).expect("kill");
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(ended.iter().all(|straggler| straggler.ended_by == EndedBy::Kill), "both ignore TERM: {ended:?}");
    assert!(holder.0.wait().is_ok());
    assert!(looker.0.try_wait().expect("wait").is_none());
    assert_eq!(is_free(&path).expect("state"), LockState::Free);
    drop(own_look);
}

#[test]
fn messages_survive_the_socket() {
    let spec = Spec {
        program: "program".into(),
        args: vec!["".into(), std::os::unix::ffi::OsStringExt::from_vec(vec![0xff, b'\n'])],
        env: vec![("NAME".into(), "a=b".into())],
        cwd: "/".into(),
        timeout: Some(Duration::from_nanos(1_000_000_001)),
        grace: Duration::from_millis(1),
        terminal: TerminalUse::Background,
    };
    assert_eq!(Spec::decode(&spec.encode()).expect("spec"), spec);
    let straggler = Straggler { pid: 7, command: "sleep".to_owned(), ended_by: EndedBy::Nothing };
    let report = Report::Ended { exit: Exit::Signal(9), timed_out: true, stragglers: vec![straggler] };
    let mut buffer = Vec::new();
    write_frame(&mut buffer, &report.encode()).expect("write");
    let payload = read_frame(buffer.as_slice()).expect("read").expect("a frame");
    assert_eq!(Report::decode(&payload).expect("report"), report);
    for length in 0..payload.len() {
        assert!(Report::decode(&payload[..length]).is_err(), "cut at {length}");
    }
    assert!(read_frame(&buffer[..buffer.len() - 1]).expect("read").is_none());
    assert!(read_frame([0xff; 8].as_slice()).is_err());
}
