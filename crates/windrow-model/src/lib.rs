//! The pure heart of Windrow: ids, names, records, states and their transition functions, policies and plans.
//!
//! Nothing here does I/O, reads a clock or looks at the environment; whatever changes is an argument.

mod batch;
mod branch;
mod decide;
mod deinit;
mod disposable;
mod event;
mod footprint;
mod guard;
mod holder;
mod id;
mod key;
mod landing;
mod name;
mod oid;
mod ports;
mod prune;
mod quantity;
mod reconcile;
mod record;
mod remains;
mod retention;
mod seed;
mod session;
mod settings;
mod space;
mod state;
mod strategy;
mod template;
mod ticket;
mod tree;

pub use batch::{BatchId, BatchTask, Harvest, Settled, TaskEnd, Verdict};
pub use branch::{BranchName, BranchNameError, BranchTemplate, BranchTemplateError, TemplateValues};
pub use decide::{
    BranchDisposal, KeyDecision, KeySituation, LeaseFate, LeaseSituation, RecoveryAction, branch_disposal,
    decide_key, lease_fate, recovery_action,
};
pub use deinit::{
    DeinitAction, DeinitObstacle, DeinitPlan, DeinitSituation, DeinitSnapshot, DeinitWorktree, RescueFate,
    RescuePolicy, SavedWork, WorkSeen, WorktreeMaker, deinit_worktree, plan_deinit,
};
pub use disposable::{DirectorySigns, Disposable, disposable_directory};
pub use event::{Event, EventKind, NewEvent};
pub use footprint::Footprint;
pub use guard::{Change, Drift, Fingerprint, Single, Watched};
pub use holder::{Holder, HolderLiveness, ProcessIdentity};
pub use id::{Fence, IdError, LandingId, LeaseId, RescueId, SessionId, WorktreeId};
pub use key::{LeaseKey, LeaseKeyError};
pub use landing::{IllegalLanding, LandStrategy, LandingEvent, LandingRecord, LandingRecovery, LandingState};
pub use name::{NameError, WorktreeName};
pub use oid::{Oid, OidError};
pub use ports::{PortBlock, PortRange, PortRangeError, choose_ports};
pub use prune::{
    BudgetPlan, BudgetSeen, GoReason, GoingBytes, Landed, LandingSeen, LandingSide, LandingWay,
    PrunableBranch, PrunableRescue, PrunableSpare, PrunableTemplate, PrunableTrash, PrunableWorktree,
    PruneItem, PrunePlan, PrunePolicy, PruneSnapshot, PruneStep, PruneVerdict, StayReason, plan_prune,
    prune_branch, prune_rescue, prune_worktree,
};
pub use quantity::{QuantityError, format_bytes, format_duration, parse_bytes, parse_duration};
pub use reconcile::{
    Discrepancy, DiskSeen, LeaveReason, Mending, ReconcileAction, ReconcilePlan, ReconcileSituation,
    ReconcileSnapshot, ReconcileStep, RecordsAction, RecordsSeen, RegistrationSeen, UseSeen, WorktreeSeen,
    plan_reconcile, reconcile_action,
};
pub use record::{
    BranchOrigin, CarriedFile, CarriedKind, Checkout, DirectoryIdentity, LeaseRecord, RescueRecord, Waiter,
    WorktreeRecord,
};
pub use remains::{LossSeen, ProofSeen, RegistrationProofs, Remains, files_remains, registration_remains};
pub use retention::expired_rescues;
pub use seed::{DepInfo, SeedChoice, SeedTool, mentions, mentions_outside, seeded_time};
pub use session::{SessionBond, SessionRecord, session_liveness};
pub use settings::{
    BranchSettings, CarrySettings, DeleteBranch, DiscoverySettings, GuardSettings, LandSettings, LogMode,
    PoolSettings, PortSettings, PushSettings, RescueSettings, RunSettings, SeedSettings, Settings,
    Submodules,
};
pub use space::{SpaceGuard, SpaceNeed, SpaceShortage, Usage, check_space};
pub use state::{IllegalTransition, WorktreeEvent, WorktreeState};
pub use strategy::{
    Abilities, Chosen, FEW_FILES, Strategy, StrategyChoice, TemplateOccasion, choose_strategy, template_for,
};
pub use template::{fill_worktree_template, is_worktree_template};
pub use ticket::{IllegalTicket, NewTicket, TicketEnd, TicketEvent, TicketNumber, TicketRecord, TicketState};
pub use tree::{EntryMode, FileStat, IndexEntry, IndexFlags, RecordedStat, StagedFile, Stamp, TreeEntry};
