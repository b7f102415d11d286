//! Making templates, and keeping them at the commit that the next worktree will want.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use windrow_model::{
    Abilities, FEW_FILES, Oid, Strategy, StrategyChoice, TemplateOccasion, WorktreeRecord, template_for,
};

use super::{
    Taken, Template, TemplateKind,
    note::{self, Finished},
    templates,
    throw::{Fate, discard, discard_unfinished},
};
use crate::{
    fs::{self, Protection, Writing},
    git::{self, Objects, TreeListing},
    ops::{
        create::{self, own_parent},
        error::{CreateError, PoolError, StateError, chain},
        filling::{self, Place, Way},
        observer::Observer,
        overlay, place,
        pool::{Pool, make_new_directory},
        warm::{self, Budget, Source, spare},
    },
    process::{FileLock, Wait},
};

/// Makes a template of a branch, tag or commit, or brings one there, in whatever way is best here; without one of the commit of
/// the main worktree.
///
/// # Errors
/// There is no such commit, only git itself can write the files, templates are switched off, or it cannot be made.
pub fn make_template(
    pool: &Pool,
    base: Option<&str>,
    observer: &mut dyn Observer,
) -> Result<Template, PoolError> {
    let base = match base {
        Some(base) => pool.repository().resolve_commit(&pool.git, base)?.oid,
        None => warm::tip(pool)?.oid,
    };
    drop(pool.store()?);
    let conditions = spare::conditions(pool).ok_or(PoolError::NeedsGit)?;
    refresh(pool, &base, &conditions, TemplateOccasion::Asked, observer)?.ok_or(PoolError::NoTemplate)
}

/// Tells whether a template may be missing, or be of another commit than the next worktree; `last` is the last one that was made.
pub(in crate::ops) fn is_wanted(pool: &Pool, last: &WorktreeRecord) -> bool {
    let settings = &pool.settings().pool;
    if settings.templates == 0 || settings.strategy == StrategyChoice::Only(Strategy::Checkout) {
        return false;
    }
    match templates(pool).first() {
        Some(newest) if newest.commit == last.base => false,
        Some(newest) => warm::tip(pool).is_ok_and(|tip| tip.oid != newest.commit),
        None => (settings.strategy != StrategyChoice::Auto || is_large(last)) && !was_in_vain(pool),
    }
}

/// Tells whether a worktree may have so many files that a template is worth it, by the length of its index.
fn is_large(worktree: &WorktreeRecord) -> bool {
    /// The least that an entry takes. *Source*: gitformat-index(5).
    const ENTRY: u64 = 72;
    let index = worktree.admin.join("index").metadata();
    index.is_ok_and(|index| index.len() >= FEW_FILES * ENTRY)
}

/// For how long nobody tries again to make a template in the background after one could not be made, was not worth it, or not
/// wanted any more.
const RETRY: Duration = Duration::from_secs(86_400);

/// What says that somebody tried in vain.
fn in_vain(pool: &Pool) -> PathBuf {
    pool.templates_dir().join("none")
}

fn was_in_vain(pool: &Pool) -> bool {
    let tried = in_vain(pool).metadata().and_then(|facts| facts.modified());
    tried.is_ok_and(|tried| tried.elapsed().is_ok_and(|elapsed| elapsed < RETRY))
}

/// Makes or changes a template if it is worth it; what keeps one from being made is told in the log alone, because nothing needs it.
pub(in crate::ops) fn refresh_in_background(
    pool: &Pool,
    base: &Oid,
    conditions: &str,
    observer: &mut dyn Observer,
) {
    if was_in_vain(pool) {
        return;
    }
    match refresh(pool, base, conditions, TemplateOccasion::Background, observer) {
        Ok(Some(_)) => return,
        Ok(None) => {}
        Err(error) => tracing::warn!(error = %chain(&error), "no template is made"),
    }
    rest(pool);
}

/// Lets nobody make a template in the background for some time.
pub(super) fn rest(pool: &Pool) {
    if let Err(error) = std::fs::write(in_vain(pool), "") {
        tracing::debug!(%error, "the next command tries again to make a template");
    }
}

