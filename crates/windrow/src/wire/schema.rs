//! JSON Schemas of the documents.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};

use super::{
    deinit::DeinitDocument, doctor::DoctorDocument, documents as d, pool as p, prune::PruneDocument,
    queue as q, reconcile::ReconcileDocument, session as s, strategies as st, task as t,
};

/// The schema of every document, by the name of its file without `.json`.
pub(crate) fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("acquire", of::<d::AcquireDocument>()),
        ("adopt", of::<d::AdoptDocument>()),
        ("config", of::<d::ConfigDocument>()),
        ("conflicts", of::<super::ConflictsDocument>()),
        ("deinit", of::<DeinitDocument>()),
        ("diff", of::<d::DiffDocument>()),
        ("doctor", of::<DoctorDocument>()),
        ("error", of::<d::ErrorDocument>()),
        ("event", of::<d::EventDocument>()),
        ("events", of::<d::EventsDocument>()),
        ("exec", of::<d::ExecDocument>()),
        ("land", of::<d::LandDocument>()),
        ("list", of::<d::ListDocument>()),
        ("logs", of::<d::LogsDocument>()),
        ("map", of::<super::MapDocument>()),
        ("path", of::<d::PathDocument>()),
        ("pool-resize", of::<p::PoolResizeDocument>()),
        ("pool-status", of::<p::PoolStatusDocument>()),
        ("pool-template-remove", of::<st::PoolTemplatesRemovedDocument>()),
        ("pool-template", of::<st::PoolTemplateDocument>()),
        ("pool-warm", of::<p::PoolWarmDocument>()),
        ("prune", of::<PruneDocument>()),
        ("push", of::<super::PushDocument>()),
        ("queue-list", of::<q::QueueListDocument>()),
        ("reconcile", of::<ReconcileDocument>()),
        ("release", of::<d::ReleaseDocument>()),
        ("renew", of::<d::RenewDocument>()),
        ("rescue-drop", of::<d::RescueDropDocument>()),
        ("rescue-list", of::<d::RescueListDocument>()),
        ("rescue-show", of::<d::RescueDocument>()),
        ("restore", of::<d::RestoreDocument>()),
        ("run", of::<d::RunDocument>()),
        ("session-end", of::<s::SessionEndDocument>()),
        ("session-list", of::<s::SessionListDocument>()),
        ("session-show", of::<s::SessionDocument>()),
        ("session-start", of::<s::SessionStartDocument>()),
        ("show", of::<d::ShowDocument>()),
        ("strategies", of::<st::StrategiesDocument>()),
        ("sync", of::<d::SyncDocument>()),
        ("task-claim", of::<t::ClaimDocument>()),
        ("task-list", of::<t::TaskListDocument>()),
        ("task-log", of::<t::TaskLogDocument>()),
        ("task-release", of::<t::TaskReleaseDocument>()),
        ("task", of::<t::TaskDocument>()),
        ("ticket", of::<q::TicketDocument>()),
    ]
}

fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

/// The text of a schema file.
pub(crate) fn render(schema: &Schema) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(schema)?;
    text.push('\n');
    Ok(text)
}
