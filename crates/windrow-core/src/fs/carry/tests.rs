//! Tests of carrying: each rule on real files.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, symlink},
    },
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use windrow_model::{CarriedKind, CarrySettings};

use super::*;
use crate::fs::testing::{chmod, mode, put, unprivileged};

struct Scene {
    from: TempDir,
    to: TempDir,
    settings: CarrySettings,
    never: Vec<PathBuf>,
}

fn scene() -> Scene {
    let settings = CarrySettings { max_bytes: u64::MAX, ..CarrySettings::default() };
    Scene {
        from: tempfile::tempdir().unwrap(),
        to: tempfile::tempdir().unwrap(),
        settings,
        never: Vec::new(),
    }
}

fn ignored(path: impl AsRef<[u8]>) -> Candidate {
    Candidate { path: path.as_ref().into(), standing: GitStanding::Ignored }
}

fn untracked(path: impl AsRef<[u8]>) -> Candidate {
    Candidate { path: path.as_ref().into(), standing: GitStanding::Untracked }
}

impl Scene {
    fn including(patterns: &[&str]) -> Self {
        let mut scene = scene();
        scene.settings.include = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        scene
    }

    fn put(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> &Self {
        put(self.from.path(), path, content);
        self
    }

    fn try_run(&self, candidates: &[Candidate]) -> Result<Carried, CarryError> {
        let patterns = CarryPatterns::load(self.from.path(), &self.settings)?;
        let request = CarryRequest {
            from: self.from.path(),
            to: self.to.path(),
            patterns: &patterns,
            never: &self.never,
            max_bytes: self.settings.max_bytes,
        };
        carry(&request, &plan_carry(&request, candidates)?)
    }

    fn run(&self, candidates: &[Candidate]) -> Carried {
        self.try_run(candidates).unwrap()
    }

    fn here(&self, path: impl AsRef<Path>) -> PathBuf {
        self.to.path().join(path)
    }
}

fn paths(carried: &Carried) -> Vec<String> {
    carried.files.iter().map(|file| file.path.to_string()).collect()
}

fn skipped(carried: &Carried) -> Vec<(String, SkipReason)> {
    carried.skipped.iter().map(|(path, reason)| (path.to_string(), *reason)).collect()
}

fn reasons<const N: usize>(expected: [(&str, SkipReason); N]) -> Vec<(String, SkipReason)> {
    expected.map(|(path, reason)| (path.to_owned(), reason)).into()
}

#[test]
fn the_include_file_takes_what_matches_and_is_ignored() {
    let scene = scene();
    scene.put(".worktreeinclude", "# local\n.env*\n!.env.example\nconf/\n");
    for path in [".env", ".env.example", ".env.untracked", "conf/a", "other"] {
        scene.put(path, path);
    }
    let candidates = [
        ignored(".env"),
        ignored(".env.example"),
        untracked(".env.untracked"),
        ignored("conf/"),
        ignored("other"),
    ];
    let carried = scene.run(&candidates);
    assert_eq!(paths(&carried), [".env", "conf", "conf/a"]);
    assert_eq!(fs::read(scene.here("conf/a")).unwrap(), b"conf/a");
    assert_eq!(carried.bytes, 10);
}

#[test]
fn settings_take_untracked_files_too_and_exclusions_win() {
    let mut scene = Scene::including(&["notes/", "*.key"]);
    scene.settings.exclude = vec!["private.*".to_owned()];
    scene.put("notes/a", "").put("notes/private.txt", "").put("a.key", "").put("private.key", "");
    let carried = scene.run(&[untracked("notes/"), untracked("a.key"), ignored("private.key")]);
    assert_eq!(paths(&carried), ["a.key", "notes", "notes/a"]);
}

#[test]
fn context_comes_along_by_default_but_only_at_the_root() {
    let scene = scene();
    scene.put(".agent/tasks/1.md", "x").put(".claude/settings.local.json", "{}").put("sub/.claude/x", "");
    let carried =
        scene.run(&[untracked(".agent/"), ignored(".claude/settings.local.json"), untracked("sub/")]);
    let expected = [".agent", ".agent/tasks", ".agent/tasks/1.md", ".claude", ".claude/settings.local.json"];
    assert_eq!(paths(&carried), expected);
}

#[test]
fn files_are_found_inside_collapsed_directories_but_not_in_build_output() {
    let scene = scene();
    scene.put(".worktreeinclude", ".env\n").put("package.json", "{}");
    scene.put("data/deep/.env", "").put("node_modules/x/.env", "").put("data/package.json", "");
    scene.put("data/node_modules/.env", "");
    let carried = scene.run(&[ignored("data/"), ignored("node_modules/")]);
    assert_eq!(paths(&carried), ["data", "data/deep", "data/deep/.env"]);
}

#[test]
fn links_point_to_the_main_worktree() {
    let scene = scene();
    scene.put(".worktreelink", "node_modules/\n").put("node_modules/a/b", "x");
    let carried = scene.run(&[ignored("node_modules/")]);
    assert_eq!(carried.files.len(), 1);
    assert_eq!(carried.files[0].kind, CarriedKind::Link);
    assert_eq!(fs::read_link(scene.here("node_modules")).unwrap(), scene.from.path().join("node_modules"));
}

#[test]
fn modes_times_and_empty_directories_are_kept() {
    let scene = Scene::including(&["*"]);
    scene.put(".env", "x").put("locked/a", "x").put("tool", "#!");
    fs::create_dir(scene.from.path().join("empty")).unwrap();
    let set = [(".env", 0o600), ("tool", 0o4755), ("locked/a", 0o400), ("locked", 0o555), ("empty", 0o700)];
    let old = SystemTime::UNIX_EPOCH + Duration::new(1_000_000, 123_456_789);
    for (path, mode) in set {
        fs::File::open(scene.from.path().join(path)).unwrap().set_modified(old).unwrap();
        chmod(scene.from.path().join(path), mode);
    }
    let carried = unprivileged(|| scene.run(&set.map(|(path, _)| untracked(path))));
    assert_eq!(carried.skipped, []);
    for (path, expected) in set {
        let meta = fs::metadata(scene.here(path)).unwrap();
        assert_eq!(meta.mode() & 0o7777, expected & 0o777, "{path}");
        assert_eq!(meta.modified().unwrap(), old, "{path}");
    }
    assert_eq!(carried.files.iter().find(|file| file.path == ".env").unwrap().mode, 0o600);
}

#[test]
fn links_that_stay_inside_are_copied_and_those_that_leave_are_not() {
    let scene = Scene::including(&["*"]);
    scene.put("d/file", "x");
    symlink("../d/file", scene.from.path().join("d/inside")).unwrap();
    symlink("nothing-there", scene.from.path().join("dangling")).unwrap();
    symlink("/etc/passwd", scene.from.path().join("absolute")).unwrap();
    symlink("../../x", scene.from.path().join("d/climbs")).unwrap();
    symlink("absolute", scene.from.path().join("by-another")).unwrap();
    symlink("loop", scene.from.path().join("loop")).unwrap();
    let names = ["d", "dangling", "absolute", "by-another", "loop"];
    let carried = scene.run(&names.map(untracked));
    assert_eq!(paths(&carried), ["d", "d/file", "d/inside", "dangling"]);
    assert_eq!(fs::read_link(scene.here("d/inside")).unwrap(), Path::new("../d/file"));
    let out = SkipReason::LeadsOut;
    assert_eq!(
        skipped(&carried),
        reasons([("absolute", out), ("by-another", out), ("d/climbs", out), ("loop", out)])
    );
}

#[test]
fn nothing_is_read_through_a_link_of_the_main_worktree() {
    let (scene, outside) = (Scene::including(&["*"]), tempfile::tempdir().unwrap());
    put(outside.path(), "secret", "x");
    symlink(outside.path(), scene.from.path().join("d")).unwrap();
    assert!(matches!(scene.try_run(&[untracked("d/secret")]), Err(CarryError::Read { .. })));
    assert!(matches!(scene.try_run(&[untracked("../x")]), Err(CarryError::Read { .. })));
    assert_eq!(fs::read_dir(scene.to.path()).unwrap().count(), 0);
}

#[test]
fn nothing_is_written_through_a_link_or_over_a_file_of_the_checkout() {
    let (scene, outside) = (Scene::including(&["*"]), tempfile::tempdir().unwrap());
    for path in [".env", "conf/.env", "taken", "blocked/x", "dir"] {
        scene.put(path, "carried");
    }
    symlink(outside.path().join("victim"), scene.here(".env")).unwrap();
    symlink(outside.path(), scene.here("conf")).unwrap();
    put(scene.to.path(), "taken", "checkout");
    put(scene.to.path(), "blocked", "a file");
    fs::create_dir(scene.here("dir")).unwrap();
    let carried = scene.run(&[".env", "conf/.env", "taken", "blocked/x", "dir"].map(untracked));
    assert_eq!(carried.files, []);
    let (there, blocked) = (SkipReason::AlreadyThere, SkipReason::Blocked);
    let expected =
        [(".env", there), ("blocked/x", blocked), ("conf/.env", blocked), ("dir", there), ("taken", there)];
    assert_eq!(skipped(&carried), reasons(expected));
    assert_eq!(fs::read(scene.here("taken")).unwrap(), b"checkout");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn links_between_directories_of_one_side_are_not_followed_either() {
    let scene = Scene::including(&["*"]);
    scene.put("alias/sub/x", "carried");
    fs::create_dir_all(scene.here("inner/sub")).unwrap();
    symlink("inner", scene.here("alias")).unwrap();
    let carried = scene.run(&[untracked("alias/sub/x")]);
    assert_eq!(skipped(&carried), reasons([("alias/sub/x", SkipReason::Blocked)]));
    assert!(!scene.here("inner/sub/x").exists());

    scene.put("real/sub/y", "");
    symlink("real", scene.from.path().join("link")).unwrap();
    assert!(matches!(scene.try_run(&[untracked("link/sub/y")]), Err(CarryError::Read { .. })));
}

#[test]
fn repositories_the_pool_and_special_files_stay() {
    let mut scene = Scene::including(&["*"]);
    scene
        .put("clone/.git/HEAD", "")
        .put("all/worktree/.git", "gitdir: x")
        .put("all/a", "")
        .put("pool/w/x", "");
    scene.never = vec![scene.from.path().join("pool")];
    let _socket = std::os::unix::net::UnixListener::bind(scene.from.path().join("all/socket")).unwrap();
    let carried = scene.run(&["clone", "all", "pool"].map(untracked));
    assert_eq!(paths(&carried), ["all", "all/a"]);
    let expected = [
        ("all/socket", SkipReason::Special),
        ("all/worktree", SkipReason::Repository),
        ("clone", SkipReason::Repository),
        ("pool", SkipReason::Never),
    ];
    assert_eq!(skipped(&carried), reasons(expected));
}

#[test]
fn strange_names_are_carried() {
    let scene = Scene::including(&["*"]);
    let names =
        [b"not-utf8-\xff\xfe".as_slice(), b"new\nline", "é\u{301}\u{1f980}".as_bytes(), b"-dash", b" space "];
    for name in names {
        scene.put(OsStr::from_bytes(name), name);
    }
    let carried = scene.run(&names.map(untracked));
    assert_eq!(carried.files.len(), names.len());
    for name in names {
        assert_eq!(fs::read(scene.here(OsStr::from_bytes(name))).unwrap(), name);
    }
}

#[test]
fn above_the_limit_nothing_is_written_and_the_largest_is_named() {
    let mut scene = Scene::including(&["*"]);
    scene.put("a", [1; 40]).put("b", [1; 61]);
    scene.settings.max_bytes = 100;
    match scene.try_run(&["a", "b"].map(untracked)).unwrap_err() {
        CarryError::TooLarge { bytes, limit, largest } => {
            assert_eq!((bytes, limit, largest), (101, 100, "b".into()))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_dir(scene.to.path()).unwrap().count(), 0);
    scene.settings.max_bytes = 101;
    assert_eq!(scene.run(&["a", "b"].map(untracked)).bytes, 101);
}

#[test]
fn what_cannot_be_read_is_an_error_when_asked_for_and_told_otherwise() {
    let scene = scene();
    scene.put(".worktreeinclude", ".env\n").put(".env", "x").put("database/x", "");
    chmod(scene.from.path().join("database"), 0);
    chmod(scene.from.path().join(".env"), 0);
    unprivileged(|| {
        let error = scene.try_run(&[ignored(".env")]).unwrap_err();
        assert!(matches!(&error, CarryError::Read { path, .. } if path == ".env"), "{error:?}");
        let carried = scene.run(&[ignored("database/")]);
        assert_eq!(skipped(&carried), reasons([("database", SkipReason::Unreadable)]));
    });
    assert_eq!(fs::read_dir(scene.to.path()).unwrap().count(), 0, "a temporary file was left behind");
    chmod(scene.from.path().join("database"), 0o700);
}

/// Files of procfs have a length of 0 and content all the same, as if something were always written meanwhile.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_never_as_long_as_it_says_is_an_error() {
    let scene = Scene::including(&["*"]);
    let process = PathBuf::from(format!("/proc/{}", std::process::id()));
    let patterns = CarryPatterns::load(&process, &scene.settings).unwrap();
    let request = CarryRequest {
        from: &process,
        to: scene.to.path(),
        patterns: &patterns,
        never: &[],
        max_bytes: u64::MAX,
    };
    let plan = plan_carry(&request, &[untracked("limits")]).unwrap();
    let error = carry(&request, &plan).unwrap_err();
    assert!(matches!(&error, CarryError::Changed { path } if path == "limits"), "{error:?}");
    assert_eq!(fs::read_dir(scene.to.path()).unwrap().count(), 0);
}

#[test]
fn bad_patterns_and_pattern_files_are_errors() {
    let scene = scene();
    scene.put(".worktreeinclude", "a[b\n");
    let error = scene.try_run(&[]).unwrap_err();
    assert!(matches!(error, CarryError::Pattern { origin: ".worktreeinclude", .. }), "{error:?}");
    fs::remove_file(scene.from.path().join(".worktreeinclude")).unwrap();
    symlink("/etc/hostname", scene.from.path().join(".worktreelink")).unwrap();
    let error = scene.try_run(&[]).unwrap_err();
    assert!(matches!(error, CarryError::PatternFile { file: ".worktreelink", .. }), "{error:?}");
}

#[test]
fn what_became_of_carried_files_is_told() {
    let scene = Scene::including(&["*"]);
    let names = ["same", "edited", "longer", "mode", "gone", "replaced", "d/same", "moved/x"];
    for name in names {
        scene.put(name, "content");
    }
    symlink("same", scene.from.path().join("link")).unwrap();
    let carried = scene.run(&names.into_iter().chain(["link"]).map(untracked).collect::<Vec<_>>());
    let unchanged = verify_carried(scene.to.path(), &carried.files).unwrap();
    assert!(unchanged.iter().all(|change| change.state == CarriedState::Unchanged), "{unchanged:?}");
    put(scene.to.path(), "edited", "CONTENT");
    put(scene.to.path(), "longer", "content and more");
    chmod(scene.here("mode"), 0o600);
    fs::remove_file(scene.here("gone")).unwrap();
    fs::remove_file(scene.here("replaced")).unwrap();
    symlink("same", scene.here("replaced")).unwrap();
    fs::remove_file(scene.here("link")).unwrap();
    symlink("d", scene.here("link")).unwrap();
    fs::remove_dir_all(scene.here("moved")).unwrap();
    symlink(scene.from.path().join("moved"), scene.here("moved")).unwrap();
    assert_eq!(mode(scene.here("mode")), 0o600);
    let changes = verify_carried(scene.to.path(), &carried.files).unwrap();
    let found = |state| {
        let of_state = changes.iter().filter(move |change| change.state == state);
        of_state.map(|change| change.path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(found(CarriedState::Unchanged), ["d", "d/same", "same"]);
    assert_eq!(found(CarriedState::Deleted), ["gone"]);
    let changed = ["edited", "link", "longer", "mode", "moved", "moved/x", "replaced"];
    assert_eq!(found(CarriedState::Changed), changed);
    assert_eq!(changes.len(), carried.files.len());
}
