//! How the files of one worktree come to be: from a template of the repository where there is one, else from git's objects; and how
//! a tree of files becomes another by what differs.
//!
//! # Crash safety
//! None: whoever calls owns the directory and undoes what is cut short.

use std::path::Path;

use bstr::BString;
use windrow_model::{
    FileStat, IndexEntry, Strategy, StrategyChoice, TreeEntry, WorktreeRecord, choose_strategy,
};

use super::{
    create::{self, Source, own_parent},
    error::{CreateError, StateError},
    observer::Observer,
    overlay,
    pool::Pool,
    progress::Forward,
    template::{self, Template, TemplateKind},
};
use crate::{
    fs::{self, Age, Directories, Manner, Original, Protection, Taking},
    git::{self, Objects, TreeListing},
    process,
};

/// The way that the files of one worktree come to be.
#[derive(Debug)]
pub(super) struct Way {
    strategy: Strategy,
    /// What they come from; always there but for a checkout.
    template: Option<Template>,
}

impl Way {
    /// Chooses the way for a worktree; says so when it is not the one that is configured.
    pub(super) fn choose(pool: &Pool, record: &WorktreeRecord, observer: &mut dyn Observer) -> Self {
        let choice = pool.settings().pool.strategy;
        if choice == StrategyChoice::Only(Strategy::Checkout) {
            return Self::CHECKOUT;
        }
        let overlay = choice == StrategyChoice::Only(Strategy::Overlay);
        if overlay
            && process::is_apart()
            && let Some(template) = template::nearest(pool, record, TemplateKind::Overlay)
        {
            return Self { strategy: Strategy::Overlay, template: Some(template) };
        }
        let template = template::nearest(pool, record, TemplateKind::Plain);
        let mut chosen = choose_strategy(choice, template.as_ref().map(|template| template.serves));
        if overlay {
            chosen.instead = Some(overlay::stepped_down(pool, chosen.strategy));
        }
        chosen.instead.into_iter().for_each(|why| observer.notice(&why));
        Self { strategy: chosen.strategy, template }
    }

    /// The template that is shown below the worktree's own layer, if this is the way.
    pub(super) fn shown(&self) -> Option<&Template> {
        self.template.as_ref().filter(|_| self.strategy == Strategy::Overlay)
    }

    /// All from git's objects.
    pub(super) const CHECKOUT: Self = Self { strategy: Strategy::Checkout, template: None };

    /// Makes `root` with all files of the record's commit and the index beside in one step, if this is the way; `false` when the
    /// files have to be written, and nothing is there then.
    pub(super) fn snapshot(
        &self,
        pool: &Pool,
        record: &WorktreeRecord,
        (root, index): (&Path, &Path),
        observer: &mut dyn Observer,
    ) -> Result<bool, CreateError> {
        let Some(template) = self.template.as_ref().filter(|_| self.strategy == Strategy::Snapshot) else {
            return Ok(false);
        };
        let step = Step::to(pool, record, template)?;
        if matches!(step, Step::Impossible) {
            return Ok(false);
        }
        own_parent(root)?;
        fs::private_dir(&pool.warm_dir()).map_err(StateError::from)?;
        if let Err(error) = fs::snapshot(&template.root, root) {
            observer.notice(&format!("no snapshot can be taken ({error}): files are written one by one"));
            return Ok(false);
        }
        let failed = |source| CreateError::Io { path: index.to_owned(), source };
        std::fs::copy(&template.index, index).map_err(failed)?;
        if let Step::Across { objects, tree } = step {
            let there = git::read_index(index, pool.repository().object_format)?;
            let place = Place { root, index, protection: Protection::Usual };
            switch(pool, &place, &there, &objects, &tree, observer)?;
        }
        Ok(true)
    }

