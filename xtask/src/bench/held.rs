//! What many worktrees take of the disk, as a multiple of what one of git's takes, for each strategy on each file system.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use windrow_testkit::{Binary, TestRepo, poll_until, processes_under, skipped};

use super::claim::is_clean;
use super::ground::{Ground, Grounds, Measured, on_each};
use super::lease::{git_add, git_place};
use super::measure::measure;
use super::scene::{Source, Stage};
use super::space::{Space, that_fit};
use super::way::{LONG, Way};
use crate::Result;

/// What to hold.
#[derive(Args)]
pub(crate) struct Holding {
    #[command(flatten)]
    source: Source,
    /// Worktrees; fewer where the disk cannot hold so many.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    worktrees: u32,
    /// How they are made; what a file system cannot do is left out there.
    #[arg(long, value_delimiter = ',', default_value = "overlay,snapshot,clone,checkout")]
    strategies: Vec<String>,
}

/// What they take, for each strategy and file system.
#[derive(Debug)]
pub(super) struct Held {
    files: usize,
    wanted: usize,
    rows: Vec<Row>,
}

/// What they take with one strategy on one file system, in bytes, before anything is changed in them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    on: &'static str,
    strategy: String,
    worktrees: usize,
    /// One of git's.
    plain: u64,
    /// What they are made from.
    template: u64,
    /// All of them, without that.
    held: u64,
}

/// Measures each strategy on a file system of its own: what is being deleted of the one before would be counted as room.
///
/// # Errors
///
/// Fails when there was nothing to measure on.
pub(super) fn held(
    grounds: &Grounds,
    directory: &Path,
    (binary, files): (&Binary, usize),
    wanted: &Holding,
) -> Result<Measured<Held>> {
    let wanted_count = usize::try_from(wanted.worktrees)?;
    let mut held = Held { files, wanted: wanted_count, rows: Vec::new() };
    let mut failures = Vec::new();
    for strategy in &wanted.strategies {
        let measured = on_each(grounds, directory, |ground| {
            if !is_possible(ground, binary, strategy)? {
                return Ok(None);
            }
            let stage = Stage::build(ground, binary, files, &wanted.source)?;
            let row = measure_row(ground, &stage, strategy, wanted_count)?;
            Ok(Some((row, stage.files)))
        })?;
        for (row, found) in measured.results.into_iter().flatten() {
            held.files = found;
            held.rows.push(row);
        }
        failures.extend(measured.failures.iter().map(|failure| format!("{strategy} {failure}")));
    }
    let results = if held.rows.is_empty() { Vec::new() } else { vec![held] };
    Ok(Measured { results, failures })
}

/// Asks windrow whether a file system can do that; loudly, if it cannot.
fn is_possible(ground: &Ground, binary: &Binary, strategy: &str) -> Result<bool> {
    let repo = TestRepo::builder().binary(binary.clone()).inside(ground.path()).build();
    let told = repo.windrow(["doctor", "--strategies", "--json"]).run().assert_success().json();
    let ways = told["strategies"].as_array().map_or(&[][..], Vec::as_slice);
    let way = ways.iter().find(|way| way["strategy"] == strategy);
    let way = way.ok_or_else(|| format!("there is no strategy `{strategy}`"))?;
    if way["possible"] != true {
        skipped(&format!("{strategy} on {}: {}", ground.name, way["reason"]));
    }
    Ok(way["possible"] == true)
}

fn measure_row(ground: &Ground, stage: &Stage, strategy: &str, wanted: usize) -> Result<Row> {
    let way = Way::Strategy(strategy.to_owned());
    let used = || -> Result<Space> {
        poll_until(LONG, "background work ends", || processes_under(stage.root()).is_empty());
        Space::of(stage.root())
    };
    let empty = used()?;
    measure(&git_add(stage, &git_place(stage, 0)))?;
    let before = used()?;
    way.prepare(stage);
    let ready = used()?;
    make(stage, &way, 1)?;
    let one = used()?;
    make(stage, &way, 2)?;
    let two = used()?;
    let around = ground.host().map(Space::of).transpose()?.map_or(u64::MAX, |host| host.available);
    let each = two.used.saturating_sub(one.used);
    let worktrees = that_fit(wanted.max(2), each, two.available.min(around));
    (3..=worktrees).try_for_each(|number| make(stage, &way, number))?;
    let all = used()?;
    Ok(Row {
        on: ground.name,
        strategy: strategy.to_owned(),
        worktrees,
        plain: before.used.saturating_sub(empty.used),
        template: ready.used.saturating_sub(before.used),
        held: all.used.saturating_sub(ready.used),
    })
}

