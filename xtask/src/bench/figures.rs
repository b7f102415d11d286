//! The figures of a comparison, as a table and as JSON.

use std::fmt;
use std::time::Duration;

use comfy_table::{Table, presets};
use serde_json::{Map, Value, json};

use super::measure::Cost;

/// The costs of one action over all rounds.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) costs: Vec<Cost>,
}

/// A finished comparison of ours with git's.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) bench: &'static str,
    /// The file system: that of an image, or `here`.
    pub(super) on: &'static str,
    pub(super) files: usize,
    pub(super) series: Vec<Series>,
    /// Names of the series whose medians are divided: git's by ours.
    pub(super) ratios: Vec<(String, String)>,
    /// What else is to be said, a line each.
    pub(super) notes: Vec<String>,
    /// The same for the JSON document.
    pub(super) facts: Map<String, Value>,
}

/// The least, the middle and the greatest of several durations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Spread {
    /// `durations` is not empty.
    pub(super) fn of(durations: impl Iterator<Item = Duration>) -> Self {
        let mut seconds: Vec<f64> = durations.map(|duration| duration.as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        let (low, high) = (seconds[(seconds.len() - 1) / 2], seconds[seconds.len() / 2]);
        Self { min: seconds[0], median: f64::midpoint(low, high), max: seconds[seconds.len() - 1] }
    }

    pub(super) fn json(self) -> Value {
        json!({ "min": self.min, "median": self.median, "max": self.max })
    }

    fn milliseconds(self) -> String {
        format!("{:.1} / {:.1} / {:.1}", self.min * 1e3, self.median * 1e3, self.max * 1e3)
    }
}

impl Series {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), costs: Vec::new() }
    }

    pub(super) fn wall(&self) -> Spread {
        Spread::of(self.costs.iter().map(|cost| cost.wall))
    }

    fn cpu(&self) -> Spread {
        Spread::of(self.costs.iter().map(|cost| cost.cpu))
    }
}

/// How many times more one median is than another, in wall and in processor time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ratio {
    wall: f64,
    cpu: f64,
}

impl Ratio {
    fn inverse(self) -> Self {
        Self { wall: self.wall.recip(), cpu: self.cpu.recip() }
    }
}

impl fmt::Display for Ratio {
    /// With three digits that count, since the other way round a large ratio is a small one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wall {}, CPU {}", digits(self.wall), digits(self.cpu))
    }
}

/// At least two decimals, and three digits that count.
fn digits(number: f64) -> String {
    if !number.is_finite() || number <= 0.0 {
        return number.to_string();
    }
    let leading = (0..9).find(|zeros| number * 10_f64.powi(*zeros) >= 1.0).unwrap_or(9);
    let decimals = usize::try_from(leading).map_or(2, |zeros| if zeros == 0 { 2 } else { zeros + 2 });
    format!("{number:.decimals$}")
}

impl Comparison {
    /// One measured where it is, with nothing else to be said.
    pub(super) fn new<N: Into<String>>(
        bench: &'static str,
        files: usize,
        series: impl Into<Vec<Series>>,
        ratios: impl IntoIterator<Item = (N, N)>,
    ) -> Self {
        let ratios = ratios.into_iter().map(|(git, ours)| (git.into(), ours.into())).collect();
        let (series, notes, facts) = (series.into(), Vec::new(), Map::new());
        Self { bench, on: "here", files, series, ratios, notes, facts }
    }

    fn find(&self, name: &str) -> &Series {
        self.series.iter().find(|series| series.name == name).expect("ratios name series that exist")
    }

    fn ratio(&self, (git, ours): &(String, String)) -> Ratio {
        let (git, ours) = (self.find(git), self.find(ours));
        let wall = git.wall().median / ours.wall().median;
        Ratio { wall, cpu: git.cpu().median / ours.cpu().median }
    }

    /// Returns the figures as one JSON document; times in seconds.
    pub(super) fn json(&self) -> Value {
        let row = |series: &Series| {
            json!({ "name": series.name, "runs": series.costs.len(),
                "wall_seconds": series.wall().json(), "cpu_seconds": series.cpu().json() })
        };
        let ratio = |pair: &(String, String)| {
            let (there, back) = (self.ratio(pair), self.ratio(pair).inverse());
            json!({ "of": pair.0, "to": pair.1, "wall": there.wall, "cpu": there.cpu,
                "inverse": { "wall": back.wall, "cpu": back.cpu } })
        };
        let mut document = json!({ "bench": self.bench, "on": self.on, "files": self.files, "cpus": cpus(),
            "rows": self.series.iter().map(row).collect::<Vec<_>>(),
            "ratios_of_medians": self.ratios.iter().map(ratio).collect::<Vec<_>>(), "notes": self.notes });
        for (key, fact) in &self.facts {
            document[key] = fact.clone();
        }
        document
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["action", "runs", "wall ms (min / median / max)", "CPU ms (min / median / max)"]);
        for series in &self.series {
            let (wall, cpu) = (series.wall().milliseconds(), series.cpu().milliseconds());
            table.add_row([series.name.clone(), series.costs.len().to_string(), wall, cpu]);
        }
        writeln!(f, "{} on {}: {} files, {} processors", self.bench, self.on, self.files, cpus())?;
        writeln!(f, "{table}")?;
        for pair in &self.ratios {
            let ratio = self.ratio(pair);
            writeln!(f, "{} ÷ {}: {ratio}; the other way: {}", pair.0, pair.1, ratio.inverse())?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))?;
        write!(
            f,
            "CPU: the process and the children it waited for; work it left in the background is not in it."
        )
    }
}

pub(super) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, milliseconds: &[u64]) -> Series {
        let cost = |ms: &u64| Cost { wall: Duration::from_millis(*ms), cpu: Duration::from_millis(ms / 2) };
        Series { name: name.to_owned(), costs: milliseconds.iter().map(cost).collect() }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(series("x", &[30, 10, 20]).wall(), Spread { min: 0.01, median: 0.02, max: 0.03 });
        assert_eq!(series("x", &[10, 20]).wall().milliseconds(), "10.0 / 15.0 / 20.0");
    }

    #[test]
    fn ratios_are_of_medians_and_go_both_ways() {
        let series = vec![series("ours", &[10, 10, 90]), series("git", &[40, 50, 60])];
        let mut comparison = Comparison::new("lease", 1, series, [("git", "ours")]);
        comparison.notes.push("said".to_owned());
        comparison.facts.insert("more".to_owned(), json!(7));
        let document = comparison.json();
        assert_eq!(document["ratios_of_medians"][0]["wall"], 5.0);
        assert_eq!(document["ratios_of_medians"][0]["inverse"]["cpu"], 0.2);
        assert_eq!((&document["on"], &document["more"]), (&json!("here"), &json!(7)));
        let shown = comparison.to_string();
        let line = "git ÷ ours: wall 5.00, CPU 5.00; the other way: wall 0.200, CPU 0.200\nsaid\n";
        assert!(shown.contains(line), "{shown}");
    }

    #[test]
    fn small_ratios_keep_their_digits() {
        let shown = [1256.0, 5.5, 0.75, 0.001_234, 0.0].map(digits);
        assert_eq!(shown, ["1256.00", "5.50", "0.750", "0.00123", "0"]);
    }
}
