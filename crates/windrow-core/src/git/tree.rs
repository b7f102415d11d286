//! Objects straight from the database: what a commit holds, and the content of blobs.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};
use gix_hash::ObjectId;
use gix_object::{Find, FindHeader, Kind, TreeRefIter, tree::EntryKind};
use rustix::fs::OFlags;
use windrow_model::{EntryMode, Oid, TreeEntry};

use super::{
    pack_cache::PackCache,
    repository::{ObjectFormat, Repository},
};

/// Why an object cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It is not in the database (of a partial clone, perhaps only not yet).
    #[error("object `{0}` is missing")]
    Missing(Oid),
    /// It is of another kind than needed.
    #[error("object `{0}` is not a {1}")]
    Kind(Oid, &'static str),
    /// The database cannot be read.
    #[error("cannot read object `{oid}`: {said}")]
    Damaged {
        /// The object.
        oid: Oid,
        /// What is wrong.
        said: String,
    },
    /// The database cannot be opened.
    #[error("cannot open the object database `{}`", path.display())]
    Open {
        /// Its directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The object database of a repository; cheap to share between threads, each of which opens its own reader.
#[derive(Debug, Clone)]
pub struct Objects {
    directory: PathBuf,
    format: ObjectFormat,
}

/// What a commit or tree holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeListing {
    /// Every file, symbolic link and submodule, in index order.
    pub entries: Vec<TreeEntry>,
    /// The trees they came from, for the index.
    pub cache: TreeCache,
}

/// The trees of a listing, by which git knows without looking that an index equals a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeCache {
    pub(super) root: gix_index::extension::Tree,
}

impl Objects {
    /// Names the object database of `repo`; nothing is read before the first reader is opened.
    #[must_use]
    pub fn open(repo: &Repository) -> Self {
        Self { directory: repo.common_dir.join("objects"), format: repo.object_format }
    }

    /// Names the database in `directory`.
    pub(super) fn at(directory: PathBuf, format: ObjectFormat) -> Self {
        Self { directory, format }
    }

    /// The hash of this database.
    #[must_use]
    pub fn format(&self) -> ObjectFormat {
        self.format
    }

    /// Opens a reader, one for each thread.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn reader(&self) -> io::Result<ObjectReader> {
        let options = gix_odb::store::init::Options { current_dir: Some("/".into()), ..Default::default() };
        let mut odb = gix_odb::at_opts(&self.directory, self.format.hash(), None, options)?;
        odb.set_pack_cache(|| Box::new(PackCache::default()));
        Ok(ObjectReader { odb })
    }

    /// Lists what a commit or tree holds.
    ///
    /// # Errors
    /// An object is missing, damaged, or neither commit nor tree.
    pub fn listing(&self, commit_or_tree: &Oid) -> Result<TreeListing, ObjectError> {
        self.open_reader()?.listing(commit_or_tree)
    }

    /// The tree of a commit; a tree is its own.
    ///
    /// # Errors
    /// An object is missing, damaged, or neither commit nor tree.
    pub fn tree_of(&self, commit_or_tree: &Oid) -> Result<Oid, ObjectError> {
        self.open_reader()?.tree_of(commit_or_tree)
    }

    /// The entries of [`Objects::listing`].
    ///
    /// # Errors
    /// The same.
    pub fn tree_entries(&self, commit_or_tree: &Oid) -> Result<Vec<TreeEntry>, ObjectError> {
        Ok(self.listing(commit_or_tree)?.entries)
    }

    /// The content of one file of a commit or tree; `None` when there is no file at that path.
    ///
    /// # Errors
    /// An object is missing or damaged.
    pub fn file_at(&self, commit_or_tree: &Oid, path: &BString) -> Result<Option<Vec<u8>>, ObjectError> {
        let mut reader = self.open_reader()?;
        let mut tree = reader.tree_of(commit_or_tree)?;
        let mut parts = path.split(|&byte| byte == b'/').peekable();
        while let Some(part) = parts.next() {
            let child = reader.children(&tree)?.get(part.as_bstr()).copied();
            match child {
                Some(child) if child.mode.is_none() => tree = child.oid,
                Some(child) if parts.peek().is_none() && child.mode != Some(EntryMode::Gitlink) => {
                    return reader.blob(&child.oid).map(Some);
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The lengths of blobs, in bytes and in their order; submodules count as nothing.
    ///
    /// # Errors
    /// An object is missing or damaged.
    pub fn sizes<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a TreeEntry>,
    ) -> Result<Vec<u64>, ObjectError> {
        let reader = self.open_reader()?;
        let size = |entry: &TreeEntry| match entry.mode {
            EntryMode::Gitlink => Ok(0),
            _ => reader.size_of(&entry.oid),
        };
        entries.into_iter().map(size).collect()
    }

    /// Reads those of some blobs that lie in files of their own, as all that was written lately does.
    ///
    /// Git takes an object whose file is there for written, and a power cut can leave that file empty.
    ///
    /// # Errors
    /// One is damaged.
    pub fn read_loose<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a TreeEntry>,
    ) -> Result<(), ObjectError> {
        let reader = self.open_reader()?;
        let mut content = Vec::new();
        for entry in entries {
            let name = entry.oid.to_string();
            let file = self.directory.join(&name[..2]).join(&name[2..]);
            if entry.mode != EntryMode::Gitlink && file.exists() {
                reader.read_blob(&entry.oid, &mut content)?;
            }
        }
        Ok(())
    }

    pub(super) fn open_reader(&self) -> Result<ObjectReader, ObjectError> {
        self.reader().map_err(|source| ObjectError::Open { path: self.directory.clone(), source })
    }
}

/// One entry of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TreeChild {
    /// `None` for a tree.
    pub(super) mode: Option<EntryMode>,
    pub(super) oid: Oid,
}

