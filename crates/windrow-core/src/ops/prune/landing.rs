//! Whether work is in its target, and which ref proves it.

use std::cell::OnceCell;

use bstr::{BString, ByteSlice};
use windrow_model::{BranchName, Landed, LandingSeen, LandingSide, LandingWay, Oid, PrunePolicy};

use crate::{
    git::{self, CompareError, Comparison, Containment, GitError},
    ops::{error::chain, pool::Pool},
};

/// The end of a line of commits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work<'a> {
    /// The last commit.
    pub(super) tip: Oid,
    /// The branch it is on, which proves nothing.
    pub(super) own: Option<&'a BranchName>,
    /// The branch it should land on.
    pub(super) target: Option<&'a BranchName>,
}

/// A ref that may hold work.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    pub(super) name: String,
    pub(super) oid: Oid,
    side: LandingSide,
}

/// Looks work up in targets.
pub(super) struct Landings<'p> {
    pool: &'p Pool,
    landed: bool,
    merged: bool,
    comparison: OnceCell<Result<Comparison<'p>, String>>,
}

impl<'p> Landings<'p> {
    pub(super) fn new(pool: &'p Pool, policy: &PrunePolicy) -> Self {
        Self { pool, landed: policy.landed, merged: policy.merged, comparison: OnceCell::new() }
    }

    /// Tells whether any policy wants to know.
    pub(super) fn asked(&self) -> bool {
        self.landed || self.merged
    }

    /// Looks one line of work up; with the ref that proves it to be landed.
    pub(super) fn of(&self, work: &Work<'_>) -> (LandingSeen, Option<Witness>) {
        if !self.asked() {
            return (LandingSeen::NotAsked, None);
        }
        match self.look(work) {
            Ok(found) => found,
            Err(error) => (LandingSeen::Unchecked(error), None),
        }
    }

    fn look(&self, work: &Work<'_>) -> Result<(LandingSeen, Option<Witness>), String> {
        let Some(target) = work.target.filter(|target| Some(*target) != work.own) else {
            return Ok((LandingSeen::NoTarget, None));
        };
        let mut witnesses = self.witnesses(target).map_err(|error| chain(&error))?;
        witnesses.retain(|one| work.own.is_none_or(|own| one.name != own.full()));
        if witnesses.is_empty() {
            return Ok((LandingSeen::NoTarget, None));
        }
        let comparison = self.comparison()?;
        let way = self.find(comparison, &witnesses, &work.tip).map_err(|error| chain(&error))?;
        Ok(way.map_or((LandingSeen::Out, None), |(way, witness)| {
            let landed = Landed { way, side: witness.side, into: witness.name.clone() };
            (LandingSeen::In(landed), Some(witness.clone()))
        }))
    }

    /// The plainest proof there is.
    fn find<'w>(
        &self,
        comparison: &Comparison<'_>,
        witnesses: &'w [Witness],
        tip: &Oid,
    ) -> Result<Option<(LandingWay, &'w Witness)>, CompareError> {
        for witness in witnesses {
            if comparison.reaches(&witness.oid, tip)? {
                return Ok(Some((LandingWay::Reached, witness)));
            }
        }
        for witness in witnesses.iter().filter(|_| self.merged) {
            match comparison.contains(&witness.oid, tip)? {
                Containment::Out => {}
                Containment::NothingToAdd => return Ok(Some((LandingWay::NothingToAdd, witness))),
                Containment::SameChanges => return Ok(Some((LandingWay::SameChanges, witness))),
            }
        }
        Ok(None)
    }

    fn comparison(&self) -> Result<&Comparison<'p>, String> {
        let open = || Comparison::open(&self.pool.git, self.pool.repository()).map_err(|error| chain(&error));
        self.comparison.get_or_init(open).as_ref().map_err(Clone::clone)
    }

    /// The target here, and with `--merged` its upstream and the branch of its name at each remote, as they were last seen.
    fn witnesses(&self, target: &BranchName) -> Result<Vec<Witness>, GitError> {
        let (git, repository) = (&self.pool.git, self.pool.repository());
        let full = target.full();
        let here = git::read_ref(git, repository, &full)?;
        let mut found: Vec<_> = here
            .map(|oid| Witness { name: full.clone(), oid, side: LandingSide::Here })
            .into_iter()
            .collect();
        if !self.merged {
            return Ok(found);
        }
        let upstream = git::upstream_of(git, repository, &full)?;
        let named = remotes(repository).into_iter().map(|remote| format!("refs/remotes/{remote}/{target}"));
        // A local branch as upstream is no other place.
        let mut names: Vec<_> =
            upstream.into_iter().filter(|name| name.starts_with("refs/remotes/")).chain(named).collect();
        names.sort();
        names.dedup();
        for name in names {
            if let Some(oid) = git::read_ref(git, repository, &name)? {
                found.push(Witness { name, oid, side: LandingSide::Remote });
            }
        }
        Ok(found)
    }
}

/// The names of the remotes that are configured.
fn remotes(repository: &git::Repository) -> Vec<String> {
    let name = |key: &BString| {
        let (name, _) = key.strip_prefix(b"remote.")?.rsplit_once_str(".")?;
        Some(name.to_str().ok()?.to_owned())
    };
    let mut names: Vec<_> = repository.config.keys("remote.").filter_map(name).collect();
    names.dedup();
    names
}
