//! Single rules about what may stand where.

use super::Violation;
use super::paths::{self, NamedPath};
use crate::source::SourceFile;

const MAX_LINES: usize = 900;

/// Where processes may be started: their two homes, and tools. Tests may too, where the reason is written: a lint
/// that only `#[expect(…, reason = "…")]` silences sees them.
const SPAWNERS: [&str; 4] = [
    "crates/windrow-core/src/git/command.rs",
    "crates/windrow-core/src/process/",
    "crates/windrow-testkit/",
    "xtask/",
];

/// Where printing and reading the environment are at home; tests may do both, and examples are programs.
const INTERFACES: [&str; 4] =
    ["crates/windrow/src/", "crates/windrow-core/examples/", "crates/windrow-testkit/", "xtask/"];

/// The functions of `std::env` that read what a library has to be told.
const READERS: [&str; 8] =
    ["var", "var_os", "vars", "vars_os", "args", "args_os", "current_dir", "current_exe"];

/// Waiting in tests is at home here.
const POLLING: &str = "crates/windrow-testkit/src/poll.rs";

pub(super) fn check(file: &SourceFile) -> Vec<Violation> {
    let named = paths::all(file);
    let mut violations = whole_file(file);
    violations.extend(attributes(file));
    violations.extend((0..file.tokens.len()).filter_map(|at| token(file, at)));
    let path_rules = [spawns, reads_environment, sleeps_in_test, impure_model];
    let broken = |path: &NamedPath| path_rules.iter().find_map(|rule| rule(file, path));
    violations
        .extend(named.iter().filter_map(|path| Some(Violation::new(&file.path, path.line, broken(path)?))));
    violations
}

fn whole_file(file: &SourceFile) -> Vec<Violation> {
    let mut violations = Vec::new();
    if !file.text.starts_with("//!") {
        violations.push(Violation::new(&file.path, 1, "a file begins with `//!` and what it is for"));
    }
    let lines = file.text.lines().count();
    if lines > MAX_LINES {
        violations.push(Violation::new(
            &file.path,
            lines,
            format!("{lines} lines are more than {MAX_LINES}"),
        ));
    }
    violations
}

fn attributes(file: &SourceFile) -> Vec<Violation> {
    let message = |at: usize| match file.at(at) {
        "allow" if file.at(at + 1) == "(" => Some("use `#[expect(…, reason = \"…\")]` instead of `allow`"),
        "ignore" if ["]", "=", ")", ","].contains(&file.at(at + 1)) => Some("a test is never ignored"),
        // In the same directory it only gives a file another name.
        "path" if file.at(at + 1) == "=" && file.at(at + 2).contains('/') => {
            Some("`#[path]` to another directory would hide the file from these rules")
        }
        _ => None,
    };
    let report = |at: usize| Some(Violation::new(&file.path, file.tokens[at].line, message(at)?));
    file.attributes().into_iter().flatten().filter_map(report).collect()
}

/// Rules about macros.
fn token(file: &SourceFile, at: usize) -> Option<Violation> {
    if file.at(at + 1) != "!" {
        return None;
    }
    let message = match file.at(at) {
        "todo" | "unimplemented" if ["(", "[", "{"].contains(&file.at(at + 2)) => "unfinished code",
        "print" | "println" | "eprint" | "eprintln" | "dbg" if !may_print(file, at) => {
            "only `crates/windrow/src` prints"
        }
        _ => return None,
    };
    Some(Violation::new(&file.path, file.tokens[at].line, message))
}

fn may_print(file: &SourceFile, at: usize) -> bool {
    file.is_test(at) || INTERFACES.iter().any(|place| file.path.starts_with(place))
}

fn spawns(file: &SourceFile, path: &NamedPath) -> Option<String> {
    if file.is_test(path.at) || SPAWNERS.iter().any(|place| file.path.starts_with(place)) {
        return None;
    }
    let hides = path.starts_with(&["std", "process"]) && hides_more(path, 2);
    let command = path.segments.windows(2).any(|pair| pair == ["process", "Command"]);
    (hides || command).then(|| "processes start only in `git/command.rs` and `process/`".to_owned())
}

fn reads_environment(file: &SourceFile, path: &NamedPath) -> Option<String> {
    if may_print(file, path.at) {
        return None;
    }
    let hides = path.starts_with(&["std", "env"]) && hides_more(path, 2);
    let reads = path.segments.windows(2).any(|pair| pair[0] == "env" && READERS.contains(&pair[1].as_str()));
    let prints = path
        .segments
        .windows(2)
        .any(|pair| pair[0] == "io" && ["stdout", "stderr"].contains(&pair[1].as_str()));
    (hides || reads || prints)
        .then(|| "only `crates/windrow/src` prints or reads environment and directory".to_owned())
}

fn sleeps_in_test(file: &SourceFile, path: &NamedPath) -> Option<String> {
    let sleeps = path.segments.windows(2).any(|pair| pair == ["thread", "sleep"])
        || (path.starts_with(&["std", "thread"]) && hides_more(path, 2));
    let bad = sleeps && file.is_test(path.at) && file.path != POLLING;
    bad.then(|| "tests poll with a bound (`windrow_testkit::poll_until`) and never sleep".to_owned())
}

fn impure_model(file: &SourceFile, path: &NamedPath) -> Option<String> {
    if !file.path.starts_with("crates/windrow-model/src/") || file.is_test(path.at) {
        return None;
    }
    let io = ["fs", "env", "process", "net", "thread", "io"]
        .iter()
        .any(|module| path.starts_with(&["std", module]));
    let clock = path.segments.last().is_some_and(|last| last == "now");
    (io || clock).then(|| "the model does no I/O and reads no clock".to_owned())
}

/// Says whether a path brings in a module of `length` segments under another name or with everything in it, so
/// that what is used of it can no longer be seen.
fn hides_more(path: &NamedPath, length: usize) -> bool {
    let glob = path.segments.get(length).is_some_and(|segment| segment == "*");
    let own_name = path.segments.get(length - 1);
    let renamed =
        path.segments.len() == length && path.renamed.is_some() && path.renamed.as_ref() != own_name;
    glob || renamed
}

#[cfg(test)]
mod tests;
