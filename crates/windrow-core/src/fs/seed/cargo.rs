//! What of cargo's target directory comes along.
//!
//! Only what lies under a lock of cargo's, and of that not the incremental data (rustc rejects it at another path), not what is
//! linked up out of `deps` (cargo does it again), and nothing of a unit that has the path of the checkout compiled in.
//!
//! # Compatibility
//! The layout of cargo 1.95: `<profile>/{.fingerprint,build,deps,examples}`, where a unit's names end in `-<hash>`. A profile without
//! `.fingerprint` is laid out otherwise, and nothing is taken then.

use std::{
    collections::HashSet,
    io::Read,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use bstr::{BStr, BString, ByteSlice};
use rustix::fs::{FileType, Mode};
use windrow_model::{DepInfo, Stamp, mentions, mentions_outside};

use super::{BuildLock, SeedError, SourceTree, at, bytes_of, copy::leads_into, path_of};

/// What comes along of a target directory.
#[derive(Debug)]
pub struct CargoCache {
    /// Its files.
    pub tree: SourceTree,
    /// When its outputs were built, in order.
    pub builds: Vec<Stamp>,
    /// How many units have the path of the checkout compiled in and stay behind.
    pub left_behind: u64,
    /// How many of the checkout's own build scripts do not say what they read.
    silent: u64,
    /// What cargo knows of the units of their packages: directories in the cache.
    undeclared: Vec<BString>,
}

impl CargoCache {
    /// Has the build scripts that do not say what they read run again, in a copy whose sources are not all as they were: what such a
    /// script reads outside of its package, cargo does not see. Tells how many there are.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn forget_undeclared(&self, copy: &Path) -> std::io::Result<u64> {
        self.undeclared.iter().try_for_each(|known| std::fs::remove_dir_all(path_of(copy, known)))?;
        Ok(self.silent)
    }
}

/// Files beside the profiles that cargo keeps facts in.
const FACTS: [&[u8]; 3] = [b"CACHEDIR.TAG", b".rustc_info.json", b".rustdoc_fingerprint.json"];

/// Looks at the target directory of the checkout at `root`, in which nobody builds while `lock` is held.
///
/// # Errors
/// It cannot be read, or is not laid out as is known.
pub fn look_at_cargo(target: &Path, root: &Path, lock: &BuildLock) -> Result<CargoCache, SeedError> {
    let fd = at::open_root(target).map_err(|error| SeedError::at(b"", error))?;
    let places = Places { root, target };
    let (mut baked, mut undeclared, mut silent) = (HashSet::new(), Vec::new(), 0);
    for profile in lock.profiles() {
        let directory = at::open_dir(&fd, profile).map_err(|error| SeedError::at(profile, error))?;
        let found = Profile { directory, places: &places }.judge()?;
        silent += found.silent;
        undeclared.extend(found.undeclared.iter().map(|known| at::join(profile, known).into()));
        baked.extend(found.baked.into_iter().map(|unit| (profile.clone(), unit)));
    }
    let tree = SourceTree::look(&fd, &mut |path, kind| comes_along(lock.profiles(), &baked, path, kind))?;
    if let Some((path, _)) = tree.links().find(|(_, target)| leads_into(target, root)) {
        return Err(SeedError::LeadsBack { path: path.to_owned() });
    }
    let mut builds: Vec<_> = tree.times(is_moment).collect();
    builds.sort_unstable();
    Ok(CargoCache { tree, builds, left_behind: baked.len() as u64, silent, undeclared })
}

struct Places<'a> {
    root: &'a Path,
    target: &'a Path,
}

/// The hash by which the files of one unit are named.
type Unit = BString;

fn comes_along(profiles: &[BString], baked: &HashSet<(BString, Unit)>, path: &BStr, kind: FileType) -> bool {
    let within = |profile: &&BString| {
        path.strip_prefix(profile.as_slice()).is_some_and(|rest| rest.first() == Some(&b'/'))
    };
    let Some(profile) = profiles.iter().find(within) else {
        let leads_there = |profile: &BString| {
            profile == path || profile.strip_prefix(path.as_bytes()).is_some_and(|rest| rest[0] == b'/')
        };
        return match kind {
            FileType::Directory => profiles.iter().any(leads_there),
            _ => FACTS.contains(&path.as_bytes()),
        };
    };
    let parts: Vec<&[u8]> = path[profile.len() + 1..].split(|byte| *byte == b'/').collect();
    match parts.as_slice() {
        [b"incremental", ..] => false,
        [name] => kind == FileType::Directory || name.starts_with(b"."),
        [_, name, ..] => unit_of(name).is_none_or(|unit| !baked.contains(&(profile.clone(), unit))),
        [] => true,
    }
}

