//! A push from its request to its end.

use std::{
    ffi::OsString,
    thread,
    time::{Duration, Instant},
};

use windrow_model::{BranchName, LandStrategy, LandingId, Oid};

use super::{
    acknowledged,
    error::PushError,
    outcome::{PullRequest, PullRequestWish, PushRequest, Pushed, PushedFate},
    source::{self, Source},
};
use crate::{
    git::{self, GitError, MergeRequest, Merged, NewCommit, Objects, PushAnswer, PushHooks, Remote},
    ops::{
        ConflictReport, REAPER_COMMAND,
        error::{StateError, chain},
        land,
        pool::Pool,
    },
    process::{self, Exit, Input, Output, SuperviseRequest},
};

/// How often the remote may fail to answer.
const FAILURES: u32 = 5;
/// How often its branch may move.
const MOVES: u32 = 5;
/// How long to wait after the first failure; each time twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// Brings work to a branch of a remote. Commits that others pushed there are merged with it, never overwritten.
///
/// It returns once the remote was heard to hold the work; a push whose answer was lost is not made twice.
///
/// # Errors
/// Nothing of this repository was changed; whether the remote took it can be unknown only with [`PushError::Unreachable`].
pub fn push(pool: &Pool, request: &PushRequest) -> Result<Pushed, PushError> {
    let source = source::find(pool, &request.source)?;
    let to = request.to.clone().or_else(|| source.branch.clone()).ok_or(PushError::Detached)?;
    let remote = remote(pool, request, source.branch.as_ref())?;
    let settings = &pool.settings().push;
    let hooks = if settings.hooks { PushHooks::Run } else { PushHooks::Skip };
    if hooks == PushHooks::Skip && git::uses_lfs(&Objects::open(pool.repository()), &source.tip)? {
        return Err(PushError::NeedsHooks);
    }
    let until = Instant::now() + settings.timeout;
    let job = Job { pool, source: &source, remote: &remote, to: &to, hooks, until };
    let (mut pushed, said) = job.follow()?;
    job.acknowledge(&mut pushed.notices);
    if request.pull_request == PullRequestWish::Open {
        pushed.pull_request = Some(pull_request(pool, &pushed, &said));
    }
    Ok(pushed)
}

/// The remote that was named, or the one that git would push this branch to.
fn remote(pool: &Pool, request: &PushRequest, branch: Option<&BranchName>) -> Result<String, PushError> {
    let config = &pool.repository().config;
    let set = |key: &str| config.get(key).map(ToString::to_string);
    let of_branch = |what: &str| branch.and_then(|branch| set(&format!("branch.{branch}.{what}")));
    let configured = || {
        let named = of_branch("pushremote").or_else(|| set("remote.pushdefault"));
        named.or_else(|| of_branch("remote")).unwrap_or_else(|| "origin".to_owned())
    };
    let name = request.remote.clone().unwrap_or_else(configured);
    let known =
        set(&format!("remote.{name}.url")).is_some() || set(&format!("remote.{name}.pushurl")).is_some();
    let is_address = name.contains([':', '/']);
    if known || is_address { Ok(name) } else { Err(PushError::UnknownRemote(name)) }
}

struct Job<'a> {
    pool: &'a Pool,
    source: &'a Source,
    remote: &'a str,
    to: &'a BranchName,
    hooks: PushHooks,
    until: Instant,
}

/// A push that was made, whatever came of it.
struct Attempt {
    commit: Oid,
    before: Option<Oid>,
    answer: Option<PushAnswer>,
}

/// What the remote's branch means for the work.
enum Standing {
    /// It holds the work.
    Holds,
    /// It can become this commit.
    Becomes(Oid),
    /// It is at a commit that cannot be had.
    Passing,
}

