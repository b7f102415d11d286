//! Tells in which ways worktrees can be made here, found by doing each once.

use std::path::PathBuf;

use windrow_model::{Chosen, Strategy, StrategyChoice, choose_strategy};

use super::{
    error::PoolError,
    pool::Pool,
    template::{self, Template},
    warm::spare,
};

/// The ways in which the files of a worktree can come to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategies {
    /// Where they were tried.
    pub directory: PathBuf,
    /// Each way, fastest first.
    pub ways: Vec<StrategyStatus>,
    /// The way that the next worktree is made in when none is held ready, and why it is not the one that is configured.
    pub next: Chosen,
    /// The templates there are, newest first.
    pub templates: Vec<Template>,
}

/// One way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyStatus {
    /// It.
    pub strategy: Strategy,
    /// Why it cannot be taken, in words; `None` when it can.
    pub objection: Option<String>,
}

/// Tries each way once where worktrees are made. Nothing stays but the directory around them.
///
/// # Errors
/// Nothing can be written there.
pub fn strategies(pool: &Pool) -> Result<Strategies, PoolError> {
    let directory = template::beside(pool)?;
    let abilities = template::abilities(pool, &directory)?;
    let by_git = spare::conditions(pool).is_none();
    let status = |strategy: Strategy| StrategyStatus {
        strategy,
        objection: match strategy {
            Strategy::Checkout => None,
            _ if by_git => Some("only git itself can write the files of this repository".to_owned()),
            strategy => abilities.objection(strategy).map(str::to_owned),
        },
    };
    let templates = template::templates(pool);
    let choice = pool.settings().pool.strategy;
    let overlays = choice == StrategyChoice::Only(Strategy::Overlay) && abilities.overlay.is_ok();
    let serves = |template: &&Template| {
        let kind = overlays == (template.serves == Strategy::Overlay);
        kind && template.root.parent() == Some(directory.as_path())
    };
    let offered = templates.iter().find(serves).filter(|_| !by_git).map(|template| template.serves);
    Ok(Strategies {
        ways: Strategy::ALL.into_iter().rev().map(status).collect(),
        next: choose_strategy(choice, offered),
        templates,
        directory,
    })
}
