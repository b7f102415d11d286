//! A file system whose power can be cut: what was not synced is lost, as after pulling the plug.
//!
//! The cut is the shutdown ioctl without flushing the log: from then on nothing reaches the image any more, and the next
//! mount recovers the journal like after a real cut. btrfs has no such call, so its image lies, written out in full, on an
//! ext4 that has, and is attached without the page cache of that one: then all its further writes fail.
//!
//! What was handed to the device without a flush counts as written: a volatile cache of the drive is not simulated.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::ioctl::{Setter, ioctl, opcode};

use crate::leftovers::kill_under;
use crate::poll::poll_quietly;
use crate::privileged::{Prepared, call, cannot_mount, make_file_system, own_mounts, prepare};
use crate::{FileSystem, Root, skipped};

/// Small, but not below what mkfs.xfs accepts.
const BYTES: u64 = 320 << 20;

/// What an outer file system needs beyond the image on it.
const AROUND: u64 = 64 << 20;

/// How long a file system may stay busy after everything that used it was killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// *Source*: `XFS_IOC_GOINGDOWN` of xfs(5), `EXT4_IOC_SHUTDOWN` of the kernel's `uapi/linux/ext4.h`: the same number.
const SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);

/// Neither data nor journal are written out first.
const NO_LOG_FLUSH: u32 = 2;

/// A mounted file system whose power can be cut; dropping it unmounts it and removes its image.
#[derive(Debug)]
pub struct Cuttable {
    path: PathBuf,
    kind: FileSystem,
    /// Where something is mounted, the outer one first.
    mounted: Vec<PathBuf>,
    /// It was mounted before, so it can be.
    patient: bool,
    holder: tempfile::TempDir,
}

/// How an image is read and written.
#[derive(Clone, Copy, Debug)]
enum Access {
    /// Through the page cache of the file system that it lies on.
    Cached,
    /// Past it, so that what is written is there at once.
    Direct,
}

impl Cuttable {
    /// Makes and mounts one, seen by the calling thread and what it starts; says loudly that the test is skipped when a tool or
    /// the kernel lacks that file system or this machine forbids mounts.
    ///
    /// # Panics
    ///
    /// Panics when anything else fails.
    #[track_caller]
    pub fn new(root: Root, kind: FileSystem) -> Option<Self> {
        own_mounts(root)?;
        let Prepared { path, holder } = prepare();
        let mut cuttable = Self { path, kind, mounted: Vec::new(), patient: false, holder };
        let (image, outer) = (cuttable.outer_image(), cuttable.outer());
        if kind == FileSystem::Btrfs {
            make_image(&image, BYTES + AROUND);
            make_file_system(FileSystem::Ext4, &image)?;
            fs::create_dir(&outer).expect("a directory can be made");
            cuttable.mount(attach(&image, Access::Cached)?, &outer, FileSystem::Ext4, &[])?;
            write_out(&cuttable.inner_image(), BYTES);
            make_file_system(kind, &cuttable.inner_image())?;
            sync(&outer);
            cuttable.mount_inner()?;
        } else {
            make_image(&image, BYTES);
            make_file_system(kind, &image)?;
            cuttable.mount_outer(attach(&image, Access::Cached)?)?;
        }
        cuttable.patient = true;
        cuttable.sync();
        Some(cuttable)
    }

    /// Returns the mount point.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes everything that was written so far survive a cut.
    pub fn sync(&self) {
        sync(&self.path);
    }

    /// Cuts the power: from now on nothing is written any more.
    ///
    /// # Panics
    ///
    /// Panics when the kernel refuses.
    #[track_caller]
    pub fn cut(&self) {
        let outermost = self.mounted.first().expect("it is mounted");
        let directory = File::open(outermost).expect("a mount point can be opened");
        #[expect(unsafe_code, reason = "the call reads the number that it is given and nothing else")]
        // SAFETY: the kernel reads one `u32`, which `Setter` keeps for as long as the call takes.
        let cut = unsafe { ioctl(&directory, Setter::<SHUTDOWN, u32>::new(NO_LOG_FLUSH)) };
        cut.expect("the file system can be shut down");
    }

    /// Kills what still uses it, forgets all that was cached, and mounts it again, which recovers its journal. The number of
    /// its device is another one then, as it may be after a real reboot.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be unmounted or mounted.
    #[track_caller]
    pub fn power_on(&mut self) {
        kill_under(&self.path);
        // While the former device is in use, so that it cannot be the same one.
        let device = attach(&self.outer_image(), Access::Cached).expect("a loop device is to be had");
        self.unmount();
        self.mount_outer(device).expect("what was mounted once can be mounted again");
    }

    #[track_caller]
    fn mount_outer(&mut self, device: PathBuf) -> Option<()> {
        if self.kind == FileSystem::Btrfs {
            self.mount(device, &self.outer(), FileSystem::Ext4, &[])?;
            return self.mount_inner();
        }
        self.mount(device, &self.path.clone(), self.kind, &[])
    }

    #[track_caller]
    fn mount_inner(&mut self) -> Option<()> {
        let device = attach(&self.inner_image(), Access::Direct)?;
        // A discarded block would have to be allocated again by the outer one, whose journal is lost at the cut.
        self.mount(device, &self.path.clone(), self.kind, &["-o", "nodiscard"])
    }

    fn outer_image(&self) -> PathBuf {
        self.holder.path().join("image")
    }

    fn outer(&self) -> PathBuf {
        self.holder.path().join("outer")
    }

    fn inner_image(&self) -> PathBuf {
        self.outer().join("image")
    }

