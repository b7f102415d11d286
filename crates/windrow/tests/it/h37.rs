//! H37: the power is cut after something was acknowledged, or in the middle of it; what was acknowledged is there.
//!
//! `cargo xtask soak power` does the same hundreds of times.

use windrow_testkit::{
    Binary, Cuttable, Fault, FileSystem, PowerCut, PowerCuts, TestRepo, assert_same, inject, root_only,
};

use crate::pool::{acquire, cut_short, files, left_in_place, rescues, restore, state, windrow};

fn binary() -> Binary {
    Binary(env!("CARGO_BIN_EXE_windrow").into())
}

/// A few cuts, the same ones each time as far as time allows.
#[track_caller]
fn survives(kind: FileSystem, seeds: std::ops::Range<u64>) {
    let Some(root) = root_only("power cuts") else { return };
    let Some(cuttable) = Cuttable::new(root, kind) else { return };
    let mut cuts = PowerCuts::new(cuttable, binary());
    let broken = seeds.map(|seed| cuts.next(seed)).filter(|cut| !cut.violations.is_empty());
    let broken: Vec<String> = broken.map(|cut: PowerCut| cut.to_string()).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn h37_power_cuts_on_ext4() {
    survives(FileSystem::Ext4, 215..216);
}

#[test]
fn h37_power_cuts_on_xfs() {
    survives(FileSystem::Xfs, 215..216);
}

#[test]
fn h37_power_cuts_on_btrfs() {
    survives(FileSystem::Btrfs, 215..216);
}

/// A repository on a file system whose power can be cut.
fn on(cuttable: &Cuttable) -> TestRepo {
    let repo = TestRepo::builder().inside(cuttable.path()).binary(binary()).build();
    let config = repo.surroundings().root().join("config/windrow");
    std::fs::create_dir(&config).unwrap();
    std::fs::write(config.join("config.toml"), "[pool]\nmin_free = \"1MiB\"\n").unwrap();
    cuttable.sync();
    repo
}

#[test]
fn h37_what_is_kept_or_rescued_is_there_after_the_cut_that_follows_the_answer() {
    let Some(root) = root_only("a power cut") else { return };
    let Some(mut cuttable) = Cuttable::new(root, FileSystem::Ext4) else { return };
    let repo = on(&cuttable);
    let [kept, saved] = ["kept", "saved"].map(|name| acquire(&repo, &["--name", name]));
    let work = [&kept, &saved].map(|lease| {
        lease.write("committed.txt", &lease.name);
        let head = repo.commit_in(&lease.path, "Work");
        lease.write("new/untracked.txt", lease.name.repeat(3_000));
        lease.write(".env", "SECRET");
        (head, lease.files())
    });
    windrow(&repo, &["release", "kept", "--keep", "1h"]);
    cuttable.cut();
    cuttable.power_on();
    assert_eq!(state(&repo, "kept"), "kept");
    assert_eq!(repo.oid("refs/heads/windrow/kept"), work[0].0);
    assert_same(&work[0].1, &kept.files());

    // Nobody had synced it before the power went, but for the other one's sake all was.
    assert_same(&work[1].1, &saved.files());
    windrow(&repo, &["release", "saved"]);
    cuttable.cut();
    cuttable.power_on();
    assert_eq!(repo.oid("refs/heads/windrow/saved"), work[1].0);
    assert_eq!(rescues(&repo, "saved").len(), 1);
    assert_same(&work[1].1, &restore(&repo, "saved").files());
}

#[test]
fn h37_another_device_number_after_the_reboot_makes_no_other_file_system() {
    let Some(root) = root_only("a file system on another device") else { return };
    let Some(mut cuttable) = Cuttable::new(root, FileSystem::Xfs) else { return };
    let repo = on(&cuttable);
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("untracked.txt", "untracked");
    let before = lease.files();
    cuttable.sync();
    cuttable.power_on();
    windrow(&repo, &["release", "fern"]);
    assert_same(&before, &restore(&repo, "fern").files());
}

#[test]
fn h37_what_is_recorded_to_be_gone_does_not_come_back() {
    let Some(root) = root_only("a power cut") else { return };
    let Some(mut cuttable) = Cuttable::new(root, FileSystem::Btrfs) else { return };
    let repo = on(&cuttable);
    let lease = acquire(&repo, &["--name", "fern"]);
    cuttable.sync();
    windrow(&repo, &["release", "fern"]);
    cuttable.cut();
    cuttable.power_on();
    assert!(!lease.path.exists());
    assert!(!repo.git_dir().join("worktrees/fern").exists());
    acquire(&repo, &["--name", "fern"]);
}

#[test]
fn h37_a_creation_that_is_recorded_to_be_undone_does_not_come_back() {
    let Some(root) = root_only("a power cut") else { return };
    let Some(mut cuttable) = Cuttable::new(root, FileSystem::Btrfs) else { return };
    let repo = on(&cuttable);
    // What a program records first takes everything before it along by chance.
    let leases = ["fern", "moss"].map(|name| acquire(&repo, &["--name", name]));
    cut_short(&repo);
    cuttable.sync();
    // As after a cut, the log of the records stays.
    let log = rusqlite::Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    windrow(&repo, &["acquire", "--detach"]);
    cuttable.cut();
    drop(log);
    cuttable.power_on();
    for lease in leases {
        assert_eq!(state(&repo, &lease.name), "gone");
        assert!(!lease.path.exists());
        assert!(!repo.git_dir().join("worktrees").join(&lease.name).exists());
        acquire(&repo, &["--name", &lease.name]);
    }
}

#[test]
fn h37_a_file_is_not_removed_while_its_rescue_cannot_be_read() {
    let repo = crate::repo();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("untracked.txt", "the only copy");
    lease.write(".env", "secret");
    // What a cut leaves of an object that git wrote without syncing it.
    let oid = repo.git_in(&lease.path, ["hash-object", "-w", "untracked.txt"]);
    let object = repo.git_dir().join("objects").join(&oid[..2]).join(&oid[2..]);
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, "").unwrap();
    let before = files(&lease.path);
    let released = repo.windrow(["release", "fern", "--json"]).run().assert_code(1).json();
    assert_eq!(released["released"]["fate"]["kind"], "quarantined");
    assert!(released["released"]["fate"]["doubt"].as_str().unwrap().contains(&oid), "{released:#}");
    assert_same(&before, &files(&lease.path));
    assert_eq!(
        repo.git(["for-each-ref", "refs/windrow"]),
        "",
        "a ref to what cannot be read breaks other gits"
    );
    assert_eq!(archives(&repo), [""; 0], "no record names it");

    std::fs::remove_file(&object).unwrap();
    windrow(&repo, &["release", "fern"]);
    assert_same(&before, &restore(&repo, "fern").files());
}

