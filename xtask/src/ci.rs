//! Everything that continuous integration runs, in one place for machines and people.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Result, hazards, tidy};

const README_MARKER: &str = "<!-- test-command -->";

type Step = (&'static str, fn(&Path) -> Result);

/// The tests come last, so that their closing lines are the last ones.
const STEPS: [Step; 6] = [
    ("format", |root| cargo(root, &["fmt", "--all", "--check"], &[])),
    ("lints", |root| {
        cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], &[])
    }),
    ("documentation", |root| {
        cargo(root, &["doc", "--workspace", "--no-deps", "--locked"], &[("RUSTDOCFLAGS", "-D warnings")])
    }),
    ("tidy", tidy::run),
    ("hazards", hazards::check),
    ("tests", run_readme_command),
];

/// Runs every step, later ones also after a failure, so that one run shows everything.
///
/// # Errors
///
/// Fails when a step did, naming all that did.
pub(crate) fn run(root: &Path) -> Result {
    let failed: Vec<&str> = STEPS.into_iter().filter_map(|(name, step)| failed(root, name, step)).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

fn failed(root: &Path, name: &'static str, step: fn(&Path) -> Result) -> Option<&'static str> {
    println!("== {name}");
    let error = step(root).err()?;
    eprintln!("error: {name}: {error}");
    Some(name)
}

fn run_readme_command(root: &Path) -> Result {
    let text = fs::read_to_string(root.join("README.md"))
        .map_err(|error| format!("cannot read README.md: {error}"))?;
    let command = test_command(&text)?;
    println!("$ {command}");
    let mut shell = Command::new("sh");
    succeed(shell.arg("-ec").arg(&command).current_dir(root))
}

/// Takes the test command out of the README: what stands between the markers, without the code fence.
fn test_command(text: &str) -> Result<String> {
    let (_, rest) = text.split_once(README_MARKER).ok_or("README.md has no `<!-- test-command -->`")?;
    let (inside, _) = rest.split_once("<!--").ok_or("the test command in README.md has no closing marker")?;
    let lines: Vec<&str> =
        inside.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("```")).collect();
    if lines.is_empty() {
        return Err("the test command in README.md is empty".into());
    }
    Ok(lines.join("\n"))
}

fn cargo(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result {
    println!("$ cargo {}", arguments.join(" "));
    run_cargo(root, arguments, environment)
}

/// Runs the cargo that runs us.
///
/// # Errors
///
/// Fails when it does.
pub(crate) fn run_cargo(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    succeed(Command::new(cargo).args(arguments).envs(environment.iter().copied()).current_dir(root))
}

fn succeed(command: &mut Command) -> Result {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("ended with {status}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_command_is_taken_out_of_its_fence() {
        let text = "Text\n<!-- test-command -->\n```sh\ncargo test --locked\n```\n<!-- /test-command -->\n";
        assert_eq!(test_command(text).expect("there"), "cargo test --locked");
    }

    #[test]
    fn a_missing_or_empty_command_fails() {
        for text in ["", "<!-- test-command -->", "<!-- test-command -->\n```\n```\n<!-- /test-command -->"] {
            assert!(test_command(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_failing_step_is_named_and_does_not_stop_the_others() {
        assert_eq!(failed(Path::new("/"), "x", |_| Err("no".into())), Some("x"));
        assert!(cargo(Path::new("/"), &["no-such-command"], &[]).is_err());
    }
}
