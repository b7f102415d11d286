//! What needs root: images mounted over a loop device, small file systems, process namespaces.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::UnshareFlags;

use crate::poll::poll_quietly;
use crate::{Invocation, skipped};

/// Proof that the test runs as root.
#[derive(Clone, Copy, Debug)]
pub struct Root(());

/// Returns the proof, or says loudly that `why` is skipped.
pub fn root_only(why: &str) -> Option<Root> {
    if rustix::process::geteuid().is_root() {
        return Some(Root(()));
    }
    skipped(&format!("needs root: {why}"));
    None
}

/// A file system that an image can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// The usual one; no reflinks.
    Ext4,
    /// Subvolumes and reflinks.
    Btrfs,
    /// Reflinks.
    Xfs,
}

impl FileSystem {
    /// Returns its name as mount(8) knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Btrfs => "btrfs",
            Self::Xfs => "xfs",
        }
    }

    /// What its mkfs has to be told: to be quiet, and not to punch holes into an image that is written out.
    pub(crate) fn quick_format(self) -> &'static [&'static str] {
        match self {
            Self::Ext4 => &["-q", "-E", "nodiscard"],
            Self::Btrfs => &["-q", "--nodiscard"],
            Self::Xfs => &["-q", "-K"],
        }
    }
}

/// A mounted file system; dropping it unmounts it and removes its image.
#[derive(Debug)]
pub struct Mounted {
    path: PathBuf,
    /// Holds the image and the mount point; removed after the unmounting.
    _holder: tempfile::TempDir,
}

impl Mounted {
    /// Returns the mount point, an empty directory at first (ext4 has its `lost+found`).
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let gone = poll_quietly(Duration::from_secs(10), || {
            call("umount", &[self.path.as_os_str()])
                .is_some_and(|output| output.status.success())
                .then_some(())
        });
        if gone.is_none() {
            // Detached at least, so that the directory can go; whoever still uses it is the failure to report.
            call("umount", &["--lazy".as_ref(), self.path.as_os_str()]);
            assert!(std::thread::panicking(), "{} is still in use", self.path.display());
        }
    }
}

/// Makes an image of `bytes` bytes with a file system in it and mounts it; says loudly that the test is skipped
/// when the tool or the kernel lacks that file system or this machine forbids mounts.
///
/// # Panics
///
/// Panics when anything else fails.
#[track_caller]
pub fn loop_fs(root: Root, kind: FileSystem, bytes: u64) -> Option<Mounted> {
    loop_fs_in(root, kind, bytes, &std::env::temp_dir())
}

/// Like [`loop_fs`], with the image and the mount point below `parent`. The image has no name any more once it is mounted, so
/// its room is free again with the last user of the mount, whatever becomes of us.
///
/// # Panics
///
/// Panics when anything fails but what [`loop_fs`] skips.
#[track_caller]
pub fn loop_fs_in(root: Root, kind: FileSystem, bytes: u64, parent: &Path) -> Option<Mounted> {
    let place = prepare_in(parent);
    let image = place.holder.path().join("image");
    File::create(&image).and_then(|file| file.set_len(bytes)).expect("a sparse file can be made");
    make_file_system(kind, &image)?;
    let mounted = mount(root, place, &["-t", kind.name(), "-o", "loop"], &image, kind.name())?;
    fs::remove_file(&image).expect("our own file can be removed");
    Some(mounted)
}

/// Lets nobody see the mounts that the calling thread makes from now on but itself and what it starts, so that they are gone
/// with the last of these; says loudly that the test is skipped where that is forbidden.
pub fn own_mounts(_root: Root) -> Option<()> {
    let hidden = unshare_mounts();
    if let Err(error) = &hidden {
        skipped(&format!("needs a mount namespace: {error}"));
    }
    hidden.ok()
}

/// Whoever copied our mounts into a namespace of his own would keep them in use.
fn unshare_mounts() -> rustix::io::Result<()> {
    #[expect(deprecated, reason = "only mounts are unshared, no descriptors; the replacement is unsafe")]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
}

