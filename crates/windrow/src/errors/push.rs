//! The kinds of what keeps work from a remote.

use windrow_core::ops::{ConflictReport, PushError};

use super::kind::{Classify, Kind};
use crate::{
    render,
    wire::{Code, Conflict},
};

impl Classify for PushError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Select(error) => error.kind(),
            Self::Head(error) => error.kind(),
            Self::Tree(error) => error.kind(),
            Self::Git(error) => error.kind(),
            Self::UnknownBranch(branch) => Kind::new(Code::NotFound).branch(branch),
            Self::UnknownRemote(_) => Kind::new(Code::NotFound)
                .hint("`git remote -v` shows those that are there; name one with `--remote`"),
            Self::Unborn(name) => Kind::new(Code::NotFound).worktree(name).hint("commit something first"),
            Self::Detached => Kind::new(Code::Usage).hint("name the branch at the remote with `--to BRANCH`"),
            Self::NeedsHooks => Kind::new(Code::Config)
                .hint("set `push.hooks = true` in your own configuration, or push with git itself"),
            Self::Conflict(report) => conflict(report),
            Self::Unrelated { branch, .. } => Kind::new(Code::Conflict).branch(branch),
            Self::Refused { branch, said, .. } => Kind {
                page: Some(render::said(said)),
                ..Kind::new(Code::PushRefused).branch(branch).hint("nothing was changed")
            },
            Self::Unreachable { source, .. } => Kind {
                code: Code::Unreachable,
                hint: Some(
                    "the branch here is as it was; push again, which first asks whether the remote has it"
                        .to_owned(),
                ),
                ..source.kind()
            },
            Self::Moved { branch, .. } => {
                Kind::new(Code::TargetMoved).branch(branch).hint("nothing was changed; push again")
            }
        }
    }
}

fn conflict(report: &ConflictReport) -> Kind {
    Kind {
        page: Some(render::conflict(report)),
        ..Kind::new(Code::Conflict)
            .branch(&report.target)
            .detail(|details| details.conflict = Some(Box::new(Conflict::from(report))))
            .hint("nothing was changed; fetch and merge the remote's branch in the worktree, then push again")
    }
}
