//! The figures of a measurement, as a table and as JSON.

use std::fmt;
use std::time::Duration;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::measure::Cost;

/// The costs of one action over all rounds.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) costs: Vec<Cost>,
}

/// A finished comparison of ours with git's.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) bench: &'static str,
    pub(super) files: usize,
    pub(super) series: Vec<Series>,
    /// Names of the series whose medians are divided: git's by ours.
    pub(super) ratios: Vec<(&'static str, &'static str)>,
}

/// Anything that can be shown either way.
pub(super) enum Report {
    Comparison(Comparison),
    Memory {
        files: usize,
        peak_bytes: u64,
        samples: usize,
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

/// The least, the middle and the greatest of several durations.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    /// `durations` is not empty.
    fn of(durations: impl Iterator<Item = Duration>) -> Self {
        let mut seconds: Vec<f64> = durations.map(|duration| duration.as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        let (low, high) = (seconds[(seconds.len() - 1) / 2], seconds[seconds.len() / 2]);
        Self { min: seconds[0], median: f64::midpoint(low, high), max: seconds[seconds.len() - 1] }
    }

    fn json(self) -> Value {
        json!({ "min": self.min, "median": self.median, "max": self.max })
    }

    fn milliseconds(self) -> String {
        format!("{:.1} / {:.1} / {:.1}", self.min * 1e3, self.median * 1e3, self.max * 1e3)
    }
}

impl Series {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, costs: Vec::new() }
    }

    fn wall(&self) -> Spread {
        Spread::of(self.costs.iter().map(|cost| cost.wall))
    }

    fn cpu(&self) -> Spread {
        Spread::of(self.costs.iter().map(|cost| cost.cpu))
    }
}

impl Comparison {
    fn find(&self, name: &str) -> &Series {
        self.series.iter().find(|series| series.name == name).expect("ratios name series that exist")
    }

    /// How many times more git's median is than ours, in wall and in processor time.
    fn ratio(&self, pair: (&str, &str)) -> (f64, f64) {
        let (git, ours) = (self.find(pair.0), self.find(pair.1));
        (git.wall().median / ours.wall().median, git.cpu().median / ours.cpu().median)
    }

    fn json(&self) -> Value {
        let row = |series: &Series| {
            json!({ "name": series.name, "runs": series.costs.len(),
                "wall_seconds": series.wall().json(), "cpu_seconds": series.cpu().json() })
        };
        let ratio = |pair: &(&str, &str)| {
            let (wall, cpu) = self.ratio(*pair);
            json!({ "of": pair.0, "to": pair.1, "wall": wall, "cpu": cpu })
        };
        json!({ "bench": self.bench, "files": self.files, "cpus": cpus(),
            "rows": self.series.iter().map(row).collect::<Vec<_>>(),
            "ratios_of_medians": self.ratios.iter().map(ratio).collect::<Vec<_>>() })
    }
}

impl Report {
    /// Returns the figures as one JSON document; times in seconds, memory in bytes.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Comparison(comparison) => comparison.json(),
            Self::Memory { files, peak_bytes, samples } => {
                json!({ "bench": "memory", "files": files, "cpus": cpus(),
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
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["action", "runs", "wall ms (min / median / max)", "CPU ms (min / median / max)"]);
        for series in &self.series {
            let (wall, cpu) = (series.wall().milliseconds(), series.cpu().milliseconds());
            table.add_row([series.name.to_owned(), series.costs.len().to_string(), wall, cpu]);
        }
        writeln!(f, "{}: {} files, {} processors", self.bench, self.files, cpus())?;
        writeln!(f, "{table}")?;
        for pair in &self.ratios {
            let (wall, cpu) = self.ratio(*pair);
            writeln!(f, "{} ÷ {}: wall {wall:.2}, CPU {cpu:.2}", pair.0, pair.1)?;
        }
        write!(
            f,
            "CPU: the process and the children it waited for; work it left in the background is not in it."
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comparison(comparison) => comparison.fmt(f),
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
            Self::Memory { files, peak_bytes, samples } => {
                let mebibytes = *peak_bytes as f64 / f64::from(1 << 20);
                write!(f, "memory: {files} files, peak RssAnon {mebibytes:.1} MiB in {samples} samples")
            }
        }
    }
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &'static str, milliseconds: &[u64]) -> Series {
        let cost = |ms: &u64| Cost { wall: Duration::from_millis(*ms), cpu: Duration::from_millis(ms / 2) };
        Series { name, costs: milliseconds.iter().map(cost).collect() }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(series("x", &[30, 10, 20]).wall(), Spread { min: 0.01, median: 0.02, max: 0.03 });
        assert_eq!(series("x", &[10, 20]).wall().milliseconds(), "10.0 / 15.0 / 20.0");
    }

    #[test]
    fn ratios_are_of_medians() {
        let series = vec![series("ours", &[10, 10, 90]), series("git", &[40, 50, 60])];
        let comparison = Comparison { bench: "lease", files: 1, series, ratios: vec![("git", "ours")] };
        assert_eq!(comparison.json()["ratios_of_medians"][0]["wall"], 5.0);
        assert!(comparison.to_string().contains("git ÷ ours: wall 5.00, CPU 5.00"), "{comparison}");
    }
}
