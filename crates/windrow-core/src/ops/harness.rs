//! Finding the program that runs an agent among those that called us.

use super::error::StateError;
use crate::process;

/// The nearest process above ours that has one of these command names, as the kernel keeps them; `None` when there is none.
///
/// # Errors
/// The process table cannot be read.
pub fn ancestor_named(names: &[&str]) -> Result<Option<u32>, StateError> {
    let own = std::process::id();
    let above = process::ancestors(own).map_err(|source| StateError::Liveness { pid: own, source })?;
    Ok(above.iter().find(|one| names.contains(&one.command.as_str())).map(|one| one.process.pid))
}
