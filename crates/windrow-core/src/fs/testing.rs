//! What several tests of this room need.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt},
    },
    path::Path,
};

use bstr::BString;

/// Writes a file, making the directories above it.
pub(super) fn put(root: &Path, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(super) fn chmod(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// All that lies below a directory: type, mode, time of change and content, without following links.
pub(super) fn picture(root: &Path) -> BTreeMap<BString, String> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_dir() {
                waiting.push(path.clone());
                Vec::new()
            } else if meta.is_symlink() {
                fs::read_link(&path).unwrap().as_os_str().as_bytes().to_owned()
            } else if meta.is_file() {
                fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().into();
            let hash = blake3::hash(&content).to_hex();
            let text = format!(
                "{:o} {}.{:09} {} {hash}",
                meta.mode(),
                meta.mtime(),
                meta.mtime_nsec(),
                content.len()
            );
            all.insert(name, text);
        }
    }
    all
}

/// Runs on a thread for which permissions count even if the user is root.
#[cfg(target_os = "linux")]
pub(super) fn unprivileged<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

    let powers = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH | CapabilitySet::FOWNER;
    on_thread(move || {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(powers);
        set_capabilities(None, sets).unwrap();
        run()
    })
}

/// Runs on a thread with mounts of its own, or says loudly that it cannot.
#[cfg(target_os = "linux")]
pub(super) fn with_own_mounts(name: &str, run: impl FnOnce() + Send) {
    use rustix::{
        mount::{MountPropagationFlags, mount_change},
        thread::UnshareFlags,
    };

    on_thread(move || {
        #[expect(deprecated, reason = "only mounts are unshared, no descriptors; the replacement is unsafe")]
        let unshared = rustix::thread::unshare(UnshareFlags::NEWNS);
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        match unshared.and_then(|()| mount_change("/", private)) {
            Ok(()) => run(),
            Err(error) => eprintln!("SKIPPED: {name} needs a mount namespace: {error}"),
        }
    });
}

/// Mounts a small tmpfs.
#[cfg(target_os = "linux")]
pub(super) fn mount_tmpfs(path: &Path, options: &std::ffi::CStr) {
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", path, "tmpfs", flags, options).unwrap();
}

fn on_thread<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
