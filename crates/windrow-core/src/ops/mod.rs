//! The operations: each composes git, store, files and processes, and returns facts.
//!
//! Every operation takes a [`Pool`], a request, and where it may take long an [`Observer`]; it blocks until it is done.

mod acquire;
mod adopt;
mod both;
mod caches;
mod carry;
mod claim;
mod converted;
mod create;
mod deinit;
mod doctor;
mod ending;
mod error;
mod filling;
mod forecast;
mod guard;
mod harness;
mod holdings;
mod identity;
mod keeper;
mod land;
mod last_look;
mod lease;
mod leaving;
mod leftovers;
mod line;
mod liveness;
mod map;
mod observer;
mod outcome;
mod overlay;
mod place;
mod plan;
mod pool;
mod ports;
mod progress;
mod prune;
mod push;
mod query;
mod reconcile;
mod recover;
mod ref_locks;
mod release;
mod renew;
mod request;
mod rescue;
mod rescues;
mod restore;
mod resume;
mod run;
mod saved;
mod scratch;
mod seed;
mod select;
mod session;
mod strategies;
mod survey;
mod suspension;
mod sweep;
mod task;
mod template;
mod terms;
#[cfg(test)]
mod testing;
mod undo;
mod variables;
mod version;
mod warm;

pub use acquire::acquire;
pub use adopt::{AdoptError, adopt};
pub use deinit::{DeinitError, DeinitFate, Deinited, execute as execute_deinit, plan as plan_deinit};
pub use doctor::{Cure, Cured, Finding, FindingSubject, Severity, cure, examine};
pub use error::{
    AcquireError, CreateError, DropError, ExecError, OpenError, PoolError, PruneError, QueryError,
    ReconcileError, ReleaseError, RenewError, RescueError, RestoreError, RunError, SelectError, SessionError,
    StateError, SweepError,
};
pub use forecast::{
    Against, Collision, Forecast, ForecastError, ForecastRequest, ForecastWork, NotLookedAt, forecast,
};
pub use guard::{DriftRepair, LeaseDrift, RepairError, drift, plan_drift_repairs, repair_drift};
pub use harness::ancestor_named;
pub use holdings::{Holding, Holdings, Measured, holdings, usage_of};
pub use keeper::{KEEPER_COMMAND, KeepRequest, KeeperError, keep};
pub use land::{
    ConflictReport, IncludeUncommitted, LandError, LandMode, LandRequest, LandSource, Landed, LandedFate,
    OnConflict, Overlap, OverlapKind, QUEUE_COMMAND, QueueError, ServeRequest, StoodHow, SyncError,
    SyncManner, SyncRequest, Synced, TicketScope, Verified, VerifyFailure, VerifyRequest, cancel_ticket,
    enqueue, land, serve_queue, sync, tickets, wait_for_ticket,
};
pub use lease::Lease;
pub use map::{
    Former, MapError, MapObserver, MapRequest, MapTask, Mapped, OnFailure, TaskMode, Turn, batch_named_by,
    judge, map,
};
pub use observer::{HeldBy, Observer, Unobserved};
pub use outcome::{
    Adopted, BranchFate, CarrySummary, Details, Dropped, Entry, EnvironmentChange, Finished, HeldThen,
    Leased, Provenance, Ran, RanLanding, RanPush, Released, Restored, Seed, SeedFate, SeedFigures,
    WorkSummary, WorktreeFate,
};
pub use overlay::{OVERLAY_COMMAND, OverlayError, OverlaySaveRequest, save_apart, try_overlay};
pub use pool::{Environment, KeeperMode, OverlayMode, Pool};
pub use prune::{PruneFate, Pruned, execute as execute_prune, plan as plan_prune};
pub use push::{PullRequest, PullRequestWish, PushError, PushRequest, PushSource, Pushed, PushedFate, push};
pub use query::{Colour, diff, events, find, list, logs, show};
pub use reconcile::{Reconciled, StepFate, execute as execute_reconcile, plan as plan_reconcile};
pub use release::release;
pub use renew::renew;
pub use request::{
    AcquireRequest, AdoptRequest, BranchRequest, CarryRequest, CommandRequest, ExecRequest, HolderRequest,
    InputRequest, Locate, OutputRequest, ReleaseRequest, RenewRequest, RestoreRequest, RunLanding, RunPush,
    RunRequest, Selector, SessionRequest, Waiting, WorkPolicy,
};
pub use rescues::{RescueDetails, RescuedPath, RescuedWhere, drop_rescue, rescue_details, rescues};
pub use restore::restore;
pub use run::{REAPER_COMMAND, exec, run};
pub use session::{
    EndedLease, EndedSession, SessionDetails, end_session, session_details, sessions, start_session,
};
pub use strategies::{Strategies, StrategyStatus, strategies};
pub use sweep::{SWEEP_COMMAND, sweep};
pub use task::{
    ClaimRequest, StateEdit, TaskDetails, TaskEdit, TaskError, TaskRequest, claim_task, create_task,
    edit_task, release_task, task_details, task_history, tasks,
};
pub use template::{Template, make_template, remove_templates, templates};
pub use warm::{
    BackgroundFilling, FillOccasion, Filled, PoolStatus, Shrunk, SpareStatus, WARM_COMMAND, WarmRequest,
    fill, fill_in_background, pool_status, shrink, start_filling,
};
