//! Worktrees whose files are an overlay: a template that nobody changes, shown below what was changed.
//!
//! The worktree's own directory is empty and closed. Beside it lies `.overlay-<id>` with the layer of changes (`upper`), what the
//! system needs for itself (`work`), and two links that say the rest: `lower` where the template's tree lies, `place` which
//! directory the overlay is shown at. A process that works on the files goes into a mount namespace of its own first
//! ([`crate::process::go_apart`]); registration, branch, record and lock are those of every worktree.
//!
//! # Locking
//! Whoever shows an overlay holds the worktree's lock, or is a command that its holder runs. The system refuses a second mount of the
//! same layer. A template that a layer needs is not changed and not thrown away: [`super::template`] looks for the links, and between
//! choosing one and making the link a lock on it is held.
//!
//! # Crash safety
//! A mount goes with the last process that sees it, so a kill leaves the layer and nothing mounted. Who ends the worktree later sees
//! no files: he starts the helper, which shows them to itself and saves what there is ([`save`](mod@save)). All that is removed are the empty
//! directory and, by one rename, what lies beside it.

mod ability;
mod enter;
mod make;
mod quick;
mod save;
mod wire;

use std::{
    fs::Permissions,
    io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use windrow_model::{WorktreeId, WorktreeRecord};

pub use self::{
    ability::try_overlay,
    save::{OverlayError, OverlaySaveRequest, save_apart},
};
pub(super) use self::{
    ability::{ability, forget, stepped_down},
    enter::{enter, hide, join, look_into, show},
    make::make,
    quick::untouched,
    save::save,
};
use super::{
    error::{StateError, chain},
    pool::{Pool, make_new_directory},
};
use crate::fs::{self, Layers};

/// The name of the hidden subcommand of the helper that works on overlays.
pub const OVERLAY_COMMAND: &str = "__overlay";

/// The directory beside a worktree that holds its layer.
const PREFIX: &str = ".overlay-";

/// Where the tree lies in a template for overlays.
pub(super) const TREE: &str = "tree";

/// The mode of the directory that an overlay is shown at: nothing is put there by mistake.
const CLOSED: u32 = 0o555;

/// Where the parts of an overlay lie.
#[derive(Debug)]
struct Parts {
    holder: PathBuf,
    upper: PathBuf,
    work: PathBuf,
    /// Leads to the tree below.
    lower: PathBuf,
    /// Says which directory the overlay is shown at.
    place: PathBuf,
}

impl Parts {
    fn of(record: &WorktreeRecord) -> Self {
        let holder = holder(&record.path, &record.id);
        let [upper, work, lower, place] = ["upper", "work", "lower", "place"].map(|name| holder.join(name));
        Self { holder, upper, work, lower, place }
    }

    /// Makes them; the layer is empty and has `mode`.
    fn make(&self, template: &Path, mode: u32) -> io::Result<()> {
        make_new_directory(&self.holder, 0o700)?;
        let name = template.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        symlink(Path::new("..").join(name).join(TREE), &self.lower)?;
        make_new_directory(&self.upper, mode)?;
        make_new_directory(&self.work, 0o700)
    }

    /// The tree below, by a path without links.
    fn tree(&self) -> io::Result<PathBuf> {
        Ok(self.holder.join(std::fs::read_link(&self.lower)?))
    }

    /// Makes the directory that the overlay is shown at, and notes which it is.
    fn make_place(&self, path: &Path) -> io::Result<()> {
        make_new_directory(path, CLOSED)?;
        match std::fs::remove_file(&self.place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(mark_of(path)?, &self.place)
    }

    /// Removes the directory that the overlay was shown at, if that is what lies at `path`.
    fn remove_place(&self, path: &Path) -> io::Result<()> {
        let noted = std::fs::read_link(&self.place)?;
        if Path::new(&mark_of(path)?) == noted { std::fs::remove_dir(path) } else { Ok(()) }
    }
}

/// What tells the directory at a path from every other one.
fn mark_of(path: &Path) -> io::Result<String> {
    let found = fs::directory_identity(path)?.ok_or(io::ErrorKind::NotFound)?;
    Ok(format!("{} {} {}", found.filesystem, found.inode, found.born_nanos.unwrap_or_default()))
}

/// The directory beside a worktree at `path` that holds its layer, if it is an overlay.
pub(super) fn holder(path: &Path, id: &WorktreeId) -> PathBuf {
    path.with_file_name(format!("{PREFIX}{id}"))
}

/// Tells whether a worktree's files are an overlay.
pub(super) fn is_overlaid(record: &WorktreeRecord) -> bool {
    holder(&record.path, &record.id).symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// The directory that is a worktree's own: by which it is known, and where its `.git` file lies, whoever looks.
pub(super) fn own_root(record: &WorktreeRecord) -> PathBuf {
    if is_overlaid(record) { Parts::of(record).upper } else { record.path.clone() }
}

/// Tells whether a worktree's files can be seen at its path by this process.
pub(super) fn is_shown(record: &WorktreeRecord) -> bool {
    !is_overlaid(record) || fs::shows_overlay(&record.path)
}

/// Tells whether some layer needs the template whose directory this is; what cannot be read does.
pub(super) fn needs(template: &Path) -> bool {
    let (Some(beside), Some(name)) = (template.parent(), template.file_name()) else { return true };
    let tree = Path::new("..").join(name).join(TREE);
    let needs = |entry: io::Result<std::fs::DirEntry>| {
        let Ok(entry) = entry else { return true };
        let ours = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
        ours && match std::fs::read_link(entry.path().join("lower")) {
            Ok(lower) => lower == tree,
            // On its way in or out.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    };
    match beside.read_dir() {
        Ok(mut entries) => entries.any(needs),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Throws away what was made of an overlay that nobody was given.
pub(super) fn discard(record: &WorktreeRecord) -> Result<(), StateError> {
    if !is_overlaid(record) {
        return Ok(());
    }
    hide(record)?;
    remove(record).map(drop)
}

/// Moves everything of an overlay that is not shown into the trash.
fn remove(record: &WorktreeRecord) -> Result<fs::SetAside, StateError> {
    let parts = Parts::of(record);
    match parts.remove_place(&record.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StateError::Io { path: record.path.clone(), source: error });
        }
        _ => {}
    }
    let aside = fs::set_aside(&parts.holder, &Pool::trash_of(record), record.name.as_str());
    aside.map_err(|error| StateError::Io { path: parts.holder, source: io::Error::other(error) })
}

/// Takes the files of a worktree out of the way, if they are as they were when `stamp` was taken; else they stay, and why is told.
pub(super) fn set_aside(record: &WorktreeRecord, stamp: Option<&str>) -> Result<(), String> {
    let aside = hide(record).and_then(|()| remove(record)).map_err(|error| chain(&error))?;
    let now = fs::stamp_of(&aside.path().join("upper"));
    let reason = match (stamp, now) {
        (None, _) => return Ok(()),
        (Some(stamp), Ok(now)) if now == stamp => return Ok(()),
        (Some(_), Ok(_)) => "somebody wrote into it while it was being removed".to_owned(),
        (Some(_), Err(error)) => error.to_string(),
    };
    let parts = Parts::of(record);
    match fs::rename_new(aside.path(), &parts.holder) {
        Ok(()) => Err(reason),
        Err(error) => Err(format!("{reason}, and it cannot leave `{}`: {error}", aside.path().display())),
    }
}

/// Closes the directory of a template for overlays: who has no right to mount does not get at the files below.
pub(super) fn close(template: &Path) -> io::Result<()> {
    std::fs::set_permissions(template, Permissions::from_mode(0o400))
}

/// Opens the directory of a template for overlays, to change what lies in it.
pub(super) fn open_up(template: &Path) -> io::Result<()> {
    std::fs::set_permissions(template, Permissions::from_mode(0o700))
}

fn layers<'a>(parts: &'a Parts, tree: &'a Path) -> Layers<'a> {
    Layers { lower: tree, upper: &parts.upper, work: &parts.work }
}

impl Pool {
    /// What is known about overlays here.
    fn overlay_note(&self) -> PathBuf {
        self.templates_dir().join("overlay.tried")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, read, write};

    use windrow_model::WorktreeState;

    use super::*;
    use crate::ops::testing;

    /// A worktree whose layer holds some work, shown nowhere.
    fn made(around: &Path) -> WorktreeRecord {
        let record = testing::record(&around.join("fern"), WorktreeState::Removing);
        let parts = Parts::of(&record);
        parts.make(&around.join(".template-1"), 0o755).unwrap();
        parts.make_place(&record.path).unwrap();
        write(parts.upper.join("work"), "x").unwrap();
        record
    }

    #[test]
    fn a_layer_that_somebody_wrote_into_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let record = made(dir.path());
        let upper = own_root(&record);
        let stamp = fs::stamp_of(&upper).unwrap();
        write(upper.join("work"), "written since").unwrap();
        assert!(set_aside(&record, Some(&stamp)).unwrap_err().contains("somebody wrote into it"));
        assert_eq!(read(upper.join("work")).unwrap(), b"written since");
        let stamp = fs::stamp_of(&upper).unwrap();
        set_aside(&record, Some(&stamp)).unwrap();
        assert!(!is_overlaid(&record) && !record.path.exists());
    }

    /// Puts another directory where the overlay was shown; it is there before that one goes, so that it has another inode.
    fn take_the_place(record: &WorktreeRecord) {
        let other = record.path.with_file_name("another");
        create_dir(&other).unwrap();
        std::fs::remove_dir(&record.path).unwrap();
        std::fs::rename(&other, &record.path).unwrap();
    }

    #[test]
    fn h08_a_directory_that_took_the_place_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let record = made(dir.path());
        take_the_place(&record);
        discard(&record).unwrap();
        assert!(!is_overlaid(&record), "the layer went");
        assert!(record.path.is_dir(), "an empty directory of somebody else's stays");
        let other = dir.path().join("other");
        create_dir(&other).unwrap();
        let record = made(&other);
        take_the_place(&record);
        write(record.path.join("theirs"), "y").unwrap();
        set_aside(&record, None).unwrap();
        assert_eq!(read(record.path.join("theirs")).unwrap(), b"y");
    }

    #[test]
    fn a_template_is_needed_as_long_as_a_layer_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join(".template-1"), dir.path().join(".template-2"));
        assert!(!needs(&one), "there is no layer");
        let record = made(dir.path());
        assert!(needs(&one) && !needs(&other));
        discard(&record).unwrap();
        assert!(!needs(&one));
        assert!(!needs(&dir.path().join("absent/.template-1")), "nothing lies there");
    }
}
