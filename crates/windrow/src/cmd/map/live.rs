//! Tells how far a batch is: a bar on a terminal, a line for each result elsewhere, and JSON lines where they are wanted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use windrow_core::ops::{Leased, MapObserver};
use windrow_model::{BatchId, BatchTask};

use super::{Form, list::Listed};
use crate::{
    console::Console,
    render,
    wire::{self, MapDocument},
};

/// Follows a batch.
pub(super) struct Live<'c> {
    batch: BatchId,
    listed: &'c [Listed],
    form: Form,
    state: Mutex<State<'c>>,
}

struct State<'c> {
    console: &'c mut Console,
    bar: Option<ProgressBar>,
    /// The worktrees that are worked in, by the place of their tasks.
    running: BTreeMap<usize, String>,
    /// The places of the tasks whose end was told.
    told: BTreeSet<usize>,
}

impl<'c> Live<'c> {
    pub(super) fn new(console: &'c mut Console, form: Form, batch: BatchId, listed: &'c [Listed]) -> Self {
        let bar = console.draws().then(|| bar(listed.len()));
        let state = State { console, bar, running: BTreeMap::new(), told: BTreeSet::new() };
        Self { batch, listed, form, state: Mutex::new(state) }
    }

    /// Takes the bar away and tells which tasks' ends were told.
    pub(super) fn finish(self) -> BTreeSet<usize> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.told)
    }
}

impl MapObserver for Live<'_> {
    fn began(&self, place: usize, _attempt: u32, leased: &Leased) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running.insert(place, leased.worktree.name.to_string());
        state.draw();
    }

    fn ended(&self, place: usize, task: &BatchTask) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running.remove(&place);
        state.told.insert(place);
        let line = render::map_ended(task, state.told.len(), self.listed.len());
        match &state.bar {
            Some(bar) => bar.println(line.trim_end()),
            None => state.console.say(&line),
        }
        state.draw();
        if self.form == Form::Json
            && let Ok(line) = wire::line(&MapDocument::new(&self.batch, place, &task.key, Some(task)))
        {
            // A closed reader stops no task; the end of the batch tells it.
            let _ = state.console.print_raw(line.as_bytes());
        }
    }
}

impl State<'_> {
    fn draw(&self) {
        if let Some(bar) = &self.bar {
            let running: Vec<_> = self.running.values().map(String::as_str).collect();
            bar.set_position(u64::try_from(self.told.len()).unwrap_or(u64::MAX));
            bar.set_message(running.join(" "));
        }
    }
}

impl Drop for State<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: usize) -> ProgressBar {
    let total = Some(u64::try_from(total).unwrap_or(u64::MAX));
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {elapsed} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
