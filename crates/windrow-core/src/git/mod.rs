//! The only place that runs the `git` program or uses gix: it yields entries and blobs, writes indexes, moves refs.
//!
//! gix reads objects and index files; refs, configuration and everything that merges go through the program.
//!
//! # Security
//! A worktree and its administrative directory can be written by the agent that works there. Git is therefore never left
//! to discover a repository in one: `GIT_DIR` is the common directory, whose configuration is the user's, and
//! `GIT_WORK_TREE` and `GIT_INDEX_FILE` are named one by one. The worktree's own `.git`, `commondir` and
//! `config.worktree` are never believed by a git that we start, except after proof that they are as we wrote them, and
//! on reftable by commands that run nothing. With `GIT_DIR` named git does not ask who owns a repository: discovery,
//! which comes first, does.

mod admin;
mod aside;
mod attributes;
mod carried;
mod changes;
mod checkout;
mod command;
mod config;
mod discover;
mod expand;
mod facts;
mod guard;
mod head;
mod index;
mod index_lock;
mod landed;
mod listing;
mod maintenance;
mod mend;
mod merge;
mod operations;
mod pack_cache;
mod pipes;
mod ref_locks;
mod refs;
mod registry;
mod remote;
mod repository;
mod rev;
mod snapshot;
mod staged;
mod submodules;
mod tree;
mod untracked;
mod version;
mod within;
mod worktrees;

#[cfg(test)]
mod tests;

pub use admin::{
    AdminError, AdminHead, AdminRequest, IDENTITY_FILE, PreparedAdmin, dot_git_text, hide_admin, lock_admin,
    prepare, retire_admin, show_admin, sweep_leftovers, write_dot_git,
};
pub use aside::Aside;
pub use attributes::{AttributesError, WhyGit, needs_git, needs_git_always};
pub use carried::{read_carried, write_carried};
pub use changes::{TreeChange, TreeDifference, footprint, tree_changes, tree_differences};
pub use checkout::{
    CheckoutError, StageError, VerifyError, checkout_by_git, cleaned, converted, populate_submodules,
    stage_by_git, verify_checkout,
};
pub use command::{Call, Git, GitError, GitFailure, GitOutput, LOCAL_VARIABLES};
pub use config::{Config, Sparse};
pub use discover::{DiscoverError, discover};
pub use facts::{AdminFacts, admin_facts, dot_git_of, proof_in};
pub use guard::{
    Differing, MainFiles, MainFilesError, Setting, content_hash, hooks_in, index_hash, main_files,
    set_not_bare, settings_in, unset_worktree,
};
pub use head::{Head, HeadError, ResolveError, ResolvedBase};
pub use index::{
    IndexError, read_index, restat, time_to_keep, write_entries, write_index, write_index_aside,
};
pub use index_lock::IndexLock;
pub use landed::{CompareError, Comparison, Containment};
pub use listing::{count_uncommitted, diff_worktree, reset_index, uncommitted};
pub use maintenance::{count_loose, maintain, maintenance_lock, maintenance_threshold};
pub use mend::{
    CommitFacts, commit_facts, first_commit, mark_adopted, marked_admins, relink, repoint, sweep_marks,
    unmark,
};
pub use merge::{
    Author, CommitText, ConflictMessage, ConflictStage, Conflicts, MergeRequest, Merged, NewCommit, Rebased,
    commits_between, merge_trees, rebase, tree_of, write_commit, write_commit_at,
};
pub use operations::{InProgress, Operation, OperationsError, in_progress, orphan_commits};
pub use ref_locks::{AbandonedChange, RefLock, abandoned_changes, ref_locks};
pub use refs::{
    Expect, RefChange, RefError, first_reflog_message, last_reflog_message, list_refs, pack_ref, read_ref,
    update_refs, upstream_of,
};
pub use registry::{find_admin, unpublished_admin};
pub use remote::{
    PushAnswer, PushHooks, PushRequest, Remote, fetch_objects, has_commit, push, remote_ref, uses_lfs,
};
pub use repository::{ObjectFormat, RefFormat, Repository};
pub use rev::{
    ChangedFile, ChangedFiles, DiffColour, DiffForm, changed_files, commits_beyond, count_commits, diff,
    is_ancestor, merge_base,
};
pub use snapshot::{Snapshot, SnapshotError, SnapshotFiles, SnapshotRequest, snapshot};
pub use staged::{read_raw, staged_files, tree_of_files};
pub use submodules::{SubmoduleRisk, SubmodulesError, UnsafeSubmodule, unsafe_submodules};
pub use tree::{
    ObjectError, ObjectReader, Objects, TreeCache, TreeListing, blob_hash, hash_file, hash_open, hash_path,
};
pub use untracked::{UntrackedPath, is_ignored, untracked};
pub use version::{MINIMUM_VERSION, Version, version};
pub use worktrees::{ListedWorktree, WorktreeHead};

/// Bytes of a path as the system takes them.
fn os(path: &bstr::BString) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(path.as_slice())
}
