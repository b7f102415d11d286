//! The kinds of the operations' own errors.

use windrow_core::ops::{
    AcquireError, AdoptError, CreateError, DeinitError, DropError, ExecError, HeldBy, MapError, OpenError,
    PoolError, PruneError, QueryError, ReconcileError, ReleaseError, RenewError, RescueError, RestoreError,
    RunError, SelectError, SessionError, StateError, TaskError,
};
use windrow_model::{Fence, WorktreeName};

use super::kind::{Classify, Kind};
use crate::{
    claude::{InputError, SettingsError},
    wire::{Code, Details, HeldWorktree},
};

impl Classify for OpenError {
    fn kind(&self) -> Kind {
        match self {
            Self::Discover(error) => error.kind(),
            Self::Config(error) => error.kind(),
        }
    }
}

impl Classify for InputError {
    fn kind(&self) -> Kind {
        match self {
            Self::Empty
            | Self::NotJson(_)
            | Self::NotAnObject
            | Self::Unusable { .. }
            | Self::Relative(_) => Kind::new(Code::Usage)
                .hint("this command is for Claude Code's hooks: `windrow hook claude install`"),
        }
    }
}

impl Classify for SettingsError {
    fn kind(&self) -> Kind {
        match self {
            Self::Shape(_) => Kind::new(Code::Conflict).hint("mend the file first"),
            Self::Taken { .. } => Kind::new(Code::Conflict)
                .hint("only one command can make worktrees: take the other one out first"),
        }
    }
}

impl Classify for StateError {
    fn kind(&self) -> Kind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Directory(error) => error.kind(),
            Self::Trash(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
            Self::Copied { path } => Kind::new(Code::StateUnusable)
                .path(path)
                .hint("the worktrees belong to the original; `windrow reconcile` begins anew here"),
            Self::Lock(error) => error.kind(),
            Self::Liveness { source, .. } => Kind::io(source),
            Self::Kill(error) => error.kind(),
        }
    }
}

impl Classify for CreateError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::Admin(error) => error.kind(),
            Self::Branch { branch, source } => source.kind().branch(branch),
            Self::Occupied { path } => Kind::new(Code::Conflict)
                .path(path)
                .hint("choose another `--name`, or move away what lies there"),
            Self::Directory(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
            Self::Space { path, .. } => Kind::new(Code::NoSpace).path(path).hint(
                "free some space, or lower `pool.min_free`; `windrow list` shows what the worktrees are",
            ),
            Self::Tree(error) => error.kind(),
            Self::Materialise(error) => error.kind(),
            Self::Index(error) => error.kind(),
            Self::Carry(error) => error.kind(),
            Self::Attributes(error) => error.kind(),
            Self::Checkout(error) => error.kind(),
            Self::Unverified(error) => error.kind(),
        }
    }
}

impl Classify for AcquireError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::Base(error) => error.kind(),
            Self::Head(error) => error.kind(),
            Self::Unborn { repository } => {
                Kind::new(Code::NotFound).path(repository).hint("make a first commit")
            }
            Self::Template(_) => Kind::new(Code::Config).hint("see `windrow config branch.template`"),
            Self::Unseen { name } => Kind::new(Code::Conflict)
                .worktree(name)
                .hint(format!("`windrow run --name {name} -- CMD` goes on in it")),
            Self::NameTaken { name, .. } => {
                Kind::new(Code::Busy).worktree(name).hint(format!("`windrow show {name}` tells who has it"))
            }
            Self::BranchInUse { branch, path } => {
                Kind::new(Code::Conflict).branch(branch).path(path).hint("choose another `--branch`")
            }
            Self::OtherBranch { name } => Kind::new(Code::Conflict)
                .worktree(name)
                .hint("leave out `--branch` and `--detach` to go on in it, or choose another `--name`"),
            Self::BranchExists { branch } => Kind::new(Code::Conflict)
                .branch(branch)
                .hint("leave out `--base`, or choose another `--branch`"),
            Self::KeyHeld { .. } => {
                Kind::new(Code::Busy).hint("wait until it has ended, or use another `--key`")
            }
            Self::StillOccupied { name, .. } => Kind::new(Code::Busy)
                .worktree(name)
                .hint("end those processes, or wait until they have ended"),
            Self::Exhausted { max, holders } => {
                let hint = "wait with `--wait 10m`, release one, or raise `pool.max_worktrees`";
                Kind::new(Code::PoolExhausted)
                    .hint(hint)
                    .detail(|details| tell_holders(details, *max, holders))
            }
            Self::NoPorts { .. } => Kind::new(Code::PoolExhausted)
                .hint("widen `ports.range`, lower `ports.count`, or release a worktree"),
            Self::NoSuchProcess { .. } => {
                Kind::new(Code::NotFound).hint("name a process that runs; `--pid $$` is the shell that calls")
            }
            Self::UnknownSession(_) => Kind::new(Code::NotFound).hint(NEW_SESSION),
            Self::EndedSession(_) => Kind::new(Code::Conflict).hint(NEW_SESSION),
            Self::Create { name, source } => source.kind().worktree(name),
        }
    }
}

