//! H37: what a power cut leaves of the files by which a worktree is known to be ours, before anybody was given it.
//!
//! A cut takes bytes that nobody synced, and on btrfs names too. Whatever is left, windrow either undoes it without a trace or
//! lists it as quarantined with the reason and a way out; it neither forgets it nor removes what could be somebody else's.

use std::{fs, path::Path, path::PathBuf};

use serde_json::Value;
use windrow_testkit::{TestRepo, TreeSnapshot, assert_same};

use crate::pool::{
    Lease, acquire, everything, left_in_place, nudge, put, record, registered, repository, state, text,
    windrow,
};

/// What is left of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Whole,
    Empty,
    /// Its first bytes.
    Part,
    /// As long as it was, and none of its bytes.
    Zeros,
    Missing,
}

use Left::{Empty, Missing, Part, Whole, Zeros};

impl Left {
    fn leave(self, path: &Path) {
        let bytes = fs::read(path).unwrap();
        match self {
            Whole => {}
            Missing => fs::remove_file(path).unwrap(),
            Empty => fs::write(path, "").unwrap(),
            Part => fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
            Zeros => fs::write(path, vec![0; bytes.len()]).unwrap(),
        }
    }
}

/// One worktree, and what is left of its proofs: the id and the lock in its registration, and its `.git`.
struct Remains {
    lease: Lease,
    admin: PathBuf,
    case: String,
}

impl Remains {
    fn of(repo: &TestRepo, name: &str, case: String) -> Self {
        let lease = acquire(repo, &["--name", name]);
        Self { admin: repo.git_dir().join("worktrees").join(name), lease, case }
    }

    fn everything(&self) -> [TreeSnapshot; 2] {
        [&self.lease.path, &self.admin].map(|path| everything(path))
    }

    /// Nothing is left, and the name can be had again.
    #[track_caller]
    fn assert_undone(&self, repo: &TestRepo) {
        let case = &self.case;
        assert_eq!(state(repo, &self.lease.name), "gone", "{case}");
        assert!(!self.lease.path.exists() && !self.admin.exists(), "{case}");
        let branch = format!("again/{}", self.lease.name);
        acquire(repo, &["--name", &self.lease.name, "--branch", &branch]);
        windrow(repo, &["release", &self.lease.name]);
    }

    /// It is listed, nothing of it was touched, it is told why, and when a person has cleared up it ends.
    #[track_caller]
    fn assert_set_aside(&self, repo: &TestRepo, before: &[TreeSnapshot; 2]) {
        let (case, name) = (&self.case, &self.lease.name);
        let record = record(repo, name);
        assert_eq!(record["state"], "quarantined", "{case}: {record}");
        let doubt = text(&record["doubt"]);
        assert!(!doubt.is_empty(), "{case}");
        for (before, after) in before.iter().zip(self.everything()) {
            assert_same(before, &after);
        }
        left_in_place(repo, &["release", name]);
        let listed = registered(repo);
        for directory in [&self.lease.path, &self.admin] {
            if doubt.contains(&format!("`{}`", directory.display())) || !doubt.contains("move that away") {
                let _ = fs::remove_dir_all(directory);
            }
        }
        windrow(repo, &["release", name]);
        assert_eq!(state(repo, name), "gone", "{case}: {listed:?}");
    }
}

/// Makes records say what they said when the power went.
fn rewrite(repo: &TestRepo, change: &str) {
    let database = rusqlite::Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    database.execute(&format!("UPDATE worktrees SET boot_id = 'another'{change}"), []).unwrap();
}

const UNFINISHED: &str = ", state = 'creating', filesystem = NULL, inode = NULL, born_nanos = NULL";

#[test]
fn h37_whatever_a_cut_leaves_of_the_proofs_of_an_unfinished_worktree_is_undone_or_set_aside() {
    let repo = repository();
    let mut all = Vec::new();
    let lefts = [Whole, Empty, Part, Zeros, Missing];
    let registrations = lefts.map(|token| (token, Missing)).into_iter().chain([(Missing, Whole)]);
    for (token, locked) in registrations {
        for dot_git in lefts {
            let case = format!("id {token:?}, lock {locked:?}, .git {dot_git:?}");
            let one = Remains::of(&repo, &format!("fern-{}", all.len()), case);
            token.leave(&one.admin.join("windrow-id"));
            locked.leave(&one.admin.join("locked"));
            dot_git.leave(&one.lease.path.join(".git"));
            let registration_is_ours = token != Missing || locked != Missing;
            all.push((registration_is_ours && dot_git != Missing, one));
        }
    }
    let before: Vec<_> = all.iter().map(|(_, one)| one.everything()).collect();
    rewrite(&repo, UNFINISHED);
    nudge(&repo);
    for ((undone, one), before) in all.iter().zip(&before) {
        match undone {
            true => one.assert_undone(&repo),
            false => one.assert_set_aside(&repo, before),
        }
    }
    assert_eq!(registered(&repo).len(), 1);
}

