//! Namespaces as Linux has them.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsFd, unix::fs::MetadataExt},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    mount::{MountPropagationFlags, mount_change},
    thread::{
        CapabilitySet, CapabilitySets, LinkNameSpaceType, UnshareFlags, capabilities,
        move_into_link_name_space, set_capabilities, unshare_unsafe,
    },
};

use crate::process::platform::proc_path;

/// How long threads that were waited for may take to leave the process: they are joined a little earlier.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits until this is the only thread of the process.
pub(super) fn wait_until_single() -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(50);
    while fs::read_dir("/proc/self/task")?.count() > 1 {
        if Instant::now() >= until {
            return Err(io::Error::other("this process has several threads"));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
    Ok(())
}

/// Goes into a new mount namespace, and into a new user namespace where that is needed for it.
pub(super) fn unshare() -> io::Result<()> {
    if capabilities(None)?.effective.contains(CapabilitySet::SYS_ADMIN) {
        part(UnshareFlags::NEWNS)?;
    } else {
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        part(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
        // Who may not change groups outside may not drop one by this either.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
        lay_down()?;
    }
    // What others mount and unmount is seen, what we mount is not.
    let from_outside = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    with_all(|| Ok(mount_change("/", from_outside)?))
}

fn part(flags: UnshareFlags) -> io::Result<()> {
    #[expect(unsafe_code, reason = "this thread is the only one, so that no other one keeps what it leaves")]
    // SAFETY: the descriptor table is not unshared.
    unsafe {
        Ok(unshare_unsafe(flags)?)
    }
}

/// The namespaces of another process.
pub(super) struct Namespaces {
    user: Option<File>,
    mounts: File,
}

impl Namespaces {
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let user = File::open(proc_path(pid, "ns/user"))?;
        let own = fs::metadata("/proc/self/ns/user")?.ino();
        let differs = user.metadata()?.ino() != own;
        Ok(Self { user: differs.then_some(user), mounts: File::open(proc_path(pid, "ns/mnt"))? })
    }

    pub(super) fn enter(&self) -> io::Result<()> {
        if let Some(user) = &self.user {
            move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))?;
        }
        move_into_link_name_space(self.mounts.as_fd(), Some(LinkNameSpaceType::Mount))?;
        if self.user.is_some() { lay_down() } else { Ok(()) }
    }
}

/// What mounting needs: the right itself, and to get at what is closed to everybody.
fn needed() -> CapabilitySet {
    CapabilitySet::SYS_ADMIN | CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH
}

/// Lays down all rights that a user namespace gives but those for mounting, and these until they are taken up.
fn lay_down() -> io::Result<()> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: needed(), inheritable: none };
    Ok(set_capabilities(None, sets)?)
}

fn with_all<T>(action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let rights = Rights::take()?;
    let done = action();
    rights.give_up()?;
    done
}

/// The rights of this thread before it took up those for mounting.
pub(super) struct Rights(CapabilitySets);

impl Rights {
    pub(super) fn take() -> io::Result<Self> {
        let before = capabilities(None)?;
        let effective = before.effective | (before.permitted & needed());
        set_capabilities(None, CapabilitySets { effective, ..before })?;
        Ok(Self(before))
    }

    pub(super) fn give_up(self) -> io::Result<()> {
        Ok(set_capabilities(None, self.0)?)
    }
}

pub(super) fn shares_mounts(pid: u32) -> bool {
    let namespace = |path| fs::metadata(path).map(|found| found.ino());
    match (namespace(proc_path(pid, "ns/mnt")), namespace("/proc/self/ns/mnt".into())) {
        (Ok(theirs), Ok(ours)) => theirs == ours,
        _ => false,
    }
}