impl Job<'_> {
    /// Goes round until the remote holds the work; also gives what it said when it took it.
    fn follow(&self) -> Result<(Pushed, String), PushError> {
        let (mut failures, mut moves, mut attempts) = (0, 0, 0);
        let mut last: Option<Attempt> = None;
        let mut said = String::new();
        loop {
            let there = match git::remote_ref(self.git(), self.repo(), self.remote(), &self.to.full()) {
                Ok(there) => there,
                Err(error) => {
                    self.wait(&mut failures, error)?;
                    continue;
                }
            };
            if let Some(attempt) = last.take() {
                if there == Some(attempt.commit) {
                    return Ok((
                        self.outcome(PushedFate::Pushed, attempt.before, attempt.commit, attempts),
                        said,
                    ));
                }
                self.judge(attempt, there.as_ref(), &mut moves)?;
            }
            let commit = match self.standing(there.as_ref())? {
                Standing::Holds => {
                    let at = there.unwrap_or(self.source.tip);
                    return Ok((self.outcome(PushedFate::AlreadyThere, there, at, attempts), said));
                }
                Standing::Becomes(commit) => commit,
                Standing::Passing => {
                    self.count_move(&mut moves)?;
                    continue;
                }
            };
            attempts += 1;
            let answer = self.push(&commit, there.as_ref());
            match answer {
                Ok(answer) if answer.taken => {
                    return Ok((self.outcome(PushedFate::Pushed, there, commit, attempts), answer.said));
                }
                Ok(answer) => {
                    said.clone_from(&answer.said);
                    last = Some(Attempt { commit, before: there, answer: Some(answer) });
                }
                Err(error) => {
                    // It may have been taken: the next round asks.
                    last = Some(Attempt { commit, before: there, answer: None });
                    self.wait(&mut failures, error)?;
                }
            }
        }
    }

    /// What an attempt that was not taken means, now that it is known where the remote's branch is.
    fn judge(&self, attempt: Attempt, there: Option<&Oid>, moves: &mut u32) -> Result<(), PushError> {
        if there != attempt.before.as_ref() {
            return self.count_move(moves);
        }
        match attempt.answer {
            // Nothing moved, so what the remote said is a decision.
            Some(answer) if !answer.reason.starts_with("[remote failure]") => Err(PushError::Refused {
                remote: self.remote.to_owned(),
                branch: self.to.clone(),
                reason: answer.reason,
                said: answer.said,
            }),
            _ => self.count_move(moves),
        }
    }

    fn count_move(&self, moves: &mut u32) -> Result<(), PushError> {
        *moves += 1;
        if *moves <= MOVES && Instant::now() < self.until {
            return Ok(());
        }
        Err(PushError::Moved { remote: self.remote.to_owned(), branch: self.to.clone() })
    }

    /// Waits after a failure, longer each time.
    fn wait(&self, failures: &mut u32, error: GitError) -> Result<(), PushError> {
        let pause = PAUSE * 2_u32.pow(*failures);
        *failures += 1;
        if *failures >= FAILURES || Instant::now() + pause >= self.until {
            return Err(PushError::Unreachable { remote: self.remote.to_owned(), source: error });
        }
        thread::sleep(pause);
        Ok(())
    }

    fn standing(&self, there: Option<&Oid>) -> Result<Standing, PushError> {
        let (git, repo, tip) = (self.git(), self.repo(), &self.source.tip);
        let Some(there) = there else { return Ok(Standing::Becomes(*tip)) };
        if !git::has_commit(git, repo, there)? {
            // A fetch that fails leaves it unknown, which the next line sees.
            let _ = git::fetch_objects(git, repo, self.remote(), &self.to.full());
            if !git::has_commit(git, repo, there)? {
                return Ok(Standing::Passing);
            }
        }
        if git::is_ancestor(git, repo, tip, there)? {
            return Ok(Standing::Holds);
        }
        if git::is_ancestor(git, repo, there, tip)? {
            return Ok(Standing::Becomes(*tip));
        }
        self.merge(there).map(Standing::Becomes)
    }

    /// The work on top of what others pushed.
    fn merge(&self, there: &Oid) -> Result<Oid, PushError> {
        let (git, repo, tip) = (self.git(), self.repo(), &self.source.tip);
        let base = git::merge_base(git, repo, there, tip)?;
        let Some(base) = base else {
            return Err(PushError::Unrelated { remote: self.remote.to_owned(), branch: self.to.clone() });
        };
        let room = self.pool.state_dir().join("land");
        crate::fs::private_dir(&room).map_err(StateError::from)?;
        let request = MergeRequest { target: there, source: tip, base: None, room: &room };
        let tree = match git::merge_trees(git, repo, &request)? {
            Merged::Clean(tree) => tree,
            Merged::Conflict(conflicts) => {
                return Err(PushError::Conflict(Box::new(ConflictReport {
                    id: LandingId::new(uuid::Uuid::now_v7()),
                    strategy: LandStrategy::Merge,
                    target: self.to.clone(),
                    target_oid: *there,
                    source: *tip,
                    branch: self.source.branch.clone(),
                    worktree: self.source.worktree.clone(),
                    base: Some(base),
                    at: None,
                    hunks: land::hunks(self.pool, &conflicts),
                    conflicts,
                    prepared: None,
                })));
            }
        };
        let what = self.source.branch.as_ref().map_or_else(|| tip.short(), ToString::to_string);
        let message = format!("Merge '{what}' into {}", self.to);
        let parents = [*there, *tip];
        let new = NewCommit { tree: &tree, parents: &parents, author: None, message: message.as_bytes() };
        Ok(git::write_commit(git, repo, &new)?)
    }

    fn push(&self, commit: &Oid, expected: Option<&Oid>) -> Result<PushAnswer, GitError> {
        let request = git::PushRequest { commit, to: &self.to.full(), expected, hooks: self.hooks };
        git::push(self.git(), self.repo(), self.remote(), &request)
    }

    /// The remote, with what is left of the time.
    fn remote(&self) -> Remote<'_> {
        let left = self.until.saturating_duration_since(Instant::now());
        Remote { name: self.remote, limit: left.max(Duration::from_millis(100)) }
    }

    fn git(&self) -> &git::Git {
        &self.pool.git
    }

    fn repo(&self) -> &git::Repository {
        self.pool.repository()
    }

    /// Notes what the remote holds, so that a branch may go by policy.
    fn acknowledge(&self, notices: &mut Vec<String>) {
        let Some(branch) = &self.source.branch else { return };
        if let Err(error) = acknowledged::note(self.pool, branch, &self.source.tip) {
            notices.push(format!("branch `{branch}` counts as not pushed: {}", chain(&error)));
        }
    }

    fn outcome(&self, fate: PushedFate, before: Option<Oid>, after: Oid, attempts: u32) -> Pushed {
        let mut notices = Vec::new();
        if let (1.., Some(name)) = (self.source.uncommitted, &self.source.worktree) {
            notices.push(format!(
                "{} paths of worktree `{name}` are not committed, so not pushed",
                self.source.uncommitted
            ));
        }
        Pushed {
            fate,
            remote: self.remote.to_owned(),
            to: self.to.clone(),
            before,
            after,
            source: self.source.tip,
            branch: self.source.branch.clone(),
            worktree: self.source.worktree.clone(),
            attempts,
            pull_request: None,
            notices,
        }
    }
}

