//! The core of the integration suite, run with one strategy on a file system of its own.
//!
//! The tests are the ones that every build runs. The variable of the kit has each repository get a template first, and fails the
//! test where the next worktree would be made in another way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};
use windrow_testkit::{FileSystem, STRATEGY, loop_fs_in, root_only};

use crate::{Result, bench::Alone};

/// Which tests to run, and how.
#[derive(Args)]
pub(crate) struct StrategyTests {
    /// The file system, in an image of its own; needs root.
    #[arg(long)]
    on: Kind,
    /// The strategy: checkout, copy, clone, snapshot.
    #[arg(long)]
    strategy: String,
    /// Size of the image; it takes only the room of what is in it.
    #[arg(long, default_value_t = 8, value_name = "GIBIBYTES", value_parser = clap::value_parser!(u64).range(1..=64))]
    size: u64,
    /// How many tests at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// The test program; built from this workspace if absent.
    #[arg(long)]
    tests: Option<PathBuf>,
    /// Only tests whose name holds one of these, of whatever module.
    #[arg(value_name = "FILTER")]
    only: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Ext4,
    Btrfs,
    Xfs,
}

impl Kind {
    fn file_system(self) -> FileSystem {
        match self {
            Self::Ext4 => FileSystem::Ext4,
            Self::Btrfs => FileSystem::Btrfs,
            Self::Xfs => FileSystem::Xfs,
        }
    }
}

/// What makes, ends, saves and brings back worktrees.
const CORE: [&str; 16] = [
    "dropped",
    "endings",
    "h01_h09",
    "h10_h13",
    "h14_h18",
    "keeper",
    "late_writes",
    "lease",
    "leases",
    "rescue",
    "rescues",
    "restore",
    "run",
    "saving",
    "sessions",
    "unfinished",
];

/// Tests that say nothing about a strategy, by how their name begins, and why.
const APART: [(&str, &str); 3] = [
    ("h01_h09::unseen::h09_a_snapshot_is_not_gone_", "it is about snapshots, on an image of its own"),
    ("run::a_descriptor_that_is_not_open_is_refused_before_anything_is_made", LEFT),
    ("sessions::a_lease_is_given_to_no_session_that_is_not_there", LEFT),
];

const LEFT: &str = "it looks whether a directory is made, which was made with the template";

/// Runs the tests and prints what was counted.
///
/// # Errors
///
/// Fails when a test did, or none ran.
pub(crate) fn run(root: &Path, wanted: &StrategyTests) -> Result {
    let tests = wanted.tests.clone().map_or_else(|| build(root), Ok)?.canonicalize()?;
    let selection = Selection::of(listed(&tests)?, &wanted.only);
    let kind = wanted.on.file_system();
    let needs = format!("the tests with strategy {} on {}", wanted.strategy, kind.name());
    let Some(alone) = Alone::begin(&needs, &std::env::temp_dir())? else { return Ok(()) };
    let image =
        root_only(&needs).and_then(|root| loop_fs_in(root, kind, wanted.size << 30, alone.directory()));
    let Some(image) = image else { return Ok(()) };
    println!("strategy {} on {}: {} tests", wanted.strategy, kind.name(), selection.chosen.len());
    let said = alone.directory().join("said");
    let mut command = Command::new(&tests);
    command.arg("--exact").arg(format!("--test-threads={}", wanted.jobs)).args(&selection.chosen);
    // Where the tests of a package run: what they compare with is found from there.
    command
        .current_dir(root.join("crates/windrow"))
        .env("TMPDIR", image.path())
        .env(STRATEGY, &wanted.strategy);
    let counted = watch(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&said)?));
    let said = fs::read_to_string(&said).unwrap_or_default();
    // Nothing that a failed test left may keep the image in use.
    alone.kill_others();
    drop(image);
    report(&selection, &counted?, &said)
}

/// Builds the test programs in the form that everything else builds them in, and finds the one that runs the real binary.
fn build(root: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let words = ["test", "--workspace", "--locked", "--no-run", "--message-format=json-render-diagnostics"];
    let built = Command::new(cargo).args(words).current_dir(root).stderr(Stdio::inherit()).output()?;
    if !built.status.success() {
        return Err("the tests do not build".into());
    }
    let messages = String::from_utf8_lossy(&built.stdout).into_owned();
    messages.lines().find_map(program).ok_or_else(|| "cargo names no test program `it`".into())
}

/// The program that a message of cargo's names, if it is that of the integration tests.
fn program(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_it = message["reason"] == "compiler-artifact" && message["target"]["name"] == "it";
    message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
}

/// The names of all tests.
fn listed(tests: &Path) -> Result<Vec<String>> {
    let list = Command::new(tests).args(["--list", "--format", "terse"]).output()?;
    let text = String::from_utf8(list.stdout)?;
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test").map(str::to_owned)).collect())
}

