//! The rules of this code that no lint knows. `tests::the_workspace_is_tidy` runs them with the other tests.

mod imports;
mod manifests;
mod paths;
mod rules;

use std::fmt;
use std::path::Path;

use crate::Result;
use crate::source::{self, SourceFile};

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    path: String,
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Checks the whole workspace and lists what is wrong.
///
/// # Errors
///
/// Fails when a rule is broken or a file cannot be read.
pub(crate) fn run(root: &Path) -> Result {
    let violations = check(root)?;
    for violation in &violations {
        println!("{violation}");
    }
    if violations.is_empty() { Ok(()) } else { Err(format!("{} broken rules", violations.len()).into()) }
}

fn check(root: &Path) -> Result<Vec<Violation>> {
    let files = source::workspace(root)?;
    if files.is_empty() {
        return Err("no Rust files found: the check would prove nothing".into());
    }
    let mut violations: Vec<Violation> = files.iter().flat_map(check_file).collect();
    violations.extend(manifests::check(root)?);
    violations.sort();
    violations.dedup();
    Ok(violations)
}

fn check_file(file: &SourceFile) -> Vec<Violation> {
    let mut violations = imports::check(file);
    violations.extend(rules::check(file));
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let lines: Vec<String> =
            check(&crate::root()).expect("readable").iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }

    #[test]
    fn an_empty_place_is_no_success() {
        let empty = tempfile::tempdir().expect("a temporary directory");
        assert!(check(empty.path()).is_err());
    }
}
