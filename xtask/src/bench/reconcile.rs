//! `windrow reconcile` over many worktrees against `git worktree list`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use windrow_testkit::TestRepo;

use super::figures::{Comparison, Series};
use super::measure::measure;
use super::report::Report;
use super::wait_until_quiet;
use crate::Result;

/// How many worktrees are made at once; making them is not measured.
const MAKERS: usize = 4;

/// Makes `worktrees` kept worktrees and measures the three commands in turn, in another order in each round.
///
/// # Errors
///
/// Fails when a program does, or when something is to be mended.
pub(super) fn reconcile(repo: &TestRepo, files: usize, worktrees: usize, runs: usize) -> Result<Report> {
    fill(repo, worktrees);
    wait_until_quiet(repo);
    let mut series =
        ["windrow reconcile --dry-run", "windrow reconcile", "git worktree list"].map(Series::new);
    for round in 0..runs {
        for turn in 0..series.len() {
            let which = (round + turn) % series.len();
            let call = match which {
                0 => repo.windrow(["reconcile", "--dry-run"]),
                1 => repo.windrow(["reconcile"]),
                _ => repo.git_invocation(repo.path()).args(["worktree", "list", "--porcelain"]),
            };
            series[which].costs.push(measure(&call)?.0);
        }
    }
    check(repo, worktrees)?;
    let git = "git worktree list";
    let ratios = vec![("windrow reconcile --dry-run", git), ("windrow reconcile", git)];
    Ok(Report::Comparison(Comparison::new("reconcile", files, series, ratios)))
}

fn fill(repo: &TestRepo, worktrees: usize) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..MAKERS {
            scope.spawn(|| {
                while let number @ 0.. = next.fetch_add(1, Ordering::Relaxed)
                    && number < worktrees
                {
                    let name = format!("bench-{number}");
                    let keep = ["run", "--name", &name, "--keep", "7d", "--", "true"];
                    repo.windrow(keep).run().assert_success();
                }
            });
        }
    });
}

/// All worktrees are there and nothing is to be mended: else something else was measured.
fn check(repo: &TestRepo, worktrees: usize) -> Result {
    let listed = repo.git(["worktree", "list", "--porcelain"]);
    let listed = listed.lines().filter(|line| line.starts_with("worktree ")).count();
    let plan = repo.windrow(["reconcile", "--dry-run", "--json"]).run().assert_success().json();
    let seen = plan["worktrees"].as_array().map_or(0, Vec::len);
    if listed != worktrees + 1 || seen != worktrees {
        return Err(format!("git lists {listed} worktrees and the plan has {seen}, not {worktrees}").into());
    }
    Ok(())
}