/// Makes a file system in an image; says loudly that the test is skipped when the tool is not installed.
///
/// # Panics
///
/// Panics when the tool fails.
#[track_caller]
pub(crate) fn make_file_system(kind: FileSystem, image: &Path) -> Option<()> {
    let tool = format!("mkfs.{}", kind.name());
    let mut words: Vec<&std::ffi::OsStr> = kind.quick_format().iter().map(std::ffi::OsStr::new).collect();
    words.push(image.as_os_str());
    let Some(output) = call(&tool, &words) else {
        skipped(&format!("`{tool}` is not installed"));
        return None;
    };
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

/// Mounts a tmpfs of at most `bytes` bytes and `inodes` files, to run out of either.
#[track_caller]
pub fn small_tmpfs(root: Root, bytes: u64, inodes: u64) -> Option<Mounted> {
    let options = format!("size={bytes},nr_inodes={inodes},mode=0700");
    mount(root, prepare(), &["-t", "tmpfs", "-o", &options], Path::new("tmpfs"), "tmpfs")
}

/// Wraps a command line so that it and all its descendants live in a process namespace of their own, with a
/// /proc of its own, and die with the wrapper.
pub fn pid_namespace(_root: Root, invocation: Invocation) -> Invocation {
    invocation.wrapped_in(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
}

/// A mount point that nothing is mounted on yet.
pub(crate) fn prepare() -> Prepared {
    prepare_in(&std::env::temp_dir())
}

fn prepare_in(parent: &Path) -> Prepared {
    let holder = tempfile::Builder::new().prefix("windrow-mount-").tempdir_in(parent);
    let holder = holder.expect("a temporary directory can be made");
    let path = holder.path().join("mnt");
    fs::create_dir(&path).expect("a directory can be made");
    Prepared { path, holder }
}

pub(crate) struct Prepared {
    pub(crate) path: PathBuf,
    pub(crate) holder: tempfile::TempDir,
}

#[track_caller]
fn mount(_root: Root, place: Prepared, options: &[&str], source: &Path, kind: &str) -> Option<Mounted> {
    let mut arguments: Vec<&std::ffi::OsStr> = options.iter().map(AsRef::as_ref).collect();
    arguments.extend([source.as_os_str(), place.path.as_os_str()]);
    let output = call("mount", &arguments).expect("`mount` is installed");
    if output.status.success() {
        return Some(Mounted { path: place.path, _holder: place.holder });
    }
    cannot_mount(kind, String::from_utf8_lossy(&output.stderr).trim())
}

/// Says loudly that the test is skipped where `kind` is unknown or nothing can be mounted.
///
/// # Panics
///
/// Panics with the message where both are not so.
#[track_caller]
pub(crate) fn cannot_mount<T>(kind: &str, message: &str) -> Option<T> {
    let known = fs::read_to_string("/proc/filesystems").expect("/proc is mounted");
    let known = known.lines().any(|line| line.split_whitespace().last() == Some(kind));
    assert!(!known || !may_mount(), "{message}");
    skipped(&format!("cannot mount {kind} here: {message}"));
    None
}

/// Says whether this machine lets us mount at all, tried with the cheapest file system.
fn may_mount() -> bool {
    let Ok(place) = tempfile::tempdir() else { return false };
    let tried = call("mount", &["-t".as_ref(), "tmpfs".as_ref(), "tmpfs".as_ref(), place.path().as_os_str()]);
    let mounted = tried.is_some_and(|output| output.status.success());
    if mounted {
        call("umount", &[place.path().as_os_str()]);
    }
    mounted
}

/// Runs a system tool; none when it is not installed.
pub(crate) fn call(program: &str, arguments: &[&std::ffi::OsStr]) -> Option<Output> {
    // mkfs lies in /usr/sbin, which a user's PATH often lacks.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    Command::new(program).args(arguments).env("PATH", path).env("LC_ALL", "C").output().ok()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::{Surroundings, TestRepo};

    fn kind_of_mount(path: &Path) -> String {
        let mounts = fs::read_to_string("/proc/mounts").expect("/proc is mounted");
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == path.to_str());
        line.and_then(|line| line.split(' ').nth(2)).unwrap_or("nothing").to_owned()
    }

    #[test]
    fn an_image_is_mounted_used_and_gone() {
        let Some(root) = root_only("images of file systems") else { return };
        for (kind, mebibytes) in [(FileSystem::Ext4, 32), (FileSystem::Btrfs, 128), (FileSystem::Xfs, 320)] {
            let Some(mounted) = loop_fs(root, kind, mebibytes << 20) else { continue };
            let path = mounted.path().to_owned();
            assert_eq!(kind_of_mount(&path), kind.name());
            drop(TestRepo::builder().inside(&path).build());
            assert!(!path.with_file_name("image").exists());
            drop(mounted);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_small_tmpfs_runs_out_of_bytes_and_of_files() {
        let Some(root) = root_only("a small tmpfs") else { return };
        let Some(mounted) = small_tmpfs(root, 64 << 10, 5) else { return };
        let full = fs::write(mounted.path().join("big"), vec![1; 128 << 10]).expect_err("too big");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        fs::remove_file(mounted.path().join("big")).expect("the part that fitted");
        let full = (0..9).find_map(|number| File::create(mounted.path().join(number.to_string())).err());
        assert_eq!(full.expect("too many").kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn a_process_namespace_counts_from_one() {
        let Some(root) = root_only("a process namespace") else { return };
        let surroundings = Surroundings::new();
        let shell = Invocation::new("sh", surroundings.root(), &surroundings).args(["-c", "echo $$"]);
        assert_eq!(pid_namespace(root, shell).run().assert_success().text(), "1");
    }
}
