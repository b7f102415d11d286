//! Gives the files of a worktree times by which cargo knows which of a seed's outputs are fresh.
//!
//! A file that holds, byte for byte, what the checkout's own file at its path holds is given the time of that file; a directory whose
//! names are those of the checkout's own is given the time of that. Everything else is made newer than every output of the
//! seed. Beyond that:
//!
//! - A package of which the worktree lacks a file is made newer by its manifest, because cargo takes the newest file of a package for
//!   the time of the whole where a build script does not say what it reads.
//! - Where symbolic links are not as in the checkout, or lead out of it, everything is made newer: cargo follows them and sees only
//!   the times of what they lead to.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Component, Path},
};

use bstr::{BStr, BString, ByteSlice};
use rustix::{
    fs::{AtFlags, FileType, Mode, Timespec, Timestamps},
    io::Errno,
};
use windrow_model::{FileStat, IndexEntry, Stamp, seeded_time};

use super::{SeedError, at, bytes_of};

/// Whether what an index says of a file that is as it was written tells its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It does: no content is converted.
    Index,
    /// The files have to be read.
    Nothing,
}

/// The sources of a seed, and of the worktree that it was copied to.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The checkout that the seed was taken from.
    pub from: &'a Path,
    /// Its index, in order.
    pub from_index: &'a [IndexEntry],
    /// When that index was written.
    pub from_written: Stamp,
    /// The worktree.
    pub to: &'a Path,
    /// Its index, in order.
    pub to_index: &'a [IndexEntry],
    /// Whether the two indexes are believed.
    pub trust: Trust,
    /// The seeds' own directories, relative to both.
    pub seeds: &'a [BString],
    /// When the outputs of the seeds were built, in order.
    pub builds: &'a [Stamp],
}

/// What was done to times.
#[derive(Debug, Default)]
pub struct Timed {
    /// The new stat data of tracked files, by the number of the entry.
    pub stats: Vec<(usize, FileStat)>,
    /// How many files were given the time of the checkout's own.
    pub same: u64,
    /// How many files count as changed.
    pub changed: u64,
    /// Whether the checkout has names that the worktree lacks.
    pub lacks: bool,
    /// The link for whose sake everything counts as changed.
    pub astray: Option<BString>,
}

/// Gives every file and directory of a worktree its time.
///
/// # Errors
/// Something cannot be read or changed; times may be anything then.
pub fn give_times(sources: &Sources<'_>) -> Result<Timed, SeedError> {
    let open = |root| at::open_root(root).map_err(|error| SeedError::at(b"", error));
    let (from, to) = (open(sources.from)?, open(sources.to)?);
    let mut judge = Judge {
        sources,
        from_known: by_path(sources.from_index),
        to_known: by_path(sources.to_index),
        verdicts: Vec::new(),
        stale_packages: HashSet::new(),
        lacks: false,
        astray: None,
    };
    judge.walk(&to, Some(&from), b"")?;
    judge.apply(&to)
}

fn by_path(index: &[IndexEntry]) -> HashMap<&BStr, usize> {
    index.iter().enumerate().map(|(number, entry)| (entry.path.as_bstr(), number)).collect()
}

struct Verdict {
    path: BString,
    directory: bool,
    mtime: Stamp,
    /// The time to give; `None` for newer than every output.
    given: Option<Stamp>,
}

struct Judge<'a> {
    sources: &'a Sources<'a>,
    from_known: HashMap<&'a BStr, usize>,
    to_known: HashMap<&'a BStr, usize>,
    /// A directory comes behind all that is in it.
    verdicts: Vec<Verdict>,
    /// Manifests of packages that lack something.
    stale_packages: HashSet<BString>,
    lacks: bool,
    astray: Option<BString>,
}

