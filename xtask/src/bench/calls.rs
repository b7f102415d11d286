//! How many system calls a command makes, counted with strace(1).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};

use serde_json::{Value, json};
use windrow_testkit::Invocation;

use super::measure::{Cost, measure};
use crate::Result;

/// How many kinds of calls to name.
const NAMED: usize = 6;

/// The calls of one command with what it started.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) of: String,
    pub(super) counts: Counts,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// By name; without what goes on in the background.
    own: BTreeMap<String, u64>,
    /// Made by processes that left the session of the command: nobody waits for them.
    background: u64,
}

/// Runs a command under strace and notes its calls; the cost is that of being traced.
///
/// # Errors
///
/// Fails when the command does or cannot be traced.
pub(super) fn traced(invocation: &Invocation, noted: &mut Vec<Counts>) -> Result<(Cost, Vec<u8>)> {
    let log = tempfile::NamedTempFile::new()?;
    let strace = ["strace", "--follow-forks", "-qq", "--string-limit=0", "--signal=none", "--output"];
    let mut wrapper: Vec<_> = strace.map(Into::into).to_vec();
    wrapper.push(log.path().as_os_str().to_owned());
    wrapper.push("--".into());
    let answer = measure(&invocation.clone().wrapped_in(wrapper))?;
    noted.push(count(BufReader::new(File::open(log.path())?))?);
    Ok(answer)
}

/// Counts the calls in a log of strace, each line of which begins with the number of a process.
fn count(log: impl BufRead) -> Result<Counts> {
    let mut seen: BTreeMap<u32, BTreeMap<String, u64>> = BTreeMap::new();
    let mut parents: BTreeMap<u32, u32> = BTreeMap::new();
    let mut leaders = BTreeSet::new();
    for line in log.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let (process, rest): (u32, _) = (process.parse()?, rest.trim_start());
        let Some((name, is_new)) = call(rest) else { continue };
        if let Some(child) = is_birth(name).then(|| result(rest)).flatten() {
            parents.insert(child, process);
        }
        if is_new {
            *seen.entry(process).or_default().entry(name.to_owned()).or_default() += 1;
            if name == "setsid" {
                leaders.insert(process);
            }
        }
    }
    let mut counts = Counts::default();
    for (process, calls) in seen {
        let line = std::iter::successors(Some(process), |process| parents.get(process).copied());
        if line.take(1_000).any(|process| leaders.contains(&process)) {
            counts.background += calls.values().sum::<u64>();
            continue;
        }
        for (name, number) in calls {
            *counts.own.entry(name).or_default() += number;
        }
    }
    Ok(counts)
}

/// The name of a call, and whether it begins here or goes on after another process was seen.
fn call(line: &str) -> Option<(&str, bool)> {
    if let Some(rest) = line.strip_prefix("<... ") {
        return Some((rest.split_once(' ')?.0, false));
    }
    let name = line.split_once('(')?.0;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, true))
}

fn is_birth(name: &str) -> bool {
    ["clone", "clone3", "fork", "vfork"].contains(&name)
}

fn result(line: &str) -> Option<u32> {
    line.rsplit_once(" = ")?.1.split(' ').next()?.parse().ok()
}

impl Counts {
    fn total(&self) -> u64 {
        self.own.values().sum()
    }

    /// The most frequent ones, the most frequent first.
    fn most(&self) -> Vec<(&str, u64)> {
        let mut calls: Vec<_> = self.own.iter().map(|(name, number)| (name.as_str(), *number)).collect();
        calls.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        calls.truncate(NAMED);
        calls
    }
}

impl Calls {
    pub(super) fn line(&self, files: usize) -> String {
        let (total, most) = (self.counts.total(), self.counts.most());
        let most: Vec<_> = most.iter().map(|(name, number)| format!("{name} {number}")).collect();
        format!(
            "{}: {total} system calls, {:.2} per file ({}); {} more in the background",
            self.of,
            per_file(total, files),
            most.join(", "),
            self.counts.background
        )
    }

    pub(super) fn json(&self, files: usize) -> Value {
        let (own, background) = (self.counts.total(), self.counts.background);
        json!({ "of": self.of, "total": own, "per_file": per_file(own, files), "background": background,
            "most": self.counts.most() })
    }
}

fn per_file(calls: u64, files: usize) -> f64 {
    calls as f64 / files.max(1) as f64
}

#[cfg(test)]
mod tests {
    use windrow_testkit::Surroundings;

    use super::*;

    const LOG: &str = "100  execve(\"a\"..., [...], 0x7 /* 3 vars */) = 0\n\
        100  clone3({flags=CLONE_VM} <unfinished ...>\n\
        101  read(3,  <unfinished ...>\n\
        100  <... clone3 resumed>, 88) = 101\n\
        101  <... read resumed>\"\"..., 8) = 8\n\
        100  vfork() = 102\n\
        102  setsid() = 102\n\
        102  fork() = 103\n\
        103  unlink(\"x\"...) = 0\n\
        103  +++ exited with 0 +++\n\
        100  read(4, \"\"..., 8) = 0\n";

    #[test]
    fn calls_are_counted_once_and_the_background_apart() {
        let counts = count(LOG.as_bytes()).expect("a log");
        let own = [("clone3", 1), ("execve", 1), ("read", 2), ("vfork", 1)];
        let own = own.map(|(name, number)| (name.to_owned(), number)).into();
        assert_eq!(counts, Counts { own, background: 3 });
        let calls = Calls { of: "x".to_owned(), counts };
        let shown = "x: 5 system calls, 2.50 per file (read 2, clone3 1, execve 1, vfork 1); 3 more in the background";
        assert_eq!(calls.line(2), shown);
        assert_eq!(calls.json(2)["per_file"], 2.5);
    }

    #[test]
    fn a_command_is_traced_with_what_it_starts() {
        if super::super::peers::on_path("strace").is_none() {
            windrow_testkit::skipped("`strace` is not installed");
            return;
        }
        let surroundings = Surroundings::new();
        let script = "setsid true; echo out; true";
        let shell = Invocation::new("sh", surroundings.root(), &surroundings).args(["-c", script]);
        let mut noted = Vec::new();
        let (_, output) = traced(&shell, &mut noted).expect("it can be traced");
        assert_eq!(output, b"out\n");
        assert!(noted[0].own["execve"] == 1 && noted[0].background > 1, "{noted:?}");
    }
}
