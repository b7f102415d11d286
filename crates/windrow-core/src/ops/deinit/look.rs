//! Looking at everything that is ours, and at what lies among it.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::ByteSlice;
use windrow_model::{
    DeinitSituation, DeinitSnapshot, DeinitWorktree, SavedWork, UseSeen, WorkSeen, WorktreeId, WorktreeMaker,
    WorktreeName, WorktreeRecord, WorktreeState,
};

use crate::{
    fs as files,
    git::{self, AdminFacts},
    ops::{
        error::{ReconcileError, chain},
        identity::{self, Identity},
        keeper,
        liveness::Standing,
        overlay, place,
        pool::Pool,
        reconcile,
        rescue::rescue_ref,
        survey, warm,
    },
    store::LocalStore,
};

/// What is added to the name of the state directory while it is being removed.
const LEAVING: &str = "windrow.leaving";

/// Where our state directory is while it is being removed.
pub(super) fn leaving(pool: &Pool) -> PathBuf {
    pool.repository().common_dir.join(LEAVING)
}

/// Looks at everything.
pub(super) fn snapshot(pool: &Pool) -> Result<DeinitSnapshot, ReconcileError> {
    let (records, store) = reconcile::open(pool)?;
    let worktrees = worktrees(pool, store.as_ref())?;
    let ours = |one: &DeinitWorktree<DeinitSituation>| {
        one.decision.maker == WorktreeMaker::Windrow && one.decision.record != Some(WorktreeState::Gone)
    };
    let parts =
        |one: &DeinitWorktree<DeinitSituation>| [one.path.clone(), overlay::holder(&one.path, &one.id)];
    let made: Vec<_> = worktrees.iter().filter(|one| ours(one)).flat_map(parts).collect();
    let territory = Territory::of(pool, store.as_ref())?;
    Ok(DeinitSnapshot {
        records,
        rescues: rescues(pool, store.as_ref())?,
        unpacked: unpacked(pool),
        keeper: keeper::incumbent_of(&pool.keeper_lock()),
        goes: territory.goes(pool, &made)?,
        stays: territory.stays(pool, &made)?,
        worktrees,
    })
}

fn worktrees(
    pool: &Pool,
    store: Option<&LocalStore>,
) -> Result<Vec<DeinitWorktree<DeinitSituation>>, ReconcileError> {
    let failed = |source| ReconcileError::Io { path: pool.repository().common_dir.join("worktrees"), source };
    let admins = git::marked_admins(pool.repository()).map_err(failed)?;
    let mut found = Vec::new();
    for record in store.map_or_else(|| Ok(Vec::new()), |store| store.worktrees())? {
        let adopted = admins.iter().any(|(_, facts)| facts.adopted && facts.worktree_id() == Some(record.id));
        found.push(look_at(
            pool,
            store,
            record,
            if adopted { WorktreeMaker::Adopted } else { WorktreeMaker::Windrow },
        )?);
    }
    for (admin, facts) in &admins {
        let Some(id) = facts.worktree_id().filter(|id| !found.iter().any(|one| one.id == *id)) else {
            continue;
        };
        let former = store.map_or(Ok(None), |store| store.worktree(id))?;
        found.push(unrecorded(id, admin, facts, former));
    }
    Ok(found)
}

fn look_at(
    pool: &Pool,
    store: Option<&LocalStore>,
    record: WorktreeRecord,
    maker: WorktreeMaker,
) -> Result<DeinitWorktree<DeinitSituation>, ReconcileError> {
    let used = reconcile::use_of(pool, store, &record, Standing::Outside)?;
    let work = match store.filter(|_| used == UseSeen::Free) {
        Some(store) => work_in(pool, store, &record),
        None => WorkSeen::Unknown("it is in use".to_owned()),
    };
    let decision = DeinitSituation { record: Some(record.state), maker, used, work };
    Ok(DeinitWorktree { id: record.id, name: record.name, path: record.path, decision })
}

