//! The kinds of what keeps work from landing.

use std::path::Path;

use bstr::BString;
use windrow_core::ops::{ConflictReport, ForecastError, LandError, Overlap, SyncError, VerifyFailure};
use windrow_model::{LandStrategy, WorktreeName};

use super::kind::{Classify, Kind};
use crate::{
    render,
    wire::{Bytes, Code, Conflict, FailedVerification, InTheWay, Obstacle},
};

impl Classify for LandError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::Select(error) => error.kind(),
            Self::Head(error) => error.kind(),
            Self::Tree(error) => error.kind(),
            Self::Operations(error) => error.kind(),
            Self::Snapshot(error) => error.kind(),
            Self::Ref(error) => error.kind(),
            Self::Files(error) => error.kind(),
            Self::Stage(error) => error.kind(),
            Self::Attributes(error) => error.kind(),
            Self::Index(error) => error.kind(),
            Self::Path(_) => Kind::new(Code::Conflict),
            Self::Io { path, source } => Kind::io(source).path(path),
            Self::UnknownRescue(_) => {
                Kind::new(Code::NotFound).hint("`windrow rescue list` shows those that are there")
            }
            Self::UnknownBranch(branch) => Kind::new(Code::NotFound).branch(branch),
            Self::NoTarget => Kind::new(Code::Usage).hint("name the branch to land on with `--onto BRANCH`"),
            Self::OnItself(branch) => {
                Kind::new(Code::Conflict).branch(branch).hint("name another with `--onto BRANCH`")
            }
            Self::NotInAWorktree => Kind::new(Code::Usage)
                .hint("`--prepare` needs a leased or kept worktree that is on a branch and no overlay"),
            Self::NotCheckedOut(target) => {
                Kind::new(Code::Usage).branch(target).hint("land it without `--no-commit`")
            }
            Self::NeedsCommits(_) => Kind::new(Code::Usage)
                .hint("add `--strategy merge` or `--squash`, or leave `--no-commit` out"),
            Self::Unborn(name) => Kind::new(Code::NotFound).worktree(name).hint("commit something first"),
            Self::Uncommitted { name, paths, count } => Kind {
                page: Some(render::uncommitted(paths, *count)),
                ..blocked(name, paths).hint("commit it, or land it as well with `--include-uncommitted`")
            },
            Self::Uncommittable { name, paths } => blocked(name, paths).hint("commit what is to be landed"),
            Self::Unfinished { name, .. } => {
                Kind::new(Code::Blocked).worktree(name).hint("finish or abort it there first")
            }
            Self::Conflict(report) => conflict(report),
            Self::NotAhead { target } => Kind::new(Code::Conflict)
                .branch(target)
                .hint("land by `--strategy merge`, `squash` or `rebase` instead"),
            Self::Unrelated { target, .. } => Kind::new(Code::Conflict).branch(target),
            Self::Overlaps { root, paths } => overlaps(root, paths),
            Self::Occupied { root, .. } => {
                Kind::new(Code::Busy).path(root).hint("nothing was changed; finish it there, then land again")
            }
            Self::Held { target, name } => Kind::new(Code::Busy)
                .branch(target)
                .worktree(name)
                .hint(format!("nothing was changed; `windrow release {name}` first")),
            Self::Unseen { target, root } => Kind::new(Code::Conflict)
                .branch(target)
                .path(root)
                .hint("bring its files back, or let git forget it with `git worktree prune`"),
            Self::NoExchange { root, .. } => Kind::new(Code::Conflict).path(root).hint(
                "nothing was changed; check out another branch there, land, and check the target out again",
            ),
            Self::IndexLocked(path) => Kind::new(Code::Busy)
                .path(path)
                .hint("nothing was changed; if no git runs there, remove that file"),
            Self::VerifyFailed(failure) => not_verified(failure),
            Self::Interrupted { .. } => Kind::new(Code::Busy).hint("nothing was changed; land again"),
            Self::Trial(error) => error.kind(),
            Self::Supervise(error) => error.kind(),
            Self::Moved { target } => {
                Kind::new(Code::TargetMoved).branch(target).hint("nothing was changed; land again")
            }
        }
    }
}

impl Classify for ForecastError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Select(error) => error.kind(),
            Self::UnknownBranch(branch) => Kind::new(Code::NotFound).branch(branch),
            Self::Git(error) => error.kind(),
            Self::Tree(error) => error.kind(),
            Self::Aside { path, source } => Kind::io(source).path(path),
        }
    }
}