#[test]
fn h37_the_ref_of_an_attempt_whose_objects_a_cut_took_goes() {
    let repo = crate::repo();
    let lease = acquire(&repo, &["--name", "fern"]);
    lease.write("untracked.txt", "the only copy");
    lease.write(".env", "secret");
    let before = files(&lease.path);
    // The first such call gives the archive its name; the snapshot has its ref by then, and nothing is synced.
    let Some(killed) = inject(repo.windrow(["release", "fern"]), "renameat2", Fault::Kill, 1) else { return };
    assert_ne!(killed.run().code, 0);
    let tree = repo.git(["for-each-ref", "--format=%(tree)", "refs/windrow/rescue"]);
    let object = repo.git_dir().join("objects").join(&tree[..2]).join(&tree[2..]);
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, "").unwrap();
    left_in_place(&repo, &["release", "fern"]);
    assert_eq!(state(&repo, "fern"), "quarantined");
    assert_same(&before, &files(&lease.path));
    assert_eq!(repo.git(["for-each-ref", "refs/windrow"]), "");

    std::fs::remove_file(&object).unwrap();
    windrow(&repo, &["release", "fern"]);
    assert_eq!(archives(&repo).len(), 1, "what the attempt left of its own went with it");
    assert_same(&before, &restore(&repo, "fern").files());
}

/// The archives of rescues, finished or not.
fn archives(repo: &TestRepo) -> Vec<String> {
    let all = std::fs::read_dir(repo.git_dir().join("windrow/rescue")).unwrap();
    all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