/// Makes one worktree that stays, and has git look at it: what git then writes down belongs to the worktree.
fn make(stage: &TestRepo, way: &Way, number: usize) -> Result {
    let name = format!("held-{number}");
    let settings = way.words();
    if *way == Way::Strategy("overlay".to_owned()) {
        let run = stage.windrow(["run", "--keep", "1d", "--name", &name]).args(settings);
        let run = run.args(["--", "git", "status", "--porcelain", "--ignored"]).bound(LONG).run();
        let run = run.assert_success();
        assert!(!run.stderr_text().contains("no overlay, "), "{run}");
        let status = run.text();
        return if status.is_empty() {
            Ok(())
        } else {
            Err(format!("git status is not clean:\n{status}").into())
        };
    }
    let acquired = stage.windrow(["acquire", "--name", &name]).args(settings).bound(LONG).run();
    let acquired = acquired.assert_success();
    assert!(
        !acquired.stderr_text().contains("files are written by"),
        "another strategy was taken: {acquired}"
    );
    is_clean(stage, &PathBuf::from(acquired.text()))
}

impl Row {
    fn multiple(&self, bytes: u64) -> f64 {
        bytes as f64 / self.plain.max(1) as f64
    }

    fn cells(&self) -> [String; 6] {
        let mebibytes = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
        [
            format!("{} on {}", self.strategy, self.on),
            self.worktrees.to_string(),
            mebibytes(self.plain),
            format!("{} = {:.2}", mebibytes(self.held), self.multiple(self.held)),
            mebibytes(self.template),
            format!("{:.2}", self.multiple(self.held + self.template)),
        ]
    }

    fn json(&self) -> Value {
        json!({ "on": self.on, "strategy": self.strategy, "worktrees": self.worktrees, "plain_bytes": self.plain,
            "template_bytes": self.template, "held_bytes": self.held, "multiple": self.multiple(self.held),
            "multiple_with_template": self.multiple(self.held + self.template) })
    }
}

impl Held {
    pub(super) fn json(&self) -> Value {
        json!({ "bench": "space", "files": self.files, "wanted": self.wanted,
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>() })
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "space: {} files, {} worktrees wanted of each kind; MiB by df, before edits",
            self.files, self.wanted
        )?;
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        let heads = ["", "worktrees", "one of git's", "all = of one", "template", "with it, of one"];
        table.set_header(heads);
        self.rows.iter().for_each(|row| _ = table.add_row(row.cells()));
        write!(f, "{table}")?;
        for row in self.rows.iter().filter(|row| row.worktrees < self.wanted) {
            write!(f, "\n{} on {}: the disk holds no more than {}", row.strategy, row.on, row.worktrees)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(worktrees: usize) -> Row {
        let (plain, template, held) = (4 << 20, 5 << 20, 1 << 20);
        Row { on: "btrfs", strategy: "snapshot".to_owned(), worktrees, plain, template, held }
    }

    #[test]
    fn room_is_told_as_a_multiple_of_one_with_and_without_the_template() {
        let held = Held { files: 7, wanted: 30, rows: vec![row(30), row(12)] };
        let shown = held.to_string();
        assert!(
            shown.contains("| snapshot on btrfs | 30        | 4.0          | 1.0 = 0.25   | 5.0      | 1.50"),
            "{shown}"
        );
        assert_eq!(shown.matches("the disk holds no more than").count(), 1, "{shown}");
        assert_eq!(held.json()["rows"][0]["multiple"], 0.25);
        assert_eq!(held.json()["rows"][1]["multiple_with_template"], 1.5);
    }
}