/// Brings the templates to a commit: makes one, or changes one; throws away what cannot be used and what is too much.
///
/// `None` when none is wanted.
fn refresh(
    pool: &Pool,
    base: &Oid,
    conditions: &str,
    occasion: TemplateOccasion,
    observer: &mut dyn Observer,
) -> Result<Option<Template>, PoolError> {
    let most = usize::try_from(pool.settings().pool.templates).unwrap_or(usize::MAX);
    fs::private_dir(&pool.templates_dir()).map_err(StateError::from)?;
    let lock = FileLock::acquire(&lock_path(pool), Wait::Forever);
    let _turn = lock.map_err(StateError::from)?;
    discard_unfinished(pool);
    let kind = wanted_kind(pool);
    let (mut usable, broken): (Vec<_>, Vec<_>) =
        templates(pool).into_iter().partition(|template| template.is_usable(conditions));
    usable.retain(|template| TemplateKind::of(template.serves) == kind);
    drop_surplus(pool, &mut usable, most);
    broken.iter().for_each(|template| _ = discard(pool, template));
    if let Some(same) = usable.iter().find(|template| template.commit == *base) {
        return Ok(Some(same.clone()));
    }
    if most == 0 {
        return Ok(None);
    }
    let Some(plan) = Plan::new(pool, base, conditions, occasion)? else { return Ok(None) };
    let excess = usable.last().filter(|_| usable.len() >= most);
    if excess.is_none() && occasion == TemplateOccasion::Background && exceeds_budget(pool, base, observer)? {
        return Ok(None);
    }
    let taken = excess.map(|excess| excess.take(pool)).transpose()?.flatten();
    let made = plan.carry_out(excess.zip(taken), usable.first(), observer);
    discard_unfinished(pool);
    made.map(Some)
}

/// Tells whether one more checkout would exceed `pool.max_bytes`, and says so. Nobody is refused one that he asked for.
fn exceeds_budget(pool: &Pool, base: &Oid, observer: &mut dyn Observer) -> Result<bool, PoolError> {
    let objection = Budget::of(pool, base)?.objection(Source::Nothing)?;
    objection.iter().for_each(|why| observer.notice(why));
    Ok(objection.is_some())
}

pub(super) fn lock_path(pool: &Pool) -> PathBuf {
    pool.locks().join("template")
}

/// The kind of template that the next worktree wants.
fn wanted_kind(pool: &Pool) -> TemplateKind {
    match pool.settings().pool.strategy {
        StrategyChoice::Only(strategy) => TemplateKind::of(strategy),
        StrategyChoice::Auto => TemplateKind::Plain,
    }
}

/// Throws the oldest away until there are as many as may be, apart from those that overlays need; they are listed newest first.
fn drop_surplus(pool: &Pool, usable: &mut Vec<Template>, most: usize) {
    let mut number = 0;
    usable.retain(|template| {
        number += 1;
        number <= most || discard(pool, template) == Fate::Needed
    });
}

/// What is to be made.
struct Plan<'a> {
    pool: &'a Pool,
    base: &'a Oid,
    conditions: &'a str,
    /// The directory around the worktrees.
    beside: PathBuf,
    serves: Strategy,
    objects: Objects,
    tree: TreeListing,
}

impl<'a> Plan<'a> {
    /// `None` when a template is not worth it.
    fn new(
        pool: &'a Pool,
        base: &'a Oid,
        conditions: &'a str,
        occasion: TemplateOccasion,
    ) -> Result<Option<Self>, PoolError> {
        let objects = Objects::open(pool.repository());
        let tree = objects.listing(base).map_err(CreateError::from)?;
        let why = git::needs_git(&pool.git, pool.repository(), &objects, &tree.entries);
        if why.map_err(CreateError::from)?.is_some() {
            return Err(PoolError::NeedsGit);
        }
        let beside = beside(pool)?;
        let abilities = abilities(pool, &beside)?;
        let files = tree.entries.len() as u64;
        let serves = template_for(pool.settings().pool.strategy, &abilities, files, occasion);
        let Some(serves) = serves else { return Ok(None) };
        Ok(Some(Self { pool, base, conditions, beside, serves, objects, tree }))
    }

    /// Changes the one that is in excess and that nobody needs, or makes a new one from the nearest.
    fn carry_out(
        &self,
        excess: Option<(&Template, Taken)>,
        nearest: Option<&Template>,
        observer: &mut dyn Observer,
    ) -> Result<Template, PoolError> {
        let old = match excess {
            Some((old, taken)) if self.can_become(old) => return self.change(old, taken, observer),
            excess => excess.map(|(old, _)| old),
        };
        let made = self.make(nearest, observer)?;
        if let Some(old) = old {
            discard(self.pool, old);
        }
        Ok(made)
    }

    /// Tells whether a template can be changed into the one that is wanted.
    fn can_become(&self, old: &Template) -> bool {
        let plain = |strategy| strategy < Strategy::Snapshot;
        (plain(self.serves) && plain(old.serves))
            || (self.serves == Strategy::Overlay && old.serves == Strategy::Overlay)
    }

