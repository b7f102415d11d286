//! Which work will not merge: a forecast for all worktrees that are in use, uncommitted work included.
//!
//! Each piece of work is merged with its target as it would land, and then every two of them with each other; pairs that cannot
//! be in conflict by what they touched ([`windrow_model::Footprint`]) are let go by.
//!
//! # Locking
//! None: nothing of anybody's is written, and what is looked at may change meanwhile. A forecast tells of one moment.
//!
//! # Crash safety
//! What is made on the way lies aside ([`crate::git::Aside`]) and goes with it.

mod error;
mod go;
mod outcome;
mod work;

pub use self::{
    error::ForecastError,
    go::forecast,
    outcome::{Against, Collision, Forecast, ForecastRequest, ForecastWork, NotLookedAt},
};
