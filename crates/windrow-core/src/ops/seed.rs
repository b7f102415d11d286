//! Taking build caches along from the main worktree, so that the first build in a new one compiles only what differs.
//!
//! Nothing of it is needed: whatever goes wrong leaves the worktree without the cache and says why.
//!
//! # Locking
//! The build tool's own lock is held from the first look at the cache to the last time that was given, so that no build is later
//! than what is compared.
//!
//! # Crash safety
//! The worktree is still `creating`. A copy is made in the trash and moved in by one rename.

use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bstr::BString;
use windrow_model::{
    IndexEntry, SeedChoice, SeedTool, SpaceNeed, Stamp, WorktreeRecord, check_space, format_bytes,
};

use super::{
    converted, create,
    error::{CreateError, chain},
    observer::Observer,
    outcome::{Seed, SeedFate, SeedFigures},
    pool::Pool,
    warm::spare,
};
use crate::{
    fs::{self, Blocks, BuildLock, CargoCache, CopiedTree, Sources, Timed, Trust},
    git,
};

/// The directory that cargo builds into.
const TARGET: &str = "target";

/// Takes along what the configuration allows and the main worktree has.
///
/// # Errors
/// A cache that cannot be used is in the worktree and cannot be taken out again.
pub(super) fn seed(
    pool: &Pool,
    record: &WorktreeRecord,
    observer: &mut dyn Observer,
) -> Result<Vec<Seed>, CreateError> {
    let Some(main) = pool.repository().main_worktree.as_deref() else { return Ok(Vec::new()) };
    if pool.settings().seed.cargo == SeedChoice::Off || pool.settings().seed.shared_target {
        return Ok(Vec::new());
    }
    let places = cargo_places(main, &record.path);
    if places.is_empty() {
        return Ok(Vec::new());
    }
    observer.stage("taking build caches along", None);
    let seeding = Seeding { pool, record, main };
    let mut taken = Vec::new();
    let mut seeds = Vec::new();
    for place in places {
        let path = BString::from(place.as_os_str().as_bytes());
        match seeding.take(&place) {
            Ok(one) => taken.push((path, one)),
            Err(why) => seeds.push(Seed { tool: SeedTool::Cargo, path, fate: SeedFate::Left(why) }),
        }
    }
    seeds.extend(seeding.settle(taken)?);
    Ok(seeds)
}

/// The target directories of the main worktree that have none in their place yet, relative to both: at the top and one level below.
fn cargo_places(main: &Path, worktree: &Path) -> Vec<PathBuf> {
    let mut workspaces = vec![PathBuf::new()];
    let below = std::fs::read_dir(main).into_iter().flatten().flatten();
    let directories = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    workspaces.extend(directories.map(|entry| PathBuf::from(entry.file_name())));
    workspaces.sort();
    let is_seed = |workspace: &PathBuf| {
        let built = main.join(workspace).join(TARGET);
        let own = worktree.join(workspace);
        is_file(&built.join("CACHEDIR.TAG"))
            && built.symlink_metadata().is_ok_and(|facts| facts.is_dir())
            && is_file(&main.join(workspace).join("Cargo.toml"))
            && own.symlink_metadata().is_ok_and(|facts| facts.is_dir())
            && is_file(&own.join("Cargo.toml"))
    };
    workspaces.into_iter().filter(is_seed).map(|workspace| workspace.join(TARGET)).collect()
}

fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|facts| facts.is_file())
}

struct Seeding<'a> {
    pool: &'a Pool,
    record: &'a WorktreeRecord,
    main: &'a Path,
}

/// A cache that is in place, and the lock under which it was taken.
struct Taken {
    cache: CargoCache,
    figures: SeedFigures,
    #[expect(dead_code, reason = "held until every source has its time")]
    lock: BuildLock,
}

