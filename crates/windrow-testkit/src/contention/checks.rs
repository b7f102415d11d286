//! What must hold after the contention.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;

use super::Arena;
use crate::poll::poll_quietly;
use crate::{RepoFingerprint, processes_under};

/// How long it may take until all that the dead left is cleared away, with no command run; longer only while trash is still being
/// deleted, which gives way to everything else on a busy machine.
const CLEARING: Duration = Duration::from_secs(180);

impl Arena {
    /// Takes the fingerprint of what is the user's, but for what the loops beside change themselves.
    pub fn fingerprint(&self) -> RepoFingerprint {
        RepoFingerprint::of(&self.repo).except_refs("refs/remotes/").except_refs("refs/heads/foreign")
    }

    /// Waits until the keeper has ended what is over and left.
    ///
    /// # Panics
    ///
    /// Panics when nothing is cleared away for three minutes before that.
    #[track_caller]
    pub fn settle(&self) {
        self.rest();
        // A directory of a killed command's own stays for a day.
        self.repo.age_leftovers();
        let last = ["acquire", "--name", "last", "--detach", "--no-carry"];
        self.repo.windrow(last).run().assert_success();
        self.repo.windrow(["release", "last"]).run().assert_success();
        self.rest();
    }

    #[track_caller]
    fn rest(&self) {
        let is_over = || processes_under(self.repo.root()).is_empty() && self.listed().is_empty();
        let mut left = usize::MAX;
        while poll_quietly(CLEARING, || is_over().then_some(())).is_none() {
            let now = self.trash();
            assert!(now < left, "not within {CLEARING:?}: the keeper clears away and leaves");
            left = now;
        }
        self.repo.wait_for_sweepers();
    }

    /// How many worktrees wait to be deleted.
    fn trash(&self) -> usize {
        let mut pool = self.repo.path().as_os_str().to_owned();
        pool.push(".windrow/.trash");
        std::fs::read_dir(pool).map_or(0, Iterator::count)
    }

    fn listed(&self) -> Vec<Value> {
        let listed = self.repo.windrow(["list", "--json"]).run().assert_success().json();
        listed["worktrees"].as_array().cloned().unwrap_or_default()
    }

    /// The history that Windrow wrote, in order; it is told in pieces.
    pub fn history(&self) -> Vec<Value> {
        let mut history: Vec<Value> = Vec::new();
        loop {
            let after = history.last().map_or(0, |event| event["seq"].as_u64().expect("events are numbered"));
            let line = ["events", "--json", "--after", &after.to_string()];
            match self.repo.windrow(line).run().assert_success().json()["events"].take() {
                Value::Array(more) if more.is_empty() => return history,
                Value::Array(more) => history.extend(more),
                other => panic!("the history is no list: {other}"),
            }
        }
    }

    /// Describes everything that is not as it must be, one line each; empty when all is well.
    pub fn violations(&self, before: &RepoFingerprint) -> Vec<String> {
        let mut wrong = self.noted("violations");
        wrong.extend(overlaps(&self.history()));
        wrong.extend(fences_that_do_not_grow(&self.noted("held")));
        wrong.extend(self.lost());
        wrong.extend(self.left());
        wrong.extend(before.differences(&self.fingerprint()));
        let checked = self.repo.try_git(["fsck", "--full", "--no-dangling", "--no-progress"]);
        if checked.code != 0 || !checked.stderr.is_empty() || !checked.stdout.is_empty() {
            wrong.push(checked.to_string());
        }
        wrong
    }

    /// Work whose writing was acknowledged and that no branch and no rescue holds.
    fn lost(&self) -> Vec<String> {
        let reachable = self.repo.git(["rev-list", "--objects", "--all"]);
        let there: BTreeSet<&str> =
            reachable.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
        let written = self.noted("written");
        written
            .into_iter()
            .filter(|name| !there.contains(name.as_str()))
            .map(|name| format!("lost: {name}"))
            .collect()
    }

