//! The pool of one repository: where everything lies and how its state is opened.
//!
//! # Locking
//! Two kinds of lock, both kernel locks that die with their process. The *repository lock* is held for milliseconds around
//! every change to the shared `.git`. A *worktree lock* is held by whoever works on one worktree: its creator, the supervisor
//! of its command, its releaser, its rescuer after a crash. Order: worktree lock, then repository lock, then the store's.

use std::{
    ffi::{OsStr, OsString},
    fs::DirBuilder,
    io,
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
};

use bstr::BString;
use jiff::Timestamp;
use windrow_model::{Settings, WorktreeId, WorktreeRecord};

use super::{
    error::{OpenError, StateError},
    request::Locate,
};
use crate::{
    config::{self, Loaded},
    fs::{self, DirectoryError},
    git::{self, DiscoverError, Git, Repository},
    process::{FileLock, LockError, Wait},
    store::{Access, LocalStore, SqliteCoordination, StoreError},
};

/// What the library is told of the world, because it reads none of it by itself.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The variables of the process, as they are.
    pub variables: Vec<(OsString, OsString)>,
    /// The current directory, absolute.
    pub current_dir: PathBuf,
    /// The `windrow` executable, which also is the reaper and the sweeper.
    pub helper: PathBuf,
    /// Configuration from the command line: key and TOML value.
    pub config_flags: Vec<(String, String)>,
    /// The version of the program that asks, for `min_version`.
    pub program_version: String,
    /// Whether the helper may be started as the pool's keeper.
    pub keeper: KeeperMode,
    /// Whether this process may go into a mount namespace of its own.
    pub overlays: OverlayMode,
}

/// Whether operations that run a command may go into a mount namespace to show an overlay there. There is no way back, and
/// nothing else may run in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OverlayMode {
    /// They may: the process has one thread and ends with the operation. The helper must answer to
    /// [`super::OVERLAY_COMMAND`].
    Allowed,
    /// Never; there are no new overlays then.
    #[default]
    Never,
}

/// Whether operations start the pool's keeper, see [`super::keep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KeeperMode {
    /// When they leave something that ends by itself, unless the configuration says no. The helper must answer to
    /// [`super::KEEPER_COMMAND`].
    OnDemand,
    /// Never: what is over ends with the next command.
    #[default]
    Never,
}

impl Environment {
    /// The value of a variable; the last one counts.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        let found = self.variables.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_os_str())
    }

    /// A base directory of the XDG specification, or its default below the home directory.
    fn base_directory(&self, variable: &str, default: &str) -> Option<PathBuf> {
        let given = self.variable(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        given.or_else(|| Some(Path::new(self.variable("HOME")?).join(default)))
    }
}

/// All worktrees of one repository.
#[derive(Debug)]
pub struct Pool {
    pub(super) environment: Environment,
    pub(super) git: Git,
    repository: Repository,
    loaded: Loaded,
    state_dir: PathBuf,
}

