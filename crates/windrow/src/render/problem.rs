//! Failures and notices.

use super::{
    style::{CARE, ERROR, TYPED, paint},
    text::safe,
};
use crate::errors::Problem;

/// `error: …` and, where there is one, `hint: …`.
pub(crate) fn problem(problem: &Problem) -> String {
    let error = format!("{}: {}\n", paint(ERROR, "error"), lines(&problem.message));
    let page = problem.page.as_deref().unwrap_or_default();
    match &problem.hint {
        Some(hint) => format!("{error}{page}{}: {hint}\n", paint(TYPED, "hint")),
        None => error + page,
    }
}

/// Something the user should know.
pub(crate) fn notice(text: &str) -> String {
    format!("{}: {}\n", paint(CARE, "note"), lines(text))
}

/// The text made safe, line by line; what follows the first line is set in.
fn lines(text: &str) -> String {
    text.trim_end().lines().map(safe).collect::<Vec<_>>().join("\n       ")
}
