//! The arguments of `session`.

use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use windrow_model::{SessionId, parse_duration};

use crate::completion;

/// Arguments of `session`.
#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    #[command(subcommand)]
    pub(crate) command: SessionCommand,
}

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// Start a session and print its id
    Start {
        /// End it with this process instead of the one that called us
        #[arg(long, value_name = "PID", conflicts_with = "ttl", value_parser = clap::value_parser!(u32).range(1..))]
        pid: Option<u32>,
        /// End it after this time, whatever runs
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        ttl: Option<Duration>,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the sessions, oldest first
    #[command(visible_alias = "ls")]
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what a session holds
    Show {
        /// Its id; the one in WINDROW_SESSION without it
        #[arg(value_name = "ID", add = ArgValueCandidates::new(completion::sessions))]
        session: Option<SessionId>,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// End a session: give back every worktree of it
    End {
        /// Its id; the one in WINDROW_SESSION without it
        #[arg(value_name = "ID", add = ArgValueCandidates::new(completion::sessions))]
        session: Option<SessionId>,
        /// Print what became of each as JSON
        #[arg(long)]
        json: bool,
    },
}