/// The right to change the shared `.git`, held for milliseconds.
#[derive(Debug)]
pub(super) struct RepositoryLock(#[expect(dead_code, reason = "held for its drop")] FileLock);

/// The right to work on one worktree.
#[derive(Debug)]
pub(super) struct WorktreeLock(pub(super) FileLock);

impl WorktreeLock {
    /// Gives the lock up with its file, because nobody needs it any more.
    pub(super) fn retire(self) {
        if let Err(error) = self.0.remove() {
            tracing::debug!(%error, "a lock file stays");
        }
    }
}

const META_REPOSITORY: &str = "repository";

impl Pool {
    /// Finds the repository and reads its configuration. Changes nothing.
    ///
    /// # Errors
    /// There is no usable repository, or the configuration is wrong.
    pub fn open(environment: Environment, locate: &Locate) -> Result<Self, OpenError> {
        let git = Git::new(PathBuf::from("git"), environment.variables.clone());
        let start = match locate {
            Locate::FromHere => environment.current_dir.clone(),
            Locate::At(path) => environment.current_dir.join(path),
        };
        let depth = config::load(&sources(&environment, None), &environment.program_version)?
            .settings
            .discovery
            .depth;
        let repository = git::discover(&git, &start, depth)?;
        refuse_impostor(&repository)?;
        let loaded = config::load(&sources(&environment, Some(&repository)), &environment.program_version)?;
        let state_dir = repository.common_dir.join("windrow");
        Ok(Self { environment, git, repository, loaded, state_dir })
    }

    /// The repository.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The resolved configuration.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.loaded.settings
    }

    /// The configuration with the origin of every value.
    #[must_use]
    pub fn loaded_config(&self) -> &Loaded {
        &self.loaded
    }

    /// The directory of records, locks, logs and rescues: `<common>/windrow`.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The path that stands for the repository: its main worktree, or a bare repository itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.repository.main_worktree.as_deref().unwrap_or(&self.repository.common_dir)
    }

    /// Opens the records for a change, making the state directory first.
    pub(super) fn store(&self) -> Result<LocalStore, StateError> {
        self.make_state_dirs()?;
        let mut store = LocalStore::open(&self.state_dir, Access::ReadWrite)?;
        self.claim_state(&mut store)?;
        Ok(store)
    }

    /// Opens the records for a change of what is on record; `None` when there are none yet, and then nothing is made.
    pub(super) fn store_if_any(&self) -> Result<Option<LocalStore>, StateError> {
        if self.has_records()? { self.store().map(Some) } else { Ok(None) }
    }

    /// Opens the records for a question; `None` when there are none yet.
    pub(super) fn records(&self) -> Result<Option<LocalStore>, StateError> {
        if !self.has_records()? {
            return Ok(None);
        }
        Ok(Some(LocalStore::open(&self.state_dir, Access::ReadOnly)?))
    }

    /// Opens what the workers of this repository share, for a change.
    pub(super) fn coordination(&self) -> Result<SqliteCoordination, StateError> {
        // It stands and falls with the records: a copied repository claims nothing.
        drop(self.store()?);
        Ok(SqliteCoordination::open(&self.state_dir, Access::ReadWrite)?)
    }

    /// Opens what the workers share, for a question; `None` when there is nothing yet.
    pub(super) fn coordination_if_any(&self) -> Result<Option<SqliteCoordination>, StateError> {
        match SqliteCoordination::open(&self.state_dir, Access::ReadOnly) {
            Err(StoreError::Missing { .. }) => Ok(None),
            opened => Ok(Some(opened?)),
        }
    }

    /// Tells whether there are records; what cannot be looked at is an error, not an empty pool.
    pub(super) fn has_records(&self) -> Result<bool, StateError> {
        let path = self.state_dir.join("state.db");
        match path.symlink_metadata() {
            Ok(_) => Ok(true),
            // A log without its database is no empty pool either.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(self.state_dir.join("state.db-wal").symlink_metadata().is_ok())
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(DirectoryError::NotADirectory { path: self.state_dir.clone() }.into())
            }
            Err(source) => Err(StateError::Io { path: self.state_dir.clone(), source }),
        }
    }

    pub(super) fn make_state_dirs(&self) -> Result<(), StateError> {
        for directory in [self.state_dir.clone(), self.locks(), self.logs(), self.rescues(), self.excludes()]
        {
            fs::private_dir(&directory)?;
        }
        Ok(())
    }

    /// Records whose state this is, and refuses a state that came here by copying the repository.
    fn claim_state(&self, store: &mut LocalStore) -> Result<(), StateError> {
        let mine = self.mark()?;
        match store.meta(META_REPOSITORY)? {
            Some(recorded) if recorded == mine => Ok(()),
            Some(_) => Err(StateError::Copied { path: self.state_dir.clone() }),
            None => Ok(store.transaction(|tx| tx.set_meta(META_REPOSITORY, &mine))?),
        }
    }

    /// Tells whether the records came here with a copy of another repository.
    pub(super) fn is_copied(&self, store: &LocalStore) -> Result<bool, StateError> {
        let mine = self.mark()?;
        Ok(store.meta(META_REPOSITORY)?.is_some_and(|recorded| recorded != mine))
    }

    /// What tells this repository from its copies.
    pub(super) fn mark(&self) -> Result<String, StateError> {
        let wrong = |source| StateError::Io { path: self.repository.common_dir.clone(), source };
        let identity = fs::directory_identity(&self.repository.common_dir)
            .map_err(wrong)?
            .ok_or_else(|| wrong(io::Error::from(io::ErrorKind::NotFound)))?;
        Ok(format!("{}:{}:{:?}", identity.filesystem, identity.inode, identity.born_nanos))
    }

    pub(super) fn locks(&self) -> PathBuf {
        self.state_dir.join("locks")
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.state_dir.join("logs")
    }

    pub(super) fn excludes(&self) -> PathBuf {
        self.state_dir.join("excludes")
    }

    /// Where worktrees have their temporary directories and markers.
    pub(super) fn scratch(&self) -> PathBuf {
        self.state_dir.join("scratch")
    }

    pub(super) fn rescues(&self) -> PathBuf {
        self.state_dir.join("rescue")
    }

    pub(super) fn lock_repository(&self) -> Result<RepositoryLock, StateError> {
        let path = self.locks().join("repository");
        let lock = FileLock::acquire(&path, Wait::Forever)?;
        Ok(RepositoryLock(lock.ok_or(LockError::Held { path })?))
    }

    /// Takes the lock of a worktree; `None` when somebody works on it.
    pub(super) fn lock_worktree(&self, id: &WorktreeId) -> Result<Option<WorktreeLock>, StateError> {
        Ok(FileLock::acquire(&self.worktree_lock_path(id), Wait::No)?.map(WorktreeLock))
    }

    pub(super) fn worktree_lock_path(&self, id: &WorktreeId) -> PathBuf {
        self.locks().join(format!("{id}.owner"))
    }

    pub(super) fn keeper_lock(&self) -> PathBuf {
        self.locks().join("keeper")
    }

    pub(super) fn occupancy_path(&self, id: &WorktreeId) -> PathBuf {
        self.locks().join(format!("{id}.occupancy"))
    }

    /// The trash beside a worktree: on its file system, so that leaving is one rename.
    pub(super) fn trash_of(record: &WorktreeRecord) -> PathBuf {
        Self::trash_beside(&record.path)
    }

    /// The trash beside what a worktree's path may become.
    pub(super) fn trash_beside(path: &Path) -> PathBuf {
        Self::trash_in(path.parent().unwrap_or(path))
    }

    /// The trash in a directory around worktrees.
    pub(super) fn trash_in(around: &Path) -> PathBuf {
        around.join(".trash")
    }

    pub(super) fn now() -> Timestamp {
        Timestamp::now()
    }

    /// Takes an administrative directory out of git's sight by one rename, then deletes it; what cannot be deleted is left over.
    pub(super) fn retire_admin(&self, admin: &Path) -> io::Result<()> {
        let unique = uuid::Uuid::now_v7().simple().to_string();
        let aside = self.state_dir.join(format!("old-{unique}"));
        git::retire_admin(admin, &aside)?;
        if let Err(error) = std::fs::remove_dir_all(&aside) {
            tracing::debug!(%error, path = %aside.display(), "the rest of a registration stays for now");
        }
        Ok(())
    }

    /// A path of git's configuration, in which `~/` is the home directory.
    pub(super) fn expand_home(&self, path: &BString) -> PathBuf {
        let plain = || PathBuf::from(OsStr::from_bytes(path));
        match (path.strip_prefix(b"~/"), self.environment.variable("HOME")) {
            (Some(rest), Some(home)) => Path::new(home).join(OsStr::from_bytes(rest)),
            _ => plain(),
        }
    }

    /// Git's own default for what the user ignores everywhere. *Source*: gitignore(5).
    pub(super) fn users_git_ignore(&self) -> Option<PathBuf> {
        Some(self.environment.base_directory("XDG_CONFIG_HOME", ".config")?.join("git/ignore"))
    }

    /// Where worktrees lie when the place beside the repository cannot be used.
    pub(super) fn data_directory(&self) -> Option<PathBuf> {
        let hash = blake3::hash(self.repository.common_dir.as_os_str().as_bytes()).to_hex();
        let base = self.environment.base_directory("XDG_DATA_HOME", ".local/share")?;
        Some(base.join("windrow").join(&hash.as_str()[..16]))
    }
}

