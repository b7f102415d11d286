//! Proof that the user's checkout, index, refs, stash, hooks and configuration did not change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::snapshot::write_mark;
use crate::{EntryKind, Include, TestRepo, TreeSnapshot};

/// What the git directory holds that is not the user's: objects only grow, the others are compared as refs.
const NOT_COMPARED: [&str; 8] = [
    "objects",
    "worktrees",
    "windrow",
    "refs",
    "packed-refs",
    "reftable",
    "logs/refs/windrow",
    "logs/refs/heads/windrow",
];

/// Everything of a repository that Windrow promises to leave alone, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoFingerprint {
    files: TreeSnapshot,
    /// Inode and modification time of the files, so that a rewrite with the same bytes shows too.
    writes: BTreeMap<PathBuf, (u64, i64, i64)>,
    git: TreeSnapshot,
    refs: Vec<String>,
}

impl RepoFingerprint {
    /// Takes the fingerprint: all files of the main worktree with their write times, and of the git directory
    /// index, HEAD, hooks, configuration, info, reflogs (stash!) and all refs but Windrow's own.
    #[track_caller]
    pub fn of(repo: &TestRepo) -> Self {
        let files = main_files(repo);
        let writes = files.paths().filter_map(|path| mark(repo, path)).collect();
        let mut git = TreeSnapshot::of(&repo.git_dir(), &Include::except(NOT_COMPARED));
        // A directory without a log in it says nothing about the user's refs.
        git.retain(|path, entry| !(path.starts_with("logs") && entry.kind == EntryKind::Directory));
        Self { files, writes, git, refs: refs(repo) }
    }

    /// Forgets refs (and their logs) that begin with `prefix`, for a test that makes such a branch on purpose.
    #[must_use]
    pub fn except_refs(mut self, prefix: &str) -> Self {
        self.refs.retain(|line| !line.starts_with(prefix));
        let logs = Path::new("logs").join(prefix.trim_end_matches('/'));
        self.git.retain(|path, _| !path.starts_with(&logs));
        self
    }

    /// Checks that the repository is still the same.
    ///
    /// # Panics
    ///
    /// Panics with the list of differences when it is not.
    #[track_caller]
    pub fn assert_unchanged(&self, repo: &TestRepo) {
        self.assert_same(&Self::of(repo));
    }

    /// Checks that another fingerprint is equal.
    ///
    /// # Panics
    ///
    /// Panics with the list of differences when it is not.
    #[track_caller]
    pub fn assert_same(&self, after: &Self) {
        let differences = self.differences(after);
        assert!(differences.is_empty(), "the main checkout changed:\n{}", differences.join("\n"));
    }

    /// Lists the differences from `self` to `after`, one line each.
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let mut lines = self.files.differences(&after.files);
        lines.extend(self.git.differences(&after.git).into_iter().map(|line| format!(".git: {line}")));
        lines.extend(
            self.refs.iter().filter(|line| !after.refs.contains(line)).map(|line| format!("- {line}")),
        );
        lines.extend(
            after.refs.iter().filter(|line| !self.refs.contains(line)).map(|line| format!("+ {line}")),
        );
        if lines.is_empty() {
            let rewritten = self.writes.iter().filter(|(path, mark)| after.writes.get(*path) != Some(*mark));
            lines.extend(rewritten.map(|(path, _)| format!("{path:?}: written again with the same content")));
        }
        lines
    }
}

/// The main worktree; nothing for a bare repository, whose directory is all git's.
fn main_files(repo: &TestRepo) -> TreeSnapshot {
    if repo.git_dir() == repo.path() {
        return TreeSnapshot::of(&repo.path().join("no-worktree"), &Include::Everything);
    }
    TreeSnapshot::of(repo.path(), &Include::without_git())
}

fn mark(repo: &TestRepo, path: &Path) -> Option<(PathBuf, (u64, i64, i64))> {
    let metadata = fs::symlink_metadata(repo.path().join(path)).ok()?;
    metadata.is_file().then(|| (path.to_owned(), write_mark(&metadata)))
}

fn refs(repo: &TestRepo) -> Vec<String> {
    let own = |line: &&str| line.starts_with("refs/windrow/") || line.starts_with("refs/heads/windrow/");
    let all = repo.git(["for-each-ref", "--format=%(refname) %(objectname) %(symref)"]);
    all.lines().filter(|line| !own(line)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen_after(act: impl FnOnce(&TestRepo)) -> Vec<String> {
        let repo = TestRepo::new();
        repo.write(".env", "secret");
        let before = RepoFingerprint::of(&repo);
        act(&repo);
        before.differences(&RepoFingerprint::of(&repo))
    }

    #[track_caller]
    fn assert_seen(what: &str, act: impl FnOnce(&TestRepo)) {
        let seen = seen_after(act);
        assert!(seen.iter().any(|line| line.contains(what)), "{what} not in {seen:?}");
    }

    #[test]
    fn looking_and_adding_worktrees_changes_nothing() {
        let seen = seen_after(|repo| {
            repo.git(["status"]);
            let place = repo.root().join("other");
            repo.git(["worktree", "add", "--quiet", "-b", "windrow/x", place.to_str().expect("UTF-8")]);
            repo.commit_in(&place, "Elsewhere");
            repo.git(["update-ref", "refs/windrow/rescue/1", "HEAD"]);
            fs::create_dir(repo.git_dir().join("windrow")).expect("made");
        });
        assert_eq!(seen, Vec::<String>::new());
    }

    #[test]
    fn everything_of_the_users_is_seen() {
        assert_seen(".env", |repo| repo.write(".env", "other"));
        assert_seen("written again", |repo| repo.write(".env", "secret"));
        assert_seen(r#".git: "index""#, |repo| drop(repo.git(["rm", "--quiet", "--cached", "bin/tool"])));
        assert_seen(r#".git: "config""#, |repo| drop(repo.git(["config", "core.hooksPath", "/x"])));
        assert_seen(r#".git: "hooks/x""#, |repo| repo.write(".git/hooks/x", ""));
        assert_seen("+ refs/heads/foo", |repo| drop(repo.git(["branch", "foo"])));
        assert_seen(r#".git: "HEAD""#, |repo| drop(repo.git(["checkout", "--quiet", "--detach"])));
        assert_seen("+ refs/stash", |repo| {
            repo.write("README.md", "changed");
            repo.git(["stash"]);
        });
    }

    #[test]
    fn a_named_ref_can_be_let_through() {
        let repo = TestRepo::new();
        let before = RepoFingerprint::of(&repo);
        repo.git(["branch", "foo"]);
        before
            .except_refs("refs/heads/foo")
            .assert_same(&RepoFingerprint::of(&repo).except_refs("refs/heads/foo"));
        let bare = TestRepo::builder().bare().build();
        RepoFingerprint::of(&bare).assert_unchanged(&bare);
    }
}
