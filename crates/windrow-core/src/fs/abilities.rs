//! What a file system can do, found by doing each once.

use std::{fs::File, io, io::Write, path::Path};

use rustix::io::Errno;

use super::{make_subvolume, reflink, snapshot, trash};

/// What is cloned to see whether it can be: several blocks of every file system.
static SAMPLE: [u8; 64 << 10] = [0x57; 64 << 10];

/// What a file system was seen to do; why not, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystemAbilities {
    /// Snapshots of a directory.
    pub snapshot: Result<(), String>,
    /// Files that share blocks.
    pub clone: Result<(), String>,
}

/// Tries beside a trash directory, which is made if it is not there, what can be done on its file system. What a kill leaves is in
/// the trash.
///
/// # Errors
/// Nothing can be written there at all.
pub fn abilities(trash: &Path) -> io::Result<FileSystemAbilities> {
    let place = trash::scratch(trash)?;
    let cloned = try_clone(place.path())?;
    let taken = try_snapshot(place.path());
    std::fs::remove_dir_all(place.path())?;
    Ok(FileSystemAbilities {
        snapshot: taken.map_err(|error| format!("no snapshot can be taken: {}", words(&error))),
        clone: cloned.map_err(|error| format!("files cannot share blocks: {}", words(&error))),
    })
}

/// What a file system that lacks something says is not what a user would understand.
fn words(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::NOTTY | Errno::OPNOTSUPP | Errno::INVAL) => {
            "this file system does not offer it".to_owned()
        }
        _ => error.to_string(),
    }
}

fn try_clone(place: &Path) -> io::Result<io::Result<()>> {
    let (from, to) = (place.join("from"), place.join("to"));
    File::create(&from)?.write_all(&SAMPLE)?;
    Ok(reflink(&File::open(&from)?, &File::create(&to)?))
}

fn try_snapshot(place: &Path) -> io::Result<()> {
    let (from, to) = (place.join("subvolume"), place.join("snapshot"));
    make_subvolume(&from)?;
    let taken = snapshot(&from, &to);
    // Empty ones go like directories, also for those who may not delete others.
    let gone = [to, from].into_iter().filter(|path| path.exists()).try_for_each(std::fs::remove_dir);
    taken.and(gone)
}

#[cfg(test)]
mod tests {
    use windrow_testkit::{FileSystem, loop_fs, root_only};

    use super::*;

    #[test]
    fn each_file_system_is_known_and_nothing_stays() {
        let Some(root) = root_only("images of file systems") else { return };
        for (kind, mebibytes, can) in [
            (FileSystem::Ext4, 32, (false, false)),
            (FileSystem::Btrfs, 128, (true, true)),
            (FileSystem::Xfs, 320, (false, true)),
        ] {
            let Some(mounted) = loop_fs(root, kind, mebibytes << 20) else { continue };
            let trash = mounted.path().join(".trash");
            let found = abilities(&trash).unwrap();
            assert_eq!((found.snapshot.is_ok(), found.clone.is_ok()), can, "{kind:?}: {found:?}");
            assert_eq!(trash.read_dir().unwrap().count(), 0, "{kind:?}");
        }
    }
}
