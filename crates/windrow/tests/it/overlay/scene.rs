//! A repository with a template for overlays, used by root or by somebody without any rights.

use std::{
    fmt, fs,
    os::unix::fs::{MetadataExt, lchown},
    path::{Path, PathBuf},
};

use windrow_testkit::{Binary, Invocation, TestRepo, processes_under, skipped};

use crate::pool::{SOON, text, wait_for_empty_trash};

/// Somebody who has no rights.
const NOBODY: u32 = 4_242;

/// Files enough for several directories.
const FILES: usize = 250;

pub(super) struct Scene {
    pub(super) repo: TestRepo,
    /// What is put in front of every program.
    who: Vec<String>,
    name: &'static str,
}

/// As root and as somebody without rights, or as whoever runs the tests; none where overlays cannot be had.
pub(super) fn scenes() -> Vec<Scene> {
    let mut all = vec![Scene::as_we_are()];
    if rustix::process::geteuid().is_root() {
        all.extend(Scene::unprivileged());
    }
    all.retain(Scene::can_mount);
    all
}

/// As somebody without rights where there is a choice, which is how most will use them.
pub(super) fn either() -> Option<Scene> {
    let root = rustix::process::geteuid().is_root();
    let scene = if root { Scene::unprivileged() } else { None };
    Some(scene.unwrap_or_else(Scene::as_we_are)).filter(Scene::can_mount)
}

impl Scene {
    fn new(who: Vec<String>, name: &'static str) -> Self {
        let binary = Binary(env!("CARGO_BIN_EXE_windrow").into());
        let repo = TestRepo::builder().binary(binary).files(FILES).build();
        Self { repo, who, name }
    }

    pub(super) fn as_we_are() -> Self {
        let scene = Self::new(Vec::new(), "as we are");
        scene.make_template();
        scene
    }

    fn unprivileged() -> Option<Self> {
        let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
        let who = ["setpriv".to_owned(), user, group, "--clear-groups".to_owned()];
        let scene = Self::new(who.into(), "without rights");
        give_away(scene.repo.root());
        if scene.windrow(&["--version"]).run().code != 0 {
            skipped("the program cannot be run by another user");
            return None;
        }
        scene.make_template();
        Some(scene)
    }

    pub(super) fn can_mount(&self) -> bool {
        let told = self.windrow(&["doctor", "--strategies", "--json"]).run().assert_success().json();
        let ways = told["strategies"].as_array().unwrap();
        let overlay = ways.iter().find(|way| way["strategy"] == "overlay").unwrap();
        if overlay["possible"] != true {
            skipped(&format!("overlays {}: {}", self.name, overlay["reason"]));
        }
        overlay["possible"] == true
    }

    pub(super) fn make_template(&self) -> PathBuf {
        let words = ["pool", "template", "--json", "--config", "pool.strategy=\"overlay\""];
        text(&self.windrow(&words).run().assert_success().json()["template"]["path"]).into()
    }

    pub(super) fn windrow(&self, words: &[&str]) -> Invocation {
        self.as_user(self.repo.windrow(words))
    }

    fn as_user(&self, call: Invocation) -> Invocation {
        if self.who.is_empty() { call } else { call.wrapped_in(&self.who) }
    }

    /// A run in an overlay.
    pub(super) fn run(&self, words: &[&str]) -> Invocation {
        self.windrow(&[&["run", "--strategy", "overlay"], words].concat())
    }

    #[track_caller]
    pub(super) fn git(&self, words: &[&str]) -> String {
        self.git_in(self.repo.path(), words)
    }

    #[track_caller]
    pub(super) fn git_in(&self, directory: &Path, words: &[&str]) -> String {
        self.as_user(self.repo.git_invocation(directory).args(words)).run().assert_success().text()
    }

    pub(super) fn try_git(&self, words: &[&str]) -> bool {
        self.as_user(self.repo.git_invocation(self.repo.path()).args(words)).run().code == 0
    }

    /// Commits a new file in the main worktree.
    pub(super) fn commit(&self, name: &str) {
        self.repo.write(name, name);
        if !self.who.is_empty() {
            give_away(&self.repo.path().join(name));
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", name]);
    }

    /// A path that the command may write to, outside of every worktree.
    pub(super) fn outside(&self, name: &str) -> PathBuf {
        self.repo.root().join("tmp").join(name)
    }

    pub(super) fn pool_root(&self) -> PathBuf {
        crate::pool::pool_root(&self.repo)
    }

    fn beside(&self, prefix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.pool_root()).into_iter().flatten().flatten();
        let named = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(prefix);
        entries.filter(named).map(|entry| entry.path()).collect()
    }

    /// The directories that hold layers.
    pub(super) fn layers(&self) -> Vec<PathBuf> {
        self.beside(".overlay-")
    }

    pub(super) fn templates(&self) -> Vec<PathBuf> {
        self.beside(".template-")
    }

    /// Every file of every template with what any change of it would change.
    pub(super) fn template(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for root in self.templates() {
            // Who is not root sees the closed door alone.
            list(&root, &mut lines);
        }
        assert!(lines.len() > FILES || !rustix::process::geteuid().is_root(), "there is one");
        lines
    }

    #[track_caller]
    pub(super) fn state(&self, name: &str) -> String {
        let list = self.windrow(&["list", "--json"]).run().assert_success().json();
        let found = list["worktrees"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
        found.map_or_else(|| "gone".to_owned(), |found| text(&found["state"]))
    }

    /// Nothing is left but templates and rescues: no directory, no mount, no process, no registration.
    #[track_caller]
    pub(super) fn assert_nothing_left(&self) {
        wait_for_empty_trash(&self.pool_root().join(".trash"));
        let left: Vec<_> = fs::read_dir(self.pool_root())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != ".trash" && !name.starts_with(".template-"))
            .collect();
        assert_eq!(left, Vec::<String>::new(), "{self}");
        let listed = self.git(&["worktree", "list", "--porcelain"]);
        assert_eq!(listed.matches("worktree ").count(), 1, "{self}: {listed}");
        let mine = |entry: fs::DirEntry| {
            let mounts = fs::read_to_string(entry.path().join("mountinfo")).unwrap_or_default();
            mounts.contains(self.pool_root().to_str().unwrap())
        };
        windrow_testkit::poll_until(SOON, "the mounts to go", || {
            !fs::read_dir("/proc").unwrap().flatten().any(mine)
        });
        windrow_testkit::poll_until(SOON, "the processes to go", || {
            processes_under(&self.pool_root()).is_empty()
        });
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn give_away(path: &Path) {
    lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give_away(&entry.unwrap().path()));
    }
}

fn list(path: &Path, lines: &mut Vec<String>) {
    let Ok(facts) = path.symlink_metadata() else { return };
    let content = if facts.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
    lines.push(format!(
        "{} {:o} {} {}.{} {}.{} {content:?}",
        path.display(),
        facts.mode(),
        facts.ino(),
        facts.mtime(),
        facts.mtime_nsec(),
        facts.ctime(),
        facts.ctime_nsec()
    ));
    if facts.is_dir() {
        let mut names: Vec<_> =
            fs::read_dir(path).into_iter().flatten().flatten().map(|one| one.path()).collect();
        names.sort();
        names.iter().for_each(|name| list(name, lines));
    }
}
