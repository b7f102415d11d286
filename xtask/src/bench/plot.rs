//! Medians as bars on a logarithmic scale, in colours that are readable on light and on dark ground.

use std::fmt::Write as _;

use super::figures::Comparison;

const LEFT: f64 = 250.0;
const SCALE: f64 = 520.0;
const WIDTH: f64 = 880.0;
const BAR: f64 = 16.0;
const LINE: f64 = 24.0;
const TITLE: f64 = 40.0;

const TEXT: &str = "#7d8590";
const GRID: &str = "#7d859055";
const OURS: &str = "#3b82d6";
const THEIRS: &str = "#9a8c7c";

/// A range of whole powers of ten that holds all values, the least of them not at its very beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decades {
    from: i32,
    to: i32,
}

impl Decades {
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a duration is a small number")]
    fn of(seconds: impl Iterator<Item = f64> + Clone) -> Self {
        let least = seconds.clone().fold(f64::MAX, f64::min).max(1e-6);
        let most = seconds.fold(least, f64::max);
        let from = (least / 2.0).log10().floor() as i32;
        Self { from, to: (most.log10().ceil() as i32).max(from + 1) }
    }

    /// How far along the scale, from 0 to 1.
    fn place(self, seconds: f64) -> f64 {
        let (from, to) = (f64::from(self.from), f64::from(self.to));
        ((seconds.max(1e-9).log10() - from) / (to - from)).clamp(0.0, 1.0)
    }
}

/// Draws the medians of all rows, one block for each comparison.
pub(super) fn svg(comparisons: &[&Comparison]) -> String {
    let medians = comparisons.iter().flat_map(|one| &one.series).map(|series| series.wall().median);
    let decades = Decades::of(medians);
    let rows: usize = comparisons.iter().map(|one| one.series.len()).sum();
    let height = TITLE * comparisons.len() as f64 + LINE * rows as f64 + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-size=\"13\" font-family=\"system-ui, sans-serif\" fill=\"{TEXT}\">\n"
    );
    grid(&mut svg, decades, height);
    let mut y = 0.0;
    for one in comparisons {
        title(&mut svg, one, y);
        y += TITLE;
        for series in &one.series {
            bar(&mut svg, &series.name, series.wall().median, decades, y);
            y += LINE;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn grid(svg: &mut String, decades: Decades, height: f64) {
    let bottom = height - 26.0;
    for decade in decades.from..=decades.to {
        let seconds = 10_f64.powi(decade);
        let x = LEFT + SCALE * decades.place(seconds);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{TITLE}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"{GRID}\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 18.0,
            duration(seconds)
        );
    }
}

fn title(svg: &mut String, one: &Comparison, y: f64) {
    let place = if one.on == "here" { String::new() } else { format!(" on {}", one.on) };
    let _ = writeln!(
        svg,
        "<text x=\"8\" y=\"{:.1}\" font-weight=\"bold\">{}{place}: {} files, median wall time, logarithmic scale</text>",
        y + 26.0,
        escaped(one.bench),
        one.files
    );
}

fn bar(svg: &mut String, name: &str, seconds: f64, decades: Decades, y: f64) {
    let width = (SCALE * decades.place(seconds)).max(1.0);
    let (base, top) = (y + 12.5, y);
    // The other tools and plain git look alike: what is to be seen is ours against theirs.
    let ours = name.starts_with("windrow") || name.starts_with("all claims");
    let colour = if ours { OURS } else { THEIRS };
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{base:.1}\">{}</text>",
        LEFT - 8.0,
        escaped(name),
        LEFT + width + 6.0,
        duration(seconds)
    );
}

/// Three digits that count are enough.
fn duration(seconds: f64) -> String {
    let (number, unit) = if seconds >= 0.9995 { (seconds, "s") } else { (seconds * 1e3, "ms") };
    let decimals = match number {
        n if n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    let mut shown = format!("{number:.decimals$}");
    if shown.contains('.') {
        shown.truncate(shown.trim_end_matches('0').trim_end_matches('.').len());
    }
    format!("{shown} {unit}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::figures::Series;
    use super::super::measure::Cost;
    use super::*;

    fn series(name: &str, milliseconds: u64) -> Series {
        let wall = Duration::from_millis(milliseconds);
        Series { name: name.to_owned(), costs: vec![Cost { wall, cpu: wall }] }
    }

    fn widths(svg: &str) -> Vec<f64> {
        let bars = svg.lines().filter_map(|line| line.split_once("<rect ")?.1.split_once("width=\""));
        bars.filter_map(|(_, rest)| rest.split_once('"')?.0.parse().ok()).collect()
    }

    #[test]
    fn ten_times_as_much_is_one_decade_more() {
        let rows = vec![series("windrow <x>", 10), series("git add", 100), series("git remove", 1_000)];
        let comparison = Comparison { on: "ext4", ..Comparison::new::<String>("claim", 7, rows, []) };
        let svg = svg(&[&comparison]);
        // From 1 ms to 1 s.
        let third = SCALE / 3.0;
        assert!(
            widths(&svg).iter().zip([1.0, 2.0, 3.0]).all(|(seen, n)| (seen - n * third).abs() < 0.1),
            "{svg}"
        );
        assert_eq!(widths(&svg).len(), 3);
        for part in
            ["claim on ext4: 7 files", "windrow &lt;x&gt;", ">100 ms<", ">1 s<", OURS, THEIRS, "</svg>"]
        {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }

    #[test]
    fn the_scale_holds_all_values() {
        let decades = Decades::of([0.02, 28.0].into_iter());
        assert_eq!(decades, Decades { from: -2, to: 2 });
        assert_eq!(Decades::of([0.01].into_iter()), Decades { from: -3, to: -2 });
        assert!((decades.place(1.0) - 0.5).abs() < 1e-9);
        assert_eq!((decades.place(1e-5), decades.place(1e5)), (0.0, 1.0));
    }

    #[test]
    fn durations_are_short() {
        let shown = [0.000_4, 0.0222, 0.999, 1.0, 27.893, 100.0].map(duration);
        assert_eq!(shown, ["0.4 ms", "22.2 ms", "999 ms", "1 s", "27.9 s", "100 s"]);
    }
}
