//! Worktrees made from templates: the same as any other, whatever somebody did to the template.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use serde_json::Value;
use windrow_testkit::{Binary, FileSystem, Mounted, TestRepo, assert_same, loop_fs, root_only};

use crate::pool::{acquire, files, pool_root, put, refused, repository, text, wait_for_empty_trash, windrow};

const LARGE: usize = 300 << 10;

/// What makes trees interesting, with files on either side of every threshold.
fn furnish(repo: &TestRepo) {
    let root = repo.path();
    put(&root.join("src/deep/er/lib.rs"), "pub fn one() {}\n");
    put(&root.join("empty"), "");
    put(&root.join("large"), vec![b'a'; LARGE]);
    put(&root.join("tool"), "#!/bin/sh\n");
    fs::set_permissions(root.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("tool", root.join("shortcut")).unwrap();
    repo.commit("varied");
}

/// A repository on each file system that there is, with its name; the first is wherever tests usually are.
fn everywhere() -> Vec<(String, Option<Mounted>, TestRepo)> {
    let mut all = vec![("here".to_owned(), None, repository())];
    if let Some(root) = root_only("images of file systems") {
        for kind in [FileSystem::Ext4, FileSystem::Btrfs, FileSystem::Xfs] {
            let Some(mounted) = loop_fs(root, kind, 4 << 30) else { continue };
            let binary = Binary(env!("CARGO_BIN_EXE_windrow").into());
            let repo = TestRepo::builder().binary(binary).inside(mounted.path()).build();
            all.push((kind.name().to_owned(), Some(mounted), repo));
        }
    }
    all.iter().for_each(|(_, _, repo)| furnish(repo));
    all
}

fn make_template(repo: &TestRepo) -> PathBuf {
    text(&windrow(repo, &["pool", "template", "--json"]).json()["template"]["path"]).into()
}

/// Throws the templates away: not even root can delete the files of a read-only subvolume.
fn throw_templates(repo: &TestRepo) {
    windrow(repo, &["pool", "template", "--remove"]);
    assert_eq!(templates(repo), Vec::<Value>::new());
}

fn templates(repo: &TestRepo) -> Vec<Value> {
    windrow(repo, &["pool", "status", "--json"]).json()["templates"].as_array().unwrap().clone()
}

/// Asks git, which may write what it finds into the index.
fn status(repo: &TestRepo, worktree: &Path) -> String {
    let asked = repo.git_invocation(worktree).args(["status", "--porcelain", "--ignored"]);
    asked.env("GIT_OPTIONAL_LOCKS", "1").run().assert_success().text()
}

/// The stat data in the index, which git brings up to date when it had to look into a file.
fn index(repo: &TestRepo, name: &str) -> Vec<u8> {
    fs::read(repo.git_dir().join("worktrees").join(name).join("index")).unwrap()
}

/// Every way that can be had here.
fn ways(repo: &TestRepo) -> Vec<String> {
    let found = windrow(repo, &["doctor", "--strategies", "--json"]).json();
    let ways = found["strategies"].as_array().unwrap().iter();
    // Overlays are another story: their files are not at a path.
    let ways = ways.filter(|way| way["possible"] == true && way["strategy"] != "overlay");
    ways.map(|way| text(&way["strategy"])).collect()
}

#[test]
fn every_way_makes_the_same_worktree() {
    for (place, _mounted, repo) in everywhere() {
        let fresh = acquire(&repo, &["--name", "fresh", "--strategy", "checkout"]);
        make_template(&repo);
        let ways = ways(&repo);
        let expected: &[&str] = match place.as_str() {
            "ext4" => &["copy", "checkout"],
            "xfs" => &["clone", "copy", "checkout"],
            "btrfs" => &["snapshot", "clone", "copy", "checkout"],
            _ => &[],
        };
        assert!(expected.is_empty() || ways == expected, "{place}: {ways:?}");
        for way in &ways {
            let lease = acquire(&repo, &["--name", way, "--strategy", way]);
            assert_same(&fresh.files(), &lease.files());
            let before = index(&repo, way);
            assert_eq!(status(&repo, &lease.path), "", "{place} {way}");
            assert_eq!(index(&repo, way), before, "{place} {way}: the index was as git would write it");
        }
        throw_templates(&repo);
    }
}

#[test]
fn at_another_commit_only_what_differs_comes_from_elsewhere() {
    for (place, _mounted, repo) in everywhere() {
        make_template(&repo);
        let root = repo.path();
        fs::remove_file(root.join("src/deep/er/lib.rs")).unwrap();
        fs::remove_dir_all(root.join("src")).unwrap();
        put(&root.join("src"), "now a file");
        put(&root.join("new/file"), "new");
        fs::set_permissions(root.join("tool"), fs::Permissions::from_mode(0o644)).unwrap();
        repo.commit("all kinds of changes");
        let fresh = acquire(&repo, &["--name", "fresh", "--strategy", "checkout"]);
        for way in ways(&repo) {
            let lease = acquire(&repo, &["--name", &way, "--strategy", &way]);
            assert_same(&fresh.files(), &lease.files());
            assert_eq!(status(&repo, &lease.path), "", "{place} {way}");
        }
        throw_templates(&repo);
    }
}

#[test]
fn no_worktree_reaches_into_the_template_or_another() {
    for (place, _mounted, repo) in everywhere() {
        let template = make_template(&repo);
        let before = files(&template);
        let fresh = acquire(&repo, &["--name", "fresh", "--strategy", "checkout"]).files();
        for way in ways(&repo) {
            let lease = acquire(&repo, &["--name", &way, "--strategy", &way]);
            for file in ["large", "src/deep/er/lib.rs", "empty"] {
                let path = lease.path.join(file);
                let mut content = fs::read(&path).unwrap();
                content.extend_from_slice(b"changed");
                fs::write(&path, content).unwrap();
            }
            fs::remove_dir_all(lease.path.join("src/deep/er")).unwrap();
            let next = acquire(&repo, &["--name", "next", "--strategy", &way]);
            assert_same(&fresh, &next.files());
            windrow(&repo, &["release", "next"]);
            windrow(&repo, &["release", &way]);
        }
        assert_same(&before, &files(&template));
        assert!(fs::write(template.join("large"), "x").is_err() || place != "btrfs", "it is read-only");
        let closed = |path: &Path| path.metadata().unwrap().mode() & 0o222 == 0;
        assert!(place == "btrfs" || (closed(&template.join("large")) && closed(&template.join("src"))));
        throw_templates(&repo);
    }
}

#[test]
fn what_somebody_did_to_the_template_comes_to_nobody() {
    let repo = repository();
    furnish(&repo);
    let fresh = acquire(&repo, &["--name", "fresh", "--strategy", "checkout"]).files();
    let template = make_template(&repo);
    let large = template.join("large");
    let modified = large.metadata().unwrap().modified().unwrap();
    let writable = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    writable(&template, 0o755);
    writable(&large, 0o644);
    fs::write(&large, vec![b'b'; LARGE]).unwrap();
    fs::File::options().write(true).open(&large).unwrap().set_modified(modified).unwrap();
    fs::remove_file(template.join("empty")).unwrap();
    symlink("/etc/passwd", template.join("empty")).unwrap();
    fs::remove_dir_all(template.join("src")).unwrap();
    symlink("/etc", template.join("src")).unwrap();

    let lease = acquire(&repo, &["--name", "next", "--strategy", "copy"]);
    assert_same(&fresh, &lease.files());
    assert_eq!(status(&repo, &lease.path), "");
    // Another directory in its place is none of ours.
    fs::rename(&template, template.with_file_name("moved")).unwrap();
    fs::create_dir(&template).unwrap();
    let lease = acquire(&repo, &["--name", "last"]);
    assert_same(&fresh, &lease.files());
}

#[test]
fn it_follows_the_main_checkout_and_its_trash_goes() {
    for (place, _mounted, repo) in everywhere() {
        make_template(&repo);
        for number in ["two", "three"] {
            put(&repo.path().join("src/deep/er/lib.rs"), number);
            let tip = repo.commit(number).to_string();
            make_template(&repo);
            let found = templates(&repo);
            assert_eq!(found.len(), 1, "{place}");
            assert_eq!(found[0]["commit"], tip.as_str(), "{place}");
        }
        let again = make_template(&repo);
        let lease = acquire(&repo, &["--name", "fern"]);
        assert_eq!(fs::read(lease.path.join("src/deep/er/lib.rs")).unwrap(), b"three", "{place}");
        assert_eq!(
            files(&again).differences(&lease.files()).len(),
            usize::from(place != "btrfs") * differing_modes(&again)
        );
        windrow(&repo, &["release", "fern"]);
        windrow(&repo, &["deinit"]);
        assert!(!repo.git_dir().join("windrow").exists(), "{place}");
        assert!(!again.exists() && !again.parent().unwrap().exists(), "{place}");
    }
}

/// How many paths of a template say by their modes that nobody may write there; links do not.
fn differing_modes(template: &Path) -> usize {
    let mut waiting = vec![template.to_owned()];
    let mut count = 0;
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            count += usize::from(!kind.is_symlink());
            if kind.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    count
}

#[test]
fn ready_worktrees_are_made_from_it_and_used_again() {
    for (place, _mounted, repo) in everywhere() {
        make_template(&repo);
        let fresh = acquire(&repo, &["--name", "fresh", "--strategy", "checkout"]).files();
        windrow(&repo, &["pool", "warm", "1", "--wait"]);
        let lease = acquire(&repo, &["--name", "one"]);
        assert_same(&fresh, &lease.files());
        lease.write("src/deep/er/lib.rs", "mine");
        lease.write("untracked", "mine");
        windrow(&repo, &["--config", "pool.warm=1", "release", "one"]);
        windrow(&repo, &["pool", "warm", "1", "--wait"]);
        let lease = acquire(&repo, &["--name", "two"]);
        assert_same(&fresh, &lease.files());
        assert_eq!(status(&repo, &lease.path), "", "{place}");
        windrow(&repo, &["release", "two"]);
        throw_templates(&repo);
        wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    }
}

#[test]
fn what_cannot_be_had_is_said_in_one_line() {
    let repo = repository();
    let said = |words: &[&str]| {
        let outcome = windrow(&repo, &[&["acquire"], words].concat());
        outcome.stderr.to_string()
    };
    let told = said(&["--name", "one", "--strategy", "snapshot"]);
    assert_eq!(told.lines().filter(|line| line.contains("windrow pool template")).count(), 1, "{told}");
    assert!(!said(&["--name", "two", "--strategy", "checkout"]).contains("strategy"));
    assert!(!said(&["--name", "three"]).contains("strategy"));
    let ways: BTreeSet<_> = ways(&repo).into_iter().collect();
    make_template(&repo);
    if !ways.contains("snapshot") {
        let told = said(&["--name", "four", "--strategy", "snapshot"]);
        assert_eq!(told.lines().filter(|line| line.contains("--strategies")).count(), 1, "{told}");
    }
}

#[test]
fn where_git_has_to_write_there_is_no_template() {
    let repo = repository();
    furnish(&repo);
    make_template(&repo);
    put(&repo.path().join(".gitattributes"), "*.rs text eol=crlf\n");
    repo.commit("with conversions");
    let error = refused(&repo, 65, &["pool", "template"]);
    assert!(text(&error["message"]).contains("only git"), "{error}");
    let lease = acquire(&repo, &["--name", "fern"]);
    assert_eq!(fs::read(lease.path.join("src/deep/er/lib.rs")).unwrap(), b"pub fn one() {}\r\n");
    assert_eq!(status(&repo, &lease.path), "");
}

#[test]
fn none_is_kept_when_none_is_wanted() {
    let repo = repository();
    let template = make_template(&repo);
    refused(&repo, 65, &["--config", "pool.templates=0", "pool", "template"]);
    assert!(!template.exists());
    let again = make_template(&repo);
    let removed = windrow(&repo, &["pool", "template", "--remove", "--json"]).json();
    assert_eq!(removed["removed"], 1);
    assert!(!again.exists());
    wait_for_empty_trash(&pool_root(&repo).join(".trash"));
    let state = repo.git_dir().join("windrow/templates");
    let left: Vec<_> = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["none"], "but for the note that none is to be made in the background for now");
}