/// A reader of objects with its own caches.
pub struct ObjectReader {
    odb: gix_odb::Handle,
}

impl std::fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ObjectReader")
    }
}

impl ObjectReader {
    /// Replaces the content of `buf` by that of a blob.
    ///
    /// # Errors
    /// It is missing (`NotFound`), damaged, or no blob (`InvalidData`).
    pub fn read(&mut self, oid: &Oid, buf: &mut Vec<u8>) -> io::Result<()> {
        self.read_blob(oid, buf).map_err(io_error)
    }

    pub(super) fn blob(&mut self, oid: &Oid) -> Result<Vec<u8>, ObjectError> {
        let mut buf = Vec::new();
        self.read_blob(oid, &mut buf)?;
        Ok(buf)
    }

    /// Lists what a commit or tree holds.
    ///
    /// # Errors
    /// An object is missing, damaged, or neither commit nor tree.
    pub fn listing(&mut self, commit_or_tree: &Oid) -> Result<TreeListing, ObjectError> {
        let root = self.tree_of(commit_or_tree)?;
        let mut entries = Vec::new();
        let root = self.walk(&root, &mut BString::default(), b"", &mut entries)?;
        Ok(TreeListing { entries, cache: TreeCache { root } })
    }

    /// The tree of a commit; a tree is its own.
    ///
    /// # Errors
    /// An object is missing, damaged, or neither commit nor tree.
    pub fn tree_of(&mut self, commit_or_tree: &Oid) -> Result<Oid, ObjectError> {
        let mut buf = Vec::new();
        let hash = object_id(commit_or_tree).kind();
        match self.load(commit_or_tree, &mut buf)? {
            Kind::Tree => Ok(*commit_or_tree),
            Kind::Commit => {
                let tree = gix_object::CommitRefIter::from_bytes(&buf, hash).tree_id();
                tree.map(|tree| model_oid(&tree)).map_err(|error| damaged(commit_or_tree, &error))
            }
            _ => Err(ObjectError::Kind(*commit_or_tree, "commit or tree")),
        }
    }

    /// What a tree itself holds, by name.
    pub(super) fn children(&self, tree: &Oid) -> Result<BTreeMap<BString, TreeChild>, ObjectError> {
        let mut buf = Vec::new();
        if self.load(tree, &mut buf)? != Kind::Tree {
            return Err(ObjectError::Kind(*tree, "tree"));
        }
        let mut children = BTreeMap::new();
        for entry in TreeRefIter::from_bytes(&buf, object_id(tree).kind()) {
            let entry = entry.map_err(|error| damaged(tree, &error))?;
            let child = TreeChild { mode: file_mode(entry.mode.kind()), oid: model_oid(entry.oid) };
            children.insert(BString::from(entry.filename), child);
        }
        Ok(children)
    }

    /// Reads no content, only the length that the object declares.
    fn size_of(&self, oid: &Oid) -> Result<u64, ObjectError> {
        let found = self.odb.try_header(&object_id(oid)).map_err(|error| damaged(oid, &error))?;
        found.map(|header| header.size).ok_or(ObjectError::Missing(*oid))
    }

    fn read_blob(&self, oid: &Oid, buf: &mut Vec<u8>) -> Result<(), ObjectError> {
        if self.load(oid, buf)? == Kind::Blob { Ok(()) } else { Err(ObjectError::Kind(*oid, "blob")) }
    }

