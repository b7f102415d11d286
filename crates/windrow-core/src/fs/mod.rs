//! Writes, reads and removes the files of worktrees.
//!
//! Everything below a root is reached through descriptors of directories and never through a symbolic link, so that
//! what an agent left behind cannot steer a write, a read or a removal out of the tree.

mod abilities;
mod archive;
mod at;
mod carry;
mod clear;
mod dirs;
mod freeze;
mod identity;
mod materialise;
mod overlay;
mod patterns;
mod priority;
mod pristine;
mod reflink;
mod scan;
mod scrub;
mod seed;
mod space;
mod spread;
mod stamp;
mod subvolume;
mod swap;
mod temporary;
#[cfg(test)]
mod testing;
mod trash;
mod tree_path;
mod usage;

pub use abilities::{FileSystemAbilities, abilities};
pub use archive::{
    ArchiveEntry, ArchiveError, ArchiveItem, ArchiveSummary, EntryKind, Extent, Overwrite, RestoreRoot,
    list_archive, read_archive, write_archive,
};
pub use carry::{
    Candidate, Carried, CarriedChange, CarriedState, CarryError, CarryPatterns, CarryPlan, CarryRequest,
    GitStanding, PlannedCarry, PlannedKind, SkipReason, carry, plan_carry, verify_carried,
};
pub use clear::clear;
pub use dirs::{DirectoryError, Seclusion, can_make, check_parent, own_dir, private_dir};
pub use freeze::{freeze, thaw};
pub use identity::{directory_identity, may_hold_subvolume};
pub use materialise::{
    Age, BlobReader, BlobSource, Directories, Manner, MaterialiseError, Original, Progress, Protection,
    Quiet, Taking, Written, materialise,
};
pub use overlay::{Layers, mount_overlay, shows_overlay, try_overlay, unmount};
pub use patterns::{PathKind, PatternError, Patterns, Verdict};
pub use priority::give_way;
pub use pristine::first_difference;
pub use reflink::reflink;
pub use scan::{
    DroppedDirectory, Found, FoundKind, KnownFiles, Scan, ScanError, ScanRules, Size, Tracked,
    TrackedDirectories, Witness, scan, size_of, witness,
};
pub use scrub::{ScrubRequest, Scrubbed, scrub};
pub use seed::{
    Blocks, BuildLock, CargoCache, CopiedTree, SeedError, SourceTree, Sources, Timed, Trust, copy_tree,
    give_times, look_at_cargo, seed_place, shares_blocks,
};
pub use space::{space, sync_directory, sync_filesystem};
pub use stamp::stamp_of;
pub use subvolume::{Writing, is_subvolume, make_subvolume, remove_tree, set_writing, snapshot};
pub use swap::{Lying, Swap, cannot_exchange, place_is_taken};
pub use temporary::remove_leftovers;
pub use trash::{
    SetAside, TrashError, TrashFailure, TrashReport, empty_trash, has_trash, is_in_trash, move_to_trash,
    rename_new, set_aside, take_in_hand,
};
pub use tree_path::{TreePathError, check_tree_path};
pub use usage::{UsageError, usage_of};