fn tell_holders(details: &mut Details, max: u32, holders: &[HeldBy]) {
    let held = |held: &HeldBy| HeldWorktree {
        worktree: held.worktree.to_string(),
        holder: held.holder.clone(),
        since: held.since.into(),
    };
    details.max_worktrees = Some(max);
    details.holders = holders.iter().map(held).collect();
}

impl Classify for TaskError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Coordination(error) => error.kind(),
            Self::UnknownState { known, .. } => Kind::new(Code::Usage)
                .hint(format!("`task.states` in the configuration has: {}", known.join(", "))),
        }
    }
}

impl Classify for MapError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Select(error) => error.kind(),
            Self::SameKey { .. } | Self::UnknownPredecessor { .. } | Self::Circle { .. } => {
                Kind::new(Code::Usage)
            }
            Self::Running { .. } => Kind::new(Code::Busy).hint("wait until it has ended, or use another `--batch`"),
            Self::NothingToResume { .. } => Kind::new(Code::NotFound)
                .hint("give the same tasks and command as before, or the same `--batch`; without `--resume` all begin"),
        }
    }
}

impl Classify for SelectError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Unknown { .. } => {
                Kind::new(Code::NotFound).hint("`windrow list` shows those that are there")
            }
            Self::NotLeased { name, .. } => Kind::new(Code::Conflict)
                .worktree(name)
                .hint(format!("`windrow acquire --name {name}` leases it")),
            Self::Unseen { name } => Kind::new(Code::Busy)
                .worktree(name)
                .hint("somebody works on it, or this user may mount nothing: `windrow doctor --strategies`"),
            Self::Lost { name } => Kind::new(Code::Conflict).worktree(name).hint(format!(
                "`windrow release {name}` gives it back; nothing that it does not know is removed"
            )),
        }
    }
}

impl Classify for RescueError {
    fn kind(&self) -> Kind {
        match self {
            Self::Git(error) => error.kind(),
            Self::Snapshot(error) => error.kind(),
            Self::Tree(error) => error.kind(),
            Self::Index(error) => error.kind(),
            Self::Head(error) => error.kind(),
            Self::Operations(error) => error.kind(),
            Self::Submodules(error) => error.kind(),
            Self::Pattern(error) => error.kind(),
            Self::Materialise(error) => error.kind(),
            Self::Ref(error) => error.kind(),
            Self::Scan(error) => error.kind(),
            Self::Archive(error) => error.kind(),
            Self::Carry(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
            Self::Records(error) => error.kind(),
            Self::Unsavable(_) | Self::Identity(_) | Self::Unseen => Kind::new(Code::Unsaved),
        }
    }
}

fn fenced(name: &WorktreeName, current: Fence) -> Kind {
    Kind::new(Code::StaleFence)
        .worktree(name)
        .detail(|details| details.fence = Some(current.0))
        .hint("somebody else has the worktree now; acquire again")
}

impl Classify for ReleaseError {
    fn kind(&self) -> Kind {
        match self {
            Self::Select(error) => error.kind(),
            Self::State(error) => error.kind(),
            Self::Fenced { name, current, .. } => fenced(name, *current),
            Self::Busy { name, .. } => {
                Kind::new(Code::Busy).worktree(name).hint("end what uses it, or wait until it has ended")
            }
            Self::Git(error) => error.kind(),
            Self::Head(error) => error.kind(),
        }
    }
}

const NEW_SESSION: &str =
    "start another with `export WINDROW_SESSION=$(windrow session start)`, or unset that variable";

impl Classify for SessionError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Unknown(_) => {
                Kind::new(Code::NotFound).hint("`windrow session list` shows those that are there")
            }
            Self::NoSuchProcess { .. } => {
                Kind::new(Code::NotFound).hint("name a process that runs; `--pid $$` is the shell that calls")
            }
            Self::NoCaller => {
                Kind::new(Code::NotFound).hint("name a process with `--pid`, or a time with `--ttl`")
            }
        }
    }
}

impl Classify for RenewError {
    fn kind(&self) -> Kind {
        match self {
            Self::Select(error) => error.kind(),
            Self::State(error) => error.kind(),
            Self::Fenced { name, current, .. } => fenced(name, *current),
        }
    }
}

impl Classify for ExecError {
    fn kind(&self) -> Kind {
        match self {
            Self::Select(error) => error.kind(),
            Self::Acquire(error) => error.kind(),
            Self::State(error) => error.kind(),
            Self::Supervise(error) => error.kind(),
            Self::Release(error) => error.kind(),
        }
    }
}

