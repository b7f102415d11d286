//! Who holds a lease.

use crate::SessionId;

/// A process told apart from every other that had or will have its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// The process number.
    pub pid: u32,
    /// Start time in clock ticks since boot. *Source*: proc_pid_stat(5), field 22.
    pub start_ticks: u64,
    /// Where its number counts: `<boot>/<PID namespace>`. *Source*: `/proc/sys/kernel/random/boot_id`, namespaces(7).
    pub scope: String,
}

/// Who has the exclusive right to use a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A `windrow run` or a process named by the caller: the lease lives as long as it does.
    Process(ProcessIdentity),
    /// A session: the lease ends with it.
    Session(SessionId),
    /// Somebody on another machine, by its own name; only the expiry ends it.
    Remote(String),
    /// Nobody that could be watched (a shell's `$(…)`): only the expiry ends it.
    Unbound,
}

/// What is known about whether a holder still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderLiveness {
    /// A process or session that was seen alive.
    Alive,
    /// A process or session that is proven gone.
    Dead,
    /// Nothing can be observed; the expiry decides.
    Unobservable,
}
