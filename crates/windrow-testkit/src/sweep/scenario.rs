//! The operations that strikes fall on: what comes before, the command, and what must hold afterwards.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{
    Found,
    desk::{Desk, TARGET},
    scene::{Scene, text, without_link},
    work::{Work, agent},
};
use crate::{Invocation, Outcome};

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// `windrow acquire` of a new worktree.
    Acquire,
    /// `windrow run` of an agent that leaves work of every kind.
    Run,
    /// `windrow release` of such work.
    Release,
    /// `windrow restore` of such work.
    Restore,
    /// `windrow reconcile` after the records were lost.
    RecordsLost,
    /// `windrow reconcile` after the files of a worktree were deleted.
    FilesGone,
    /// `windrow session end` with two leases.
    SessionEnd,
    /// `windrow prune` of a kept worktree with such work, and of a rescue.
    Prune,
    /// `windrow acquire` of a worktree that is held ready.
    Claim,
    /// `windrow pool warm`.
    Warm,
    /// `windrow pool template`, where there is one of another commit.
    Template,
    /// `windrow acquire` of a new worktree from a template.
    FromTemplate,
    /// `windrow land` into a checkout that somebody works in.
    Land,
    /// `windrow run` of such an agent in an overlay.
    Overlay,
    /// `windrow release` of an overlay that was kept, with such work.
    OverlayKept,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Acquire,
        Self::Run,
        Self::Release,
        Self::Restore,
        Self::RecordsLost,
        Self::FilesGone,
        Self::SessionEnd,
        Self::Prune,
        Self::Claim,
        Self::Warm,
        Self::Template,
        Self::FromTemplate,
        Self::Land,
        Self::Overlay,
        Self::OverlayKept,
    ];

    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Run => "run",
            Self::Release => "release",
            Self::Restore => "restore",
            Self::RecordsLost => "records-lost",
            Self::FilesGone => "files-gone",
            Self::SessionEnd => "session-end",
            Self::Prune => "prune",
            Self::Claim => "claim",
            Self::Warm => "warm",
            Self::Template => "template",
            Self::FromTemplate => "from-template",
            Self::Land => "land",
            Self::Overlay => "overlay",
            Self::OverlayKept => "overlay-kept",
        }
    }

    /// Returns the scenario of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    /// Does what comes before.
    #[track_caller]
    pub(super) fn stage(self, scene: &Scene) -> Staged {
        let mark = scene.next().to_string();
        let works = match self {
            Self::Acquire
            | Self::Claim
            | Self::Warm
            | Self::Template
            | Self::FromTemplate
            | Self::Run
            | Self::Land
            | Self::Overlay
            | Self::OverlayKept => Vec::new(),
            Self::Release | Self::Restore | Self::RecordsLost | Self::FilesGone => {
                vec![worked(scene, "fern", &mark, &[])]
            }
            Self::Prune => ["fern", "moss"].map(|name| worked(scene, name, &mark, &[])).into(),
            Self::SessionEnd => Vec::new(),
        };
        let mut staged = Staged { mark, works, diary: scene.diary(), given: String::new(), desk: None };
        match self {
            Self::Acquire | Self::Warm | Self::Run | Self::Release => {}
            Self::Claim => scene.ready(1),
            Self::Land => staged.desk = Some(Desk::new(scene, &staged.mark)),
            Self::Template => scene.template_of_another_commit(),
            Self::FromTemplate => {
                scene.call(&["pool", "template"]).assert_success();
            }
            Self::Overlay => scene.template_for_overlays(),
            Self::OverlayKept => {
                scene.template_for_overlays();
                let run =
                    scene.windrow(&["run", "--strategy", "overlay", "--name", "fern", "--keep", "1h", "--"]);
                run.args(agent(&staged.diary, &staged.mark)).run().assert_success();
                staged.works = vec![Work::read("fern", &staged.diary, &staged.mark)];
            }
            Self::Restore => {
                scene.call(&["release", "fern"]).assert_success();
                staged.given = scene.rescues(Some("fern")).pop().expect("a rescue of the work");
            }
            Self::RecordsLost => lose_records(scene),
            Self::FilesGone => {
                let worktree = scene.worktree("fern").expect("leased just now");
                fs::remove_dir_all(text(&worktree["path"])).expect("our own files");
                staged.works[0].files.clear();
            }
            Self::SessionEnd => staged.session(scene),
            Self::Prune => {
                scene.call(&["release", "moss"]).assert_success();
                scene.call(&["release", "fern", "--keep", "1h"]).assert_success();
            }
        }
        staged
    }

    /// Prepares the command that the strike falls on.
    pub(super) fn command(self, scene: &Scene, staged: &Staged) -> Invocation {
        let given = staged.given.as_str();
        let key = staged.key();
        match self {
            Self::Acquire | Self::Claim | Self::FromTemplate => {
                scene.windrow(&["acquire", "--json", "--name", "fern", "--key", &key])
            }
            Self::Warm => scene.windrow(&["pool", "warm", "2", "--wait", "--json"]),
            Self::Template => scene.windrow(&["pool", "template", "--json"]),
            Self::Run => {
                let words = ["run", "--json", "--name", "fern", "--key", &key, "--"];
                scene.windrow(&words).args(agent(&staged.diary, &staged.mark))
            }
            Self::Overlay => {
                let words = ["run", "--json", "--strategy", "overlay", "--name", "fern", "--key", &key, "--"];
                scene.windrow(&words).args(agent(&staged.diary, &staged.mark))
            }
            Self::Release | Self::OverlayKept => scene.windrow(&["release", "--json", "fern"]),
            Self::Restore => scene.windrow(&["restore", "--json", given, "--name", "moss", "--key", &key]),
            Self::RecordsLost | Self::FilesGone => scene.windrow(&["reconcile", "--json"]),
            Self::SessionEnd => scene.windrow(&["session", "end", "--json", given]),
            Self::Prune => scene.windrow(&["prune", "--older-than", "0s", "--json"]),
            Self::Land => scene.windrow(&["land", "fern", "--onto", TARGET, "--squash", "--json"]),
        }
    }

    /// The command that brings the pool back; for lost records only one does.
    pub(super) fn recovery(self, scene: &Scene, turn: usize) -> Invocation {
        if turn.is_multiple_of(2) || self == Self::RecordsLost {
            return scene.windrow(&["reconcile"]);
        }
        scene.windrow(&["acquire", "--name", "next", "--detach", "--no-carry"])
    }

    /// Checks what this operation promises; `said` is what it reported.
    pub(super) fn verify(self, scene: &Scene, staged: &Staged, said: &Said) -> Found {
        match self {
            Self::Acquire | Self::Claim | Self::FromTemplate => verify_acquire(scene, staged, said),
            // Whatever is ready is handed out next, and whatever is a template used for it.
            Self::Warm | Self::Template => verify_acquire(scene, staged, &Said(None)),
            Self::Run | Self::Overlay => {
                said.gone(scene)?;
                scene.find(&Work::read("fern", &staged.diary, &staged.mark))
            }
            Self::OverlayKept => {
                said.gone(scene)?;
                // At its path nobody sees its files.
                if scene.worktree("fern").is_some() {
                    scene.finish(&["release", "fern"])?;
                }
                scene.find(&staged.works[0])
            }
            Self::Release => {
                said.gone(scene)?;
                scene.find(&staged.works[0])
            }
            Self::SessionEnd => {
                said.gone(scene)?;
                staged.works.iter().try_for_each(|work| scene.find(work))
            }
            Self::Restore => verify_restore(scene, staged, said),
            Self::Land => {
                let landed = said.0.is_some().then_some(true);
                staged.desk.as_ref().map_or(Ok(()), |desk| desk.verify(scene, landed))
            }
            Self::RecordsLost | Self::FilesGone => scene.find(&staged.works[0]),
            // A rescue goes as a whole or stays as a whole.
            Self::Prune if !scene.rescues(Some("moss")).is_empty() => {
                staged.works.iter().try_for_each(|work| scene.find(work))
            }
            Self::Prune => scene.find(&staged.works[0]),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a strike is about to fall on.
#[derive(Debug)]
pub(super) struct Staged {
    mark: String,
    works: Vec<Work>,
    diary: PathBuf,
    /// The rescue or the session that the command is about.
    given: String,
    /// The checkout that the command changes.
    desk: Option<Desk>,
}

impl Staged {
    fn key(&self) -> String {
        format!("key-{}", self.mark)
    }

    #[track_caller]
    fn session(&mut self, scene: &Scene) {
        let own = std::process::id().to_string();
        self.given = scene.call(&["session", "start", "--pid", &own]).assert_success().text();
        let words = ["--session", &self.given];
        self.works = ["one", "two"].map(|name| worked(scene, name, &self.mark, &words)).into();
    }
}

/// What the command reported before its end.
#[derive(Debug)]
pub(super) struct Said(Option<Value>);

impl Said {
    /// Reads it; a document that is not complete says nothing.
    pub(super) fn of(outcome: &Outcome) -> Self {
        let document = serde_json::from_slice::<Value>(&outcome.stdout).ok();
        Self(document.filter(|document| document["error"].is_null()))
    }

    /// Checks that what was said to be gone is.
    fn gone(&self, scene: &Scene) -> Found {
        let Some(document) = &self.0 else { return Ok(()) };
        let one = std::slice::from_ref(&document["released"]);
        let released = document["released"].as_array().map_or(one, Vec::as_slice);
        let gone = released.iter().filter(|one| one["fate"]["kind"] != "quarantined");
        let mut names = gone.filter_map(|one| one["worktree"]["name"].as_str());
        match names.find(|name| scene.worktree(name).is_some()) {
            Some(name) => Err(format!("`{name}` was said to be given back and is there: {document}")),
            None => Ok(()),
        }
    }
}

#[track_caller]
fn worked(scene: &Scene, name: &str, mark: &str, words: &[&str]) -> Work {
    let worktree = scene.acquire(&[&["--name", name], words].concat());
    Work::done(&scene.repo, name, &worktree, &scene.diary(), mark)
}

fn lose_records(scene: &Scene) {
    let state = scene.repo.git_dir().join("windrow");
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        // The log is there only as long as somebody has the records open.
        let _ = fs::remove_file(state.join(name));
    }
}

/// What is leased is whole, whether its owner heard of it or not; and the key gives it, or a new one.
fn verify_acquire(scene: &Scene, staged: &Staged, said: &Said) -> Found {
    let found = scene.worktree("fern");
    match (&said.0, &found) {
        (Some(document), None) => return Err(format!("a lease was given and is gone: {document}")),
        (Some(document), Some(found)) if document["lease"]["path"] != found["path"] => {
            return Err(format!("another worktree was given: {document} and {found}"));
        }
        (_, Some(found)) => whole(scene, Path::new(&text(&found["path"])))?,
        (None, None) => {}
    }
    let again = scene.call(&["acquire", "--name", "fern", "--key", &staged.key()]);
    if again.code != 0 {
        return Err(format!("the key cannot be acquired again: {again}"));
    }
    whole(scene, Path::new(&again.text()))
}

fn whole(scene: &Scene, worktree: &Path) -> Found {
    let differences = scene.fresh.differences(&without_link(worktree));
    if differences.is_empty() {
        let status = scene.repo.git_in(worktree, ["status", "--porcelain", "--untracked-files=no"]);
        return if status.is_empty() { Ok(()) } else { Err(format!("git status says: {status}")) };
    }
    Err(format!("a leased worktree is not whole:\n{}", differences.join("\n")))
}

/// The rescue stays, and the same key brings all of it back.
fn verify_restore(scene: &Scene, staged: &Staged, said: &Said) -> Found {
    if !scene.rescues(None).contains(&staged.given) {
        return Err(format!("the rescue `{}` is gone", staged.given));
    }
    let work = Work { name: "moss".to_owned(), head: None, ..staged.works[0].clone() };
    if said.0.is_some() {
        let worktree = scene.worktree("moss").ok_or("a lease was given and is gone")?;
        work.missing_in(Path::new(&text(&worktree["path"])))?;
    }
    let again = scene.call(&["restore", &staged.given, "--name", "moss", "--key", &staged.key()]);
    if again.code != 0 {
        return Err(format!("the rescue cannot be restored by the same key: {again}"));
    }
    work.missing_in(Path::new(&again.text()))
}
