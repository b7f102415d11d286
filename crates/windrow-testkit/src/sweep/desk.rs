//! A checkout that somebody works in and that a landing changes, in place of the main one, which nothing may change.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Found, scene::Scene};
use crate::{Include, TreeSnapshot};

/// The branch that is landed on; by its name nobody else's.
pub(super) const TARGET: &str = "windrow/desk";

/// The files that the work touches.
const TOUCHED: [&str; 6] = ["src/lib.rs", "bin", "bin/tool", "link", "new", "many"];

/// The checkout as it was before.
#[derive(Debug)]
pub(super) struct Desk {
    path: PathBuf,
    before: TreeSnapshot,
    status: String,
    tip: String,
}

impl Desk {
    /// Makes the checkout with changes of every kind, and work in the worktree `fern` that touches none of them.
    #[track_caller]
    pub(super) fn new(scene: &Scene, mark: &str) -> Self {
        let path = scene.desk();
        let place = path.to_str().expect("UTF-8");
        let no_hooks = ["-c", "core.hooksPath=/dev/null"];
        scene.repo.git(no_hooks.iter().chain(&["worktree", "add", "--quiet", "-b", TARGET, place]));
        let worktree = scene.acquire(&["--name", "fern", "--base", TARGET, "--no-carry"]);
        work(&worktree, mark);
        scene.repo.commit_in(&worktree, &format!("Work {mark}"));
        for (name, content) in [
            ("README.md", "changed"),
            ("staged.txt", "staged"),
            ("notes/untracked", "untracked"),
            (".env", "ignored"),
        ] {
            put(&path, name, &format!("{content} {mark}\n"));
        }
        scene.repo.git_in(&path, ["add", "staged.txt"]);
        fs::remove_file(path.join(".gitignore")).expect("a tracked file");
        Self { before: everything(&path), status: status(scene, &path), tip: scene.repo.oid(TARGET), path }
    }

    /// Checks that the checkout is wholly as before or wholly at the work, and that the work then lands once.
    pub(super) fn verify(&self, scene: &Scene, said_landed: Option<bool>) -> Found {
        self.whole(scene, said_landed)?;
        let again = scene.call(&["land", "fern", "--onto", TARGET, "--squash"]);
        if again.code != 0 {
            return Err(format!("it cannot be landed afterwards: {again}"));
        }
        self.whole(scene, Some(true))?;
        let commits = scene.repo.git(["rev-list", "--count", &format!("{}..{TARGET}", self.tip)]);
        if commits != "1" {
            return Err(format!("it landed {commits} times"));
        }
        let place = self.path.to_str().expect("UTF-8");
        scene.repo.git(["worktree", "remove", "--force", place]);
        Ok(())
    }

    fn whole(&self, scene: &Scene, said_landed: Option<bool>) -> Found {
        let now = everything(&self.path);
        let moved = scene.repo.oid(TARGET) != self.tip;
        let differences = self.before.differences(&now);
        let told = || {
            format!("(the target {}moved)\n{}", if moved { "" } else { "has not " }, differences.join("\n"))
        };
        if said_landed == Some(true) && !moved {
            return Err("it was said to have landed and has not".to_owned());
        }
        let status = status(scene, &self.path);
        if status != self.status {
            return Err(format!("status says\n{status}\ninstead of\n{}\n{}", self.status, told()));
        }
        let mine = |path: &&Path| !TOUCHED.iter().any(|touched| path.starts_with(touched));
        let paths: BTreeSet<&Path> = self.before.paths().chain(now.paths()).collect();
        let changed = paths.into_iter().filter(mine).find(|path| self.before.get(path) != now.get(path));
        if let Some(path) = changed {
            return Err(format!("`{}` of the user's changed {}", path.display(), told()));
        }
        if !moved && !differences.is_empty() {
            return Err(format!("neither old nor new {}", told()));
        }
        if moved && scene.repo.try_git(["diff", "--quiet", TARGET, "windrow/fern"]).code != 0 {
            return Err("the target does not hold the work".to_owned());
        }
        nothing_left(scene)
    }
}

fn nothing_left(scene: &Scene) -> Found {
    let refs = scene.repo.git(["for-each-ref", "refs/windrow/cand"]);
    let rooms = scene.repo.git_dir().join("windrow/land");
    // A room that was not on record yet is nobody's, and goes with time.
    let used = |room: &fs::DirEntry| room.path().join("plan").exists();
    let rooms = fs::read_dir(rooms).into_iter().flatten().flatten().filter(used).count();
    if refs.is_empty() && rooms == 0 {
        Ok(())
    } else {
        Err(format!("left of a landing: {rooms} rooms, {refs}"))
    }
}

fn work(worktree: &Path, mark: &str) {
    put(worktree, "src/lib.rs", &format!("// {mark}\n"));
    fs::remove_dir_all(worktree.join("bin")).expect("tracked files");
    fs::remove_file(worktree.join("link")).expect("a tracked link");
    std::os::unix::fs::symlink(mark, worktree.join("link")).expect("made");
    put(worktree, "new/deep/file", mark);
    for number in 0..3 {
        put(worktree, &format!("many/{number}"), mark);
    }
}

fn put(root: &Path, name: &str, content: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("below the root")).expect("made");
    fs::write(path, content).expect("written");
}

fn everything(path: &Path) -> TreeSnapshot {
    TreeSnapshot::of(path, &Include::without_git())
}

fn status(scene: &Scene, path: &Path) -> String {
    scene.repo.git_in(path, ["status", "--porcelain", "--ignored", "--untracked-files=all"])
}