    /// Mounts a device, which is detached when it is unmounted, also by our death.
    #[track_caller]
    fn mount(&mut self, device: PathBuf, place: &Path, kind: FileSystem, options: &[&str]) -> Option<()> {
        let mut words: Vec<&OsStr> = vec!["-t".as_ref(), kind.name().as_ref()];
        words.extend(options.iter().map(OsStr::new));
        words.extend([device.as_os_str(), place.as_os_str()]);
        // The last user of the former mount may be on its way out, and XFS mounts nothing twice.
        let patience = if self.patient { PATIENCE } else { Duration::ZERO };
        let mut said = Vec::new();
        let mounted = poll_quietly(patience, || {
            let output = call("mount", &words).expect("`mount` is installed");
            said = output.stderr;
            output.status.success().then_some(())
        });
        call("losetup", &["--detach".as_ref(), device.as_os_str()]);
        mounted.or_else(|| cannot_mount(kind.name(), String::from_utf8_lossy(&said).trim()))?;
        self.mounted.push(place.to_owned());
        Some(())
    }

    #[track_caller]
    fn unmount(&mut self) {
        while let Some(place) = self.mounted.pop() {
            unmount(&place);
        }
    }
}

impl Drop for Cuttable {
    fn drop(&mut self) {
        kill_under(&self.path);
        self.unmount();
    }
}

#[track_caller]
fn unmount(path: &Path) {
    let gone = poll_quietly(PATIENCE, || {
        call("umount", &[path.as_os_str()]).is_some_and(|output| output.status.success()).then_some(())
    });
    if gone.is_none() {
        // Detached at least, so that the directory can go; whoever still uses it is the failure to report.
        call("umount", &["--lazy".as_ref(), path.as_os_str()]);
        assert!(std::thread::panicking(), "{} is still in use", path.display());
    }
}

/// Attaches an image to a loop device; says loudly that the test is skipped when none is to be had.
fn attach(image: &Path, access: Access) -> Option<PathBuf> {
    let access = match access {
        Access::Cached => "--direct-io=off",
        Access::Direct => "--direct-io=on",
    };
    let words = ["--find", "--show", access].map(OsStr::new);
    let attached = call("losetup", &[&words[..], &[image.as_os_str()]].concat());
    let attached = attached.filter(|output| output.status.success());
    if attached.is_none() {
        skipped("needs `losetup` and a free loop device");
    }
    Some(String::from_utf8_lossy(&attached?.stdout).trim().into())
}

fn make_image(path: &Path, bytes: u64) {
    File::create(path).and_then(|file| file.set_len(bytes)).expect("a sparse file can be made");
}

/// Writes every block: one that had to be allocated later would depend on the journal around it.
fn write_out(path: &Path, bytes: u64) {
    let mut file = File::create(path).expect("an image can be made");
    let zeros = vec![0; 1 << 20];
    (0..bytes >> 20).for_each(|_| file.write_all(&zeros).expect("the image has room"));
}

fn sync(path: &Path) {
    let directory = File::open(path).expect("a mount point can be opened");
    rustix::fs::syncfs(&directory).expect("the file system can be synced");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outcome, TestRepo, root_only};

    fn oid(repo: &TestRepo) -> Outcome {
        repo.try_git(["rev-parse", "--verify", "HEAD"])
    }

    /// The control: a cut that did not lose what nobody synced would prove nothing about what somebody did.
    #[track_caller]
    fn loses_what_was_not_synced(kind: FileSystem) {
        let Some(root) = root_only("a file system whose power is cut") else { return };
        let Some(mut cuttable) = Cuttable::new(root, kind) else { return };
        let repo = TestRepo::builder().inside(cuttable.path()).build();
        repo.write("synced", "synced");
        cuttable.sync();
        let before = oid(&repo);
        for round in 0..3 {
            repo.write("unsynced", "unsynced");
            repo.write("synced", "changed");
            repo.commit(&format!("Lost {round}"));
            assert_ne!(oid(&repo).stdout, before.stdout);
            cuttable.cut();
            assert!(fs::write(repo.path().join("late"), "late").is_err() || kind == FileSystem::Btrfs);
            cuttable.power_on();
            assert_ne!(fs::read(repo.path().join("unsynced")).unwrap_or_default(), b"unsynced", "{round}");
            assert!(!repo.path().join("late").exists());
            assert_eq!(oid(&repo), before, "the commit nobody synced is still there");
        }
        repo.write("other", "other");
        repo.commit("Stays");
        let after = oid(&repo);
        cuttable.sync();
        cuttable.cut();
        cuttable.power_on();
        assert_eq!(oid(&repo), after);
        assert_eq!(repo.git(["fsck", "--no-dangling", "--no-progress"]), "");
    }

    #[test]
    fn a_mount_outlives_neither_its_owner_nor_a_cut() {
        let Some(root) = root_only("a file system whose power is cut") else { return };
        let Some(cuttable) = Cuttable::new(root, FileSystem::Btrfs) else { return };
        let holder = cuttable.holder.path().to_owned();
        cuttable.cut();
        drop(cuttable);
        let attached = call("losetup", &["--all".as_ref()]).expect("`losetup` is installed");
        assert!(!String::from_utf8_lossy(&attached.stdout).contains(holder.to_str().expect("UTF-8")));
        assert!(!holder.exists());
    }

    #[test]
    fn ext4_loses_what_was_not_synced() {
        loses_what_was_not_synced(FileSystem::Ext4);
    }

    #[test]
    fn xfs_loses_what_was_not_synced() {
        loses_what_was_not_synced(FileSystem::Xfs);
    }

    #[test]
    fn btrfs_loses_what_was_not_synced() {
        loses_what_was_not_synced(FileSystem::Btrfs);
    }
}