/// Refuses another repository where a worktree of ours should be: whoever works in a worktree can put one in place of the
/// `.git` file, and its filters would run in us. The worktree is known by the name of the directory around it.
fn refuse_impostor(repository: &Repository) -> Result<(), DiscoverError> {
    let Some(root) = repository.current_worktree.as_deref() else { return Ok(()) };
    let around = root.parent().map(|parent| parent.as_os_str().as_bytes()).unwrap_or_default();
    let Some(owner) = around.strip_suffix(b".windrow").map(OsStr::from_bytes).map(Path::new) else {
        return Ok(());
    };
    let common = [owner.join(".git"), owner.to_owned()];
    let Some(common) = common.iter().find(|common| common.join("windrow/state.db").exists()) else {
        return Ok(());
    };
    if common.canonicalize().is_ok_and(|common| common == repository.common_dir) {
        return Ok(());
    }
    let said = format!("it lies among the worktrees of `{}`, but its `.git` names another", owner.display());
    Err(DiscoverError::Broken { start: root.to_owned(), said })
}

fn sources(environment: &Environment, repository: Option<&Repository>) -> config::Sources {
    let user = environment.base_directory("XDG_CONFIG_HOME", ".config");
    config::Sources {
        user: user.map(|base| base.join("windrow/config.toml")),
        repository: repository.and_then(|found| Some(found.main_worktree.as_ref()?.join("windrow.toml"))),
        private: repository.map(|found| found.common_dir.join("windrow/config.toml")),
        environment: environment.variables.clone(),
        flags: environment.config_flags.clone(),
    }
}

/// Makes a directory that must not be there yet, for us alone to fill.
pub(super) fn make_new_directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(mode).create(path)
}