/// Whether a file's time is that of a build.
fn is_moment(path: &BStr) -> bool {
    path.contains_str("/.fingerprint/") || (path.contains_str("/build/") && !path.contains_str("/out/"))
}

/// The hash in a name such as `libname-0123456789abcdef.rlib`.
fn unit_of(name: &[u8]) -> Option<Unit> {
    const DIGITS: usize = 16;
    let at = name.rfind_byte(b'-')? + 1;
    let hash = name.get(at..at + DIGITS)?;
    let ends = name.get(at + DIGITS).is_none_or(|byte| *byte == b'.');
    (ends && hash.iter().all(u8::is_ascii_hexdigit)).then(|| hash.into())
}

struct Profile<'a> {
    directory: OwnedFd,
    places: &'a Places<'a>,
}

/// What the dependency files of a profile tell.
#[derive(Default)]
struct Noted {
    baked: HashSet<Unit>,
    /// Units of the checkout's own packages.
    own: HashSet<Unit>,
    /// The directories of own build scripts, without the hash.
    scripts: HashSet<BString>,
    /// One has the path compiled in whose unit cannot be told.
    unnamed: bool,
    /// How many own build scripts do not say what they read.
    silent: u64,
    /// What cargo knows of the units of their packages.
    undeclared: Vec<Vec<u8>>,
}

