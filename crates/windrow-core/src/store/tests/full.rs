//! A full or read-only file system.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use super::*;

#[test]
fn a_full_database_gives_up_the_reserve_and_says_so() {
    let mut fixture = fixture();
    let reserve = fixture.path().join("reserve");
    assert_eq!(reserve.metadata().unwrap().len(), 1 << 20);
    fixture.store.database().connection().pragma_update(None, "max_page_count", 1).unwrap();
    let text = "x".repeat(100_000);
    let mut tries = 0;
    let outcome = fixture.store.transaction(|tx| {
        tries += 1;
        tx.set_meta("large", &text)
    });
    assert!(matches!(outcome, Err(StoreError::Full { .. })), "{outcome:?}");
    assert_eq!(tries, 2, "once more with the reserve");
    assert!(!reserve.exists());
    assert_eq!(fixture.store.meta("large").unwrap(), None);
    LocalStore::open(&fixture.path(), Access::ReadWrite).unwrap();
    assert_eq!(reserve.metadata().unwrap().len(), 1 << 20);
}

#[test]
fn a_full_disk_still_takes_records() {
    let test = "full::a_full_disk_still_takes_records";
    let Some(disk) = super::killed::directory_of_child() else { return on_small_disk(test, "") };
    let dir = disk.join("windrow");
    let mut store = LocalStore::open(&dir, Access::ReadWrite).unwrap();
    fill(&disk.join("ballast"));
    for number in 0..40 {
        let record = worktree(&format!("w-{number}"));
        store.transaction(|tx| tx.insert_worktree(&record)).unwrap();
    }
    assert!(!dir.join("reserve").exists());
    drop(store);
    let store = LocalStore::open(&dir, Access::ReadWrite).unwrap();
    assert_eq!(store.worktrees().unwrap().len(), 40);
    fs::remove_file(disk.join("ballast")).unwrap();
    LocalStore::open(&dir, Access::ReadWrite).unwrap();
    assert!(dir.join("reserve").exists());
}

#[test]
fn a_read_only_disk_is_read() {
    let test = "full::a_read_only_disk_is_read";
    let Some(disk) = super::killed::directory_of_child() else {
        return on_small_disk(test, "touch $disk/writable && \"$@\" && mount -o remount,ro $disk &&");
    };
    let dir = disk.join("windrow");
    if disk.join("writable").exists() && !dir.exists() {
        let mut store = LocalStore::open(&dir, Access::ReadWrite).unwrap();
        return store.transaction(|tx| tx.insert_worktree(&worktree("there"))).unwrap();
    }
    let store = LocalStore::open(&dir, Access::ReadOnly).unwrap();
    assert_eq!(store.worktrees().unwrap().len(), 1);
    drop(store);
    let error = LocalStore::open(&dir, Access::ReadWrite)
        .map(|mut store| store.transaction(|tx| tx.set_meta("a", "b")));
    let error = error.and_then(|outcome| outcome).unwrap_err();
    assert!(matches!(error, StoreError::NotWritable { .. } | StoreError::Io { .. }), "{error:?}");
}

fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for chunk in [64 * 1024, 1] {
        while file.write_all(&vec![1; chunk]).is_ok() {}
    }
}

/// Runs the same test in a mount namespace of its own with a memory disk of 4 MiB.
#[expect(clippy::disallowed_methods, reason = "a test starts itself in a mount namespace")]
fn on_small_disk(test: &str, before: &str) {
    let dir = TempDir::new().unwrap();
    let script =
        format!("disk=$1; shift; mount -t tmpfs -o size=4m none $disk || exit 77; {before} exec \"$@\"");
    let done = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("store::tests::{test}"), "--nocapture"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("WINDROW_TEST_STORE", dir.path())
        .stdin(Stdio::null())
        .output();
    match done {
        Ok(done) if done.status.success() => {}
        Ok(done) if done.status.code() == Some(77) => {
            eprintln!("SKIPPED: {test}: cannot mount a memory disk")
        }
        Ok(done) if !rustix::process::geteuid().is_root() => {
            eprintln!("SKIPPED: {test}: needs root: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(done) => {
            panic!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
        }
        Err(error) => eprintln!("SKIPPED: {test}: cannot run unshare: {error}"),
    }
}