impl Classify for RunError {
    fn kind(&self) -> Kind {
        match self {
            Self::Acquire(error) => error.kind(),
            Self::Supervise(error) => error.kind(),
            Self::Release(error) => error.kind(),
        }
    }
}

impl Classify for QueryError {
    fn kind(&self) -> Kind {
        match self {
            Self::Select(error) => error.kind(),
            Self::State(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::Head(error) => error.kind(),
            Self::UnknownRescue(_) => unknown_rescue(),
            Self::Tree(error) => error.kind(),
            Self::Archive(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
        }
    }
}

fn unknown_rescue() -> Kind {
    Kind::new(Code::NotFound).hint("`windrow rescue list` shows those that are there")
}

impl Classify for DropError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Unknown(_) => unknown_rescue(),
            Self::Ref(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
        }
    }
}

impl Classify for PruneError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Git(error) => error.kind(),
        }
    }
}

impl Classify for PoolError {
    fn kind(&self) -> Kind {
        match self {
            Self::Open(error) => error.kind(),
            Self::State(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::Base(error) => error.kind(),
            Self::Head(error) => error.kind(),
            Self::Create(error) => error.kind(),
            Self::Unborn { repository } => {
                Kind::new(Code::NotFound).path(repository).hint("make a first commit")
            }
            Self::NoTemplate => Kind::new(Code::Conflict).hint("`windrow config` tells where these are set"),
            Self::NeedsGit => Kind::new(Code::Conflict)
                .hint("worktrees are made as they are needed; `windrow acquire` makes one"),
            Self::Name { .. } => Kind::new(Code::Internal),
            Self::Unsaved { name, .. } => Kind::new(Code::Unsaved).worktree(name),
            Self::Moved { root } => Kind::new(Code::NotARepository).path(root),
            Self::Helper { source } => Kind::io(source),
        }
    }
}

impl Classify for ReconcileError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::Tree(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
            Self::NoSnapshot { .. } | Self::Nameless { .. } => Kind::new(Code::Unsaved),
        }
    }
}

impl Classify for AdoptError {
    fn kind(&self) -> Kind {
        let refused = |path, hint: &str| Kind::new(Code::Conflict).path(path).hint(hint);
        match self {
            Self::State(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::Head(error) => error.kind(),
            Self::Directory(error) => error.kind(),
            Self::Io { path, source } => Kind::io(source).path(path),
            Self::Missing { path } => Kind::new(Code::NotFound).path(path).hint(
                "`git worktree list` shows those that are there; `git worktree repair` finds moved ones",
            ),
            Self::Main { path } => refused(path, "only worktrees made by `git worktree add` can be adopted"),
            Self::NoRoot { path } => refused(path, "`git worktree list` shows the roots of all worktrees"),
            Self::OtherRepository { path, .. } => {
                refused(path, "name the repository it belongs to with `--repo`, or stand in it")
            }
            Self::Broken { path, .. } => refused(path, "`git worktree repair` with its path mends the links"),
            Self::Relative { path } => refused(
                path,
                "`git -c worktree.useRelativePaths=false worktree repair` with its path makes it absolute",
            ),
            Self::Ours { name, path } => {
                refused(path, &format!("`windrow show {name}` tells about it")).worktree(name)
            }
            Self::Unrecorded { path } => refused(path, "`windrow reconcile` records it again"),
            Self::Locked { path, .. } => {
                refused(path, "somebody may be using it; `git worktree unlock` with its path, if not")
            }
            Self::Unborn { path } => Kind::new(Code::NotFound).path(path).hint("make a first commit"),
            Self::NameTaken { name } => {
                Kind::new(Code::Conflict).worktree(name).hint("choose another `--name`")
            }
            Self::BranchInUse { branch, worktree } => Kind::new(Code::Conflict)
                .branch(branch)
                .worktree(worktree)
                .hint(format!("`windrow release {worktree}` first, or check out another branch")),
        }
    }
}

impl Classify for DeinitError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Spare(error) => error.kind(),
            Self::Look(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::Ref { source, .. } => source.kind(),
            Self::BranchTaken { branch, .. } => Kind::new(Code::Conflict)
                .detail(|details| details.branch = Some(branch.clone()))
                .hint("rename that branch with `git branch -m`, then try again"),
            Self::Drop(error) => error.kind(),
            Self::Archive { source, .. } => source.kind(),
            Self::Release { name, source } => source.kind().worktree(name),
            Self::Lock(error) => error.kind(),
            Self::Keeper { .. } => Kind::new(Code::Busy)
                .hint("wait until it has ended; `.git/windrow/logs/_keeper.log` says what it does"),
            Self::Meanwhile => Kind::new(Code::Busy).hint("end what uses windrow here, then try again"),
            Self::Io { path, source } => Kind::io(source).path(path),
        }
    }
}

impl Classify for RestoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Unknown(_) => unknown_rescue(),
            Self::Acquire(error) => error.kind(),
            Self::Files { source, .. } => source.kind(),
        }
    }
}
