//! The highest anonymous memory of one `windrow acquire`, sampled from /proc.

use std::fs;
use std::time::Duration;

use clap::Args;
use windrow_testkit::TestRepo;

use super::report::Report;
use super::scene::Source;
use super::wait_until_quiet;
use super::way::Way;
use crate::Result;

const INTERVAL: Duration = Duration::from_micros(500);

/// What is looked at.
#[derive(Args)]
pub(crate) struct Remembering {
    #[command(flatten)]
    pub(super) source: Source,
    /// How the worktree is made: `warm`, `fresh`, `template` or `strategy=NAME`.
    #[arg(long, default_value = "fresh")]
    way: Way,
    /// The same as `--way warm`.
    #[arg(long, conflicts_with = "way")]
    claim: bool,
    /// How often; the highest of all counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// Acquires, looking at the process all the time, and releases.
///
/// # Errors
///
/// Fails when a program does, or never was seen before it ended.
pub(super) fn memory(repo: &TestRepo, files: usize, wanted: &Remembering) -> Result<Report> {
    let way = if wanted.claim { &Way::Warm } else { &wanted.way };
    let (mut peak_bytes, mut samples) = (0, 0);
    for _ in 0..wanted.runs {
        way.prepare(repo);
        wait_until_quiet(repo);
        let seen = watch(repo, way);
        samples += seen.len();
        peak_bytes = seen.into_iter().fold(peak_bytes, u64::max);
        repo.windrow(["release", "bench-memory"]).run().assert_success();
        wait_until_quiet(repo);
    }
    if samples == 0 {
        return Err("the process ended before it could be looked at".into());
    }
    let of = format!("windrow acquire ({way})");
    Ok(Report::Memory { of, files, peak_bytes, samples, runs: wanted.runs })
}

/// Everything seen during one `windrow acquire`, in bytes.
fn watch(repo: &TestRepo, way: &Way) -> Vec<u64> {
    let acquire = repo.windrow(["acquire", "--name", "bench-memory", "--json"]).args(way.words());
    let mut running = acquire.bound(super::way::LONG).spawn();
    let status = format!("/proc/{}/status", running.pid());
    let mut seen = Vec::new();
    while running.is_running() {
        seen.extend(fs::read_to_string(&status).ok().as_deref().and_then(rss_anon));
        std::thread::sleep(INTERVAL);
    }
    running.wait().assert_success();
    seen
}

/// *Source*: proc_pid_status(5): kibibytes; absent in a process that is ending.
pub(super) fn rss_anon(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_read_in_bytes() {
        assert_eq!(rss_anon("VmRSS:\t 9 kB\nRssAnon:\t     108 kB\nRssFile:\t 1 kB\n"), Some(108 * 1024));
        assert_eq!(rss_anon("Name:\tx\nState:\tZ (zombie)\n"), None);
    }
}
