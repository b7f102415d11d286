//! The kinds of what goes wrong with the queue of landings.

use windrow_core::ops::QueueError;

use super::kind::{Classify, Kind};
use crate::wire::Code;

impl Classify for QueueError {
    fn kind(&self) -> Kind {
        match self {
            Self::State(error) => error.kind(),
            Self::Open(error) => error.kind(),
            Self::Land(error) => error.kind(),
            Self::Unknown(_) => {
                Kind::new(Code::NotFound).hint("`windrow queue list --all` shows those that are there")
            }
            Self::NotWaiting { state, .. } if state.is_over() => {
                Kind::new(Code::Conflict).detail(|details| details.state = Some(state.to_string()))
            }
            Self::NotWaiting { number, state } => Kind::new(Code::Busy)
                .detail(|details| details.state = Some(state.to_string()))
                .hint(format!("`windrow queue wait {number}` tells what becomes of it")),
            Self::TimedOut { state, .. } => Kind::new(Code::Busy)
                .detail(|details| details.state = Some(state.to_string()))
                .hint("it stays in the queue"),
            Self::Moved { root } => Kind::new(Code::NotFound).path(root),
        }
    }
}
