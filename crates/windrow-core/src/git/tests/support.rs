//! A repository in a temporary directory, with nothing of this machine's configuration.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use windrow_model::{BranchName, FileStat, Oid, Stamp, TreeEntry};

use crate::git::*;

/// A kind of repository to run a test on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) hash: &'static str,
    pub(super) refs: &'static str,
}

pub(super) const KINDS: [Kind; 3] = [
    Kind { hash: "sha1", refs: "files" },
    Kind { hash: "sha1", refs: "reftable" },
    Kind { hash: "sha256", refs: "files" },
];

pub(super) struct Fixture {
    pub(super) dir: TempDir,
    pub(super) git: Git,
    pub(super) root: PathBuf,
}

pub(super) fn plain_env() -> Vec<(OsString, OsString)> {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let pairs = [
        ("PATH", path),
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ];
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

pub(super) fn plain_git() -> Git {
    Git::new(PathBuf::from("git"), plain_env())
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::of(KINDS[0])
    }

    /// A repository with a commit of a few files on `main`.
    pub(super) fn of(kind: Kind) -> Self {
        let fixture = Self::empty(kind);
        fixture.write("a.txt", "a\n");
        fixture.write("dir/b.txt", "b\n");
        fixture.write("dir/sub/c.sh", "#!/bin/sh\n");
        fixture.write("dir-x", "sorted between dir and dir/\n");
        std::os::unix::fs::symlink("a.txt", fixture.root.join("link")).unwrap();
        fixture.git_in(&fixture.root, &["update-index", "--add", "--chmod=+x", "dir/sub/c.sh"]);
        fixture.commit("first");
        fixture
    }

    /// A repository without a commit.
    pub(super) fn empty(kind: Kind) -> Self {
        let dir = TempDir::new().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let root = base.join("repo");
        fs::create_dir(&root).unwrap();
        let fixture = Self { dir, git: plain_git(), root };
        let (hash, refs) = (format!("--object-format={}", kind.hash), format!("--ref-format={}", kind.refs));
        fixture.git_in(&fixture.root, &["init", "-q", "-b", "main", &hash, &refs]);
        fixture
    }

    pub(super) fn base(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        write(&self.root, name, text);
    }

    pub(super) fn commit(&self, message: &str) -> Oid {
        self.git_in(&self.root, &["add", "-A"]);
        self.git_in(&self.root, &["commit", "-q", "--allow-empty", "-m", message]);
        self.oid("HEAD")
    }

    pub(super) fn oid(&self, name: &str) -> Oid {
        self.git_in(&self.root, &["rev-parse", "--verify", name]).trim().parse().unwrap()
    }

    /// Runs git as a user would, with discovery, and returns what it printed.
    pub(super) fn git_in(&self, cwd: &Path, args: &[&str]) -> String {
        String::from_utf8(self.git_bytes(cwd, args)).unwrap()
    }

    pub(super) fn git_bytes(&self, cwd: &Path, args: &[&str]) -> Vec<u8> {
        let call = self.user_call(cwd, args);
        call.run().unwrap_or_else(|error| panic!("{args:?}: {error:?}"))
    }

    pub(super) fn user_call(&self, cwd: &Path, args: &[&str]) -> Call<'_> {
        let call = self.git.call(args[0]).args(&args[1..]).cwd(cwd);
        call.config("protocol.file.allow=always").own_identity()
    }

    pub(super) fn repo(&self) -> Repository {
        discover(&self.git, &self.root, 0).unwrap()
    }

    pub(super) fn request<'a>(
        &self,
        id: &'a str,
        worktree: &'a Path,
        head: AdminHead<'a>,
    ) -> AdminRequest<'a> {
        AdminRequest {
            id,
            unique: id,
            worktree,
            commit: self.oid("HEAD"),
            head,
            lock_reason: "windrow: test",
            identity_token: "token",
            sparse: None,
            now_seconds: 1_700_000_000,
        }
    }

    /// A worktree on a new branch, made by the functions under test and filled by plain writes.
    pub(super) fn worktree(&self, name: &str) -> Worktree {
        let repo = self.repo();
        let root = self.base().join(name);
        let branch: BranchName = format!("windrow/{name}").parse().unwrap();
        let commit = self.oid("HEAD");
        let change = RefChange { name: branch.full(), new: Some(commit), old: Expect::Absent };
        update_refs(&self.git, &repo, &[change], "test").unwrap();
        fs::create_dir(&root).unwrap();
        let request = self.request(name, &root, AdminHead::Branch(&branch));
        let admin = prepare(&self.git, &repo, &request).unwrap().publish().unwrap();
        write_dot_git(&root, &admin).unwrap();
        let listing = Objects::open(&repo).listing(&commit).unwrap();
        let stats = fill(&Objects::open(&repo), &root, &listing.entries);
        write_index(&admin.join("index"), repo.object_format, &listing.entries, &stats, Some(&listing.cache))
            .unwrap();
        Worktree { root, admin, branch, commit, repo }
    }
}

pub(super) struct Worktree {
    pub(super) root: PathBuf,
    pub(super) admin: PathBuf,
    pub(super) branch: BranchName,
    pub(super) commit: Oid,
    pub(super) repo: Repository,
}

pub(super) fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Writes the files of a tree, as the materialiser does, and returns their stats.
pub(super) fn fill(objects: &Objects, root: &Path, entries: &[TreeEntry]) -> Vec<FileStat> {
    let mut reader = objects.reader().unwrap();
    entries.iter().map(|entry| fill_one(&mut reader, root, entry)).collect()
}

fn fill_one(reader: &mut ObjectReader, root: &Path, entry: &TreeEntry) -> FileStat {
    use std::os::unix::fs::PermissionsExt;
    use windrow_model::EntryMode;
    let path = root.join(OsStr::from_bytes(&entry.path));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut blob = Vec::new();
    if entry.mode != EntryMode::Gitlink {
        reader.read(&entry.oid, &mut blob).unwrap();
    }
    match entry.mode {
        EntryMode::Symlink => std::os::unix::fs::symlink(OsStr::from_bytes(&blob), &path).unwrap(),
        EntryMode::Gitlink => fs::create_dir(&path).unwrap(),
        EntryMode::File | EntryMode::Executable => {
            fs::write(&path, &blob).unwrap();
            let mode = if entry.mode == EntryMode::Executable { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    stat_of(&path)
}

pub(super) fn stat_of(path: &Path) -> FileStat {
    use std::os::unix::fs::MetadataExt;
    let found = path.symlink_metadata().unwrap();
    let stamp = |seconds, nanos| Stamp { seconds, nanos: u32::try_from(nanos).unwrap() };
    FileStat {
        mtime: stamp(found.mtime(), found.mtime_nsec()),
        ctime: stamp(found.ctime(), found.ctime_nsec()),
        dev: found.dev(),
        ino: found.ino(),
        uid: found.uid(),
        gid: found.gid(),
        size: found.size(),
    }
}
