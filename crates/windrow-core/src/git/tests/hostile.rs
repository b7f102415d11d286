//! H56: what an agent can write in its worktree and administrative directory runs nothing when we work there.

use std::{fs, path::PathBuf};

use super::{snapshots::content, support::*};
use crate::git::*;

struct Trap {
    fixture: Fixture,
    worktree: Worktree,
    sprung: PathBuf,
}

impl Trap {
    fn new() -> Self {
        let fixture = Fixture::new();
        fixture.git_in(&fixture.root, &["config", "extensions.worktreeConfig", "true"]);
        let worktree = fixture.worktree("one");
        let sprung = fixture.base().join("sprung");
        Self { fixture, worktree, sprung }
    }

    /// A configuration that runs something at every opportunity.
    fn config(&self) -> String {
        let run = format!("touch {}", self.sprung.display());
        let hooks = self.fixture.base().join("hooks");
        fs::create_dir_all(&hooks).unwrap();
        for name in ["post-index-change", "reference-transaction", "pre-commit", "post-checkout"] {
            use std::os::unix::fs::PermissionsExt;
            let hook = hooks.join(name);
            fs::write(&hook, format!("#!/bin/sh\n{run}\n")).unwrap();
            fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
        }
        format!(
            "[core]\n\tfsmonitor = {run}\n\tsshCommand = {run}\n\tpager = {run}\n\thooksPath = {}\n\teditor = {run}\n\
             [filter \"evil\"]\n\tclean = {run}\n\tsmudge = {run}\n\tprocess = {run}\n[diff]\n\texternal = {run}\n\
             [log]\n\tshowSignature = true\n[gpg]\n\tprogram = {run}\n",
            hooks.display()
        )
    }

    /// Everything that the manager does with a worktree that an agent had.
    fn work(&self) {
        let (fixture, worktree) = (&self.fixture, &self.worktree);
        write(&worktree.root, ".gitattributes", "* filter=evil\n");
        write(&worktree.root, "a.txt", "changed\n");
        write(&worktree.root, "new.txt", "new\n");
        worktree.repo.head(&fixture.git, &worktree.admin).unwrap();
        worktree.repo.worktrees(&fixture.git).unwrap();
        let saved = worktree.snapshot(&fixture.git);
        assert_eq!(content(fixture, &saved.tree, "a.txt").unwrap(), b"changed\n");
        assert_eq!(content(fixture, &saved.tree, "new.txt").unwrap(), b"new\n");
        orphan_commits(&fixture.git, &worktree.repo, &worktree.admin, &[]).unwrap();
        unsafe_submodules(&fixture.git, &worktree.repo, &worktree.admin, &worktree.root).unwrap();
        let verified =
            verify_checkout(&fixture.git, &worktree.repo, &worktree.admin, &worktree.root, &worktree.commit);
        assert!(matches!(verified, Err(VerifyError::Dirty(_))));
        assert!(!self.sprung.exists(), "something was run");
    }
}

#[test]
fn the_trap_springs_when_git_is_run_naively() {
    let trap = Trap::new();
    fs::write(trap.worktree.admin.join("config.worktree"), trap.config()).unwrap();
    write(&trap.worktree.root, ".gitattributes", "* filter=evil\n");
    write(&trap.worktree.root, "a.txt", "changed\n");
    let _ = trap.fixture.user_call(&trap.worktree.root, &["add", "-A"]).output();
    assert!(trap.sprung.exists());
}

#[test]
fn h56_config_worktree() {
    let trap = Trap::new();
    fs::write(trap.worktree.admin.join("config.worktree"), trap.config()).unwrap();
    trap.work();
    let (git, worktree) = (&trap.fixture.git, &trap.worktree);
    let checkout = checkout_by_git(git, &worktree.repo, &worktree.admin, &worktree.root, &worktree.commit);
    assert!(matches!(checkout, Err(CheckoutError::Tampered(_))));
    assert!(!trap.sprung.exists());
    assert!(admin_facts(&worktree.admin).unwrap().config_worktree.is_some());
}

#[test]
fn h56_config_worktree_on_reftable() {
    let mut trap = Trap::new();
    trap.fixture = Fixture::of(KINDS[1]);
    trap.fixture.git_in(&trap.fixture.root, &["config", "extensions.worktreeConfig", "true"]);
    trap.worktree = trap.fixture.worktree("one");
    fs::write(trap.worktree.admin.join("config.worktree"), trap.config()).unwrap();
    trap.work();
}

#[test]
fn h56_commondir() {
    let trap = Trap::new();
    let evil = Fixture::new();
    let config = evil.root.join(".git/config");
    let text = fs::read_to_string(&config).unwrap() + &trap.config();
    fs::write(config, text).unwrap();
    fs::write(trap.worktree.admin.join("commondir"), format!("{}/.git\n", evil.root.display())).unwrap();
    trap.work();
}

#[test]
fn h56_dot_git() {
    let trap = Trap::new();
    let evil = Fixture::new();
    let config = evil.root.join(".git/config");
    let text = fs::read_to_string(&config).unwrap() + &trap.config();
    fs::write(config, text).unwrap();
    fs::write(trap.worktree.root.join(".git"), format!("gitdir: {}/.git\n", evil.root.display())).unwrap();
    trap.work();
    assert_eq!(dot_git_of(&trap.worktree.root).unwrap(), Some(evil.root.join(".git")));
    fs::remove_file(trap.worktree.root.join(".git")).unwrap();
    trap.fixture.git_in(&trap.worktree.root, &["init", "-q", "."]);
    fs::write(trap.worktree.root.join(".git/config"), trap.config()).unwrap();
    trap.work();
}

#[test]
fn the_users_own_filter_does_run() {
    let trap = Trap::new();
    trap.fixture.git_in(&trap.fixture.root, &["config", "filter.up.clean", "tr a-z A-Z"]);
    write(&trap.worktree.root, ".gitattributes", "*.txt filter=up\n");
    write(&trap.worktree.root, "x.txt", "shout\n");
    let saved = trap.worktree.snapshot(&trap.fixture.git);
    assert_eq!(content(&trap.fixture, &saved.tree, "x.txt").unwrap(), b"SHOUT\n");
}
