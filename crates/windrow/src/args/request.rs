//! From arguments to requests.

use std::time::Duration;

use windrow_core::ops::{
    AcquireRequest, AdoptRequest, BranchRequest, CarryRequest, CommandRequest, ExecRequest, HolderRequest,
    IncludeUncommitted, LandMode, LandRequest, LandSource, OnConflict, OutputRequest, ReleaseRequest,
    RenewRequest, RestoreRequest, RunLanding, RunPush, RunRequest, Selector, Waiting, WorkPolicy,
};
use windrow_model::{BranchName, LogMode, RescuePolicy, SessionId};

use super::{
    AcquireArgs, AdoptArgs, CommandArgs, DeinitArgs, ExecArgs, Form, LandArgs, ReleaseArgs, RenewArgs,
    RestoreArgs, RunArgs, ShellArgs, WorktreeArgs,
    command::{HolderArgs, RescuesInto},
    worktree::WorkArgs,
};

impl WorktreeArgs {
    fn request(&self, holder: HolderRequest, ttl: Option<Duration>) -> AcquireRequest {
        AcquireRequest {
            name: self.name.clone(),
            key: self.key.clone(),
            base: self.base.clone(),
            branch: if self.detach { BranchRequest::Detached } else { branch(self.branch.as_ref()) },
            holder,
            ttl,
            waiting: waiting(self.wait),
            keep: self.keep,
            carry: if self.no_carry { CarryRequest::Nothing } else { CarryRequest::Configured },
        }
    }
}

impl HolderArgs {
    /// A process that is named counts more than the session that the caller works in.
    fn request(&self, inherited: Option<SessionId>) -> HolderRequest {
        match (self.pid, self.session.or(inherited)) {
            (Some(pid), _) => HolderRequest::Process(pid),
            (None, Some(session)) => HolderRequest::Session(session),
            (None, None) => HolderRequest::Unbound,
        }
    }
}

impl CommandArgs {
    fn request(&self, output: OutputRequest) -> CommandRequest {
        // clap refuses an empty command; without one the program is the empty name, which is never found.
        let (program, args) = self
            .command
            .split_first()
            .map_or_else(Default::default, |(program, args)| (program.clone(), args.to_vec()));
        let log = self.log.then_some(LogMode::Always);
        CommandRequest { timeout: self.timeout, output, log, ..CommandRequest::new(program, args) }
    }
}

impl WorkArgs {
    fn request(&self) -> WorkPolicy {
        if self.discard { WorkPolicy::Discard } else { WorkPolicy::Rescue }
    }
}

impl RunArgs {
    pub(crate) fn request(&self) -> RunRequest {
        RunRequest {
            acquire: self.worktree.request(HolderRequest::Caller, None),
            command: self.command.request(output(self.json.into())),
            work: self.work.request(),
            land: self.land.map(|land| RunLanding { strategy: land.strategy(), onto: None }),
            push: self.push.as_ref().map(|remote| RunPush { remote: remote.clone() }),
        }
    }
}

impl LandArgs {
    /// What is landed is named by the caller, who knows where we stand.
    pub(crate) fn request(&self, source: LandSource) -> LandRequest {
        LandRequest {
            source,
            strategy: self.strategy(),
            onto: self.onto.clone(),
            message: self.message.clone(),
            key: self.land_key.clone(),
            mode: match (self.dry_run, self.no_commit) {
                (true, _) => LandMode::DryRun,
                (false, true) => LandMode::NoCommit,
                (false, false) => LandMode::Land,
            },
            uncommitted: if self.include_uncommitted {
                IncludeUncommitted::Commit
            } else {
                IncludeUncommitted::Refuse
            },
            on_conflict: if self.prepare { OnConflict::Prepare } else { OnConflict::Tell },
            verify: self.verify(),
            verify_timeout: self.verify_timeout,
        }
    }
}

impl ExecArgs {
    pub(crate) fn request(&self, selector: Selector) -> ExecRequest {
        ExecRequest { selector, command: self.command.request(output(self.json.into())) }
    }
}

impl AdoptArgs {
    pub(crate) fn request(&self) -> AdoptRequest {
        AdoptRequest { path: self.path.clone(), name: self.name.clone(), keep: self.keep }
    }
}

impl DeinitArgs {
    pub(crate) fn policy(&self) -> RescuePolicy {
        match (self.rescues, self.discard_rescues) {
            (Some(RescuesInto::Branches), _) => RescuePolicy::Branches,
            (None, true) => RescuePolicy::Discard,
            (None, false) => RescuePolicy::Refuse,
        }
    }
}

impl AcquireArgs {
    pub(crate) fn request(&self, session: Option<SessionId>) -> AcquireRequest {
        self.worktree.request(self.holder.request(session), self.holder.ttl)
    }
}

impl RenewArgs {
    pub(crate) fn request(&self, selector: Selector) -> RenewRequest {
        RenewRequest { selector, fence: self.fence, ttl: self.ttl }
    }
}

impl ReleaseArgs {
    pub(crate) fn request(&self, selector: Selector) -> ReleaseRequest {
        ReleaseRequest { selector, fence: self.fence, keep: self.keep, work: self.work.request() }
    }
}

impl RestoreArgs {
    pub(crate) fn request(&self, session: Option<SessionId>) -> RestoreRequest {
        let acquire = AcquireRequest {
            name: self.name.clone(),
            key: self.key.clone(),
            branch: branch(self.branch.as_ref()),
            holder: self.holder.request(session),
            ttl: self.holder.ttl,
            waiting: waiting(self.wait),
            ..AcquireRequest::default()
        };
        RestoreRequest { rescue: self.rescue.clone(), acquire }
    }
}

impl ShellArgs {
    /// A run of the user's shell in a new or kept worktree.
    pub(crate) fn run_request(&self, shell: std::ffi::OsString) -> RunRequest {
        let acquire = AcquireRequest {
            name: self.name.clone(),
            base: self.base.clone(),
            branch: branch(self.branch.as_ref()),
            holder: HolderRequest::Caller,
            keep: self.keep,
            ..AcquireRequest::default()
        };
        RunRequest {
            acquire,
            command: shell_command(shell),
            work: WorkPolicy::Rescue,
            land: None,
            push: None,
        }
    }

    /// The user's shell in a worktree that somebody already holds.
    pub(crate) fn exec_request(&self, selector: Selector, shell: std::ffi::OsString) -> ExecRequest {
        ExecRequest { selector, command: shell_command(shell) }
    }
}

fn shell_command(program: std::ffi::OsString) -> CommandRequest {
    // A shell is for a person: no log, which would take its terminal away.
    let log = Some(LogMode::Never);
    CommandRequest { log, ..CommandRequest::new(program, Vec::new()) }
}

fn branch(named: Option<&BranchName>) -> BranchRequest {
    named.map_or(BranchRequest::Template, |name| BranchRequest::Named(name.clone()))
}

fn waiting(limit: Option<Duration>) -> Waiting {
    limit.map_or(Waiting::Refuse, Waiting::For)
}

fn output(form: Form) -> OutputRequest {
    match form {
        Form::Json => OutputRequest::ToStderr,
        Form::Human => OutputRequest::Inherit,
    }
}
