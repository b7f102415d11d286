//! What an agent does in a worktree, and whether all of it is still there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::TestRepo;

/// Does everything an agent may leave behind, and writes down outside of the worktree what is done.
///
/// `$0` is the diary, `$1` distinguishes this work from all other. What its own commands complain of goes beside the diary, and what
/// they claim without having done it is not noted: `git add` may pass over a file that it cannot look for.
pub(super) const AGENT: &str = r#"set -e
noted() { echo "$*" >> "$diary"; }
diary=$0; mark=$1; exec 2>>"$diary.said"; noted began
mkdir notes
printf 'committed %s\n' "$mark" > committed.txt
git add committed.txt
git commit --quiet --message "Work $mark"
head=$(git rev-parse HEAD); test -n "$head"
noted head "$head"
printf 'staged %s\n' "$mark" > staged.txt
git add staged.txt
test "$(git show :staged.txt)" = "staged $mark"
noted file staged.txt staged
printf 'changed %s\n' "$mark" > README.md
noted file README.md changed
printf 'untracked %s\n' "$mark" > notes/new.txt
noted file notes/new.txt untracked
printf 'ignored %s\n' "$mark" > .env
noted file .env ignored
noted all
"#;

/// Work that somebody was told is done.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    /// The worktree it was done in.
    pub(super) name: String,
    /// The last commit.
    pub(super) head: Option<String>,
    /// Files with their content.
    pub(super) files: Vec<(PathBuf, String)>,
}

impl Work {
    /// Lets an agent work in a worktree to the end.
    #[track_caller]
    pub(super) fn done(repo: &TestRepo, name: &str, worktree: &Path, diary: &Path, mark: &str) -> Self {
        let [shell, words @ ..] = &agent(diary, mark);
        repo.command(shell, worktree).args(words).run().assert_success();
        let work = Self::read(name, diary, mark);
        assert!(work.files.len() == 4 && work.head.is_some(), "the agent did its work: {work:?}");
        work
    }

    /// Reads from the diary what was done until its writer ended, however it ended.
    pub(super) fn read(name: &str, diary: &Path, mark: &str) -> Self {
        let text = fs::read_to_string(diary).unwrap_or_default();
        let mut work = Self { name: name.to_owned(), ..Self::default() };
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["head", oid] => work.head = Some(oid.to_owned()),
                ["file", path, kind] => work.files.push((path.into(), format!("{kind} {mark}\n"))),
                _ => {}
            }
        }
        work
    }

    /// Says what of it is missing in a directory.
    pub(super) fn missing_in(&self, worktree: &Path) -> Result<(), String> {
        for (path, content) in &self.files {
            let found = fs::read(worktree.join(path));
            if !found.as_ref().is_ok_and(|bytes| bytes == content.as_bytes()) {
                let found = found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                return Err(format!(
                    "work lost: `{}` of `{}` should be {content:?} in {} and is {found:?}",
                    path.display(),
                    self.name,
                    worktree.display()
                ));
            }
        }
        Ok(())
    }

    /// Says whether nothing but commits was done.
    pub(super) fn is_committed(&self) -> bool {
        self.files.is_empty()
    }
}

/// The command line of an agent.
pub(super) fn agent(diary: &Path, mark: &str) -> [OsString; 5] {
    ["sh".into(), "-c".into(), AGENT.into(), diary.into(), mark.into()]
}