    /// Writes every file of a tree below an empty root, and its index.
    pub(super) fn write_tree(
        &self,
        pool: &Pool,
        place: &Place<'_>,
        objects: &Objects,
        tree: &TreeListing,
        observer: &mut dyn Observer,
    ) -> Result<(), CreateError> {
        let known = self.known(pool, tree);
        let original = known.as_ref().map(|(template, taking, known)| Original {
            root: &template.root,
            known,
            taking: *taking,
        });
        let (directories, protection) = (Directories::New, place.protection);
        let manner = Manner { directories, protection, age: Age::Settled, original };
        observer.stage("checking out", Some(tree.entries.len() as u64));
        let written = Forward::while_working(observer, |progress| {
            let (source, threads) = (Source(objects), create::threads());
            fs::materialise(manner, place.root, &tree.entries, &source, threads, progress)
        })?;
        let format = pool.repository().object_format;
        git::write_index(place.index, format, &tree.entries, &written.stats, Some(&tree.cache))?;
        Ok(())
    }

    /// What of a tree the template holds, by the number of the entry.
    fn known(&self, pool: &Pool, tree: &TreeListing) -> Option<(&Template, Taking, Vec<Option<FileStat>>)> {
        let taking = match self.strategy {
            // What only serves to be shown is not open to be copied.
            Strategy::Checkout | Strategy::Overlay => return None,
            Strategy::Copy => Taking::Copy,
            Strategy::Clone | Strategy::Snapshot => Taking::Clone,
        };
        let template = self.template.as_ref()?;
        let held = git::read_index(&template.index, pool.repository().object_format);
        let held = held.inspect_err(|error| tracing::warn!(%error, "a template is passed over")).ok()?;
        Some((template, taking, in_common(&held, &tree.entries)))
    }
}

/// What leads from a template to the commit of a worktree.
pub(super) enum Step {
    /// Nothing: it is the same.
    None,
    /// What differs has to be changed.
    Across { objects: Objects, tree: TreeListing },
    /// Only git itself can write the files of that commit.
    Impossible,
}

impl Step {
    pub(super) fn to(pool: &Pool, record: &WorktreeRecord, template: &Template) -> Result<Self, CreateError> {
        if template.commit == record.base {
            return Ok(Self::None);
        }
        let objects = Objects::open(pool.repository());
        let tree = objects.listing(&record.base)?;
        Ok(match git::needs_git(&pool.git, pool.repository(), &objects, &tree.entries)? {
            Some(_) => Self::Impossible,
            None => Self::Across { objects, tree },
        })
    }
}

/// The stat data of those files of an index that a tree holds just so.
fn in_common(held: &[IndexEntry], tree: &[TreeEntry]) -> Vec<Option<FileStat>> {
    let mut held = held.iter().peekable();
    let same = |entry: &TreeEntry, held: &IndexEntry| (held.oid, held.mode) == (entry.oid, entry.mode);
    let mut known = Vec::with_capacity(tree.len());
    for entry in tree {
        while held.next_if(|held| held.path < entry.path).is_some() {}
        let found = held.next_if(|held| held.path == entry.path).filter(|held| same(entry, held));
        known.push(found.map(|held| held.stat));
    }
    known
}

/// Where files are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The directory.
    pub(super) root: &'a Path,
    /// Its index.
    pub(super) index: &'a Path,
    /// Who may write into the files.
    pub(super) protection: Protection,
}

/// Changes the files that differ from what is there, and only those.
pub(super) fn switch(
    pool: &Pool,
    place: &Place<'_>,
    there: &[IndexEntry],
    objects: &Objects,
    tree: &TreeListing,
    observer: &mut dyn Observer,
) -> Result<(), CreateError> {
    let step = difference(there, &tree.entries);
    create::check_room(pool, place.root, objects, &step.added)?;
    for path in &step.removed {
        fs::clear(place.root, path)
            .map_err(|source| CreateError::Io { path: place.root.join(path.to_string()), source })?;
    }
    observer.stage("bringing it up to date", Some(step.added.len() as u64));
    let (directories, protection) = (Directories::Any, place.protection);
    let manner = Manner { directories, protection, age: Age::Settled, original: None };
    let written = Forward::while_working(observer, |progress| {
        fs::materialise(manner, place.root, &step.added, &Source(objects), create::threads(), progress)
    })?;
    let mut stats = step.stats;
    for (number, stat) in step.numbers.into_iter().zip(written.stats) {
        stats[number] = stat;
    }
    let format = pool.repository().object_format;
    Ok(git::write_index(place.index, format, &tree.entries, &stats, Some(&tree.cache))?)
}