    /// What worktrees left, but for rescues and branches with somebody's work.
    fn left(&self) -> Vec<String> {
        let state = self.repo.git_dir().join("windrow");
        let ours = [self.repo.git_dir().join("worktrees/foreign"), state.join("rescue")];
        let mut left = self.repo.pool_leftovers();
        left.retain(|line| !ours.iter().any(|path| line.starts_with(&path.display().to_string())));
        let base = self.repo.oid("HEAD");
        let branches =
            self.repo.git(["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/windrow"]);
        let empty = branches.lines().filter(|line| line.starts_with(&base));
        left.extend(empty.map(|line| format!("an empty branch: {line}")));
        left
    }

    /// How many pieces of work were written, all told.
    pub fn written(&self) -> usize {
        self.noted("written").len()
    }
}

/// Finds leases in the history that began before the one before them on the same worktree had ended.
fn overlaps(history: &[Value]) -> Vec<String> {
    let mut holding: HashMap<&str, &str> = HashMap::new();
    let mut wrong = Vec::new();
    for event in history {
        let (Some(name), Some(lease)) = (event["worktree"].as_str(), event["lease"].as_str()) else {
            continue;
        };
        let held = match event["kind"].as_str() {
            Some("lease.acquired") => holding.insert(name, lease).is_none(),
            Some("lease.taken_over") => holding.get(name) == Some(&lease),
            Some("lease.released") => holding.remove(name) == Some(lease),
            _ => true,
        };
        if !held {
            wrong.push(format!("the history does not follow: {event}"));
        }
    }
    wrong.extend(holding.iter().map(|(name, lease)| format!("lease {lease} of {name} did not end")));
    wrong
}

/// Finds holders that came later with a fence that is not higher; the lines are in the order of holding.
fn fences_that_do_not_grow(held: &[String]) -> Vec<String> {
    let mut last: HashMap<&str, u64> = HashMap::new();
    let mut all = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in held {
        let parsed = line.rsplit_once(' ').and_then(|(path, fence)| Some((path, fence.parse::<u64>().ok()?)));
        let grows = parsed.is_some_and(|(path, fence)| {
            all.insert(fence) && last.insert(path, fence).is_none_or(|before| before < fence)
        });
        if !grows {
            wrong.push(format!("a fence did not grow: {line}"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, worktree: &str, lease: &str) -> Value {
        json!({ "kind": kind, "worktree": worktree, "lease": lease })
    }

    #[test]
    fn a_second_holder_and_a_lease_without_end_are_seen() {
        let (took, gave) = ("lease.acquired", "lease.released");
        let well =
            [event(took, "a", "1"), event(took, "b", "2"), event(gave, "a", "1"), event(took, "a", "3")];
        let ends = [event("lease.taken_over", "a", "3"), event(gave, "a", "3"), event(gave, "b", "2")];
        assert_eq!(overlaps(&[&well[..], &ends[..]].concat()), Vec::<String>::new());
        assert_eq!(overlaps(&well).len(), 2);
        assert_eq!(overlaps(&[event(took, "a", "1"), event(took, "a", "2"), event(gave, "a", "2")]).len(), 1);
        assert_eq!(overlaps(&[event(gave, "a", "1")]).len(), 1);
    }

    #[test]
    fn fences_grow_on_each_worktree_and_none_comes_twice() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            fences_that_do_not_grow(&lines(&["/p/a 1", "/p/b 3", "/p/a 2", "/p/b 4"])),
            Vec::<String>::new()
        );
        assert_eq!(fences_that_do_not_grow(&lines(&["/p/a 2", "/p/a 1"])).len(), 1);
        assert_eq!(fences_that_do_not_grow(&lines(&["/p/a 2", "/p/b 2"])).len(), 1);
        assert_eq!(fences_that_do_not_grow(&lines(&["/p/a x"])).len(), 1);
    }
}
