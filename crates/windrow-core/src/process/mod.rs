//! Processes: start a command under a supervisor, tell whether a process still lives, and end what it left behind.
//!
//! Locking: [`FileLock`] and [`OccupancyLock`] are `flock` locks; the kernel releases them when their last holder is
//! gone, whatever ended it. No lock is taken on any other path.
//!
//! Crash safety: a command runs under a small reaper process (see [`reaper`]); when the manager is killed the reaper
//! sees the end of its control socket and ends the whole tree. When the reaper is killed as well, [`kill_tree`] finds
//! what is left by the occupancy lock.
//!
//! Compatibility: Linux 5.4 or newer (pidfd). Other systems compile, and whatever they cannot promise is an error of
//! kind [`std::io::ErrorKind::Unsupported`], never a guess.

mod cancel;
mod cgroup;
mod ending;
mod identity;
mod kill;
mod lock;
mod memory;
mod namespace;
mod occupancy;
mod ports;
pub mod reaper;
mod signals;
mod spawn;
mod supervise;
mod table;
mod tee;
mod terminal;
#[cfg(test)]
mod tests;
mod watch;
mod wire;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod platform;

pub use cancel::{Cancel, Interruption};
pub use ending::{EndedBy, Straggler};
pub use identity::{
    Ancestor, Liveness, ancestors, ask_to_end, boot_id, caller, identify, identify_self, liveness,
    started_at, suspended, umask,
};
pub use kill::{ABANDONED_GRACE, KillError, kill_tree};
pub use lock::{FileLock, LockError, LockState, OccupancyLock, Wait, is_free, note_of};
pub use memory::give_memory_back;
pub use namespace::{go_apart, is_apart, join, shares_mounts, with_mount_rights};
pub use occupancy::{Occupant, OccupiedBy, holders_of, occupants, users_named};
pub use ports::is_port_free;
pub use spawn::{ask_helper, spawn_detached};
pub use supervise::{Ended, Exit, Input, Output, Started, SuperviseError, SuperviseRequest, supervise};
pub use tee::{RotatedLog, TeeTarget};
pub use watch::{Watch, Watched, Woken};