impl Profile<'_> {
    /// What the files of the profile tell; all that has the path compiled in is in `baked`.
    fn judge(&self) -> Result<Noted, SeedError> {
        if !self.has(b".fingerprint")? {
            return Err(SeedError::Layout { path: b".fingerprint".into() });
        }
        let mut noted = Noted::default();
        for place in [b"deps".as_slice(), b"examples"] {
            for name in self.names(place)? {
                self.note(&at::join(place, &name), &mut noted)?;
            }
        }
        let scripts = self.names(b"build")?;
        for script in &scripts {
            let place = at::join(b"build", script);
            for name in self.names(&place)? {
                self.note(&at::join(&place, &name), &mut noted)?;
            }
        }
        for script in &scripts {
            self.judge_script(script, &mut noted)?;
        }
        if noted.unnamed {
            noted.baked.extend(noted.own.drain());
        }
        let units = self.names(b".fingerprint")?;
        let of = |packages: &HashSet<BString>| -> Vec<BString> {
            units.iter().filter(|unit| packages.contains(&without_unit(unit))).cloned().collect()
        };
        // Cargo does not see by a script alone that what was compiled with its output is stale.
        let behind =
            scripts.iter().filter(|script| unit_of(script).is_some_and(|unit| noted.baked.contains(&unit)));
        let behind: HashSet<_> = behind.map(|script| without_unit(script)).collect();
        noted.baked.extend(of(&behind).iter().filter_map(|unit| unit_of(unit)));
        let mut silent = HashSet::new();
        for script in &scripts {
            if self.is_undeclared(script, &noted)? {
                noted.silent += 1;
                silent.insert(without_unit(script));
            }
        }
        noted.undeclared = of(&silent).iter().map(|unit| at::join(b".fingerprint", unit)).collect();
        Ok(noted)
    }

    fn note(&self, path: &[u8], noted: &mut Noted) -> Result<(), SeedError> {
        let Some(stem) = path.strip_suffix(b".d") else { return Ok(()) };
        // Of several names of one file the one with the hash is looked at.
        let unit = unit_of(at::split(stem).1);
        if unit.is_none() && path.starts_with(b"examples/") {
            return Ok(());
        }
        let text = self.read(path)?;
        let (root, target) = (bytes_of(self.places.root), bytes_of(self.places.target));
        let found = DepInfo::read(&text, root, target);
        let strays = found.inside.iter().any(|source| !self.is_pinned(source));
        let baked = (found.baked && (found.local || !found.inside.is_empty())) || strays;
        match unit {
            Some(unit) => {
                if found.local {
                    let script = path.strip_prefix(b"build/").and_then(|rest| rest.split_once_str("/"));
                    noted.scripts.extend(script.map(|(directory, _)| without_unit(directory)));
                    noted.own.insert(unit.clone());
                }
                noted.baked.extend(baked.then_some(unit));
            }
            None => noted.unnamed |= baked,
        }
        Ok(())
    }

    /// A build script's output may name the checkout in what it prints or writes; of foreign packages only what they print is
    /// looked at, because all they know of the checkout is where they were to write.
    fn judge_script(&self, directory: &BString, noted: &mut Noted) -> Result<(), SeedError> {
        let place = at::join(b"build", directory);
        let Some(unit) = unit_of(directory) else {
            return Err(SeedError::Layout { path: place.into() });
        };
        let root = bytes_of(self.places.root);
        let printed = at::join(&place, b"output");
        if self.has(&printed)? {
            let out = self.read(&at::join(&place, b"root-output")).unwrap_or_default();
            let text = self.read(&printed)?;
            let elsewhere =
                if out.is_empty() { mentions(&text, root) } else { mentions_outside(&text, root, &out) };
            if elsewhere {
                noted.baked.insert(unit.clone());
            }
        }
        if noted.scripts.contains(&without_unit(directory)) && self.any_mentions(&at::join(&place, b"out"))? {
            noted.baked.insert(unit);
        }
        Ok(())
    }

    /// Tells whether an own build script that comes along does not say what it reads. *Source*: cargo's `LocalFingerprint`, which is
    /// `Precalculated` then.
    fn is_undeclared(&self, directory: &BString, noted: &Noted) -> Result<bool, SeedError> {
        let known = at::join(b".fingerprint", directory);
        let behind = unit_of(directory).is_some_and(|unit| noted.baked.contains(&unit));
        if behind || !noted.scripts.contains(&without_unit(directory)) {
            return Ok(false);
        }
        for name in self.names(&known)? {
            let facts = name.starts_with(b"run-build-script") && name.ends_with(b".json");
            if facts && self.read(&at::join(&known, &name))?.contains_str("\"Precalculated\"") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether any file below a directory mentions the checkout.
    fn any_mentions(&self, place: &[u8]) -> Result<bool, SeedError> {
        let root = bytes_of(self.places.root);
        for name in self.names(place)? {
            let path = at::join(place, &name);
            let looked =
                at::look_beneath(&self.directory, &path).map_err(|error| SeedError::at(&path, error))?;
            let found = match looked.kind() {
                FileType::Directory => self.any_mentions(&path)?,
                FileType::RegularFile => mentions(&self.read(&path)?, root),
                _ => true,
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A source of a package whose content cargo knows by checksums, such as a vendored one.
    fn is_pinned(&self, source: &[u8]) -> bool {
        let inner = source.get(bytes_of(self.places.root).len() + 1..).unwrap_or_default();
        let mut directory = at::split(inner).0;
        while !directory.is_empty() {
            let place = path_of(self.places.root, directory);
            if [".cargo-checksum.json", ".cargo-ok"].iter().any(|mark| place.join(mark).is_file()) {
                return true;
            }
            directory = at::split(directory).0;
        }
        false
    }

    fn has(&self, path: &[u8]) -> Result<bool, SeedError> {
        match at::look_beneath(&self.directory, path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(SeedError::at(path, error)),
        }
    }

    /// The names in a directory, in order; none when it is not there, or no directory.
    fn names(&self, path: &[u8]) -> Result<Vec<BString>, SeedError> {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        let names = at::open_dir(self.directory.as_fd(), path).and_then(at::names);
        match names {
            Ok(names) => {
                let mut names: Vec<BString> = names.into_iter().map(|(name, _)| name.into()).collect();
                names.sort_unstable();
                Ok(names)
            }
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(Vec::new()),
            Err(error) => Err(SeedError::at(path, error)),
        }
    }

    fn read(&self, path: &[u8]) -> Result<Vec<u8>, SeedError> {
        let failed = |error| SeedError::at(path, error);
        let file = at::open(&self.directory, path, at::READ, Mode::empty()).map_err(failed)?;
        let mut text = Vec::new();
        std::fs::File::from(file).read_to_end(&mut text).map_err(failed)?;
        Ok(text)
    }
}

fn without_unit(directory: &[u8]) -> BString {
    directory.rfind_byte(b'-').map_or(directory, |at| &directory[..at]).into()
}
