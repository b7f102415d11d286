//! Bringing work to a remote: one branch there becomes the commit here, and nothing that somebody else pushed is lost.
//!
//! Each round first asks where the remote's branch is, and pushes on the condition that it is still there. Whether a push was taken
//! is never guessed from its failure: the next round sees it.
//!
//! # Locking
//! None: the condition of the push is the lock, and it holds for every machine.
//!
//! # Crash safety
//! A kill leaves the remote before or after; the same command later finds out which. No branch goes before the remote was heard
//! to hold it ([`acknowledged`](mod@acknowledged)).

pub(super) mod acknowledged;
mod error;
mod go;
mod outcome;
mod source;

pub use self::{
    error::PushError,
    go::push,
    outcome::{PullRequest, PullRequestWish, PushRequest, PushSource, Pushed, PushedFate},
};
