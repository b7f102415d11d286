//! Worktrees that are held ready: handed out as if they had just been made, and nobody's before.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    thread,
};

use serde_json::Value;
use windrow_testkit::{
    Effect, Errno, Fault, Point, TestRepo, Watch, assert_same, inject, poll_for, trace_until,
};

use crate::pool::{
    Lease, SOON, acquire, files, pool_root, put, refused, registered, repository, restore, state, text,
    wait_for_empty_trash, windrow,
};

/// A repository with what makes trees interesting.
fn varied() -> TestRepo {
    let repo = repository();
    put(&repo.path().join("src/deep/er/lib.rs"), "pub fn one() {}\n");
    put(&repo.path().join("tool"), "#!/bin/sh\n");
    put(&repo.path().join("becomes/a/file"), "1");
    put(&repo.path().join("becomes-a-directory"), "2");
    fs::set_permissions(repo.path().join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("tool", repo.path().join("shortcut")).unwrap();
    repo.commit("varied");
    repo
}

fn warm(repo: &TestRepo, count: u32) -> Value {
    windrow(repo, &["pool", "warm", &count.to_string(), "--wait", "--json"]).json()
}

fn status(repo: &TestRepo) -> Value {
    windrow(repo, &["pool", "status", "--json"]).json()
}

fn spares(repo: &TestRepo) -> Vec<PathBuf> {
    let status = status(repo);
    status["spares"].as_array().unwrap().iter().map(|spare| text(&spare["path"]).into()).collect()
}

fn inode(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    path.metadata().unwrap().ino()
}

/// What git's registration holds, with the names and ids that differ between any two worktrees replaced.
fn registration(repo: &TestRepo, name: &str) -> Vec<(String, String)> {
    let admin = repo.git_dir().join("worktrees").join(name);
    let id = fs::read_to_string(admin.join("windrow-id")).unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir(&admin).unwrap() {
        let path = entry.unwrap().path();
        let what = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_file() && what != "index" {
            let content = fs::read_to_string(&path).unwrap();
            found.push((what, content.replace(name, "NAME").replace(id.trim(), "ID")));
        } else {
            found.push((what, String::new()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_ready_worktree_is_handed_out_as_a_fresh_one() {
    let repo = varied();
    let fresh = acquire(&repo, &["--name", "fresh"]);
    assert_eq!(warm(&repo, 2)["made"], 2);
    let spare = spares(&repo)[0].clone();
    let made = inode(&spare);

    let lease = acquire(&repo, &["--name", "ready"]);
    assert_eq!(inode(&lease.path), made, "it is the one that was ready");
    assert!(!spare.exists());
    assert_same(&fresh.files(), &lease.files());
    assert_eq!(registration(&repo, "fresh"), registration(&repo, "ready"));
    assert_eq!(repo.git_in(&lease.path, ["status", "--porcelain", "--ignored"]), "");
    assert_eq!(repo.git_in(&lease.path, ["rev-parse", "--abbrev-ref", "HEAD"]).trim(), "windrow/ready");
    assert_eq!(lease.path, fresh.path.with_file_name("ready"));
    assert_eq!(status(&repo)["spares"].as_array().unwrap().len(), 1);

    lease.write("src/deep/er/lib.rs", "changed");
    windrow(&repo, &["release", "ready"]);
    assert_eq!(state(&repo, "ready"), "gone");
    assert!(!lease.path.exists());
}

#[test]
fn at_another_commit_only_what_differs_is_written() {
    let repo = varied();
    warm(&repo, 1);
    let spare = spares(&repo)[0].clone();
    let untouched = inode(&spare.join("src/deep/er/lib.rs"));
    let root = repo.path();
    fs::remove_dir_all(root.join("becomes")).unwrap();
    put(&root.join("becomes"), "now a file");
    fs::remove_file(root.join("becomes-a-directory")).unwrap();
    put(&root.join("becomes-a-directory/with"), "a file");
    fs::set_permissions(root.join("tool"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(root.join("shortcut")).unwrap();
    symlink("src", root.join("shortcut")).unwrap();
    put(&root.join("new/file"), "new");
    repo.commit("all kinds of changes");

    let lease = acquire(&repo, &["--name", "ready"]);
    assert_eq!(inode(&lease.path.join("src/deep/er/lib.rs")), untouched);
    windrow(&repo, &["pool", "resize", "0"]);
    let fresh = acquire(&repo, &["--name", "fresh"]);
    assert_same(&fresh.files(), &lease.files());
    assert_eq!(repo.git_in(&lease.path, ["status", "--porcelain", "--ignored"]), "");
    assert_eq!(
        repo.git_in(&lease.path, ["ls-files", "--stage"]),
        repo.git_in(&fresh.path, ["ls-files", "--stage"])
    );
}

#[test]
fn filling_brings_the_others_to_the_newest_commit() {
    let repo = varied();
    warm(&repo, 2);
    put(&repo.path().join("new"), "new");
    repo.commit("another");
    let filled = warm(&repo, 2);
    assert_eq!((&filled["made"], &filled["switched"], &filled["ready"]), (&0.into(), &2.into(), &2.into()));
    let head = repo.git(["rev-parse", "HEAD"]);
    for spare in status(&repo)["spares"].as_array().unwrap() {
        assert_eq!(text(&spare["base"]), head.trim());
    }
}

#[test]
fn nobody_sees_what_is_only_held_ready() {
    let repo = varied();
    warm(&repo, 1);
    assert_eq!(registered(&repo).len(), 1, "git knows the main worktree alone");
    assert_eq!(windrow(&repo, &["list", "--json"]).json()["worktrees"].as_array().unwrap().len(), 0);
    let name = spares(&repo)[0].file_name().unwrap().to_string_lossy().into_owned();
    let record = format!("idle-{}", &name[name.len() - 8..]);
    for command in ["show", "path", "release"] {
        assert_eq!(refused(&repo, 1, &[command, &record])["code"], "NOT_FOUND");
    }
    assert_eq!(windrow(&repo, &["reconcile", "--json"]).json()["worktrees"][0]["reason"], "in_order");
    let doctor = windrow(&repo, &["doctor", "--json"]).json();
    let findings = doctor["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["severity"] == "fine"), "{findings:?}");
}

#[test]
fn what_somebody_wrote_into_one_is_kept() {
    let repo = varied();
    warm(&repo, 2);
    let [clean, touched] = spares(&repo).try_into().unwrap();
    put(&touched.join("src/notes"), "mine");
    put(&touched.join("tool"), "my tool");
    windrow(&repo, &["pool", "resize", "0"]);
    assert!(!clean.exists() && !touched.exists());
    let name = touched.file_name().unwrap().to_string_lossy().into_owned();
    let restored = restore(&repo, &format!("idle-{}", &name[name.len() - 8..]));
    assert_eq!(fs::read(restored.path.join("src/notes")).unwrap(), b"mine");
    assert_eq!(fs::read(restored.path.join("tool")).unwrap(), b"my tool");
}

#[test]
fn a_change_of_how_files_are_written_makes_them_useless() {
    let repo = varied();
    warm(&repo, 1);
    repo.git(["config", "core.autocrlf", "true"]);
    assert_eq!(status(&repo)["spares"][0]["usable"], false);
    let lease = acquire(&repo, &["--name", "fresh"]);
    assert_eq!(fs::read(lease.path.join("tool")).unwrap(), b"#!/bin/sh\r\n");
    assert_eq!(refused(&repo, 65, &["pool", "warm", "1", "--wait"])["code"], "CONFLICT");
    repo.git(["config", "core.autocrlf", "false"]);
    assert_eq!(warm(&repo, 1)["made"], 1, "the old one was made under other conditions");
}

#[test]
fn h01_many_callers_never_get_the_same_one() {
    let repo = varied();
    warm(&repo, 4);
    let leases: Vec<_> = thread::scope(|scope| {
        let repo = &repo;
        let start =
            |number: usize| scope.spawn(move || acquire(repo, &["--name", &format!("agent-{number}")]));
        let started: Vec<_> = (0..8).map(start).collect();
        started.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let inodes: BTreeSet<_> = leases.iter().map(|lease| inode(&lease.path)).collect();
    assert_eq!(inodes.len(), 8);
    for lease in &leases {
        assert_same(&leases[0].files(), &lease.files());
        assert_eq!(repo.git_in(&lease.path, ["status", "--porcelain"]), "");
    }
    assert!(spares(&repo).is_empty());
}

#[test]
fn h33_a_kill_while_one_is_handed_out_leaves_nothing() {
    let repo = varied();
    for (calls, nth) in [
        ("rename,renameat,renameat2", 1),
        ("rename,renameat,renameat2", 2),
        ("rename,renameat,renameat2", 3),
        ("mkdir", 2),
    ] {
        warm(&repo, 1);
        let acquire_one = repo.windrow(["acquire", "--name", "killed"]);
        let Some(killed) = inject(acquire_one, calls, Fault::Kill, nth) else { return };
        killed.run();
        windrow(&repo, &["reconcile"]);
        if state(&repo, "killed") != "gone" {
            windrow(&repo, &["release", "killed"]);
        }
        assert_eq!(registered(&repo).len(), 1);
        assert_eq!(repo.git(["branch", "--list", "windrow/*"]), "");
        let spares = spares(&repo);
        wait_for_empty_trash(&pool_root(&repo).join(".trash"));
        let left = fs::read_dir(pool_root(&repo)).into_iter().flatten().flatten().map(|entry| entry.path());
        let left: Vec<_> = left.filter(|path| !path.ends_with(".trash") && !spares.contains(path)).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "killed at {calls} {nth}");
        windrow(&repo, &["pool", "resize", "0"]);
    }
}

#[test]
fn those_of_lost_records_go_unless_somebody_wrote_into_them_or_they_are_anothers() {
    let repo = varied();
    warm(&repo, 3);
    let [clean, touched, anothers] = spares(&repo).try_into().unwrap();
    put(&touched.join("notes"), "mine");
    let id = anothers.file_name().unwrap().to_str().unwrap().strip_prefix(".idle-").unwrap().to_owned();
    let mark = repo.git_dir().join(format!("windrow/warm/{id}.mark"));
    let text = fs::read_to_string(&mark).unwrap();
    let (before, after) = text.split_once("\nrepository ").unwrap();
    fs::write(&mark, format!("{before}\nrepository 1{after}")).unwrap();
    let seen = files(&touched);
    crate::reconcile::lose_records(&repo);

    windrow(&repo, &["reconcile"]);
    assert!(!clean.exists() && anothers.exists());
    assert_same(&seen, &files(&touched));
    // Once nobody's work is in it any more it goes with the next command.
    fs::remove_file(touched.join("notes")).unwrap();
    windrow(&repo, &["reconcile"]);
    assert!(!touched.exists() && anothers.exists());
    assert!(spares(&repo).is_empty());
    let kept = fs::read_dir(repo.git_dir().join("windrow/warm")).unwrap();
    assert!(kept.flatten().all(|file| file.file_name().to_string_lossy().starts_with(&id)));
    assert_eq!(warm(&repo, 1)["made"], 1);
}

#[test]
fn those_of_a_dead_machine_are_replaced() {
    let repo = varied();
    warm(&repo, 1);
    let before = inode(&spares(&repo)[0]);
    fs::remove_dir_all(&spares(&repo)[0]).unwrap();
    assert_eq!(status(&repo)["spares"][0]["usable"], false);
    assert_same(&files(repo.path()), &acquire(&repo, &["--name", "fresh"]).files());
    assert_eq!(warm(&repo, 1)["made"], 1);
    assert_ne!(inode(&spares(&repo)[0]), before);
}

#[test]
fn leaving_takes_those_along_that_nobody_wrote_into() {
    let repo = varied();
    warm(&repo, 2);
    let [touched, _] = spares(&repo).try_into().unwrap();
    put(&touched.join("notes"), "mine");
    assert_eq!(windrow_code(&repo, &["deinit", "--json"]), 65, "something of somebody's is in one");
    assert!(touched.join("notes").exists());
    fs::remove_file(touched.join("notes")).unwrap();
    windrow(&repo, &["deinit"]);
    assert!(!pool_root(&repo).exists() && !repo.git_dir().join("windrow").exists());
}

/// A pool that wants one ready worktree, and hands it out.
fn lease_of_a_ready_one(repo: &TestRepo) -> (Lease, u64) {
    repo.windrow(WANTS_ONE).args(["pool", "warm", "1", "--wait"]).run().assert_success();
    let made = inode(&spares(repo)[0]);
    // Nothing is made meanwhile that the next filling could take instead.
    let lease = acquire(repo, &["--name", "former", "--config", "pool.keeper=false"]);
    assert_eq!(inode(&lease.path), made, "it is the one that was ready");
    (lease, made)
}

const WANTS_ONE: [&str; 2] = ["--config", "pool.warm=1"];

/// Gives a worktree back to a pool that wants one ready, and waits until there is one.
fn give_back(repo: &TestRepo, name: &str) -> PathBuf {
    repo.windrow(WANTS_ONE).args(["release", name]).run().assert_success();
    poll_for(SOON, "a ready worktree", || spares(repo).pop())
}

#[test]
fn h24_nothing_of_the_former_holder_is_seen_by_the_next() {
    let repo = varied();
    put(&repo.path().join(".gitignore"), ".env\ncache/\n");
    repo.commit("ignores");
    let fresh = acquire(&repo, &["--name", "fresh"]);
    let (former, made) = lease_of_a_ready_one(&repo);
    let root = &former.path;
    leave_everything_behind(&repo, root);
    give_back(&repo, "former");

    let next = acquire(&repo, &["--name", "next"]);
    assert_eq!(inode(&next.path), made, "it was used again");
    assert_same(&fresh.files(), &next.files());
    assert_eq!(registration(&repo, "fresh"), registration(&repo, "next"));
    for question in [
        &["status", "--porcelain", "--ignored"][..],
        &["ls-files", "-v"],
        &["config", "--list", "--show-scope"],
        &["for-each-ref"],
        &["stash", "list"],
    ] {
        assert_eq!(repo.git_in(&next.path, question), repo.git_in(&fresh.path, question), "{question:?}");
    }
    let kept = restore(&repo, "former");
    assert_eq!(fs::read(kept.path.join(".env")).unwrap(), b"SECRET=theirs\n");
    assert_eq!(fs::read(kept.path.join("src/deep/er/lib.rs")).unwrap(), b"pub fn two() {}\n");
}

/// Does what a holder may do who means harm, down to the times.
fn leave_everything_behind(repo: &TestRepo, root: &Path) {
    let set = |path: &str, bytes: &str| {
        let path = root.join(path);
        let before = path.metadata().unwrap().modified().unwrap();
        fs::write(&path, bytes).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    };
    // As long as it was, and as old.
    set("src/deep/er/lib.rs", "pub fn two() {}\n");
    repo.git_in(root, ["update-index", "--assume-unchanged", "src/deep/er/lib.rs"]);
    repo.git_in(root, ["update-index", "--skip-worktree", "tool"]);
    fs::set_permissions(root.join("tool"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::hard_link(root.join("README.md"), repo.root().join("a-link-to-it")).unwrap();
    fs::remove_file(root.join("shortcut")).unwrap();
    symlink("/etc/passwd", root.join("shortcut")).unwrap();
    put(&root.join(".env"), "SECRET=theirs\n");
    put(&root.join("cache/deep/object"), "secret");
    put(&root.join("src/untracked"), "secret");
    fs::create_dir_all(root.join("empty/deeper")).unwrap();
    repo.git_in(root, ["init", "--quiet", "nested"]);
    put(&root.join("nested/file"), "secret");
    put(&root.join("staged"), "secret");
    repo.git_in(root, ["add", "staged"]);
}

/// What git keeps beside the files and what files have beside their bytes, all in one.
#[test]
fn h24_no_setting_operation_lock_or_attribute_of_the_former_holder_is_left() {
    let repo = varied();
    repo.git(["config", "extensions.worktreeConfig", "true"]);
    put(&repo.path().join(".gitignore"), ".env\n");
    repo.commit("ignores");
    put(&repo.path().join(".worktreeinclude"), ".env\n");
    put(&repo.path().join(".env"), "SECRET=everybody's\n");
    let fresh = acquire(&repo, &["--name", "fresh"]);
    let (former, made) = lease_of_a_ready_one(&repo);
    let root = former.path.as_path();
    if !set_attribute(&root.join("tool"), b"theirs") {
        windrow_testkit::skipped("no extended attributes on this file system");
    }
    fs::set_permissions(root.join("tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::write(root.join(".env"), "SECRET=theirs\n").unwrap();
    begin_operations(&repo, root);
    for (name, value) in [("user.name", "Mallory"), ("core.hooksPath", "evil"), ("core.fsmonitor", "evil")] {
        repo.git_in(root, ["config", "--worktree", name, value]);
    }
    // Of paths that are there, so that what is left out is nothing of its own to restore.
    repo.git_in(root, ["sparse-checkout", "set", "--no-cone", "/*", "!/src"]);
    let admin = repo.git_dir().join("worktrees/former");
    for lock in ["config.worktree.lock", "HEAD.lock"] {
        put(&admin.join(lock), "");
    }
    give_back(&repo, "former");

    let next = acquire(&repo, &["--name", "next"]);
    assert_eq!(inode(&next.path), made, "it was used again");
    assert_same(&fresh.files(), &next.files());
    assert_eq!(registration(&repo, "fresh"), registration(&repo, "next"));
    for path in ["README.md", "tool", "src", "."] {
        assert_eq!(attributes(&next.path.join(path)), attributes(&fresh.path.join(path)), "{path}");
    }
    for question in [
        &["status", "--ignored"][..],
        &["ls-files", "-v", "--stage"],
        &["config", "--list", "--show-scope"],
        &["for-each-ref"],
        &["rev-parse", "--git-path", "BISECT_LOG", "--is-inside-work-tree"],
        &["sparse-checkout", "list"],
        &["reflog"],
    ] {
        let answer = |lease: &Lease| {
            let told = repo.command("git", &lease.path).args(question.iter().copied()).run();
            told.text().replace("fresh", "NAME").replace("next", "NAME")
        };
        assert_eq!(answer(&next), answer(&fresh), "{question:?}");
    }
}

#[test]
fn h24_a_directory_that_was_changed_is_not_used_again() {
    let repo = varied();
    let (former, made) = lease_of_a_ready_one(&repo);
    fs::set_permissions(former.path.join("src"), fs::Permissions::from_mode(0o777)).unwrap();
    let ready = give_back(&repo, "former");
    assert_ne!(inode(&ready), made);
    assert_eq!(ready.join("src").metadata().unwrap().permissions().mode() & 0o7777, 0o755);
}

/// Leaves a bisection, a merge in conflict and refs of its own in a worktree.
fn begin_operations(repo: &TestRepo, root: &Path) {
    repo.git_in(root, ["update-ref", "refs/worktree/theirs", "HEAD"]);
    repo.git_in(root, ["bisect", "start"]);
    repo.git_in(root, ["bisect", "bad"]);
    for (branch, content) in [("theirs-1", "one"), ("theirs-2", "two")] {
        repo.git_in(root, ["checkout", "--quiet", "-b", branch, "windrow/former"]);
        put(&root.join("README.md"), content);
        repo.commit_in(root, content);
    }
    repo.command("git", root).args(["merge", "theirs-1"]).run().assert_code(1);
}

/// Sets an extended attribute; `false` where the file system has none.
fn set_attribute(path: &Path, value: &[u8]) -> bool {
    rustix::fs::setxattr(path, "user.windrow-test", value, rustix::fs::XattrFlags::empty()).is_ok()
}

/// The names of the extended attributes of a path.
fn attributes(path: &Path) -> Vec<u8> {
    let mut names = vec![0; 4_096];
    let length = rustix::fs::llistxattr(path, &mut names).unwrap_or_default();
    names.truncate(length);
    names
}

#[test]
fn h20_commits_stay_when_their_worktree_is_used_again() {
    let repo = varied();
    let (former, made) = lease_of_a_ready_one(&repo);
    former.write("src/deep/er/lib.rs", "pub fn committed() {}\n");
    let tip = repo.commit_in(&former.path, "Unlanded");
    repo.git_in(&former.path, ["checkout", "--quiet", "--detach"]);
    former.write("src/detached", "on no branch");
    let detached = repo.commit_in(&former.path, "On no branch");
    let ready = give_back(&repo, "former");
    assert_eq!(inode(&ready), made, "it was used again");
    assert_eq!(repo.oid(&format!("refs/heads/{}", former.branch)), tip);
    assert!(!ready.join("src/detached").exists());
    assert_same(&files(repo.path()), &files(&ready));
    let kept = restore(&repo, "former");
    assert_eq!(repo.git_in(&kept.path, ["rev-parse", "HEAD"]).trim(), detached);
}

#[test]
fn h43_a_worktree_whose_files_could_not_all_be_written_is_not_held_ready() {
    if !windrow_testkit::can_inject_errors() {
        return windrow_testkit::skipped("no errors can be injected on this architecture");
    }
    let repo = varied();
    for (watch, error, call) in [
        (Watch::Descriptors, Errno::EMFILE, "openat"),
        (Watch::Changes, Errno::ENOSPC, "write"),
        (Watch::Changes, Errno::EIO, "symlinkat"),
    ] {
        let is_file = |point: &Point| {
            let of_a_spare = |path: &PathBuf| path.to_string_lossy().contains("/.idle-");
            point.call.starts_with(call) && point.paths.iter().any(of_a_spare)
        };
        let filling = repo.windrow(["pool", "warm", "1", "--wait"]);
        let traced = trace_until(&filling, watch, Effect::Fail(error), &is_file);
        assert!(traced.struck.is_some(), "no {call} was made");
        assert_ne!(traced.outcome.code, 0, "{}", traced.outcome);
        assert!(spares(&repo).is_empty(), "{call} failed with {error}");
        assert_eq!(repo.git(["worktree", "list"]).lines().count(), 1);
    }
    assert_eq!(warm(&repo, 1)["made"], 1);
    assert_same(&files(repo.path()), &files(&spares(&repo)[0]));
}

#[test]
fn what_nobody_wants_for_long_enough_is_let_go() {
    let repo = varied();
    windrow(&repo, &["--config", "pool.idle=1s", "pool", "warm", "2", "--wait"]);
    let lasting = acquire(&repo, &["--name", "taken"]);
    // With the keeper or without: any command does it.
    poll_for(SOON, "the unused one goes", || {
        windrow(&repo, &["reconcile"]);
        spares(&repo).is_empty().then_some(())
    });
    assert_eq!(state(&repo, "taken"), "leased", "what was taken is nobody's to let go");
    assert_same(&files(repo.path()), &lasting.files());
    windrow(&repo, &["--config", "pool.idle=0", "pool", "warm", "1", "--wait"]);
    windrow(&repo, &["reconcile"]);
    assert_eq!(spares(&repo).len(), 1);
}

#[test]
fn what_somebody_wrote_into_one_is_saved_when_it_is_let_go() {
    let repo = varied();
    windrow(&repo, &["--config", "pool.idle=2s", "pool", "warm", "1", "--wait"]);
    let spare = spares(&repo)[0].clone();
    fs::write(spare.join("mine"), "do not lose me").unwrap();
    poll_for(SOON, "the unused one goes", || {
        windrow(&repo, &["reconcile"]);
        spares(&repo).is_empty().then_some(())
    });
    let list = windrow(&repo, &["rescue", "list", "--json"]).json();
    let rescue = text(&list["rescues"][0]["id"]);
    let back = PathBuf::from(windrow(&repo, &["restore", &rescue]).text());
    assert_eq!(fs::read(back.join("mine")).unwrap(), b"do not lose me");
}

#[test]
fn on_a_short_disk_what_can_be_made_again_gives_way() {
    let repo = varied();
    warm(&repo, 2);
    windrow(&repo, &["pool", "template"]);
    let template = pool_root(&repo).read_dir().unwrap().filter_map(Result::ok);
    let template =
        template.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("/.template-"));
    let too_much = ["--config", "pool.min_free=4000000TiB", "acquire", "--strategy", "checkout"];
    let error = refused(&repo, 1, &too_much);
    assert!(text(&error["message"]).contains("no room"), "{error}");
    assert!(spares(&repo).is_empty());
    assert!(!template.expect("it was made").exists());
    wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    acquire(&repo, &["--name", "fern"]);
}

fn windrow_code(repo: &TestRepo, arguments: &[&str]) -> i32 {
    repo.windrow(arguments).run().code
}
