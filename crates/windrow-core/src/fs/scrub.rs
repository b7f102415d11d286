//! Takes everything out of a tree that is not as it was written into it, so that the next holder finds nothing of the former.
//!
//! What cannot be proven to be as it was is not mended: the caller throws the tree away then.
//!
//! # Crash safety
//! What goes is moved into the trash by one rename each; stopping anywhere leaves a tree that is still to be scrubbed.

use std::{
    collections::HashSet,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use bstr::BString;
use rustix::io::Errno;
use windrow_model::{FileStat, Stamp};

use super::{at, dirs, pristine::Known, trash};

/// What is to be scrubbed, and what is to be left.
#[derive(Debug)]
pub struct ScrubRequest<'a> {
    /// The top of the tree.
    pub root: &'a Path,
    /// Every file and link that was written, with what `lstat` said of it then.
    pub known: &'a [(BString, FileStat)],
    /// Only what was last changed before this is trusted: a later change may bear the same time.
    pub settled: Stamp,
    /// The permissions of the top.
    pub root_mode: u32,
    /// The permissions of every directory below.
    pub directory_mode: u32,
    /// Where everything else goes; on the same file system.
    pub trash: &'a Path,
}

/// What scrubbing came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Scrubbed {
    /// What is left is as it was written; these of the known paths are not there any more.
    Proven {
        /// Relative paths.
        missing: HashSet<BString>,
    },
    /// Something is not as it was and cannot be mended.
    Unproven {
        /// Where.
        path: PathBuf,
        /// What.
        why: &'static str,
    },
}

/// Scrubs a tree. Times of change cannot be set by a program, so a file that was written, linked or given attributes since is
/// always seen; of directories everything but times is looked at.
///
/// # Errors
/// Something cannot be looked at or moved.
pub fn scrub(request: &ScrubRequest<'_>) -> io::Result<Scrubbed> {
    let (trash, _) = dirs::open_own(request.trash).map_err(io::Error::other)?;
    let mut scrubber = Scrubber { request, tree: Known::new(request.known), trash, met: HashSet::new() };
    let root = at::open_root(request.root)?;
    if let Some((path, why)) = scrubber.walk(&root, b"", request.root_mode)? {
        return Ok(Scrubbed::Unproven { path: at::below(request.root, &path), why });
    }
    let Scrubber { met, .. } = scrubber;
    let gone = request.known.iter().map(|(path, _)| path).filter(|path| !met.contains(*path));
    Ok(Scrubbed::Proven { missing: gone.cloned().collect() })
}

type Unproven = Option<(Vec<u8>, &'static str)>;

struct Scrubber<'a> {
    request: &'a ScrubRequest<'a>,
    tree: Known<'a>,
    trash: OwnedFd,
    met: HashSet<BString>,
}

