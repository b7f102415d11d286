//! SIGKILL: nothing acknowledged is lost, nothing half-done is kept, no lock stays.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
};

use super::*;

const DIRECTORY: &str = "WINDROW_TEST_STORE";

/// Starts this very test again as a child that works on the records in `dir`.
#[expect(clippy::disallowed_methods, reason = "a test starts itself, and hands over a directory")]
pub(super) fn child(test: &str, dir: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("store::tests::{test}"), "--nocapture"])
        .env_clear()
        .env(DIRECTORY, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the child finds its directory here")]
pub(super) fn directory_of_child() -> Option<PathBuf> {
    env::var_os(DIRECTORY).map(PathBuf::from)
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

/// Reads what the child says until `enough`; returns the last number of an `acknowledged` line.
fn listen(child: &mut Child, mut enough: impl FnMut(&str) -> bool) -> u64 {
    let mut last = 0;
    for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(number) = line.strip_prefix("acknowledged ") {
            last = number.parse().unwrap();
        }
        if enough(&line) {
            break;
        }
    }
    last
}

fn count(store: &LocalStore) -> u64 {
    store.meta("count").unwrap().map_or(0, |text| text.parse().unwrap())
}

fn work_forever(dir: &Path, mut inside: impl FnMut(u64)) {
    let mut store = LocalStore::open(dir, Access::ReadWrite).unwrap();
    for number in 1.. {
        store
            .transaction(|tx| {
                tx.set_meta("count", &number.to_string())?;
                inside(number);
                tx.set_meta("same", &number.to_string())
            })
            .unwrap();
        say(&format!("\nacknowledged {number}"));
    }
}

#[test]
fn a_kill_inside_a_transaction_leaves_the_last_acknowledged_state() {
    if let Some(dir) = directory_of_child() {
        return work_forever(&dir, |number| {
            if number == 5 {
                say("\ninside");
                // Until the parent kills this process, or is gone itself.
                std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            }
        });
    }
    let dir = TempDir::new().unwrap();
    let path = state_dir(&dir);
    let test = "killed::a_kill_inside_a_transaction_leaves_the_last_acknowledged_state";
    let mut child = child(test, &path);
    let acknowledged = listen(&mut child, |line| line == "inside");
    child.kill().unwrap();
    child.wait().unwrap();
    let mut store = LocalStore::open(&path, Access::ReadWrite).unwrap();
    assert_eq!((acknowledged, count(&store)), (4, 4));
    store.transaction(|tx| tx.set_meta("count", "100")).unwrap();
    assert_eq!(count(&store), 100);
}

#[test]
fn a_kill_at_any_moment_loses_nothing_acknowledged() {
    if let Some(dir) = directory_of_child() {
        return work_forever(&dir, |_| {});
    }
    for round in 1..=8 {
        let dir = TempDir::new().unwrap();
        let path = state_dir(&dir);
        let mut child = child("killed::a_kill_at_any_moment_loses_nothing_acknowledged", &path);
        let acknowledged = listen(&mut child, |line| line == format!("acknowledged {}", round * 7));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut store = LocalStore::open(&path, Access::ReadWrite).unwrap();
        assert!(count(&store) >= acknowledged && acknowledged == round * 7);
        assert_eq!(store.meta("count").unwrap(), store.meta("same").unwrap());
        assert_eq!(store.problems().unwrap(), Vec::<String>::new());
        store.transaction(|tx| tx.next_fence()).unwrap();
    }
}
