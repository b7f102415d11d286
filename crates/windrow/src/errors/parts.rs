//! The kinds of what the records, files, processes and configuration report.

use windrow_core::{
    config::ConfigError,
    fs::{ArchiveError, CarryError, DirectoryError, MaterialiseError, PatternError, ScanError, TrashError},
    process::{KillError, LockError, SuperviseError},
    store::{CoordinationError, StoreError, Task},
};

use super::kind::{Classify, FREE_SPACE, Kind, PERMISSIONS};
use crate::wire::{Code, Details};

impl Classify for ConfigError {
    fn kind(&self) -> Kind {
        match self {
            Self::Read { path, source } => Kind { code: Code::Config, ..Kind::io(source).path(path) },
            Self::NotAFile { path } | Self::TooLarge { path, .. } | Self::LeavesRepository { path, .. } => {
                Kind::new(Code::Config).path(path)
            }
            Self::UnknownKey { .. } => Kind::new(Code::Config).hint("docs/configuration.md lists every key"),
            Self::TooOld { .. } => Kind::new(Code::Config).hint("install a newer windrow"),
            Self::NotText { .. }
            | Self::Syntax { .. }
            | Self::WrongValue { .. }
            | Self::FileOnly { .. }
            | Self::CommittedVariable { .. }
            | Self::CommittedCommand { .. }
            | Self::Steers { .. } => Kind::new(Code::Config),
            Self::ProgramVersion { .. } => Kind::new(Code::Internal),
        }
    }
}

/// What to do about records that are of no use any more.
const ANEW: &str = "nothing was changed; `windrow reconcile` makes new records from what is on disk; to begin without \
                    it, move `state.db`, `state.db-wal` and `state.db-shm` out of that directory";

impl Classify for StoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::Missing { path } => Kind::new(Code::StateUnusable).path(path).hint(ANEW),
            Self::Older { path, .. } => Kind::new(Code::StateUnusable)
                .path(path)
                .hint("a command that changes something, such as `windrow run`, brings it up to date"),
            Self::Corrupt { path, .. } => Kind::new(Code::StateUnusable).path(path).hint(ANEW),
            Self::Newer { path, .. } => {
                Kind::new(Code::StateTooNew).path(path).hint("install a newer windrow")
            }
            Self::Busy { path } => Kind::new(Code::Busy).path(path),
            Self::Full { path } => Kind::new(Code::NoSpace).path(path).hint("free some space"),
            Self::NotWritable { path } | Self::CannotOpen { path, .. } => {
                Kind::new(Code::Io).path(path).hint(PERMISSIONS)
            }
            Self::Io { path, source, .. } => Kind::io(source).path(path),
            Self::Sqlite { path, .. } | Self::Migration { path, .. } => {
                Kind::new(Code::StateUnusable).path(path).hint(ANEW)
            }
            Self::SqliteTooOld { .. } => Kind::new(Code::StateUnusable),
            // Somebody else was quicker between our look and our write.
            Self::NameTaken(_)
            | Self::PathTaken(_)
            | Self::BranchTaken { .. }
            | Self::AlreadyLeased { .. }
            | Self::KeyTaken { .. }
            | Self::Illegal { .. }
            | Self::IllegalLanding(_)
            | Self::IllegalTicket(_) => Kind::new(Code::Busy),
            Self::Fenced { .. } | Self::LeaseEnded(_) => Kind::new(Code::StaleFence),
            Self::SessionEnded(_) => Kind::new(Code::Conflict),
            Self::NoSuchSession(_)
            | Self::NoSuchWorktree(_)
            | Self::NoSuchLease(_)
            | Self::NoSuchRescue(_)
            | Self::NoSuchLanding(_)
            | Self::NoSuchTicket(_) => Kind::new(Code::NotFound),
            // Mistakes of ours.
            Self::TooLarge { .. }
            | Self::WorktreeExists(_)
            | Self::NotCreating(_)
            | Self::LeaseExists(_)
            | Self::RescueExists(_)
            | Self::SessionExists(_) => Kind::new(Code::Internal),
        }
    }
}

impl Classify for CoordinationError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoSuchTask(_) => {
                Kind::new(Code::NotFound).hint("`windrow task list` shows those that are there")
            }
            Self::Lost { current } => Kind::new(Code::Lost)
                .hint(format!("`windrow task show {}` tells what it is now", current.id))
                .detail(|details| tell_task(details, current)),
            Self::Claimed { task, .. } => {
                Kind::new(Code::Busy).detail(|details| details.task = Some(task.to_string()))
            }
            Self::NotClaimed(task) => Kind::new(Code::Conflict)
                .hint(format!("`windrow task claim {task}` claims it"))
                .detail(|details| details.task = Some(task.to_string())),
            Self::Fenced { current, .. } => Kind::new(Code::StaleFence)
                .hint("somebody else has it by now; stop working on it")
                .detail(|details| details.fence = Some(current.0)),
            Self::NoSuchTicket(_) => Kind::new(Code::NotFound),
            Self::NotHead { .. } => Kind::new(Code::Busy),
            Self::Finished { .. } => Kind::new(Code::Conflict),
            Self::Store(error) => error.kind(),
        }
    }
}