#[test]
fn h37_an_unfinished_worktree_of_which_a_cut_left_only_one_side_is_undone_or_set_aside() {
    let repo = repository();
    let [files, registration, no_names] =
        ["files", "registration", "no-names"].map(|name| Remains::of(&repo, name, name.to_owned()));
    fs::remove_dir_all(&files.admin).unwrap();
    fs::remove_dir_all(&registration.lease.path).unwrap();
    // Its names are there, what they lead to is not.
    for file in fs::read_dir(&no_names.admin).unwrap() {
        let file = file.unwrap().path();
        if file.is_file() {
            fs::remove_file(file).unwrap();
        }
    }
    let before = [files.everything(), no_names.everything()];
    rewrite(&repo, UNFINISHED);
    nudge(&repo);
    registration.assert_undone(&repo);
    let doubt = text(&record(&repo, "files")["doubt"]);
    assert!(doubt.contains(files.lease.path.to_str().unwrap()), "{doubt}");
    files.assert_set_aside(&repo, &before[0]);
    no_names.assert_set_aside(&repo, &before[1]);
}

#[test]
fn h37_what_others_put_in_the_place_of_an_unfinished_worktree_stays_theirs() {
    let repo = repository();
    let taken = Remains::of(&repo, "taken", "taken".to_owned());
    let theirs = repo.root().join("theirs");
    fs::remove_dir_all(&taken.lease.path).unwrap();
    fs::remove_dir_all(&taken.admin).unwrap();
    // A worktree of the user's that git gives the same name, and a directory of theirs at the same place.
    repo.git(["worktree", "add", "--quiet", "--detach", theirs.join("taken").to_str().unwrap()]);
    put(&taken.lease.path.join("precious"), "precious");
    put(&taken.lease.path.join(".git"), "gitdir: /elsewhere\n");
    let before = [taken.everything()[0].clone(), taken.everything()[1].clone(), everything(&theirs)];
    rewrite(&repo, UNFINISHED);
    nudge(&repo);
    let [place, admin] = taken.everything();
    for (before, after) in before.iter().zip([place, admin, everything(&theirs)]) {
        assert_same(before, &after);
    }
    assert_eq!(state(&repo, "taken"), "gone");
}

/// What `reconcile` or the next command makes of worktrees that were ready when the power went and never acknowledged.
#[test]
fn h37_whatever_a_cut_leaves_of_the_proofs_of_a_worktree_nobody_was_told_of_is_listed_or_gone() {
    let repo = repository();
    let mut all = Vec::new();
    for token in [Whole, Empty, Missing] {
        for dot_git in [Whole, Empty, Part, Missing] {
            let case = format!("id {token:?}, .git {dot_git:?}");
            let one = Remains::of(&repo, &format!("moss-{}", all.len()), case);
            token.leave(&one.admin.join("windrow-id"));
            dot_git.leave(&one.lease.path.join(".git"));
            all.push((token == Whole && dot_git == Whole, one));
        }
    }
    let before: Vec<_> = all.iter().map(|(_, one)| one.everything()).collect();
    rewrite(&repo, "");
    let database = rusqlite::Connection::open(repo.git_dir().join("windrow/state.db")).unwrap();
    let dead = "UPDATE leases SET expires_at = 1";
    database.execute(dead, []).unwrap();
    nudge(&repo);
    for ((undone, one), before) in all.iter().zip(&before) {
        match undone {
            true => one.assert_undone(&repo),
            false => one.assert_set_aside(&repo, before),
        }
    }
    let found: Vec<Value> =
        windrow(&repo, &["list", "--json"]).json()["worktrees"].as_array().unwrap().clone();
    assert_eq!(found, Vec::<Value>::new());
}