/// Runs the configured command, or finds the address that the remote offered.
fn pull_request(pool: &Pool, pushed: &Pushed, said: &str) -> PullRequest {
    let offered = offered(said);
    let Some(command) = &pool.settings().push.pr_command else {
        return offered.map_or(PullRequest::Nothing, PullRequest::Offered);
    };
    let mut env = pool.environment.variables.clone();
    let text = |name: &str, value: String| (OsString::from(name), OsString::from(value));
    env.extend([
        text("WINDROW_PUSH_REMOTE", pushed.remote.clone()),
        text("WINDROW_PUSH_BRANCH", pushed.to.to_string()),
        text("WINDROW_PUSH_COMMIT", pushed.after.to_string()),
        text("WINDROW_PUSH_URL", offered.unwrap_or_default()),
    ]);
    let request = SuperviseRequest {
        helper: pool.environment.helper.clone(),
        helper_args: vec![REAPER_COMMAND.into()],
        program: "sh".into(),
        args: vec!["-c".into(), command.into()],
        cwd: pool.root().to_owned(),
        env,
        occupancy: None,
        timeout: Some(pool.settings().push.timeout),
        grace: pool.settings().run.grace,
        input: Input::Nothing,
        output: Output::StdoutToStderr,
        cancel: None,
    };
    match process::supervise(request, &mut |_| {}).map(|ended| ended.exit) {
        Ok(Exit::Code(code)) => PullRequest::Command(code),
        Ok(Exit::Signal(signal)) => PullRequest::Command(signal.saturating_add(128)),
        Err(_) => PullRequest::Command(127),
    }
}

/// The first address in what the remote said.
fn offered(said: &str) -> Option<String> {
    let remote = said.lines().filter_map(|line| line.strip_prefix("remote:"));
    let mut words = remote.flat_map(str::split_whitespace);
    words.find(|word| word.starts_with("https://") || word.starts_with("http://")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_first_that_the_remote_names() {
        let said = "To https://host/x\nremote: \nremote: Create a pull request for 'a' by visiting:        \n\
                    remote:      https://host/x/pull/new/a        \nremote: or http://other";
        assert_eq!(offered(said).as_deref(), Some("https://host/x/pull/new/a"));
        assert_eq!(offered("To https://host/x"), None);
    }
}
