//! What goes over the wire: one type for each JSON document, apart from the library's own types, which may change.
//!
//! # Compatibility
//! Every document says `"v": 1`. Fields are only added; readers ignore what they do not know. Units come last in names.
//! `docs/schemas/` holds a JSON Schema of each document, generated from these types and compared by a test.

mod answer;
mod basics;
mod conflicts;
mod deinit;
mod doctor;
mod documents;
mod guard;
mod land;
mod map;
mod outcome;
mod pool;
mod problem;
mod prune;
mod push;
mod queue;
mod reconcile;
mod schema;
mod seed;
mod session;
mod strategies;
mod task;
#[cfg(test)]
mod tests;
mod worktree;

pub(crate) use self::{
    answer::{ConfigValue, Event, Occupant, RescuedPath},
    basics::{Bytes, Time, Usage, V1},
    conflicts::ConflictsDocument,
    deinit::DeinitDocument,
    doctor::DoctorDocument,
    documents::{
        AcquireDocument, AdoptDocument, ConfigDocument, DiffDocument, ErrorDocument, EventDocument,
        EventsDocument, ExecDocument, LandDocument, ListDocument, LogsDocument, PathDocument,
        ReleaseDocument, RenewDocument, RescueDocument, RescueDropDocument, RescueListDocument,
        RestoreDocument, RunDocument, ShowDocument, SyncDocument,
    },
    land::{Conflict, FailedVerification, InTheWay, Obstacle},
    map::MapDocument,
    outcome::Exit,
    pool::{PoolResizeDocument, PoolStatusDocument, PoolWarmDocument},
    problem::{Code, Details, HeldWorktree, WireError},
    prune::PruneDocument,
    push::PushDocument,
    queue::{QueueListDocument, TicketDocument},
    reconcile::ReconcileDocument,
    schema::{render as render_schema, schemas},
    session::{SessionDocument, SessionEndDocument, SessionListDocument, SessionStartDocument},
    strategies::{PoolTemplateDocument, PoolTemplatesRemovedDocument, StrategiesDocument},
    task::{ClaimDocument, TaskDocument, TaskListDocument, TaskLogDocument, TaskReleaseDocument},
};

/// Writes a document as one line.
pub(crate) fn line<T: serde::Serialize>(document: &T) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(document)?;
    text.push('\n');
    Ok(text)
}