    /// Brings a template that is made of plain files to the commit.
    fn change(
        &self,
        old: &Template,
        taken: Taken,
        observer: &mut dyn Observer,
    ) -> Result<Template, PoolError> {
        let (root, pool) = (&old.root, self.pool);
        note::begin(pool, &old.id, root).map_err(|source| failed(root, source))?;
        drop(taken);
        let opened = if self.is_shown() { overlay::open_up(root) } else { fs::thaw(root) };
        opened.map_err(|source| failed(root, source))?;
        let there =
            git::read_index(&old.index, pool.repository().object_format).map_err(CreateError::from)?;
        let place = Place { root: &self.tree_of(root), index: &old.index, protection: self.protection() };
        filling::switch(pool, &place, &there, &self.objects, &self.tree, observer)?;
        self.publish(&old.id, root)
    }

    fn make(&self, nearest: Option<&Template>, observer: &mut dyn Observer) -> Result<Template, PoolError> {
        let pool = self.pool;
        let id = uuid::Uuid::now_v7().simple().to_string();
        let (root, index) = (note::root(&self.beside, &id), note::index(pool, &id));
        note::begin(pool, &id, &root).map_err(|source| failed(&root, source))?;
        if self.serves == Strategy::Snapshot {
            self.make_subvolume(nearest, (&root, &index), observer)?;
        } else {
            make_new_directory(&root, own_parent(&root)?).map_err(|source| failed(&root, source))?;
            let tree = self.tree_of(&root);
            if tree != root {
                make_new_directory(&tree, 0o755).map_err(|source| failed(&tree, source))?;
            }
            self.write(self.protection(), (&tree, &index), observer)?;
        }
        self.publish(&id, &root)
    }

    fn is_shown(&self) -> bool {
        self.serves == Strategy::Overlay
    }

    /// Where the files lie: behind a door where they are shown with their own modes.
    fn tree_of(&self, root: &Path) -> PathBuf {
        if self.is_shown() { root.join(overlay::TREE) } else { root.to_owned() }
    }

    fn protection(&self) -> Protection {
        if self.is_shown() { Protection::Usual } else { Protection::ReadOnly }
    }

    fn make_subvolume(
        &self,
        nearest: Option<&Template>,
        (root, index): (&Path, &Path),
        observer: &mut dyn Observer,
    ) -> Result<(), PoolError> {
        let pool = self.pool;
        let Some(near) = nearest.filter(|near| near.serves == Strategy::Snapshot) else {
            fs::make_subvolume(root).map_err(|source| failed(root, source))?;
            return self.write(Protection::Usual, (root, index), observer);
        };
        fs::snapshot(&near.root, root).map_err(|source| failed(root, source))?;
        let there =
            git::read_index(&near.index, pool.repository().object_format).map_err(CreateError::from)?;
        let place = Place { root, index, protection: Protection::Usual };
        Ok(filling::switch(pool, &place, &there, &self.objects, &self.tree, observer)?)
    }

    fn write(
        &self,
        protection: Protection,
        (root, index): (&Path, &Path),
        observer: &mut dyn Observer,
    ) -> Result<(), PoolError> {
        create::check_room(self.pool, root, &self.objects, &self.tree.entries)?;
        let place = Place { root, index, protection };
        Ok(Way::CHECKOUT.write_tree(self.pool, &place, &self.objects, &self.tree, observer)?)
    }

    /// Closes a template to everybody, waits until it is on the disk, and says that it can be used.
    fn publish(&self, id: &str, root: &Path) -> Result<Template, PoolError> {
        let closed = match self.serves {
            Strategy::Snapshot => fs::set_writing(root, Writing::Refused),
            Strategy::Overlay => overlay::close(root),
            _ => fs::freeze(root),
        };
        closed.and_then(|()| fs::sync_filesystem(root)).map_err(|source| failed(root, source))?;
        let finished =
            Finished { id, commit: self.base, serves: self.serves, conditions: self.conditions, root };
        note::finish(self.pool, &finished).map_err(|source| failed(root, source))?;
        let made = templates(self.pool).into_iter().find(|template| template.id == id);
        made.ok_or_else(|| failed(root, io::ErrorKind::NotFound.into()))
    }
}

fn failed(path: &Path, source: io::Error) -> PoolError {
    CreateError::Io { path: path.to_owned(), source }.into()
}

/// Tries what can be done in a directory around worktrees.
pub(in crate::ops) fn abilities(pool: &Pool, beside: &Path) -> Result<Abilities, PoolError> {
    let trash = Pool::trash_in(beside);
    let found = fs::abilities(&trash).map_err(|source| failed(&trash, source))?;
    Ok(Abilities { snapshot: found.snapshot, clone: found.clone, overlay: overlay::ability(pool, beside) })
}

/// The directory that new worktrees lie in, which is there then.
pub(in crate::ops) fn beside(pool: &Pool) -> Result<PathBuf, PoolError> {
    let beside = place::around(pool).ok_or(PoolError::NoTemplate)?;
    own_parent(&Pool::trash_in(&beside))?;
    Ok(beside)
}
