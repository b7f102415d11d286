//! The highest anonymous memory of one `windrow acquire`, sampled from /proc.

use std::fs;
use std::time::Duration;

use windrow_testkit::TestRepo;

use super::figures::Report;
use super::wait_until_quiet;
use crate::Result;

const INTERVAL: Duration = Duration::from_micros(500);

/// Acquires once, looking at the process all the time, and releases.
///
/// # Errors
///
/// Fails when a program does, or ends before it was seen once.
pub(super) fn memory(repo: &TestRepo, files: usize) -> Result<Report> {
    let mut running = repo.windrow(["acquire", "--name", "bench-memory", "--json"]).spawn();
    let status = format!("/proc/{}/status", running.pid());
    let (mut peak_bytes, mut samples) = (0, 0);
    while running.is_running() {
        if let Some(bytes) = fs::read_to_string(&status).ok().as_deref().and_then(rss_anon) {
            peak_bytes = peak_bytes.max(bytes);
            samples += 1;
        }
        std::thread::sleep(INTERVAL);
    }
    running.wait().assert_success();
    repo.windrow(["release", "bench-memory"]).run().assert_success();
    wait_until_quiet(repo);
    if samples == 0 {
        return Err("the process ended before it could be looked at".into());
    }
    Ok(Report::Memory { files, peak_bytes, samples })
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