/// What leads from an index to a tree.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference {
    /// What goes, changed files included.
    removed: Vec<BString>,
    /// What comes, changed files included.
    added: Vec<TreeEntry>,
    /// Where each of `added` stands in the tree.
    numbers: Vec<usize>,
    /// The stat of every entry of the tree; empty for those that come.
    stats: Vec<FileStat>,
}

fn difference(old: &[IndexEntry], new: &[TreeEntry]) -> Difference {
    let mut step = Difference::default();
    let mut old = old.iter().peekable();
    for (number, entry) in new.iter().enumerate() {
        while let Some(gone) = old.next_if(|old| old.path < entry.path) {
            step.removed.push(gone.path.clone());
        }
        let known = old.next_if(|old| old.path == entry.path);
        match known {
            Some(known) if known.oid == entry.oid && known.mode == entry.mode => step.stats.push(known.stat),
            known => {
                step.removed.extend(known.map(|known| known.path.clone()));
                step.added.push(entry.clone());
                step.numbers.push(number);
                step.stats.push(FileStat::default());
            }
        }
    }
    step.removed.extend(old.map(|gone| gone.path.clone()));
    step
}

#[cfg(test)]
mod tests {
    use windrow_model::{EntryMode, IndexFlags, Oid};

    use super::*;

    fn oid(digit: u8) -> Oid {
        format!("{digit:x}").repeat(40).parse().unwrap()
    }

    fn entry(path: &str, content: u8) -> TreeEntry {
        TreeEntry { path: path.into(), mode: EntryMode::File, oid: oid(content) }
    }

    fn held(path: &str, content: u8) -> IndexEntry {
        let stat = FileStat { size: content.into(), ..FileStat::default() };
        let TreeEntry { path, mode, oid } = entry(path, content);
        IndexEntry { path, mode, oid, stat, flags: IndexFlags::default() }
    }

    #[test]
    fn only_what_differs_is_touched() {
        let old = [held("a", 1), held("b", 2), held("d/e", 3), held("z", 4)];
        let new = [entry("a", 1), entry("b", 5), entry("c", 6), entry("d", 3)];
        let step = difference(&old, &new);
        assert_eq!(step.removed, ["b", "d/e", "z"].map(BString::from));
        assert_eq!(step.added, [entry("b", 5), entry("c", 6), entry("d", 3)]);
        assert_eq!(step.numbers, [1, 2, 3]);
        assert_eq!(step.stats.iter().map(|stat| stat.size).collect::<Vec<_>>(), [1, 0, 0, 0]);
    }

    #[test]
    fn what_is_held_just_so_is_in_common() {
        let old = [held("a", 1), held("b", 2), held("d/e", 3), held("z", 4)];
        let new = [entry("a", 1), entry("b", 5), entry("c", 6), entry("z", 4)];
        let known = in_common(&old, &new);
        let sizes: Vec<_> = known.iter().map(|stat| stat.map(|stat| stat.size)).collect();
        assert_eq!(sizes, [Some(1), None, None, Some(4)]);
    }

    #[test]
    fn a_mode_alone_is_a_difference() {
        let executable = TreeEntry { mode: EntryMode::Executable, ..entry("a", 1) };
        let step = difference(&[held("a", 1)], std::slice::from_ref(&executable));
        assert_eq!((step.removed.len(), step.added), (1, vec![executable]));
    }
}
