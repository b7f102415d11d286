//! Our two output streams: what may be coloured, what must stay raw, and what a closed reader means.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};

use crate::environment::{Stream, Surroundings};

/// When to use colour (`--color`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColourMode {
    // Plain comments, because clap would make a long help of them.
    // On a terminal, unless NO_COLOR is set; CLICOLOR_FORCE forces it.
    #[default]
    Auto,
    Always,
    Never,
}

/// How much is said on standard error besides errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chatter {
    Normal,
    Quiet,
}

/// Standard output and standard error.
pub(crate) struct Console {
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
    chatter: Chatter,
    out_coloured: bool,
    err_terminal: bool,
}

impl Console {
    pub(crate) fn new(surroundings: &Surroundings, mode: ColourMode, chatter: Chatter) -> Self {
        let hints = Hints::of(surroundings);
        let streams = surroundings.streams;
        let out = choose(mode, &hints, streams.stdout);
        let err = choose(mode, &hints, streams.stderr);
        Self {
            out: AutoStream::new(io::stdout(), out),
            err: AutoStream::new(io::stderr(), err),
            chatter,
            out_coloured: out != ColorChoice::Never,
            err_terminal: streams.stderr == Stream::Terminal && !hints.dumb,
        }
    }

    /// Whether standard output is coloured.
    pub(crate) fn out_coloured(&self) -> bool {
        self.out_coloured
    }

    /// Whether progress may be drawn.
    pub(crate) fn draws(&self) -> bool {
        self.err_terminal && self.chatter == Chatter::Normal
    }

    pub(crate) fn chatter(&self) -> Chatter {
        self.chatter
    }

    /// Writes rendered text to standard output.
    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// Writes bytes to standard output exactly as they are.
    pub(crate) fn print_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Writes rendered text for people to standard error, unless they want none. A closed standard error is no failure.
    pub(crate) fn say(&mut self, text: &str) {
        if self.chatter == Chatter::Normal {
            self.complain(text);
        }
    }

    /// Writes rendered text to standard error, always.
    pub(crate) fn complain(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes());
        let _ = self.err.flush();
    }
}

/// What the environment says about colour.
#[derive(Clone, Copy, Debug, Default)]
struct Hints {
    none: bool,
    force: bool,
    dumb: bool,
}

impl Hints {
    fn of(surroundings: &Surroundings) -> Self {
        Self {
            none: surroundings.variable("NO_COLOR").is_some(),
            force: surroundings.variable("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            dumb: surroundings.variable("TERM").is_some_and(|value| value == "dumb"),
        }
    }
}

/// Decides by the flag, then NO_COLOR, then CLICOLOR_FORCE, then the terminal. *Source*: no-color.org, bixense.com/clicolors.
fn choose(mode: ColourMode, hints: &Hints, stream: Stream) -> ColorChoice {
    let coloured = match mode {
        ColourMode::Always => true,
        ColourMode::Never => false,
        ColourMode::Auto if hints.none => false,
        ColourMode::Auto => hints.force || (stream == Stream::Terminal && !hints.dumb),
    };
    if coloured { ColorChoice::AlwaysAnsi } else { ColorChoice::Never }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_then_the_environment_then_the_terminal_decide() {
        let plain = Hints::default();
        let none = Hints { none: true, force: true, dumb: false };
        let force = Hints { force: true, ..plain };
        let dumb = Hints { dumb: true, ..plain };
        let (on, off) = (ColorChoice::AlwaysAnsi, ColorChoice::Never);
        for (mode, hints, stream, expected) in [
            (ColourMode::Auto, plain, Stream::Terminal, on),
            (ColourMode::Auto, plain, Stream::Other, off),
            (ColourMode::Auto, none, Stream::Terminal, off),
            (ColourMode::Auto, force, Stream::Other, on),
            (ColourMode::Auto, dumb, Stream::Terminal, off),
            (ColourMode::Always, none, Stream::Other, on),
            (ColourMode::Never, force, Stream::Terminal, off),
        ] {
            assert_eq!(choose(mode, &hints, stream), expected, "{mode:?} {hints:?} {stream:?}");
        }
    }
}
