//! Tells on standard error what an operation is doing: drawn on a terminal once it takes a second, in plain lines
//! elsewhere, and only where somebody must wait.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use windrow_core::ops::{HeldBy, Observer};
use windrow_model::WorktreeName;

use crate::{
    console::{Chatter, Console},
    render,
};

/// What takes less is not worth a line.
const DELAY: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(120);

/// Follows one operation.
pub(crate) struct Progress<'a> {
    console: &'a mut Console,
    bar: Option<DelayedBar>,
    /// The last line about waiting, so that it is not said twice.
    waiting: String,
    /// Notices that were told already.
    told: Vec<String>,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(console: &'a mut Console) -> Self {
        Self { console, bar: None, waiting: String::new(), told: Vec::new() }
    }

    /// Takes the bar away and gives back the notices that were told.
    pub(crate) fn finish(mut self) -> Vec<String> {
        self.bar = None;
        std::mem::take(&mut self.told)
    }

    fn draw(&mut self, message: String, total: Option<u64>) {
        self.bar = None;
        if self.console.draws() {
            self.bar = Some(DelayedBar::new(message, total));
        }
    }
}

impl Observer for Progress<'_> {
    fn stage(&mut self, name: &str, total: Option<u64>) {
        self.draw(name.to_owned(), total);
    }

    fn advanced(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.bar.set_position(done);
        }
    }

    fn waiting(&mut self, holders: &[HeldBy], position: usize) {
        let line = waiting_line(holders, position);
        if line == self.waiting {
            return;
        }
        self.waiting.clone_from(&line);
        if self.console.draws() {
            self.draw(line, None);
        } else if self.console.chatter() == Chatter::Normal {
            self.console.say(&render::notice(&line));
        }
    }

    fn notice(&mut self, text: &str) {
        self.bar = None;
        self.console.say(&render::notice(text));
        self.told.push(text.to_owned());
    }

    fn started(&mut self, _worktree: &WorktreeName, _pid: u32) {
        // From here on the terminal is the command's.
        self.bar = None;
    }
}

/// `waiting for a worktree (2 ahead): quiet-fern is held by pid 12`; without times, so that it changes only with the facts.
fn waiting_line(holders: &[HeldBy], position: usize) -> String {
    let ahead = if position == 0 { String::new() } else { format!(" ({position} ahead)") };
    let held: Vec<_> = holders.iter().map(|held| format!("{} by {}", held.worktree, held.holder)).collect();
    match held.is_empty() {
        true => format!("waiting for a worktree{ahead}"),
        false => format!("waiting for a worktree{ahead}; held: {}", held.join(", ")),
    }
}

/// A bar or spinner that shows itself after a second.
struct DelayedBar {
    bar: ProgressBar,
    /// Dropped with the bar, which ends the thread that would show it.
    _alive: Sender<()>,
}

impl DelayedBar {
    fn new(message: String, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        bar.set_style(style(total));
        bar.set_message(message);
        let (alive, ended) = channel::<()>();
        let shown = bar.clone();
        thread::spawn(move || {
            if ended.recv_timeout(DELAY) == Err(RecvTimeoutError::Timeout) {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(TICK);
            }
        });
        Self { bar, _alive: alive }
    }
}

impl Drop for DelayedBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(total: Option<u64>) -> ProgressStyle {
    let template = match total {
        Some(_) => "{msg} {bar:40} {pos}/{len}",
        None => "{spinner} {wide_msg}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_the_place_in_the_queue_and_the_holders() {
        let held = HeldBy {
            worktree: "quiet-fern".parse().unwrap(),
            holder: "pid 12".to_owned(),
            since: jiff::Timestamp::UNIX_EPOCH,
        };
        assert_eq!(waiting_line(&[], 0), "waiting for a worktree");
        assert_eq!(waiting_line(&[held], 2), "waiting for a worktree (2 ahead); held: quiet-fern by pid 12");
    }
}
