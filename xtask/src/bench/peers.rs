//! Other tools that make worktrees, where they are installed: how to ask each for one and give it back.
//!
//! Only what their own pages say. workmux is not here: it makes worktrees only inside a running terminal multiplexer.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use windrow_testkit::{Invocation, TestRepo};

use super::claim::{Run, Task};
use super::measure::Cost;
use super::wait_until_quiet;
use super::way::LONG;
use crate::Result;

/// A tool; in its command lines `{name}` is the branch and name, `{commit}` the commit, `{base}` a branch at it, `{path}` the
/// worktree.
#[derive(Debug)]
pub(super) struct Peer {
    program: &'static str,
    /// What it is called, and what it calls making and giving back.
    shown: [&'static str; 3],
    /// Run before each worktree, and not measured.
    ready: Option<&'static [&'static str]>,
    create: &'static [&'static str],
    remove: &'static [&'static str],
    finds: Finds,
    commits: Commits,
}

/// How it tells where the worktree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finds {
    /// It prints the path and nothing else.
    Printed,
    /// By the branch, in git's list.
    Listed,
}

/// Which commits a tool can start from, or is asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commits {
    Any,
    /// Only the tip of the default branch.
    Default,
}

/// *Source*: `wt switch --help` and `wt remove --help` of worktrunk; the READMEs of git-worktree-runner, treehouse and warmtree.
static PEERS: [Peer; 4] = [
    Peer {
        program: "wt",
        shown: ["worktrunk", "switch --create", "remove"],
        ready: None,
        create: &["switch", "--create", "{name}", "--base", "{base}", "--no-cd", "--no-hooks", "--yes"],
        remove: &["remove", "{name}", "--force", "--force-delete", "--no-hooks", "--yes"],
        finds: Finds::Listed,
        commits: Commits::Any,
    },
    Peer {
        program: "git-gtr",
        shown: ["gtr", "new", "rm"],
        ready: None,
        create: &["new", "{name}", "--from", "{commit}", "--no-fetch", "--no-copy", "--no-hooks", "--yes"],
        remove: &["rm", "{name}", "--delete-branch", "--force", "--yes"],
        finds: Finds::Listed,
        commits: Commits::Any,
    },
    // Its pool is empty at first, so the first of its times is that of a checkout.
    Peer {
        program: "treehouse",
        shown: ["treehouse", "get --lease", "return"],
        ready: None,
        create: &["get", "--lease", "--no-fetch"],
        remove: &["return", "--force", "{path}"],
        finds: Finds::Printed,
        commits: Commits::Default,
    },
    Peer {
        program: "warmtree",
        shown: ["warmtree", "take", "release"],
        ready: Some(&["fill"]),
        create: &["take", "{name}", "--from", "{commit}", "--no-refill"],
        remove: &["release", "{name}", "--force"],
        finds: Finds::Printed,
        commits: Commits::Any,
    },
];

/// Returns the tools that are installed and can start where it is asked for, and a line for each other one.
pub(super) fn installed(asked: Commits) -> (Vec<&'static Peer>, Vec<String>) {
    let (mut there, mut notes) = (Vec::new(), Vec::new());
    for peer in &PEERS {
        if on_path(peer.program).is_none() {
            notes.push(format!("{} left out: `{}` is not on PATH", peer.shown[0], peer.program));
        } else if peer.commits == Commits::Default && asked == Commits::Any {
            notes.push(format!("{} left out: it starts only from the default branch", peer.shown[0]));
        } else {
            there.push(peer);
        }
    }
    notes.push("workmux left out: it needs a terminal multiplexer".to_owned());
    (there, notes)
}

/// Returns where a program is installed.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

impl Peer {
    pub(super) fn names(&self) -> [String; 2] {
        let [tool, create, remove] = self.shown;
        [create, remove].map(|verb| format!("{tool} {verb}"))
    }

    /// Makes a worktree, checks it, and gives it back.
    ///
    /// # Errors
    ///
    /// Fails when the tool does, or when its worktree is not the commit.
    pub(super) fn once(&self, repo: &TestRepo, round: usize, task: &Task, run: Run) -> Result<[Cost; 2]> {
        let name = format!("{}-{round}", self.program);
        let base = "bench-base";
        repo.git(["branch", "--force", "--no-track", base, &task.wanted]);
        let fill = |words: &[&str], path: &str| {
            filled(
                words,
                &[("{name}", &name), ("{commit}", &task.wanted), ("{base}", base), ("{path}", path)],
            )
        };
        if let Some(ready) = self.ready {
            let outcome = self.call(repo, ready).bound(LONG).run();
            if outcome.code != 0 {
                return Err(outcome.to_string().into());
            }
            wait_until_quiet(repo);
        }
        let (begin, printed) = run(&self.call(repo, &fill(self.create, "")))?;
        let place = self.find(repo, &name, &printed)?;
        task.check(repo, &place, round)?;
        let path = place.to_str().ok_or("a path that is not UTF-8")?;
        let (end, _) = run(&self.call(repo, &fill(self.remove, path)))?;
        Ok([begin, end])
    }

