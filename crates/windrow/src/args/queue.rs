//! The arguments of `queue`.

use std::time::Duration;

use clap::{Args, Subcommand};
use windrow_model::{TicketNumber, parse_duration};

/// Arguments of `queue`.
#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    #[command(subcommand)]
    pub(crate) command: QueueCommand,
}

/// What to do with the queue of landings.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List what waits to be landed, in the order in which it came
    #[command(visible_alias = "ls")]
    List {
        /// Also what is over
        #[arg(long)]
        all: bool,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Wait until a ticket is over, and tell what became of it
    Wait {
        /// Its number, as `land --queue` printed it
        #[arg(value_name = "TICKET")]
        ticket: TicketNumber,
        /// Stop waiting after this time
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        timeout: Option<Duration>,
        /// Print what became of it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a ticket out of the queue before its turn comes
    Cancel {
        /// Its number
        #[arg(value_name = "TICKET")]
        ticket: TicketNumber,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Arguments of `__queue`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) pool: super::KeeperArgs,
    /// The branch that is landed on.
    pub(crate) target: windrow_model::BranchName,
}
