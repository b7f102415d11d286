//! Running commands in worktrees.
//!
//! # Crash safety
//! The command's reaper kills the whole tree when this process dies; the worktree's lock is freed by the kernel then, and the
//! next command of any kind rescues and releases.

use std::{ffi::OsString, path::PathBuf};

use windrow_model::{LeaseRecord, LogMode, WorktreeName, WorktreeRecord, WorktreeState};

use super::{
    acquire,
    error::{AcquireError, ExecError, RunError},
    identity::{self, Identity},
    land::{self, LandRequest, LandSource},
    lease::Lease,
    observer::Observer,
    outcome::{Finished, Leased, Ran, RanLanding, RanPush},
    overlay,
    pool::Pool,
    push::{self, PushRequest, PushSource},
    request::{
        AcquireRequest, CommandRequest, ExecRequest, HolderRequest, InputRequest, OutputRequest, RunRequest,
        Selector,
    },
    variables,
};
use crate::process::{self, Input, Output, Started, SuperviseError, SuperviseRequest, TeeTarget};

/// The name of the hidden subcommand of the helper that becomes the reaper.
pub const REAPER_COMMAND: &str = "__reaper";

/// How many rotated logs of one worktree are kept.
const LOGS_KEPT: usize = 3;

/// Gives a command a worktree of its own, runs it there, saves what it made, and gives the worktree back.
///
/// The caller holds the lease for as long as the command runs. The worktree is given back however the command ends.
///
/// # Errors
/// No lease was given, the command could not be started, or the worktree could not be given back.
pub fn run(pool: &Pool, request: &RunRequest, observer: &mut dyn Observer) -> Result<Ran, RunError> {
    let wanted = AcquireRequest { holder: HolderRequest::Caller, ..request.acquire.clone() };
    overlay::enter(pool, &wanted, observer).map_err(AcquireError::from)?;
    let lease = acquire::acquire(pool, &wanted, observer)?;
    for notice in &lease.leased().notices {
        observer.notice(notice);
    }
    let finished = supervise(pool, lease.leased(), &request.command, observer);
    let leased = lease.leased().clone();
    match finished {
        Ok(finished) => {
            let landing = land_work(pool, request, (&leased, &finished), observer);
            let push = push_work(pool, request, (&leased, &finished));
            let released = lease.release_with(request.work)?;
            Ok(Ran { leased, finished, landing, push, released })
        }
        Err(error) => {
            lease.release_with(request.work)?;
            Err(error.into())
        }
    }
}

/// Lands what the command committed, while the worktree is still there; only of one that succeeded.
fn land_work(
    pool: &Pool,
    request: &RunRequest,
    (leased, finished): (&Leased, &Finished),
    observer: &mut dyn Observer,
) -> RanLanding {
    let Some(wanted) = &request.land else { return RanLanding::NotAsked };
    if finished.exit != process::Exit::Code(0) || finished.timed_out {
        return RanLanding::CommandFailed;
    }
    let source = LandSource::Worktree(Selector::Lease(leased.lease.id));
    let landing =
        LandRequest { strategy: wanted.strategy, onto: wanted.onto.clone(), ..LandRequest::new(source) };
    match land::land(pool, &landing, observer) {
        Ok(landed) => RanLanding::Landed(Box::new(landed)),
        Err(error) => RanLanding::Refused(Box::new(error)),
    }
}

/// Pushes what the command committed, while the worktree is still there; only of one that succeeded.
fn push_work(pool: &Pool, request: &RunRequest, (leased, finished): (&Leased, &Finished)) -> RanPush {
    let Some(wanted) = &request.push else { return RanPush::NotAsked };
    if finished.exit != process::Exit::Code(0) || finished.timed_out {
        return RanPush::CommandFailed;
    }
    let source = PushSource::Worktree(Selector::Lease(leased.lease.id));
    let wanted = PushRequest { remote: wanted.remote.clone(), ..PushRequest::new(source) };
    match push::push(pool, &wanted) {
        Ok(pushed) => RanPush::Pushed(Box::new(pushed)),
        Err(error) => RanPush::Refused(Box::new(error)),
    }
}

fn supervise(
    pool: &Pool,
    leased: &Leased,
    command: &CommandRequest,
    observer: &mut dyn Observer,
) -> Result<Finished, SuperviseError> {
    let mut request = supervision(pool, leased, command);
    request.occupancy = Some(pool.occupancy_path(&leased.worktree.id));
    watch(request, &mut |started| {
        observer.started(&leased.worktree.name, started.command.pid);
        note_reaper(pool, &leased.lease, started);
    })
}

fn watch(
    request: SuperviseRequest,
    on_started: &mut dyn FnMut(&Started),
) -> Result<Finished, SuperviseError> {
    let log = match &request.output {
        Output::Tee(tee) | Output::TeeToStderr(tee) | Output::Log(tee) => Some(tee.path.clone()),
        Output::Inherit | Output::StdoutToStderr => None,
    };
    let ended = process::supervise(request, on_started)?;
    Ok(Finished {
        exit: ended.exit,
        timed_out: ended.timed_out,
        interrupted: ended.interrupted,
        stragglers: ended.stragglers,
        elapsed: ended.elapsed,
        log,
    })
}

