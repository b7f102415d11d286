//! Where to measure: the directory that was named, or images of other file systems.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use windrow_testkit::{FileSystem, Mounted, loop_fs_in, root_only, skipped};

use super::interrupt::Alone;
use crate::Result;

/// File systems to measure on.
#[derive(Args)]
pub(crate) struct Grounds {
    /// File systems; those that are not `here` are made in an image, which needs root. `all`: ext4, btrfs, xfs.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "here", value_name = "WHERE")]
    on: Vec<Place>,
    /// Size of an image; it takes only the room of what is in it.
    #[arg(long, value_parser = parse_size, default_value = "24GiB", value_name = "SIZE")]
    image_size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Place {
    Ext4,
    Btrfs,
    Xfs,
    Here,
    All,
}

impl Place {
    fn kind(self) -> Option<FileSystem> {
        match self {
            Self::Ext4 => Some(FileSystem::Ext4),
            Self::Btrfs => Some(FileSystem::Btrfs),
            Self::Xfs => Some(FileSystem::Xfs),
            Self::Here | Self::All => None,
        }
    }
}

impl Place {
    fn prepare<'a>(self, bytes: u64, directory: &Path, alone: Option<&'a Alone>) -> Option<Ground<'a>> {
        match (self.kind(), alone) {
            (None, None) => Some(Ground::here(directory)),
            (None, Some(alone)) => Some(Ground::here(alone.directory())),
            (Some(kind), Some(alone)) => Ground::image(kind, bytes, alone),
            (Some(kind), None) => {
                skipped(&format!("measurements on {}", kind.name()));
                None
            }
        }
    }
}

impl Grounds {
    /// Each place once, in the order in which it was named first.
    fn places(&self) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for place in &self.on {
            let named: &[Place] = match place {
                Place::All => &[Place::Ext4, Place::Btrfs, Place::Xfs],
                one => std::slice::from_ref(one),
            };
            let new: Vec<Place> = named.iter().copied().filter(|place| !places.contains(place)).collect();
            places.extend(new);
        }
        places
    }
}

/// A file system that is there for a measurement; dropping it ends what is left on it and removes its image.
pub(super) struct Ground<'a> {
    /// `here`, or that of the image.
    pub(super) name: &'static str,
    path: PathBuf,
    image: Option<Image<'a>>,
}

struct Image<'a> {
    /// Where its room is taken.
    host: &'a Path,
    alone: Option<&'a Alone>,
    /// Unmounts it in the end.
    _mounted: Mounted,
}

impl<'a> Ground<'a> {
    fn here(directory: &Path) -> Self {
        Self { name: "here", path: directory.to_owned(), image: None }
    }

    fn image(kind: FileSystem, bytes: u64, alone: &'a Alone) -> Option<Self> {
        let root = root_only("images of file systems")?;
        let mounted = loop_fs_in(root, kind, bytes, alone.directory())?;
        let path = mounted.path().to_owned();
        let image = Image { host: alone.directory(), alone: Some(alone), _mounted: mounted };
        Some(Self { name: kind.name(), path, image: Some(image) })
    }

    /// Where to put things.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the image takes room, if it is one: the image itself may promise more than there is.
    pub(super) fn host(&self) -> Option<&Path> {
        self.image.as_ref().map(|image| image.host)
    }
}

impl Drop for Ground<'_> {
    fn drop(&mut self) {
        if let Some(alone) = self.image.as_ref().and_then(|image| image.alone) {
            alone.kill_others();
        }
    }
}

/// What was measured, and what went wrong with the rest.
#[derive(Debug)]
pub(super) struct Measured<T> {
    pub(super) results: Vec<T>,
    pub(super) failures: Vec<String>,
}

impl<T> Measured<T> {
    pub(super) fn map<U>(self, into: impl FnMut(T) -> U) -> Measured<U> {
        Measured { results: self.results.into_iter().map(into).collect(), failures: self.failures }
    }
}

/// Measures on each of the file systems, one after the other, also after a failure: what was measured is not lost. What needs root
/// is skipped loudly without it.
///
/// # Errors
///
/// Fails when there was nothing to measure on.
pub(super) fn on_each<T>(
    grounds: &Grounds,
    directory: &Path,
    mut measure: impl FnMut(&Ground) -> Result<T>,
) -> Result<Measured<T>> {
    let places = grounds.places();
    let images = places.iter().any(|place| place.kind().is_some());
    let alone = if images { Alone::begin("images of file systems", directory)? } else { None };
    let mut measured = Measured { results: Vec::new(), failures: Vec::new() };
    for place in places {
        let Some(ground) = place.prepare(grounds.image_size, directory, alone.as_ref()) else { continue };
        // The tools of the tests panic instead of returning an error.
        match catch_unwind(AssertUnwindSafe(|| measure(&ground))) {
            Ok(Ok(result)) => measured.results.push(result),
            Ok(Err(error)) => measured.failures.push(format!("on {}: {error}", ground.name)),
            Err(_) => measured.failures.push(format!("on {}: it panicked, see above", ground.name)),
        }
    }
    if measured.results.is_empty() && measured.failures.is_empty() {
        return Err("there was nothing to measure on".into());
    }
    Ok(measured)
}

/// Reads a size: a number with `MiB` or `GiB`.
fn parse_size(text: &str) -> std::result::Result<u64, String> {
    let units = [("GiB", 30), ("MiB", 20)];
    let read = |(unit, shift): (&str, u32)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
    };
    units.into_iter().find_map(read).ok_or_else(|| "a size is a number with `MiB` or `GiB`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_measured_once_and_all_are_the_images() {
        let places = |on: &[Place]| Grounds { on: on.to_vec(), image_size: 1 }.places();
        assert_eq!(places(&[Place::Xfs, Place::All]), [Place::Xfs, Place::Ext4, Place::Btrfs]);
        assert_eq!(places(&[Place::Here, Place::Here]), [Place::Here]);
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(parse_size("24GiB"), Ok(24 << 30));
        assert_eq!(parse_size("320 MiB"), Ok(320 << 20));
        for wrong in ["", "24", "GiB", "0GiB", "-1GiB", "99999999999999GiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_measured_is_not_lost_with_a_failure() {
        let here = Grounds { on: vec![Place::Here], image_size: 1 };
        let measured =
            |result: fn() -> Result<u8>| on_each(&here, Path::new("/"), |_| result()).expect("a place");
        assert_eq!(measured(|| Ok(7)).results, [7]);
        assert_eq!(measured(|| Err("no".into())).failures, ["on here: no"]);
        assert_eq!(measured(|| panic!("on purpose")).failures, ["on here: it panicked, see above"]);
    }

    #[test]
    fn a_ground_holds_a_repository_and_is_gone_afterwards() {
        let Some(root) = root_only("images of file systems") else { return };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let place = directory.path().to_owned();
        std::thread::spawn(move || {
            let Some(()) = windrow_testkit::own_mounts(root) else { return };
            let image = loop_fs_in(root, FileSystem::Ext4, 64 << 20, &place).expect("ext4 is everywhere");
            let path = image.path().to_owned();
            let image = Image { host: &place, alone: None, _mounted: image };
            let ground = Ground { name: "ext4", path, image: Some(image) };
            drop(windrow_testkit::TestRepo::builder().inside(ground.path()).build());
            drop(ground);
            assert_eq!(std::fs::read_dir(&place).expect("it is there").count(), 0);
        })
        .join()
        .expect("no assertion failed");
    }
}
