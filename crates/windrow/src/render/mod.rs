//! Text for people. Everything here is a pure function of outcomes and the time; colour codes are always in it and are
//! taken out where they are not wanted.

mod config;
mod conflicts;
mod deinit;
mod doctor;
mod events;
mod land;
mod list;
mod map;
mod pool;
mod problem;
mod prune;
mod push;
mod queue;
mod reconcile;
mod rescue;
mod seed;
mod session;
mod show;
mod strategies;
mod style;
mod summary;
mod table;
mod task;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use self::{
    config::{Origins, config},
    conflicts::forecast,
    deinit::{adopted, deinit_plan, deinited},
    doctor::doctor,
    events::event,
    land::{conflict, landed, overlaps, synced, tail, uncommitted},
    list::{list, list_usage},
    map::{map_ended, mapped},
    pool::{filled, filling, pool_status, shrunk},
    problem::{notice, problem},
    prune::{prune_plan, pruned},
    push::{pushed, said},
    queue::{ticket, tickets},
    reconcile::{reconcile_plan, reconciled},
    rescue::{rescue, rescue_dropped, rescues},
    session::{session, session_ended, session_started, sessions},
    show::show,
    strategies::{strategies, template, templates_removed},
    summary::{acquired, finished, ran, released, renewed, restored},
    task::{task, task_changes, task_claimed, task_edited, tasks},
    text::safe,
};

use std::path::Path;

use jiff::Timestamp;

/// What rendering depends on besides the outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// The time now.
    pub(crate) now: Timestamp,
    /// The user's home directory, shown as `~`.
    pub(crate) home: Option<&'a Path>,
}