/// What to run and how; a command beside the holder's own does not hold the worktree's occupancy lock.
fn supervision(pool: &Pool, leased: &Leased, command: &CommandRequest) -> SuperviseRequest {
    let log = log_path(pool, &leased.worktree, command);
    let settings = &pool.settings().run;
    let tee = log.map(|path| TeeTarget { path, max_bytes: settings.log_bytes, keep: LOGS_KEPT });
    SuperviseRequest {
        helper: pool.environment.helper.clone(),
        helper_args: vec![REAPER_COMMAND.into()],
        program: command.program.clone(),
        args: command.args.clone(),
        cwd: leased.worktree.path.clone(),
        env: environment(pool, leased, command),
        occupancy: None,
        timeout: command.timeout,
        grace: settings.grace,
        input: match &command.input {
            InputRequest::Inherit => Input::Inherit,
            InputRequest::Nothing => Input::Nothing,
            InputRequest::Text(text) => Input::Bytes(text.clone()),
        },
        output: output(command.output, tee),
        cancel: command.cancel.clone(),
    }
}

fn environment(pool: &Pool, leased: &Leased, command: &CommandRequest) -> Vec<(OsString, OsString)> {
    let mut all = variables::complete(pool, &leased.environment, &leased.worktree.path);
    all.retain(|(name, _)| !command.env.iter().any(|(own, _)| own == name));
    all.extend(command.env.iter().cloned());
    all
}

fn output(wanted: OutputRequest, tee: Option<TeeTarget>) -> Output {
    match (wanted, tee) {
        (OutputRequest::Inherit, None) => Output::Inherit,
        (OutputRequest::ToStderr | OutputRequest::ToLog, None) => Output::StdoutToStderr,
        (OutputRequest::ToLog, Some(tee)) => Output::Log(tee),
        (OutputRequest::Inherit, Some(tee)) => Output::Tee(tee),
        (OutputRequest::ToStderr, Some(tee)) => Output::TeeToStderr(tee),
    }
}

fn log_path(pool: &Pool, worktree: &WorktreeRecord, command: &CommandRequest) -> Option<PathBuf> {
    let mode = command.log.unwrap_or(pool.settings().run.log);
    (mode == LogMode::Always || command.output == OutputRequest::ToLog).then(|| pool.log_of(&worktree.name))
}

/// Records the reaper, by which a later command knows that the lease is a supervised one.
fn note_reaper(pool: &Pool, lease: &LeaseRecord, started: &Started) {
    let noted = pool.store().map_err(|error| error.to_string()).and_then(|mut store| {
        let note = store.transaction(|tx| tx.set_reaper(lease.id, lease.fence, Some(&started.reaper)));
        note.map_err(|error| error.to_string())
    });
    if let Err(error) = noted {
        tracing::warn!(%error, "cannot record the reaper; its own pipe still ends the command with us");
    }
}

/// Runs a command in a worktree that is leased or kept.
///
/// In a leased one it runs beside the holder's own command; a kept one is taken up for as long as the command runs and kept
/// again for the time it had.
///
/// # Errors
/// There is no such worktree, or the command could not be started.
pub fn exec(pool: &Pool, request: &ExecRequest, observer: &mut dyn Observer) -> Result<Finished, ExecError> {
    let entry = pool.select(&request.selector)?;
    let leased = entry.worktree.state == WorktreeState::Leased;
    if leased && identity::prove(pool, &entry.worktree) != Identity::Proven {
        return Err(super::error::SelectError::Lost { name: entry.worktree.name }.into());
    }
    match (entry.worktree.state, entry.lease) {
        (WorktreeState::Leased, Some(lease)) => {
            overlay::join(pool, &entry.worktree, &lease)?;
            let records = pool.records()?.ok_or_else(|| super::select::nothing(&request.selector))?;
            let environment = variables::change(pool, &records, &entry.worktree, &lease)?;
            let leased = Leased {
                worktree: entry.worktree,
                lease,
                provenance: super::outcome::Provenance::Same,
                carried: super::outcome::CarrySummary::default(),
                seeds: Vec::new(),
                environment,
                notices: Vec::new(),
            };
            let request = supervision(pool, &leased, &request.command);
            Ok(watch(request, &mut |started| observer.started(&leased.worktree.name, started.command.pid))?)
        }
        (WorktreeState::Kept, _) => exec_kept(pool, &entry.worktree, request, observer),
        (state, _) => Err(super::error::SelectError::NotLeased { name: entry.worktree.name, state }.into()),
    }
}

fn exec_kept(
    pool: &Pool,
    worktree: &WorktreeRecord,
    request: &ExecRequest,
    observer: &mut dyn Observer,
) -> Result<Finished, ExecError> {
    let left = worktree.keep_until.map(|end| end.duration_since(Pool::now()));
    let keep = left.and_then(|left| std::time::Duration::try_from(left).ok());
    let wanted = AcquireRequest {
        name: Some(worktree.name.clone()),
        holder: HolderRequest::Caller,
        keep,
        ..AcquireRequest::default()
    };
    overlay::enter(pool, &wanted, observer).map_err(AcquireError::from)?;
    let lease = acquire::acquire(pool, &wanted, observer)?;
    let finished = supervise(pool, lease.leased(), &request.command, observer);
    lease.release()?;
    Ok(finished?)
}

impl Lease<'_> {
    /// Runs a command in the worktree until nothing of it is left.
    ///
    /// # Errors
    /// The command could not be started or supervised.
    pub fn run(
        &self,
        command: &CommandRequest,
        observer: &mut dyn Observer,
    ) -> Result<Finished, SuperviseError> {
        supervise(self.pool(), self.leased(), command, observer)
    }
}

impl Pool {
    /// The log of the commands of the worktree of that name.
    pub(super) fn log_of(&self, name: &WorktreeName) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }
}
