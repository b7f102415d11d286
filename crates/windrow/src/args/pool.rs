//! The arguments of `pool`.

use clap::{Args, Subcommand};

/// Arguments of `pool`.
#[derive(Debug, Args)]
pub(crate) struct PoolArgs {
    #[command(subcommand)]
    pub(crate) command: PoolCommand,
}

/// What to do with the pool.
#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Tell what is held ready
    Status {
        /// Also tell what everything takes on the disk, which takes a look at every file
        #[arg(long)]
        du: bool,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Make worktrees until this many are ready, in the background
    Warm {
        /// How many in all
        #[arg(value_name = "N")]
        count: u32,
        /// Make them now, and return when they are ready
        #[arg(long)]
        wait: bool,
        /// Print what was made as JSON
        #[arg(long, requires = "wait")]
        json: bool,
    },
    /// Make a template of the main checkout's commit, from which worktrees are made faster
    ///
    /// Costs the disk of one more checkout where files cannot share blocks.
    Template {
        /// Make it of this branch, tag or commit
        #[arg(long, value_name = "REF")]
        base: Option<String>,
        /// Throw all templates away instead
        #[arg(long, conflicts_with = "base")]
        remove: bool,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Hold at most this many ready: the others are thrown away
    Resize {
        /// How many
        #[arg(value_name = "N")]
        count: u32,
        /// Print what became of them as JSON
        #[arg(long)]
        json: bool,
    },
}