impl Classify for SyncError {
    fn kind(&self) -> Kind {
        match self {
            Self::Land(error) => error.kind(),
            Self::State(error) => error.kind(),
            Self::Select(error) => error.kind(),
            Self::NoTarget => {
                Kind::new(Code::Usage).hint("name the branch whose commits are to come with `--from BRANCH`")
            }
            Self::Detached(name) => Kind::new(Code::Conflict).worktree(name).hint("check out a branch there"),
            Self::Overlaid(name) => Kind::new(Code::Conflict)
                .worktree(name)
                .hint(format!("let git do it there: `windrow exec {name} -- git merge BRANCH`")),
            Self::Busy(name) => Kind::new(Code::Busy).worktree(name),
            Self::Conflict(report) => not_synced(report),
            Self::Overlaps { name, paths } => Kind {
                page: Some(render::overlaps(paths)),
                ..Kind::new(Code::Blocked)
                    .worktree(name)
                    .detail(|details| details.paths = paths.iter().map(in_the_way).collect())
                    .hint("nothing was changed; commit those there, then sync again")
            },
        }
    }
}

fn overlaps(root: &Path, paths: &[Overlap]) -> Kind {
    Kind {
        page: Some(render::overlaps(paths)),
        ..Kind::new(Code::Blocked)
            .path(root)
            .detail(|details| details.paths = paths.iter().map(in_the_way).collect())
            .hint("nothing was changed; commit, stash or move those away, then land again")
    }
}

fn not_synced(report: &ConflictReport) -> Kind {
    let from = report.branch.as_ref().map(ToString::to_string).unwrap_or_else(|| report.source.short());
    let hint = match &report.worktree {
        Some(name) => format!(
            "nothing was changed; merge it there (`windrow exec {name} -- git merge {from}`), or hand the document of `--json` to \
             the agent"
        ),
        None => "nothing was changed".to_owned(),
    };
    Kind {
        page: Some(render::conflict(report)),
        ..Kind::new(Code::Conflict)
            .branch(&report.target)
            .detail(|details| details.conflict = Some(Box::new(Conflict::from(report))))
            .hint(hint)
    }
}

fn conflict(report: &ConflictReport) -> Kind {
    Kind {
        page: Some(render::conflict(report)),
        ..Kind::new(Code::Conflict)
            .branch(&report.target)
            .detail(|details| details.conflict = Some(Box::new(Conflict::from(report))))
            .hint(ways_on(report))
    }
}

/// What to do about a conflict.
fn ways_on(report: &ConflictReport) -> String {
    let target = &report.target;
    if let Some(root) = &report.prepared {
        let how = match report.strategy {
            LandStrategy::Rebase => ", by `--strategy merge` or `squash`",
            _ => "",
        };
        return format!(
            "the merge is in progress in `{}`: resolve it there, commit, and land again{how}; `git merge --abort` \
             there takes it back",
            root.display()
        );
    }
    match (&report.worktree, &report.branch) {
        (Some(name), Some(branch)) => format!(
            "nothing was changed. Two ways on: rebase it (`windrow run --branch {branch} -- git rebase {target}`, or `git \
             rebase {target}` in its worktree) and land again; or let the agent merge: `--json` has the document for it, and \
             `windrow land {name} --prepare` leaves the merge in progress in its worktree, if that is still leased or kept"
        ),
        (None, Some(branch)) => format!(
            "nothing was changed. Two ways on: rebase it (`windrow run --branch {branch} -- git rebase {target}`) and \
             land again; or hand the document of `--json` to the agent"
        ),
        (_, None) => {
            "nothing was changed; bring it back with `windrow restore`, merge the target there, and land that"
                .to_owned()
        }
    }
}

fn not_verified(failure: &VerifyFailure) -> Kind {
    let hint = match &failure.log {
        Some(log) => format!("nothing was changed; all that it printed is in `{}`", log.display()),
        None => "nothing was changed".to_owned(),
    };
    Kind {
        page: Some(render::tail(&failure.tail)),
        ..Kind::new(Code::VerifyFailed)
            .branch(&failure.target)
            .detail(|details| details.verification = Some(Box::new(FailedVerification::from(failure))))
            .hint(hint)
    }
}

/// Work that is not committed.
fn blocked(name: &WorktreeName, paths: &[BString]) -> Kind {
    let open = |path: &BString| InTheWay { path: Bytes::new(path), kind: None };
    Kind::new(Code::Blocked).worktree(name).detail(|details| details.paths = paths.iter().map(open).collect())
}

fn in_the_way(overlap: &Overlap) -> InTheWay {
    InTheWay { path: Bytes::new(&overlap.path), kind: Some(Obstacle::from(overlap.kind)) }
}
