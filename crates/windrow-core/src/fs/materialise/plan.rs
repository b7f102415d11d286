//! Which directories are made, in which order, and how the entries are dealt out.

use std::collections::BTreeMap;

use windrow_model::TreeEntry;

use super::at;

/// Entries of one directory that one thread writes in one go, so that huge directories are shared too.
const CHUNK: usize = 256;

/// Entries of one directory.
pub(super) struct Chunk<'a> {
    pub(super) directory: &'a [u8],
    /// Positions in the list of entries.
    pub(super) entries: Vec<usize>,
}

/// Directories, parents before children and siblings together, and the chunks.
pub(super) struct Plan<'a> {
    pub(super) directories: Vec<&'a [u8]>,
    pub(super) chunks: Vec<Chunk<'a>>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(entries: &'a [TreeEntry]) -> Self {
        let mut by_directory = BTreeMap::<&[u8], Vec<usize>>::new();
        for (number, entry) in entries.iter().enumerate() {
            let (directory, _) = at::split(&entry.path);
            by_directory.entry(directory).or_default().push(number);
        }
        let directories = with_parents(by_directory.keys().copied());
        let chunks =
            by_directory.into_iter().flat_map(|(directory, numbers)| cut(directory, &numbers)).collect();
        Self { directories, chunks }
    }
}

fn cut<'a>(directory: &'a [u8], numbers: &[usize]) -> Vec<Chunk<'a>> {
    numbers.chunks(CHUNK).map(|part| Chunk { directory, entries: part.to_vec() }).collect()
}

fn with_parents<'a>(leaves: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    let mut all = std::collections::HashSet::new();
    for leaf in leaves {
        let mut directory = leaf;
        while !directory.is_empty() && all.insert(directory) {
            directory = at::split(directory).0;
        }
    }
    let mut directories = all.into_iter().collect::<Vec<_>>();
    directories
        .sort_unstable_by_key(|path| (path.iter().filter(|&&byte| byte == b'/').count(), at::split(path)));
    directories
}

#[cfg(test)]
mod tests {
    use windrow_model::{EntryMode, Oid};

    use super::*;

    #[test]
    fn parents_come_first_and_no_entry_is_lost() {
        let oid = Oid::from_bytes(&[1; 20]).unwrap();
        let paths = ["a", "a-b/x", "b/c/d/e", "b/c/f", "b/g"];
        let entries = paths.map(|path| TreeEntry { path: path.into(), mode: EntryMode::File, oid });
        let plan = Plan::new(&entries);
        assert_eq!(plan.directories, [b"a-b".as_slice(), b"b", b"b/c", b"b/c/d"]);
        let mut numbers = plan.chunks.iter().flat_map(|chunk| chunk.entries.clone()).collect::<Vec<_>>();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    }
}