    fn call<W: AsRef<OsStr>>(&self, repo: &TestRepo, words: &[W]) -> Invocation {
        repo.command(self.program, repo.path()).args(words).env("WARMTREE_AUTO_REFRESH", "off")
    }

    fn find(&self, repo: &TestRepo, name: &str, printed: &[u8]) -> Result<PathBuf> {
        let path = match self.finds {
            Finds::Printed => Some(Path::new(OsStr::from_bytes(printed.trim_ascii())).to_owned()),
            Finds::Listed => listed(&repo.git(["worktree", "list", "--porcelain", "-z"]), name),
        };
        let there = path.filter(|path| path.is_absolute() && path.is_dir());
        there.ok_or_else(|| format!("{} made no worktree for {name}", self.shown[0]).into())
    }
}

/// A command line with its blanks filled in.
fn filled(words: &[&str], blanks: &[(&str, &str)]) -> Vec<String> {
    let fill =
        |word: &str| blanks.iter().fold(word.to_owned(), |word, (blank, value)| word.replace(blank, value));
    words.iter().map(|word| fill(word)).collect()
}

/// Finds the worktree of a branch in what `git worktree list --porcelain -z` prints.
fn listed(list: &str, branch: &str) -> Option<PathBuf> {
    let branch = format!("branch refs/heads/{branch}");
    let entry = list.split("\0\0").find(|entry| entry.split('\0').any(|line| line == branch))?;
    Some(entry.split('\0').next()?.strip_prefix("worktree ")?.into())
}

#[cfg(test)]
mod tests {
    use super::super::measure::measure;
    use super::*;

    #[test]
    fn blanks_are_filled_in() {
        let words = filled(&["new", "{name}", "--from={commit}"], &[("{name}", "x"), ("{commit}", "abc")]);
        assert_eq!(words, ["new", "x", "--from=abc"]);
    }

    #[test]
    fn every_blank_of_every_tool_is_known() {
        for word in PEERS.iter().flat_map(|peer| peer.create.iter().chain(peer.remove)) {
            let known = ["{name}", "{commit}", "{base}", "{path}"].contains(word);
            assert!(known || !word.contains('{'), "{word}");
        }
    }

    #[test]
    fn a_worktree_is_found_by_its_branch() {
        let list =
            "worktree /r\0HEAD 1\0branch refs/heads/main\0\0worktree /w\n x\0HEAD 2\0branch refs/heads/x\0\0";
        assert_eq!(listed(list, "x"), Some("/w\n x".into()));
        assert_eq!(listed(list, "y"), None);
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(on_path("sh").is_some());
        assert_eq!(on_path("no-such-program-anywhere"), None);
    }

    #[test]
    fn a_tool_is_asked_for_a_worktree_and_given_it_back() {
        let repo = TestRepo::new();
        let task = Task::new(&repo, 0).expect("a commit");
        let git = |create, remove, finds| Peer {
            program: "git",
            shown: ["git", "add", "remove"],
            ready: Some(&["worktree", "prune"]),
            create,
            remove,
            finds,
            commits: Commits::Any,
        };
        let remove = &["worktree", "remove", "{path}"];
        let peer = git(&["worktree", "add", "-b", "{name}", "../there", "{commit}"], remove, Finds::Listed);
        let mut lines = Vec::new();
        peer.once(&repo, 0, &task, &mut |call| {
            lines.push(
                call.command().get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>(),
            );
            measure(call)
        })
        .expect("a worktree");
        assert_eq!(lines[0][3..], ["git-0", "../there", &task.wanted]);
        assert_eq!(lines[1][2], repo.root().join("there").to_str().expect("UTF-8"));
        let silent = git(&["worktree", "add", "--quiet", "../there"], remove, Finds::Printed);
        let message = silent.once(&repo, 1, &task, &mut measure).expect_err("no path").to_string();
        assert!(message.contains("git made no worktree for git-1"), "{message}");
    }
}