impl Seeding<'_> {
    /// Copies one cache into its place; says why not.
    fn take(&self, place: &Path) -> Result<Taken, String> {
        let (from, to) = (self.main.join(place), self.record.path.join(place));
        self.refuse_unfit(place, &to)?;
        let lock = self.lock(&from)?;
        let cache = fs::look_at_cargo(&from, self.main, &lock).map_err(|error| chain(&error))?;
        if lock.profiles().is_empty() {
            return Err("nothing was built there, or by a cargo that locks otherwise".to_owned());
        }
        let figures = self.copy(&from, &to, &cache)?;
        Ok(Taken { cache, figures, lock })
    }

    fn refuse_unfit(&self, place: &Path, to: &Path) -> Result<(), String> {
        if to.symlink_metadata().is_ok() {
            return Err("the worktree has something in its place".to_owned());
        }
        let path = BString::from(place.as_os_str().as_bytes());
        let index = self.record.admin.join("index");
        let (git, repository) = (&self.pool.git, self.pool.repository());
        match git::is_ignored(git, repository, &self.record.path, &index, &path) {
            Ok(true) => Ok(()),
            Ok(false) => Err("git does not ignore it in this worktree".to_owned()),
            Err(error) => Err(chain(&error)),
        }
    }

    fn lock(&self, target: &Path) -> Result<BuildLock, String> {
        let wait = self.pool.settings().seed.wait;
        let began = Instant::now();
        loop {
            match BuildLock::take(target) {
                Err(error) => return Err(format!("its locks cannot be taken: {error}")),
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) if began.elapsed() >= wait => {
                    return Err(
                        "a build is under way there (`seed.wait` says how long it is waited for)".to_owned()
                    );
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn copy(&self, from: &Path, to: &Path, cache: &CargoCache) -> Result<SeedFigures, String> {
        let scratch = fs::seed_place(&Pool::trash_of(self.record)).map_err(|error| error.to_string())?;
        let copied = self.copy_by_way_of(scratch.path(), (from, to), cache);
        // Also what a full disk has stopped: its room is free again at once.
        if let Err(error) = std::fs::remove_dir_all(scratch.path()) {
            tracing::debug!(%error, "the rest of a copy stays in the trash for now");
        }
        let copied = copied?;
        Ok(SeedFigures {
            files: copied.files,
            shared_bytes: copied.shared_bytes,
            copied_bytes: copied.copied_bytes,
            left_behind: cache.left_behind,
            ..SeedFigures::default()
        })
    }

    fn copy_by_way_of(
        &self,
        scratch: &Path,
        (from, to): (&Path, &Path),
        cache: &CargoCache,
    ) -> Result<CopiedTree, String> {
        let shares = fs::shares_blocks(from, &cache.tree, scratch);
        let blocks = if shares { Blocks::Shared } else { Blocks::Own };
        self.check_budget(cache, blocks)?;
        let aside = scratch.join(TARGET);
        std::fs::create_dir(&aside).map_err(|error| error.to_string())?;
        let copied = fs::copy_tree(from, &aside, &cache.tree, blocks, create::threads());
        let copied = copied.map_err(|error| chain(&error))?;
        fs::rename_new(&aside, to).map_err(|error| error.to_string())?;
        Ok(copied)
    }

    /// Refuses what is too much where every byte has to be copied, or does not fit.
    fn check_budget(&self, cache: &CargoCache, blocks: Blocks) -> Result<(), String> {
        let settings = self.pool.settings();
        let (bytes, limit) = (cache.tree.bytes, settings.seed.max_bytes);
        if blocks == Blocks::Own && bytes > limit {
            let (bytes, limit) = (format_bytes(bytes), format_bytes(limit));
            return Err(format!(
                "this file system cannot share blocks, and {bytes} to copy are above the {limit} of `seed.max_bytes`"
            ));
        }
        let bytes = if blocks == Blocks::Own { bytes } else { 0 };
        let need = SpaceNeed { bytes, files: cache.tree.files };
        let guard = fs::space(&self.record.path, settings.pool.min_free_bytes);
        let guard = guard.map_err(|error| error.to_string())?;
        check_space(&need, &guard).map_err(|shortage| format!("there is no room for it: {shortage}"))
    }

    /// Gives every source its time under the locks of all caches that were taken, or takes these out again.
    fn settle(&self, taken: Vec<(BString, Taken)>) -> Result<Vec<Seed>, CreateError> {
        if taken.is_empty() {
            return Ok(Vec::new());
        }
        let seed = |path, fate| Seed { tool: SeedTool::Cargo, path, fate };
        let timed = self.give_times(&taken).and_then(|timed| {
            let again = self.forget_undeclared(&taken, &timed)?;
            Ok((timed, again))
        });
        match timed {
            Ok((timed, again)) => {
                let told = |(path, one): (BString, Taken)| {
                    let (same, changed, astray) = (timed.same, timed.changed, timed.astray.clone());
                    seed(
                        path,
                        SeedFate::Taken(SeedFigures {
                            same,
                            changed,
                            astray,
                            run_again: again,
                            ..one.figures
                        }),
                    )
                };
                Ok(taken.into_iter().map(told).collect())
            }
            Err(why) => {
                for (path, _) in &taken {
                    self.take_out(path)?;
                }
                Ok(taken.into_iter().map(|(path, _)| seed(path, SeedFate::Left(why.clone()))).collect())
            }
        }
    }

    /// What a build script reads without telling cargo is known to be the same only where everything is, the commit included.
    fn forget_undeclared(&self, taken: &[(BString, Taken)], timed: &Timed) -> Result<u64, String> {
        let head = self.pool.repository().current_head(&self.pool.git);
        let same_commit = head.is_ok_and(|head| head.oid == Some(self.record.base));
        if same_commit && timed.changed == 0 && !timed.lacks {
            return Ok(0);
        }
        let forget = |(path, one): &(BString, Taken)| {
            let place = self.record.path.join(OsStr::from_bytes(path));
            one.cache.forget_undeclared(&place).map_err(|error| error.to_string())
        };
        taken.iter().map(forget).sum()
    }

    fn give_times(&self, taken: &[(BString, Taken)]) -> Result<Timed, String> {
        let (format, admin) = (self.pool.repository().object_format, &self.record.admin);
        let index = admin.join("index");
        let to_index = git::read_index(&index, format).map_err(|error| chain(&error))?;
        let (from_index, from_written) = self.main_index();
        let mut builds: Vec<Stamp> =
            taken.iter().flat_map(|(_, one)| one.cache.builds.iter().copied()).collect();
        builds.sort_unstable();
        let seeds: Vec<_> = taken.iter().map(|(path, _)| path.clone()).collect();
        let trust = if converted::converts(self.pool, &to_index) { Trust::Nothing } else { Trust::Index };
        let sources = Sources {
            from: self.main,
            from_index: &from_index,
            from_written,
            to: &self.record.path,
            to_index: &to_index,
            trust,
            seeds: &seeds,
            builds: &builds,
        };
        let timed = fs::give_times(&sources).map_err(|error| chain(&error))?;
        git::restat(&index, format, &timed.stats).map_err(|error| chain(&error))?;
        spare::remember_times(self.pool, self.record).map_err(|error| chain(&error))?;
        Ok(timed)
    }

    /// The index of the main worktree; one that cannot be read tells nothing, and then the files are compared.
    fn main_index(&self) -> (Vec<IndexEntry>, Stamp) {
        let path = self.pool.repository().common_dir.join("index");
        let written = path.symlink_metadata().map(|facts| Stamp {
            seconds: facts.mtime(),
            nanos: u32::try_from(facts.mtime_nsec()).unwrap_or_default(),
        });
        let entries = git::read_index(&path, self.pool.repository().object_format);
        (entries.unwrap_or_default(), written.unwrap_or_default())
    }

    fn take_out(&self, path: &BString) -> Result<(), CreateError> {
        let place = self.record.path.join(OsStr::from_bytes(path));
        let failed = |error: fs::TrashError| CreateError::Io {
            path: place.clone(),
            source: std::io::Error::other(error),
        };
        fs::move_to_trash(&place, &Pool::trash_of(self.record), "seed").map(drop).map_err(failed)
    }
}