/// What its release would have to save, by the same look.
fn work_in(pool: &Pool, store: &LocalStore, record: &WorktreeRecord) -> WorkSeen {
    if record.state == WorktreeState::Idle {
        return warm::spare::doubt(pool, record).map_or(WorkSeen::Saved, WorkSeen::Unknown);
    }
    let survey = match identity::prove_removable(pool, record) {
        Identity::Gone => return WorkSeen::Saved,
        Identity::Doubtful(why) => return WorkSeen::Unknown(why),
        Identity::Unregistered => return WorkSeen::Unknown("git's registration of it is gone".to_owned()),
        Identity::FilesGone => survey::survey_registration(pool, record),
        Identity::Proven => match store.carried(record.id) {
            Ok(carried) => survey::survey(pool, record, &carried),
            Err(error) => return WorkSeen::Unknown(chain(&error)),
        },
    };
    match survey {
        Ok(survey) if survey.is_clean() => WorkSeen::Saved,
        Ok(survey) => WorkSeen::Unsaved(survey.unsaved()),
        Err(error) => WorkSeen::Unknown(chain(&error)),
    }
}

/// A worktree that bears our mark and is on no record, or on that of one that is gone.
fn unrecorded(
    id: WorktreeId,
    admin: &Path,
    facts: &AdminFacts,
    former: Option<WorktreeRecord>,
) -> DeinitWorktree<DeinitSituation> {
    let maker = if facts.adopted { WorktreeMaker::Adopted } else { WorktreeMaker::Windrow };
    let record = former.as_ref().map(|record| record.state);
    let root = facts.gitdir.as_deref().and_then(Path::parent);
    let own = || admin.file_name()?.to_str()?.parse::<WorktreeName>().ok();
    let name = former.map(|record| record.name).or_else(own);
    let work = WorkSeen::Unknown("it is on no record".to_owned());
    DeinitWorktree {
        id,
        name: name.unwrap_or_else(|| "unnamed".parse().expect("it is a name")),
        path: root.unwrap_or(admin).to_owned(),
        decision: DeinitSituation { record, maker, used: UseSeen::Free, work },
    }
}

/// All that is saved by us alone: on record, under our refs, or in an archive.
fn rescues(pool: &Pool, store: Option<&LocalStore>) -> Result<Vec<SavedWork>, ReconcileError> {
    let refs = git::list_refs(&pool.git, pool.repository(), "refs/windrow")?;
    let mut found = Vec::new();
    for record in store.map_or_else(|| Ok(Vec::new()), |store| store.rescues())? {
        let name = rescue_ref(&record.id);
        let now = refs.iter().find(|(found, _)| *found == name.as_str()).map(|(_, oid)| *oid);
        // A former try may have removed it already.
        let archive = record.archive.filter(|path| !matches!(path.try_exists(), Ok(false)));
        let commit = now.or(record.commit).map(|oid| (name, oid));
        found.push(SavedWork { id: record.id.to_string(), commit, archive });
    }
    for (name, oid) in &refs {
        let name = name.to_str_lossy().into_owned();
        if !found.iter().any(|work: &SavedWork| work.commit.as_ref().is_some_and(|(known, _)| *known == name))
        {
            let id = name.trim_start_matches("refs/windrow/").trim_start_matches("rescue/").to_owned();
            found.push(SavedWork { id, commit: Some((name, *oid)), archive: None });
        }
    }
    for archive in archives(pool)? {
        if !found.iter().any(|work| work.archive.as_ref() == Some(&archive)) {
            let name = archive.file_name().unwrap_or_default().to_string_lossy();
            let id = name.trim_end_matches(".tar.zst").to_owned();
            found.push(SavedWork { id, commit: None, archive: Some(archive) });
        }
    }
    Ok(found)
}

fn archives(pool: &Pool) -> Result<Vec<PathBuf>, ReconcileError> {
    let named =
        |name: &OsString| name.as_bytes().ends_with(b".tar.zst") && !name.as_bytes().starts_with(b".");
    let names = names_in(&pool.rescues())?.into_iter().filter(named);
    Ok(names.map(|name| pool.rescues().join(name)).collect())
}

/// Where archives are unpacked: beside the repository.
fn unpacked(pool: &Pool) -> PathBuf {
    let mut path = pool.root().as_os_str().to_owned();
    path.push(".rescues");
    PathBuf::from(path)
}

/// The names in a directory, in order; none when it is not there.
pub(super) fn names_in(directory: &Path) -> Result<Vec<OsString>, ReconcileError> {
    let failed = |source| ReconcileError::Io { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries.map_err(failed)?,
    };
    let mut names: Vec<_> =
        entries.map(|entry| Ok(entry?.file_name())).collect::<Result<_, _>>().map_err(failed)?;
    names.sort();
    Ok(names)
}

/// The directories in which things of ours lie.
pub(super) struct Territory {
    /// Those that hold nothing but worktrees.
    pub(super) pools: BTreeSet<PathBuf>,
    /// Those that hold trash.
    pub(super) trashes: BTreeSet<PathBuf>,
}