impl Judge<'_> {
    fn walk(&mut self, to: &OwnedFd, from: Option<&OwnedFd>, path: &[u8]) -> Result<(), SeedError> {
        let failed = |error| SeedError::at(path, error);
        let here = self.names(to, path).map_err(failed)?;
        let there = from.map_or_else(|| Ok(HashSet::new()), |from| self.names(from, path)).map_err(failed)?;
        if !there.is_subset(&here) {
            self.lacks = true;
            self.note_lack(path);
        }
        let mut names: Vec<_> = here.iter().collect();
        names.sort_unstable();
        for name in names {
            self.judge(to, from.filter(|_| there.contains(name)), path, name)?;
        }
        let mtime = at::look(to, b".").map_err(failed)?.stat.mtime;
        let like =
            from.filter(|_| here == there).map(|from| at::look(from, b".")).transpose().map_err(failed)?;
        let given = like.and_then(|like| self.time_of(&like.stat));
        self.verdicts.push(Verdict { path: path.into(), directory: true, mtime, given });
        Ok(())
    }

    /// What counts as content of a directory.
    fn names(&self, directory: &OwnedFd, path: &[u8]) -> io::Result<HashSet<Vec<u8>>> {
        let apart = |name: &Vec<u8>| {
            let full = at::join(path, name);
            full == b".git" || self.sources.seeds.iter().any(|seed| *seed == full)
        };
        let names = at::names(directory)?.into_iter().map(|(name, _)| name);
        Ok(names.filter(|name| !apart(name)).collect())
    }

    fn judge(
        &mut self,
        to: &OwnedFd,
        from: Option<&OwnedFd>,
        parent: &[u8],
        name: &[u8],
    ) -> Result<(), SeedError> {
        let path = at::join(parent, name);
        let failed = |error| SeedError::at(&path, error);
        let here = at::look(to, name).map_err(failed)?;
        if here.mount {
            return Err(SeedError::Mount { path: path.into() });
        }
        let there = from.map(|from| at::look_if_there(from, name)).transpose().map_err(failed)?.flatten();
        let alike = there.filter(|there| there.kind() == here.kind());
        match here.kind() {
            FileType::Directory => {
                let inside = at::open_dir_same_mount(to, name).map_err(failed)?;
                let like = match from.filter(|_| alike.is_some()) {
                    // What is mounted in the checkout, or may not be read, is like nothing.
                    Some(from) => at::open_dir_same_mount(from, name).ok(),
                    None => None,
                };
                self.walk(&inside, like.as_ref(), &path)
            }
            FileType::RegularFile => {
                let same = match from.zip(alike.as_ref()) {
                    Some((from, there)) => self.is_same((to, &here), (from, there), &path, name)?,
                    None => false,
                };
                let given = alike.filter(|_| same).and_then(|there| self.time_of(&there.stat));
                let mtime = here.stat.mtime;
                self.verdicts.push(Verdict { path: path.into(), directory: false, mtime, given });
                Ok(())
            }
            FileType::Symlink => {
                if !self.leads_alike(to, from, &path, name).map_err(failed)? {
                    self.astray.get_or_insert(path.into());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn time_of(&self, there: &FileStat) -> Option<Stamp> {
        seeded_time(there.mtime, there.ctime, self.sources.builds)
    }

    /// Tells whether two files hold the same and may both be executed, or not.
    fn is_same(
        &self,
        (to, here): (&OwnedFd, &at::Looked),
        (from, there): (&OwnedFd, &at::Looked),
        path: &[u8],
        name: &[u8],
    ) -> Result<bool, SeedError> {
        if here.stat.size != there.stat.size || (here.mode ^ there.mode) & 0o100 != 0 {
            return Ok(false);
        }
        let own = self.to_known.get(path.as_bstr()).map(|number| &self.sources.to_index[*number]);
        let theirs = self.from_known.get(path.as_bstr()).map(|number| &self.sources.from_index[*number]);
        if let Some((own, theirs)) = own.zip(theirs)
            && self.sources.trust == Trust::Index
            && own.stat.same_file(&here.stat)
            && theirs.stat.same_file(&there.stat)
            && theirs.stat.mtime < self.sources.from_written
            && theirs.flags.stage == 0
            && !theirs.flags.assume_unchanged
        {
            return Ok(own.oid == theirs.oid);
        }
        let same = hold_the_same(to, from, name).map_err(|error| SeedError::at(path, error))?;
        let after = at::look_if_there(from, name).map_err(|error| SeedError::at(path, error))?;
        Ok(same && after.is_some_and(|after| after.stat == there.stat))
    }

    /// Tells whether a link leads to what the checkout's own leads to, or to that itself.
    fn leads_alike(
        &self,
        to: &OwnedFd,
        from: Option<&OwnedFd>,
        path: &[u8],
        name: &[u8],
    ) -> io::Result<bool> {
        let target = at::read_link(to, name)?;
        if target == bytes_of(&at::below(self.sources.from, path)) {
            return Ok(true);
        }
        let theirs = from.map(|from| at::read_link(from, name));
        let same = matches!(theirs, Some(Ok(theirs)) if theirs == target);
        let leads_out = !target.starts_with(b"/") && leaves(at::split(path).0, &target);
        Ok(same && !leads_out)
    }

    /// Has the package that a directory belongs to count as changed.
    fn note_lack(&mut self, path: &[u8]) {
        let mut directory = path;
        loop {
            let manifest = at::join(directory, b"Cargo.toml");
            if at::below(self.sources.to, &manifest).symlink_metadata().is_ok_and(|facts| facts.is_file()) {
                self.stale_packages.insert(manifest.into());
                return;
            }
            if directory.is_empty() {
                return;
            }
            directory = at::split(directory).0;
        }
    }

    fn apply(mut self, root: &OwnedFd) -> Result<Timed, SeedError> {
        let mut timed = Timed { astray: self.astray.take(), lacks: self.lacks, ..Timed::default() };
        for verdict in &self.verdicts {
            let stale = timed.astray.is_some() || self.stale_packages.contains(&verdict.path);
            let given = verdict.given.filter(|_| !stale);
            if !verdict.directory {
                timed.same += u64::from(given.is_some());
                timed.changed += u64::from(given.is_none());
            }
            let stat =
                self.give(root, verdict, given).map_err(|error| SeedError::at(&verdict.path, error))?;
            let number = self.to_known.get(verdict.path.as_bstr());
            if let Some((number, stat)) = number.zip(stat) {
                timed.stats.push((*number, stat));
            }
        }
        Ok(timed)
    }

    /// Gives one time; returns the stat data when anything was changed.
    fn give(&self, root: &OwnedFd, verdict: &Verdict, given: Option<Stamp>) -> io::Result<Option<FileStat>> {
        let newest = self.sources.builds.last().copied().unwrap_or_default();
        let right = given.map_or(verdict.mtime > newest, |given| given == verdict.mtime);
        if right {
            return Ok(None);
        }
        let (parent, name) = at::split(&verdict.path);
        let directory = at::open_dir(root, parent)?;
        let name: &[u8] = if name.is_empty() { b"." } else { name };
        match given {
            Some(given) => at::set_mtime_at(&directory, name, given)?,
            None => touch(&directory, name)?,
        }
        Ok(Some(at::look(&directory, name)?.stat))
    }
}

/// Gives a name the present time without following it.
fn touch(directory: &OwnedFd, name: &[u8]) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
    let keep = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let times = Timestamps { last_access: keep, last_modification: now };
    Ok(rustix::fs::utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Tells whether a relative target in a directory goes above the top, by its text.
fn leaves(directory: &[u8], target: &[u8]) -> bool {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let mut depth = directory.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).count();
    for part in Path::new(OsStr::from_bytes(target)).components() {
        match part {
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    false
}

fn hold_the_same(one: &OwnedFd, other: &OwnedFd, name: &[u8]) -> io::Result<bool> {
    let open = |directory: &OwnedFd| -> io::Result<Option<File>> {
        match rustix::fs::openat(directory, name, at::READ, Mode::empty()) {
            Ok(file) => Ok(Some(file.into())),
            // What may not be read is like nothing.
            Err(Errno::ACCESS | Errno::NOENT | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    let Some((mut one, mut other)) = open(one)?.zip(open(other)?) else { return Ok(false) };
    let (mut left, mut right) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(other.read(&mut right)? == 0);
        }
        match other.read_exact(&mut right[..read]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            result => result?,
        }
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}
