//! Trying what a target would be, before anything moves: a command in a worktree of its own.
//!
//! # Locking
//! The caller holds the landing lock of the target, so that nobody lands meanwhile; whoever moves the target by git makes the trial
//! one of something else, and it is done again.
//!
//! # Crash safety
//! Only what stood its trial is remembered, so one that was cut short is done again. Its worktree is leased to this process and
//! marked as a trial: the reaper ends the command, and recovery gives the worktree back without saving anything
//! ([why](../../../../../docs/decisions/0045-a-trial-is-a-lease-that-saves-nothing.md)).

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use windrow_model::{LandingEvent, LandingId, LandingRecord, Oid};

use super::{
    LandRequest, apply,
    error::LandError,
    outcome::{StoodHow, Verified, VerifyFailure, VerifyRequest},
};
use crate::{
    git,
    ops::{
        acquire,
        error::chain,
        observer::{Observer, Unobserved},
        outcome::Finished,
        pool::Pool,
        request::{
            AcquireRequest, BranchRequest, CommandRequest, HolderRequest, InputRequest, OutputRequest,
            WorkPolicy,
        },
    },
    process::Exit,
    store::LocalStore,
};

/// For how long a tree that stood its trial need not stand it again: tools and caches outside of it change.
const TRUSTED: Duration = Duration::from_secs(7 * 86_400);

/// How often a command that fails is run.
const TRIES: u32 = 2;

/// How much of the end of a log is shown.
const TAIL_BYTES: u64 = 4_096;
const TAIL_LINES: usize = 20;

/// What has to be stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) command: String,
    pub(super) timeout: Duration,
}

impl Trial {
    /// What the request and the configuration ask for.
    pub(super) fn of(pool: &Pool, request: &LandRequest) -> Option<Self> {
        let settings = &pool.settings().land;
        let command = match &request.verify {
            VerifyRequest::Nothing => None,
            VerifyRequest::Configured => settings.verify.clone(),
            VerifyRequest::Command(command) => Some(command.clone()),
        };
        let timeout = request.verify_timeout.unwrap_or(settings.verify_timeout);
        command.map(|command| Self { command, timeout })
    }

    /// What is remembered of a commit that stood it.
    pub(super) fn stood(
        &self,
        pool: &Pool,
        store: &LocalStore,
        commit: &Oid,
    ) -> Result<Option<Verified>, LandError> {
        let tree = git::tree_of(&pool.git, pool.repository(), commit)?;
        let since = Pool::now().checked_sub(TRUSTED).unwrap_or(jiff::Timestamp::MIN);
        let log = store.verified(&tree, &self.command, since)?;
        Ok(log.map(|log| Verified { command: self.command.clone(), how: StoodHow::Before, log }))
    }

    /// Has the commit of a landing stand it.
    pub(super) fn stand(
        &self,
        pool: &Pool,
        store: &mut LocalStore,
        landing: &LandingRecord,
        observer: &mut dyn Observer,
    ) -> Result<Verified, LandError> {
        if let Some(known) = self.stood(pool, store, &landing.candidate)? {
            return Ok(known);
        }
        apply::advance(store, landing, &[LandingEvent::VerifyBegan])?;
        for attempt in 1..=TRIES {
            let finished = self.run(pool, landing, observer)?;
            if let Some(signal) = finished.interrupted {
                return Err(LandError::Interrupted { command: self.command.clone(), signal });
            }
            if finished.exit == Exit::Code(0) && !finished.timed_out {
                let how = if attempt == 1 { StoodHow::AtOnce } else { StoodHow::AtTheSecondTry };
                return self.remember(pool, store, landing, (how, finished.log));
            }
            // What takes too long would do so again, while others wait.
            if finished.timed_out || attempt == TRIES {
                return Err(self.failure(landing, &finished, attempt));
            }
            observer.notice(&format!("`{}` failed and is run once more", self.command));
        }
        unreachable!("the last try returns")
    }

    /// Runs the command once, in a worktree that nobody wrote into.
    fn run(
        &self,
        pool: &Pool,
        landing: &LandingRecord,
        observer: &mut dyn Observer,
    ) -> Result<Finished, LandError> {
        let wanted = AcquireRequest {
            name: name(landing.id).parse().ok(),
            base: Some(landing.candidate.to_string()),
            branch: BranchRequest::Detached,
            holder: HolderRequest::Caller,
            keep: Some(Duration::ZERO),
            ..AcquireRequest::default()
        };
        let lease = acquire::acquire_for_trial(pool, &wanted, landing.id, observer)
            .map_err(|source| LandError::Trial(Box::new(source)))?;
        observer.stage(&format!("verifying by `{}`", self.command), None);
        let finished = lease.run(&self.order(), &mut Unobserved);
        if let Err(error) = lease.release_with(WorkPolicy::Discard) {
            observer.notice(&format!("the worktree of the verification stays for now: {}", chain(&error)));
        }
        finished.map_err(LandError::Supervise)
    }

    fn order(&self) -> CommandRequest {
        CommandRequest {
            timeout: Some(self.timeout),
            output: OutputRequest::ToLog,
            input: InputRequest::Nothing,
            ..CommandRequest::new("sh".into(), vec!["-c".into(), self.command.clone().into()])
        }
    }

    fn remember(
        &self,
        pool: &Pool,
        store: &mut LocalStore,
        landing: &LandingRecord,
        (how, log): (StoodHow, Option<PathBuf>),
    ) -> Result<Verified, LandError> {
        let tree = git::tree_of(&pool.git, pool.repository(), &landing.candidate)?;
        store.transaction(|tx| tx.set_verified(&tree, &self.command, log.as_deref(), Pool::now()))?;
        Ok(Verified { command: self.command.clone(), how, log })
    }

    fn failure(&self, landing: &LandingRecord, finished: &Finished, tries: u32) -> LandError {
        LandError::VerifyFailed(Box::new(VerifyFailure {
            command: self.command.clone(),
            target: landing.target.clone(),
            candidate: landing.candidate,
            exit: finished.exit,
            timeout: finished.timed_out.then_some(self.timeout),
            tries,
            tail: finished.log.as_deref().and_then(tail).unwrap_or_default(),
            log: finished.log.clone(),
        }))
    }
}

/// The name of the worktree, and so of the log.
fn name(id: LandingId) -> String {
    let text = id.to_string();
    format!("verify-{}", &text[text.len().saturating_sub(12)..])
}

/// The last lines of a log; `None` when it cannot be read.
fn tail(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut end = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut end).ok()?;
    let text = String::from_utf8_lossy(&end).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    Some(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn the_end_of_a_log_is_its_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        assert_eq!(tail(&log), None);
        let mut text = String::new();
        for line in 0..5_000 {
            writeln!(text, "line {line}").unwrap();
        }
        std::fs::write(&log, &text).unwrap();
        let shown = tail(&log).unwrap();
        assert_eq!(shown.lines().count(), TAIL_LINES);
        assert_eq!(shown.lines().last(), Some("line 4999"));
    }
}