impl Territory {
    pub(super) fn of(pool: &Pool, store: Option<&LocalStore>) -> Result<Self, ReconcileError> {
        let places = store.map_or_else(|| Ok(Vec::new()), |store| store.places())?;
        let mut around: BTreeSet<PathBuf> =
            places.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect();
        around.extend(place::around(pool));
        around.extend(pool.data_directory());
        let trashes = around.iter().map(|directory| Pool::trash_in(directory)).collect();
        // Another directory around a worktree may be the user's own.
        let mut usual = pool.root().as_os_str().to_owned();
        usual.push(".windrow");
        let usual = PathBuf::from(usual);
        let data = pool.data_directory();
        around.retain(|directory| *directory == usual || data.as_ref() == Some(directory));
        Ok(Self { pools: around, trashes })
    }

    /// What is removed, `made` being the worktrees that go before.
    fn goes(&self, pool: &Pool, made: &[PathBuf]) -> Result<Vec<PathBuf>, ReconcileError> {
        let mut goes = Vec::new();
        for trash in self.trashes.iter().filter(|trash| is_trash(trash)) {
            if foreign_in_trash(trash)?.is_empty() {
                goes.push(trash.clone());
            }
        }
        for directory in self.pools.iter().filter(|directory| directory.is_dir()) {
            if self.foreign_in(directory, made)?.is_empty() {
                goes.push(directory.clone());
            }
        }
        goes.extend(Some(leaving(pool)).filter(|path| is_directory(path)));
        goes.extend(holds_state(pool.state_dir())?.then(|| pool.state_dir().to_owned()));
        Ok(goes)
    }

    /// What lies among it and is left.
    pub(super) fn stays(&self, pool: &Pool, made: &[PathBuf]) -> Result<Vec<PathBuf>, ReconcileError> {
        let mut stays = Vec::new();
        for trash in self.trashes.iter().filter(|trash| is_trash(trash)) {
            stays.extend(foreign_in_trash(trash)?);
        }
        for directory in self.pools.iter().filter(|directory| directory.is_dir()) {
            stays.extend(
                self.foreign_in(directory, made)?.into_iter().filter(|path| !self.trashes.contains(path)),
            );
        }
        let state = pool.state_dir();
        let foreign = names_in(state)?.into_iter().filter(|name| !is_state(name));
        stays.extend(foreign.map(|name| state.join(name)));
        Ok(stays)
    }

    fn foreign_in(&self, directory: &Path, made: &[PathBuf]) -> Result<Vec<PathBuf>, ReconcileError> {
        let mut foreign = Vec::new();
        for path in names_in(directory)?.into_iter().map(|name| directory.join(name)) {
            let ours = match self.trashes.contains(&path) {
                true => foreign_in_trash(&path)?.is_empty(),
                false => made.contains(&path),
            };
            if !ours {
                foreign.push(path);
            }
        }
        Ok(foreign)
    }
}

/// A directory of that name in which no sweeper ever worked is somebody else's.
fn is_trash(trash: &Path) -> bool {
    trash.is_dir() && (files::has_trash(trash) || crate::ops::sweep::lock_of(trash).exists())
}

fn foreign_in_trash(trash: &Path) -> Result<Vec<PathBuf>, ReconcileError> {
    let lock = crate::ops::sweep::lock_of(trash);
    let paths = names_in(trash)?.into_iter().map(|name| trash.join(name));
    Ok(paths.filter(|path| *path != lock && !files::is_in_trash(path)).collect())
}

/// A directory itself, not a link to one.
pub(super) fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Tells whether there is a state directory with anything of ours in it, or with nothing at all.
pub(super) fn holds_state(state: &Path) -> Result<bool, ReconcileError> {
    let names = names_in(state)?;
    Ok(is_directory(state) && (names.is_empty() || names.iter().any(is_state)))
}

/// Tells whether an entry of the state directory is one that we make.
pub(super) fn is_state(name: &OsString) -> bool {
    let name = name.as_bytes();
    let databases = [&b"state.db"[..], b"coordination.db", b"new-", b"old-", b"tmp-"];
    let whole = [
        &b"locks"[..],
        b"land",
        b"logs",
        b"pushed",
        b"excludes",
        b"rescue",
        b"reserve",
        b"warm",
        b"templates",
        b"scratch",
    ];
    whole.contains(&name) || databases.iter().any(|prefix| name.starts_with(prefix))
}
