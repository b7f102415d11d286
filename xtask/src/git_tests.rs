//! Git's own test scripts, run in repositories that hold a worktree of ours, next to the same scripts without one.
//!
//! The scripts come from a built source tree of git that the caller names; nothing of it is kept. Each begins with `. ./test-lib.sh`:
//! we run it in a directory where that file reads git's, and then makes a worktree in the script's repository.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::Result;

/// Which scripts to run.
#[derive(Args)]
pub(crate) struct GitTests {
    /// A source tree of git in which `make` was run.
    #[arg(long, value_name = "DIR")]
    source: PathBuf,
    /// The program; built from this workspace if absent.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Only the scripts whose name begins so.
    #[arg(value_name = "SCRIPT")]
    only: Vec<String>,
}

/// The scripts about worktrees, and those about what worktrees share: refs, branches, stash, pruning of objects.
const SCRIPTS: [&str; 14] = [
    "t1407-worktree-ref-store.sh",
    "t1415-worktree-refs.sh",
    "t2400-worktree-add.sh",
    "t2401-worktree-prune.sh",
    "t2402-worktree-list.sh",
    "t2403-worktree-move.sh",
    "t2404-worktree-config.sh",
    "t2405-worktree-submodule.sh",
    "t2406-worktree-repair.sh",
    "t2407-worktree-heads.sh",
    "t3200-branch.sh",
    "t3320-notes-merge-worktrees.sh",
    "t3908-stash-in-worktree.sh",
    "t5304-prune.sh",
];

/// What worktree the repository of a script gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Nothing,
    /// One that git made: a test that fails beside it counts all worktrees, and says nothing about ours.
    Gits,
    Ours,
}

impl With {
    /// The command that makes it, at `$base`.
    fn command(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Gits => Some(
                r#"git worktree add --quiet --detach --lock "$TEST_OUTPUT_DIRECTORY/beside/ours" "$base""#,
            ),
            Self::Ours => {
                Some(r#""$WINDROW_UNDER_TEST" acquire --name ours --base "$base" --detach --ttl 1d"#)
            }
        }
    }

    /// What comes after git's library: it makes a worktree without a branch and leaves HEAD alone, so that the script finds
    /// everything else as it expects.
    fn script(self) -> String {
        let Some(command) = self.command() else { return String::new() };
        format!(
            r#"
if test -d .git
then
	WINDROW_CONFIG__POOL__KEEPER=false && export WINDROW_CONFIG__POOL__KEEPER &&
	tree=$(git hash-object -w -t tree /dev/null) &&
	base=$(GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000' git commit-tree -m ours "$tree") &&
	{command} >"$TEST_OUTPUT_DIRECTORY/ours.log" 2>&1 &&
	: >"$TEST_OUTPUT_DIRECTORY/made" ||
	BAIL_OUT 'no worktree could be made'
fi
"#
        )
    }
}

/// Runs the scripts; fails when one of their tests passes without another worktree and beside one of git's, but not beside ours.
pub(crate) fn run(root: &Path, args: &GitTests) -> Result {
    let lib = args.source.join("t/test-lib.sh");
    if !lib.is_file() || !args.source.join("t/helper/test-tool").is_file() {
        eprintln!("SKIPPED: `{}` is no source tree of git in which `make` was run", args.source.display());
        return Ok(());
    }
    let source = args.source.canonicalize()?;
    let binary = binary(root, args)?;
    println!("{}, scripts of {}", said(Command::new(source.join("git")).arg("version"))?, source.display());
    let mut broken = Vec::new();
    let wanted = |script: &&&str| {
        args.only.is_empty() || args.only.iter().any(|only| script.starts_with(only.as_str()))
    };
    for script in SCRIPTS.iter().filter(wanted) {
        let without = results(&source, script, &binary, With::Nothing)?;
        let [gits, ours] = [With::Gits, With::Ours].map(|with| results(&source, script, &binary, with));
        broken.extend(compare(script, &without, &gits?, &ours?));
    }
    match broken.is_empty() {
        true => Ok(()),
        false => Err(format!("{} tests of git fail beside a worktree of ours", broken.len()).into()),
    }
}

fn binary(root: &Path, args: &GitTests) -> Result<PathBuf> {
    if let Some(binary) = &args.binary {
        return Ok(binary.canonicalize()?);
    }
    let built =
        Command::new("cargo").args(["build", "--locked", "-p", "windrow"]).current_dir(root).status()?;
    if !built.success() {
        return Err("windrow does not build".into());
    }
    Ok(root.join("target/debug/windrow"))
}

fn said(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&command.output()?.stdout).trim().to_owned())
}