/// Which tests run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Selection {
    chosen: Vec<String>,
    /// Those that do not although they were meant, with why.
    apart: Vec<(String, &'static str)>,
}

impl Selection {
    fn of(all: Vec<String>, only: &[String]) -> Self {
        let is_core = |name: &str| CORE.contains(&module(name));
        let is_wanted = |name: &str| only.iter().any(|only| name.contains(only.as_str()));
        let mut selection = Self::default();
        for name in all {
            if !(if only.is_empty() { is_core(&name) } else { is_wanted(&name) }) {
                continue;
            }
            match APART.iter().find(|(apart, _)| name.starts_with(apart)) {
                Some((_, why)) => selection.apart.push((name, *why)),
                None => selection.chosen.push(name),
            }
        }
        selection
    }
}

fn module(name: &str) -> &str {
    name.split("::").next().unwrap_or(name)
}

/// What the tests came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    passed: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Counted {
    /// Takes a line of the test program; tells whether it is to be shown.
    fn read(&mut self, line: &str) -> bool {
        let outcome = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "));
        match outcome {
            Some((name, "ok")) => !self.passed.insert(name.to_owned()),
            Some((name, "FAILED")) => self.failed.insert(name.to_owned()),
            // How a failure looked stands below all outcomes.
            _ => !self.failed.is_empty(),
        }
    }
}

/// Runs the tests and shows those that fail as they do.
fn watch(command: &mut Command) -> Result<Counted> {
    let mut child = command.spawn()?;
    let mut counted = Counted::default();
    let output = child.stdout.take().ok_or("a pipe was asked for")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        if counted.read(&line) {
            println!("{line}");
        }
    }
    child.wait()?;
    Ok(counted)
}

fn report(selection: &Selection, counted: &Counted, said: &str) -> Result {
    println!("module         passed  failed");
    let modules: BTreeSet<&str> = selection.chosen.iter().map(|name| module(name)).collect();
    for one in modules {
        let of = |names: &BTreeSet<String>| names.iter().filter(|name| module(name) == one).count();
        println!("{one:<14} {:>6}  {:>6}", of(&counted.passed), of(&counted.failed));
    }
    selection.apart.iter().for_each(|(name, why)| println!("not run: {name}: {why}"));
    for (why, times) in skipped(said) {
        println!("{times} times {why}");
    }
    let (passed, failed) = (counted.passed.len(), counted.failed.len());
    println!("{passed} passed, {failed} failed, {} not run", selection.apart.len());
    let silent = selection.chosen.len() - passed - failed;
    match (silent, failed) {
        (0, 0) if passed > 0 => Ok(()),
        (0, 0) => Err("no test has such a name".into()),
        (0, _) => Err(format!("{failed} tests failed").into()),
        (silent, _) => Err(format!("{silent} tests did not say how they ended:\n{said}").into()),
    }
}

/// What tests said they left out, with how often.
fn skipped(said: &str) -> BTreeMap<&str, usize> {
    let mut times = BTreeMap::new();
    for line in said.lines().filter(|line| line.starts_with("SKIPPED: ")) {
        *times.entry(line).or_default() += 1;
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_core_is_chosen_by_module_and_anything_by_name() {
        let all = ["lease::one", "release_notes::two", "warm::lease", "run::three::four"];
        assert_eq!(Selection::of(names(&all), &[]).chosen, ["lease::one", "run::three::four"]);
        assert_eq!(Selection::of(names(&all), &names(&["warm::"])).chosen, ["warm::lease"]);
    }

    #[test]
    fn outcomes_are_counted_and_only_failures_shown() {
        let mut counted = Counted::default();
        assert!(!counted.read("running 2 tests"));
        assert!(!counted.read("test lease::one ... ok"));
        assert!(counted.read("test lease::two ... FAILED"));
        assert!(counted.read("---- lease::two stdout ----"));
        assert_eq!(counted.passed.len() + counted.failed.len(), 2);
        let selection = Selection { chosen: names(&["lease::one"]), apart: Vec::new() };
        let passed = Counted { passed: ["lease::one".to_owned()].into(), failed: BTreeSet::new() };
        assert!(report(&selection, &passed, "").is_ok());
        assert!(report(&selection, &Counted::default(), "killed").is_err(), "it did not say how it ended");
        assert!(report(&Selection::default(), &Counted::default(), "").is_err(), "nothing ran");
    }

    #[test]
    fn what_was_left_out_is_told_once() {
        let said = "SKIPPED: a\nnoise\nSKIPPED: b\nSKIPPED: a\n";
        assert_eq!(skipped(said), BTreeMap::from([("SKIPPED: a", 2), ("SKIPPED: b", 1)]));
    }

    #[test]
    fn the_test_program_is_the_one_that_cargo_names() {
        let line = |name: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"executable":"/x/{name}"}}"#
            )
        };
        assert_eq!(program(&line("it")), Some("/x/it".into()));
        assert_eq!(program(&line("process")), None);
        assert_eq!(program("{}"), None);
    }
}