impl Scrubber<'_> {
    fn walk(&mut self, directory: &OwnedFd, path: &[u8], mode: u32) -> io::Result<Unproven> {
        if let Some(why) = platform::strangeness(directory, mode)? {
            return Ok(Some((path.to_owned(), why)));
        }
        for (name, _) in at::names(directory)? {
            let full = at::join(path, &name);
            let looked = at::look(directory, &name)?;
            if looked.mount {
                return Ok(Some((full, "something is mounted there")));
            }
            if looked.kind().is_dir() && self.tree.is_directory(&full) {
                let below = at::open_dir_same_mount(directory, &name)?;
                let unproven = self.walk(&below, &full, self.request.directory_mode)?;
                if unproven.is_some() {
                    return Ok(unproven);
                }
            } else if self.tree.is_as_written(&full, &looked.stat) && looked.stat.ctime < self.request.settled
            {
                self.met.insert(full.into());
            } else {
                match trash::lift(directory, &name, &self.trash) {
                    Err(error) if Errno::from_io_error(&error) == Some(Errno::XDEV) => {
                        return Ok(Some((full, "nothing can be moved out of its subvolume")));
                    }
                    lifted => lifted?,
                }
            }
        }
        Ok(None)
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        io,
        os::fd::{AsFd, OwnedFd},
    };

    use rustix::{
        fs::{AtFlags, IFlags, StatxFlags},
        io::Errno,
    };

    /// Says what of a directory is not as one that was just made.
    pub(super) fn strangeness(directory: &OwnedFd, mode: u32) -> io::Result<Option<&'static str>> {
        let found = rustix::fs::statx(directory, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?;
        if u32::from(found.stx_mode) & 0o7777 != mode {
            return Ok(Some("its permissions are not those it was made with"));
        }
        if found.stx_uid != rustix::process::geteuid().as_raw() {
            return Ok(Some("it belongs to somebody else"));
        }
        if has_attributes(directory)? {
            return Ok(Some("it has extended attributes"));
        }
        if has_flags(directory)? {
            return Ok(Some("it has flags of the file system"));
        }
        Ok(None)
    }

    /// Labels that the system gives to every file are no holder's.
    fn has_attributes(directory: &OwnedFd) -> io::Result<bool> {
        let mut names = [0_u8; 4096];
        match rustix::fs::flistxattr(directory, &mut names) {
            Ok(length) => {
                let mut found = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
                Ok(found.any(|name| name != b"security.selinux"))
            }
            Err(Errno::NOTSUP) => Ok(false),
            Err(Errno::RANGE) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// *Source*: ioctl_iflags(2); the two that are left out say how the file system stores a directory.
    fn has_flags(directory: &OwnedFd) -> io::Result<bool> {
        const HOW_STORED: IFlags = IFlags::from_bits_retain(0x0000_1000 | 0x0008_0000 | 0x1000_0000);
        match rustix::fs::ioctl_getflags(directory.as_fd()) {
            Ok(flags) => Ok(!flags.difference(HOW_STORED).is_empty()),
            Err(Errno::NOTTY | Errno::NOTSUP | Errno::INVAL | Errno::NOSYS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::{io, os::fd::OwnedFd};

    /// Not everything that a directory can be given is looked at here yet, so none is taken for new.
    pub(super) fn strangeness(_directory: &OwnedFd, _mode: u32) -> io::Result<Option<&'static str>> {
        Ok(Some("its attributes cannot all be looked at on this system"))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    struct Fixture {
        directory: tempfile::TempDir,
        known: Vec<(BString, FileStat)>,
    }

    const LATER: Stamp = Stamp { seconds: i64::MAX, nanos: 0 };

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path().join("tree");
            fs::create_dir_all(root.join("a/b")).unwrap();
            for path in ["a/b/one", "a/two", "three"] {
                fs::write(root.join(path), path).unwrap();
            }
            let fd = at::open_root(&root).unwrap();
            let stat = |path: &str| at::look_beneath(&fd, path.as_bytes()).unwrap().stat;
            let known = ["a/b/one", "a/two", "three"].map(|path| (BString::from(path), stat(path)));
            for path in ["", "a", "a/b"] {
                fs::set_permissions(root.join(path), fs::Permissions::from_mode(0o755)).unwrap();
            }
            Self { known: known.to_vec(), directory }
        }

        fn root(&self) -> PathBuf {
            self.directory.path().join("tree")
        }

        fn scrub_settled(&self, settled: Stamp) -> Scrubbed {
            scrub(&ScrubRequest {
                root: &self.root(),
                known: &self.known,
                settled,
                root_mode: 0o755,
                directory_mode: 0o755,
                trash: &self.directory.path().join("trash"),
            })
            .unwrap()
        }

        fn missing(&self) -> Vec<String> {
            let Scrubbed::Proven { missing } = self.scrub_settled(LATER) else { panic!("unproven") };
            let mut missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
            missing.sort();
            missing
        }
    }

    #[test]
    fn what_is_as_it_was_written_stays() {
        let fixture = Fixture::new();
        assert!(fixture.missing().is_empty());
        assert_eq!(fs::read(fixture.root().join("a/b/one")).unwrap(), b"a/b/one");
    }

    #[test]
    fn what_was_added_or_changed_goes() {
        let fixture = Fixture::new();
        let root = fixture.root();
        fs::write(root.join("a/new"), "").unwrap();
        fs::create_dir_all(root.join("empty/below")).unwrap();
        fs::hard_link(root.join("a/two"), fixture.directory.path().join("kept")).unwrap();
        fs::remove_dir_all(root.join("a/b")).unwrap();
        symlink("..", root.join("a/b")).unwrap();
        assert_eq!(fixture.missing(), ["a/b/one", "a/two"]);
        let mut left: Vec<_> =
            fs::read_dir(root.join("a")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert!(left.is_empty(), "{left:?}");
        assert!(!root.join("empty").exists() && root.join("three").exists());
    }

    #[test]
    fn what_was_written_a_moment_ago_is_not_trusted() {
        let fixture = Fixture::new();
        let Scrubbed::Proven { missing } = fixture.scrub_settled(fixture.known[0].1.ctime) else {
            panic!("unproven")
        };
        assert!(missing.contains(&fixture.known[0].0));
    }

    #[test]
    fn a_directory_that_was_changed_is_not_mended() {
        let fixture = Fixture::new();
        fs::set_permissions(fixture.root().join("a"), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(
            matches!(fixture.scrub_settled(LATER), Scrubbed::Unproven { path, .. } if path.ends_with("a"))
        );
    }
}
