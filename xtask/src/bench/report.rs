//! What a measurement comes to: printed for people, as JSON, or drawn.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::figures::{Comparison, Spread, cpus};
use super::held::Held;

/// Anything that can be shown either way.
pub(super) enum Report {
    Comparison(Comparison),
    Held(Held),
    Memory {
        /// What was looked at.
        of: String,
        files: usize,
        peak_bytes: u64,
        samples: usize,
        runs: usize,
    },
    Keeper {
        files: usize,
        /// What was over, and for each time how long until it was cleared away.
        cleared: Vec<(String, Vec<Duration>)>,
        idle: Duration,
        wakeups: u64,
        rss_anon_bytes: u64,
    },
}

impl Report {
    /// Returns the figures as one JSON document; times in seconds, memory in bytes.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Comparison(comparison) => comparison.json(),
            Self::Held(held) => held.json(),
            Self::Memory { of, files, peak_bytes, samples, runs } => {
                json!({ "bench": "memory", "of": of, "files": files, "cpus": cpus(), "runs": runs,
                "peak_rss_anon_bytes": peak_bytes, "samples": samples })
            }
            Self::Keeper { files, cleared, idle, wakeups, rss_anon_bytes } => {
                let row = |(what, times): &(String, Vec<Duration>)| {
                    json!({ "what": what, "runs": times.len(),
                        "seconds": Spread::of(times.iter().copied()).json() })
                };
                json!({ "bench": "keeper", "files": files, "cpus": cpus(),
                "cleared": cleared.iter().map(row).collect::<Vec<_>>(), "idle_seconds": idle.as_secs(),
                "idle_wakeups": wakeups, "rss_anon_bytes": rss_anon_bytes })
            }
        }
    }

    /// The comparison, if it is one: what can be drawn.
    pub(super) fn comparison(&self) -> Option<&Comparison> {
        match self {
            Self::Comparison(comparison) => Some(comparison),
            Self::Held(_) | Self::Memory { .. } | Self::Keeper { .. } => None,
        }
    }
}

/// One document as it is, several as an array.
pub(super) fn document(reports: &[Report]) -> Value {
    match reports {
        [one] => one.json(),
        several => several.iter().map(Report::json).collect(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comparison(comparison) => comparison.fmt(f),
            Self::Held(held) => held.fmt(f),
            Self::Keeper { files, cleared, idle, wakeups, rss_anon_bytes } => {
                let mebibytes = *rss_anon_bytes as f64 / f64::from(1 << 20);
                writeln!(f, "keeper: {files} files, {} processors", cpus())?;
                writeln!(
                    f,
                    "until the worktree is gone and its work saved, in seconds (min / median / max):"
                )?;
                for (what, times) in cleared {
                    let Spread { min, median, max } = Spread::of(times.iter().copied());
                    writeln!(f, "  {what}, {} runs: {min:.2} / {median:.2} / {max:.2}", times.len())?;
                }
                write!(f, "idle for {} s: {wakeups} wake-ups, RssAnon {mebibytes:.1} MiB", idle.as_secs())
            }
            Self::Memory { of, files, peak_bytes, samples, runs } => {
                let mebibytes = *peak_bytes as f64 / f64::from(1 << 20);
                write!(
                    f,
                    "memory of {of}: {files} files, peak RssAnon {mebibytes:.1} MiB in {samples} samples of {runs} runs"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(files: usize) -> Report {
        Report::Memory { of: "x".to_owned(), files, peak_bytes: 1 << 20, samples: 3, runs: 1 }
    }

    #[test]
    fn one_report_is_a_document_and_several_are_an_array() {
        assert_eq!(document(&[memory(1)])["files"], 1);
        assert_eq!(document(&[memory(1), memory(2)])[1]["files"], 2);
    }
}
