//! What colours mean: green is alive or gained, yellow needs a look, red is wrong or lost, cyan can be typed.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

const fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
}

pub(super) const GOOD: Style = colour(AnsiColor::Green);
pub(super) const CARE: Style = colour(AnsiColor::Yellow);
pub(super) const BAD: Style = colour(AnsiColor::Red);
pub(super) const ERROR: Style = colour(AnsiColor::Red).bold();
pub(super) const TYPED: Style = colour(AnsiColor::Cyan);
pub(super) const NAME: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();

/// The text in that style.
pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