fn tell_task(details: &mut Details, task: &Task) {
    details.task = Some(task.id.to_string());
    details.state = Some(task.state.to_string());
    details.rev = Some(task.rev);
}

impl Classify for LockError {
    fn kind(&self) -> Kind {
        match self {
            Self::Held { path } => Kind::new(Code::Busy).path(path),
            Self::NotAFile { path } => Kind::new(Code::StateUnusable).path(path),
            Self::Open { path, source } | Self::Lock { path, source } => Kind::io(source).path(path),
        }
    }
}

impl Classify for TrashError {
    fn kind(&self) -> Kind {
        match self {
            Self::Label { .. } => Kind::new(Code::Internal),
            Self::Directory(error) => error.kind(),
            Self::OtherFilesystem { path } => Kind::new(Code::StateUnusable).path(path),
            Self::Move { path, source } | Self::List { path, source } => Kind::io(source).path(path),
        }
    }
}

impl Classify for KillError {
    fn kind(&self) -> Kind {
        match self {
            Self::Table(source) => Kind::io(source),
            Self::Lock(error) => error.kind(),
            Self::StillHeld { path, .. } => Kind::new(Code::Busy).path(path),
        }
    }
}

impl Classify for SuperviseError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::new(Code::CommandNotFound),
            Self::NotExecutable { .. } => Kind::new(Code::CommandNotExecutable),
            Self::Directory { cwd, source } => Kind::io(source).path(cwd),
            Self::Start { source, .. } => Kind::io(source),
            Self::Helper { helper, source } => Kind::io(source).path(helper),
            Self::Occupancy(error) => error.kind(),
            Self::Log { path, source } => Kind::io(source).path(path),
            Self::ReaperDied { .. } => Kind::new(Code::Internal),
            Self::Io(source) => Kind::io(source),
        }
    }
}

impl Classify for DirectoryError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotADirectory { path } => {
                Kind::new(Code::Conflict).path(path).hint("move away what lies where a directory should be")
            }
            Self::Foreign { path, .. } | Self::WorldWritable { path } => {
                Kind::new(Code::Untrusted).path(path).hint("`pool.directory` puts worktrees elsewhere")
            }
            Self::Io { path, source } => Kind::io(source).path(path),
        }
    }
}

impl Classify for MaterialiseError {
    fn kind(&self) -> Kind {
        match self {
            Self::Refused(_) | Self::Exists { .. } => Kind::new(Code::Conflict),
            Self::TooManyFiles { .. } => Kind::new(Code::Io).hint("raise the limit with `ulimit -n 4096`"),
            Self::NoSpace { .. } => Kind::new(Code::NoSpace).hint(FREE_SPACE),
            Self::Device { .. } => Kind::new(Code::Io),
            Self::Blob { source, .. } | Self::Write { source, .. } => Kind::io(source),
        }
    }
}

impl Classify for PatternError {
    fn kind(&self) -> Kind {
        Kind::new(Code::Config)
    }
}

impl Classify for CarryError {
    fn kind(&self) -> Kind {
        match self {
            Self::Pattern { source, .. } => source.kind(),
            Self::PatternFile { source, .. } | Self::Read { source, .. } | Self::Write { source, .. } => {
                Kind::io(source)
            }
            Self::TooLarge { .. } => Kind::new(Code::Config)
                .hint("leave it out with `carry.exclude`, raise `carry.max_size`, or take nothing with `--no-carry`"),
            Self::Changed { .. } => Kind::new(Code::Busy),
            Self::NoSpace { .. } => Kind::new(Code::NoSpace).hint(FREE_SPACE),
        }
    }
}

impl Classify for ScanError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unreadable { source, .. } => Kind::io(source),
        }
    }
}

impl Classify for ArchiveError {
    fn kind(&self) -> Kind {
        match self {
            Self::TooLarge { .. } => Kind::new(Code::Unsaved)
                .hint("raise `rescue.max_size`, or name what can be made again in `rescue.disposable`"),
            Self::Changed { .. } => Kind::new(Code::Busy),
            Self::Source { source, .. } => Kind::io(source),
            Self::Mount { .. } | Self::Name { .. } => Kind::new(Code::Unsaved),
            Self::Exists { path } => Kind::new(Code::Conflict).path(path),
            Self::Damaged { path, .. } => Kind::new(Code::Unsaved).path(path),
            Self::NoSpace { path } => Kind::new(Code::NoSpace).path(path).hint("free some space"),
            Self::Write { path, source } | Self::Open { path, source } => Kind::io(source).path(path),
        }
    }
}
