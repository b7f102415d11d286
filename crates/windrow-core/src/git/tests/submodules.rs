//! Submodules with something to lose.

use std::{fs, path::PathBuf};

use windrow_model::Submodules;

use super::support::*;
use crate::git::*;

struct Parent {
    fixture: Fixture,
    worktree: Worktree,
    _other: Fixture,
}

impl Parent {
    /// A worktree with one populated submodule.
    fn new() -> Self {
        let (fixture, other) = (Fixture::new(), Fixture::new());
        other.write(".gitignore", "ignored\n");
        other.commit("ignore");
        let url = other.root.to_str().unwrap();
        fixture.git_in(&fixture.root, &["config", "protocol.file.allow", "always"]);
        fixture.git_in(&fixture.root, &["submodule", "--quiet", "add", url, "mod"]);
        fixture.commit("submodule");
        let worktree = fixture.worktree("one");
        Self { fixture, worktree, _other: other }
    }

    fn populated() -> Self {
        let parent = Self::new();
        let Worktree { repo, admin, root, .. } = &parent.worktree;
        let mut env = plain_env();
        // The clone is a process of its own that sees no setting of the repository.
        let global = parent.fixture.base().join("gitconfig");
        fs::write(&global, "[protocol \"file\"]\n\tallow = always\n").unwrap();
        env.push(("GIT_CONFIG_GLOBAL".into(), global.into()));
        let git = Git::new("git".into(), env);
        populate_submodules(&git, repo, admin, root, Submodules::Populate).unwrap();
        parent
    }

    fn module(&self) -> PathBuf {
        self.worktree.root.join("mod")
    }

    fn risks(&self) -> Vec<SubmoduleRisk> {
        let Worktree { repo, admin, root, .. } = &self.worktree;
        let found = unsafe_submodules(&self.fixture.git, repo, admin, root).unwrap();
        found.into_iter().flat_map(|one| one.risks).collect()
    }
}

#[test]
fn an_empty_submodule_is_clean_and_in_no_snapshot_deleted() {
    let parent = Parent::new();
    let Worktree { repo, admin, root, commit, .. } = &parent.worktree;
    assert_eq!(parent.risks(), []);
    verify_checkout(&parent.fixture.git, repo, admin, root, commit).unwrap();
    let saved = parent.worktree.snapshot(&parent.fixture.git);
    assert_eq!(Some(saved.tree), saved.head_tree);
    fs::remove_dir(parent.module()).unwrap();
    assert_eq!(parent.worktree.snapshot(&parent.fixture.git).tree, saved.tree);
}

#[test]
fn a_populated_submodule_is_safe_until_something_changes() {
    let parent = Parent::populated();
    assert!(parent.module().join("a.txt").exists());
    assert!(parent.worktree.admin.join("modules/mod").is_dir());
    assert_eq!(parent.risks(), []);
    write(&parent.module(), "ignored", "x");
    assert_eq!(parent.risks(), [SubmoduleRisk::IgnoredFiles]);
    fs::remove_file(parent.module().join("ignored")).unwrap();
    write(&parent.module(), "new", "x");
    assert_eq!(parent.risks(), [SubmoduleRisk::Changes]);
    parent.fixture.git_in(&parent.module(), &["add", "new"]);
    assert_eq!(parent.risks(), [SubmoduleRisk::Changes]);
}

#[test]
fn h14_unpushed_commits_are_counted_and_moved_heads_saved() {
    let parent = Parent::populated();
    parent.fixture.git_in(&parent.module(), &["commit", "-q", "--allow-empty", "-m", "mine"]);
    assert_eq!(parent.risks(), [SubmoduleRisk::Unpushed { commits: 1 }]);
    let head = parent.fixture.git_in(&parent.module(), &["rev-parse", "HEAD"]);
    let saved = parent.worktree.snapshot(&parent.fixture.git);
    let listed = parent.fixture.git_in(&parent.fixture.root, &["ls-tree", &saved.tree.to_string(), "mod"]);
    assert!(listed.contains(head.trim()));
}

#[test]
fn h56_the_configuration_of_a_submodule_runs_nothing() {
    let parent = Parent::populated();
    let sprung = parent.fixture.base().join("sprung");
    let config = parent.worktree.admin.join("modules/mod/config");
    let run = format!("touch {}", sprung.display());
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[core]\n\tfsmonitor = {run}\n[filter \"evil\"]\n\tclean = {run}\n"))
        .unwrap();
    write(&parent.module(), ".gitattributes", "* filter=evil\n");
    write(&parent.module(), "a.txt", "changed\n");
    assert_eq!(parent.risks(), [SubmoduleRisk::Changes]);
    parent.worktree.snapshot(&parent.fixture.git);
    assert!(!sprung.exists());
}

#[test]
fn a_submodule_with_a_repository_of_its_own_is_at_risk() {
    let parent = Parent::new();
    parent.fixture.git_in(&parent.module(), &["init", "-q", "."]);
    assert_eq!(parent.risks(), [SubmoduleRisk::OwnRepository]);
}