    fn load(&self, oid: &Oid, buf: &mut Vec<u8>) -> Result<Kind, ObjectError> {
        let found = self.odb.try_find(&object_id(oid), buf).map_err(|error| damaged(oid, &error))?;
        let found = found.ok_or(ObjectError::Missing(*oid))?;
        let (kind, length) = (found.kind, found.data.len());
        buf.truncate(length);
        Ok(kind)
    }

    fn walk(
        &self,
        tree: &Oid,
        path: &mut BString,
        name: &[u8],
        entries: &mut Vec<TreeEntry>,
    ) -> Result<gix_index::extension::Tree, ObjectError> {
        let mut buf = Vec::new();
        if self.load(tree, &mut buf)? != Kind::Tree {
            return Err(ObjectError::Kind(*tree, "tree"));
        }
        let (first, depth) = (entries.len(), path.len());
        let id = object_id(tree);
        let mut children = Vec::new();
        for entry in TreeRefIter::from_bytes(&buf, id.kind()) {
            let entry = entry.map_err(|error| damaged(tree, &error))?;
            if depth > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(entry.filename);
            let oid = model_oid(entry.oid);
            match file_mode(entry.mode.kind()) {
                Some(mode) => entries.push(TreeEntry { path: path.clone(), mode, oid }),
                None => children.push(self.walk(&oid, path, entry.filename, entries)?),
            }
            path.truncate(depth);
        }
        // git orders the subtrees of its cache by length first.
        children.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
        let num_entries = u32::try_from(entries.len() - first).ok();
        Ok(gix_index::extension::Tree { name: name.into(), id, num_entries, children })
    }
}

/// The name of an object of `bytes` as a blob.
#[must_use]
pub fn blob_hash(format: ObjectFormat, bytes: &[u8]) -> Oid {
    let id = gix_object::compute_hash(format.hash(), Kind::Blob, bytes);
    model_oid(&id.expect("hashing fails only on a detected sha1 collision attack"))
}

/// The name of a file's raw content as a blob, read in pieces and without filters; a symbolic link is not followed.
///
/// # Errors
/// It cannot be read, is no plain file, or changes its length meanwhile.
pub fn hash_file(path: &Path, format: ObjectFormat) -> io::Result<Oid> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    hash_open(OpenOptions::new().read(true).custom_flags(flags).open(path)?, format)
}

/// The name of an open file's raw content as a blob.
///
/// # Errors
/// As [`hash_file`].
pub fn hash_open(mut file: File, format: ObjectFormat) -> io::Result<Oid> {
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file"));
    }
    let mut hasher = gix_hash::hasher(format.hash());
    hasher.update(format!("blob {}\0", facts.len()).as_bytes());
    let (mut buf, mut total) = (vec![0; 1 << 16], 0_u64);
    loop {
        let read = file.read(&mut buf)?;
        if read == 0 {
            break;
        }
        hasher.update(&buf[..read]);
        total += u64::try_from(read).unwrap_or(u64::MAX);
    }
    if total != facts.len() {
        return Err(io::Error::other("changed while it was read"));
    }
    hasher.try_finalize().map(|id| model_oid(&id)).map_err(io::Error::other)
}

/// The name of a file's raw content or of a symbolic link's target as a blob, without filters.
///
/// # Errors
/// It cannot be read, is neither a plain file nor a link, or changes its length meanwhile.
pub fn hash_path(path: &Path, format: ObjectFormat) -> io::Result<Oid> {
    if path.symlink_metadata()?.is_symlink() {
        let target = std::fs::read_link(path)?;
        return Ok(blob_hash(format, std::os::unix::ffi::OsStrExt::as_bytes(target.as_os_str())));
    }
    hash_file(path, format)
}

fn file_mode(kind: EntryKind) -> Option<EntryMode> {
    match kind {
        EntryKind::Tree => None,
        EntryKind::Blob => Some(EntryMode::File),
        EntryKind::BlobExecutable => Some(EntryMode::Executable),
        EntryKind::Link => Some(EntryMode::Symlink),
        EntryKind::Commit => Some(EntryMode::Gitlink),
    }
}

pub(super) fn object_id(oid: &Oid) -> ObjectId {
    ObjectId::from_bytes_or_panic(oid.as_bytes())
}

pub(super) fn model_oid(id: &gix_hash::oid) -> Oid {
    Oid::from_bytes(id.as_bytes()).expect("gix knows only 20 and 32 bytes")
}

fn damaged(oid: &Oid, error: &dyn std::fmt::Display) -> ObjectError {
    ObjectError::Damaged { oid: *oid, said: error.to_string() }
}

fn io_error(error: ObjectError) -> io::Error {
    let kind = match error {
        ObjectError::Missing(_) => io::ErrorKind::NotFound,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}