/// The outcome of each test, by number and title.
type Results = BTreeMap<String, bool>;

fn results(source: &Path, script: &str, binary: &Path, with: With) -> Result<Results> {
    let directory = tempfile::tempdir()?;
    let lib = source.join("t/test-lib.sh");
    fs::write(directory.path().join("test-lib.sh"), format!(". '{}'\n{}", lib.display(), with.script()))?;
    symlink(source.join("t").join(script), directory.path().join(script))?;
    let output = Command::new("sh")
        .arg(script)
        .current_dir(directory.path())
        .env("TEST_DIRECTORY", source.join("t"))
        .env("TEST_OUTPUT_DIRECTORY", directory.path())
        .env("WINDROW_UNDER_TEST", binary)
        .output()?;
    let results = parse(&String::from_utf8_lossy(&output.stdout));
    let made = with == With::Nothing || directory.path().join("made").exists();
    if results.is_empty() || !made {
        let log = fs::read_to_string(directory.path().join("ours.log")).unwrap_or_default();
        let told = [&output.stdout[..], &output.stderr, log.as_bytes()].concat();
        return Err(format!("`{script}` did not run: {}", String::from_utf8_lossy(&told)).into());
    }
    Ok(results)
}

/// Reads the test anything protocol; what is known to be broken in git counts as neither.
fn parse(output: &str) -> Results {
    let mut results = Results::new();
    for line in output.lines().filter(|line| !line.contains("# TODO") && !line.contains("# skip")) {
        if let Some(title) = line.strip_prefix("not ok ") {
            results.insert(title.to_owned(), false);
        } else if let Some(title) = line.strip_prefix("ok ") {
            results.insert(title.to_owned(), true);
        }
    }
    results
}

/// Prints one line for a script, and one for each test that ours alone breaks, which it returns.
fn compare(script: &str, without: &Results, gits: &Results, ours: &Results) -> Vec<String> {
    let passes = |results: &Results, title: &str| results.get(title) == Some(&true);
    let passed = |results: &Results| results.values().filter(|passed| **passed).count();
    let applies = |title: &&String| passes(without, title) && passes(gits, title);
    let broken: Vec<String> =
        without.keys().filter(applies).filter(|title| !passes(ours, title)).cloned().collect();
    println!(
        "{script:<32} {:>4} tests: {:>4} pass, {:>4} beside a worktree of git's, {:>4} beside ours, {} by ours alone broken",
        without.len(),
        passed(without),
        passed(gits),
        passed(ours),
        broken.len()
    );
    broken.iter().for_each(|title| println!("  not ok {title}"));
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_and_compared_by_title() {
        let without = parse(
            "ok 1 - setup\nok 2 - add\nnot ok 3 - odd # TODO known breakage\nnot ok 4 - bad\n# x\n1..4\n",
        );
        assert_eq!(without.len(), 3);
        let with = parse("ok 1 - setup\nnot ok 2 - add\nok 5 - more # skip missing X\nnot ok 4 - bad\n");
        assert_eq!(compare("t0000-x.sh", &without, &without, &with), ["2 - add"]);
        assert!(compare("t0000-x.sh", &without, &with, &with).is_empty(), "it fails beside any worktree");
        assert!(compare("t0000-x.sh", &without, &without, &without).is_empty());
        let none = Results::new();
        assert_eq!(
            compare("t0000-x.sh", &without, &without, &none).len(),
            2,
            "what did not run did not pass"
        );
    }
}
