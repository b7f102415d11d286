//! How values lie in columns.

use std::{
    error::Error,
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Result, Row, types::Type};
use windrow_model::{
    BatchTask, BranchOrigin, CarriedFile, Checkout, DirectoryIdentity, Event, Fence, Harvest, Holder,
    LandingRecord, LeaseRecord, NewEvent, NewTicket, Oid, PortBlock, ProcessIdentity, RescueRecord,
    SessionBond, SessionRecord, Settled, TicketEnd, TicketNumber, TicketRecord, Verdict, Waiter,
    WorktreeRecord,
};

use super::StoreError;

pub(super) fn worktree(row: &Row<'_>) -> Result<WorktreeRecord> {
    Ok(WorktreeRecord {
        id: parsed(row, "id")?,
        name: parsed(row, "name")?,
        path: path(row, "path")?,
        admin: path(row, "admin")?,
        identity: identity(row)?,
        state: parsed(row, "state")?,
        base: oid(row, "base")?,
        target: parsed_option(row, "target")?,
        checkout: checkout(row)?,
        created_at: instant(row, "created_at")?,
        keep_until: instant_option(row, "keep_until")?,
        doubt: row.get("doubt")?,
        boot_id: row.get("boot_id")?,
    })
}

pub(super) fn landing(row: &Row<'_>) -> Result<LandingRecord> {
    let place = path_option(row, "place")?.zip(path_option(row, "admin")?);
    Ok(LandingRecord {
        id: parsed(row, "id")?,
        key: parsed_option(row, "key")?,
        state: parsed(row, "state")?,
        strategy: parsed(row, "strategy")?,
        target: parsed(row, "target")?,
        source: oid(row, "source")?,
        branch: parsed_option(row, "branch")?,
        worktree: parsed_option(row, "worktree")?,
        before: oid(row, "before")?,
        candidate: oid(row, "candidate")?,
        place,
        created_at: instant(row, "created_at")?,
        ended_at: instant_option(row, "ended_at")?,
        detail: row.get("detail")?,
    })
}

pub(super) fn ticket(row: &Row<'_>) -> Result<TicketRecord> {
    Ok(TicketRecord {
        number: TicketNumber(unsigned(row, "number")?),
        state: parsed(row, "state")?,
        wanted: NewTicket {
            target: parsed(row, "target")?,
            source: oid(row, "source")?,
            branch: parsed_option(row, "branch")?,
            worktree: parsed_option(row, "worktree")?,
            strategy: parsed(row, "strategy")?,
            message: row.get("message")?,
            key: parsed_option(row, "key")?,
            verify: row.get("verify")?,
            verify_timeout: duration_option(row, "verify_timeout")?.unwrap_or_default(),
        },
        attempts: row.get("attempts")?,
        queued_at: instant(row, "queued_at")?,
        ended_at: instant_option(row, "ended_at")?,
        end: TicketEnd {
            landing: parsed_option(row, "landing")?,
            after: oid_option(row, "after")?,
            log: path_option(row, "log")?,
            detail: row.get("detail")?,
        },
    })
}

fn identity(row: &Row<'_>) -> Result<Option<DirectoryIdentity>> {
    let filesystem: Option<i64> = row.get("filesystem")?;
    let inode: Option<i64> = row.get("inode")?;
    let born_nanos = row.get("born_nanos")?;
    let both = filesystem.zip(inode);
    Ok(both.map(|(filesystem, inode)| DirectoryIdentity {
        filesystem: filesystem.cast_unsigned(),
        inode: inode.cast_unsigned(),
        born_nanos,
    }))
}

fn checkout(row: &Row<'_>) -> Result<Checkout> {
    let Some(name) = parsed_option(row, "branch")? else { return Ok(Checkout::Detached) };
    let origin: String = row.get("branch_origin")?;
    match origin.as_str() {
        "created" => Ok(Checkout::Branch { name, origin: BranchOrigin::Created }),
        "continued" => Ok(Checkout::Branch { name, origin: BranchOrigin::Continued }),
        "existing" => Ok(Checkout::Branch { name, origin: BranchOrigin::Existing }),
        other => Err(unreadable("branch_origin", other)),
    }
}

/// The columns `branch` and `branch_origin`.
pub(super) fn checkout_columns(checkout: &Checkout) -> (Option<&str>, Option<&'static str>) {
    let Checkout::Branch { name, origin } = checkout else { return (None, None) };
    let origin = match origin {
        BranchOrigin::Created => "created",
        BranchOrigin::Continued => "continued",
        BranchOrigin::Existing => "existing",
    };
    (Some(name.as_str()), Some(origin))
}

pub(super) fn lease(row: &Row<'_>) -> Result<LeaseRecord> {
    Ok(LeaseRecord {
        id: parsed(row, "id")?,
        worktree: parsed(row, "worktree")?,
        holder: holder(row)?,
        key: parsed_option(row, "key")?,
        fence: Fence(unsigned(row, "fence")?),
        expires_at: instant_option(row, "expires_at")?,
        acquired_at: instant(row, "acquired_at")?,
        ended_at: instant_option(row, "ended_at")?,
        keep: duration_option(row, "keep")?,
        reaper: process_option(row, ["reaper_pid", "reaper_start", "reaper_boot"])?,
    })
}

fn holder(row: &Row<'_>) -> Result<Holder> {
    let kind: String = row.get("holder")?;
    match kind.as_str() {
        "process" => process(row, ["holder_pid", "holder_start", "holder_boot"]).map(Holder::Process),
        "session" => parsed(row, "holder_name").map(Holder::Session),
        "remote" => row.get("holder_name").map(Holder::Remote),
        "unbound" => Ok(Holder::Unbound),
        other => Err(unreadable("holder", other)),
    }
}

/// The columns of a holder.
pub(super) struct HolderColumns<'a> {
    pub(super) kind: &'static str,
    pub(super) process: ProcessColumns<'a>,
    pub(super) name: Option<String>,
}

impl<'a> HolderColumns<'a> {
    pub(super) fn of(holder: &'a Holder) -> Self {
        let none = ProcessColumns::default();
        match holder {
            Holder::Process(process) => {
                Self { kind: "process", process: ProcessColumns::of(Some(process)), name: None }
            }
            Holder::Session(id) => Self { kind: "session", process: none, name: Some(id.to_string()) },
            Holder::Remote(name) => Self { kind: "remote", process: none, name: Some(name.clone()) },
            Holder::Unbound => Self { kind: "unbound", process: none, name: None },
        }
    }
}

/// The columns of a process, all null when there is none.
#[derive(Default)]
pub(super) struct ProcessColumns<'a> {
    pub(super) pid: Option<u32>,
    pub(super) start: Option<i64>,
    pub(super) boot: Option<&'a str>,
}

impl<'a> ProcessColumns<'a> {
    pub(super) fn of(process: Option<&'a ProcessIdentity>) -> Self {
        Self {
            pid: process.map(|process| process.pid),
            start: process.map(|process| process.start_ticks.cast_signed()),
            boot: process.map(|process| process.scope.as_str()),
        }
    }
}

fn process(row: &Row<'_>, columns: [&str; 3]) -> Result<ProcessIdentity> {
    let start: i64 = row.get(columns[1])?;
    Ok(ProcessIdentity {
        pid: row.get(columns[0])?,
        start_ticks: start.cast_unsigned(),
        scope: row.get(columns[2])?,
    })
}

fn process_option(row: &Row<'_>, columns: [&str; 3]) -> Result<Option<ProcessIdentity>> {
    let pid: Option<u32> = row.get(columns[0])?;
    pid.map(|_| process(row, columns)).transpose()
}

pub(super) fn rescue(row: &Row<'_>) -> Result<RescueRecord> {
    Ok(RescueRecord {
        id: parsed(row, "id")?,
        worktree: parsed(row, "worktree")?,
        name: parsed(row, "name")?,
        head: oid(row, "head")?,
        branch: parsed_option(row, "branch")?,
        commit: oid_option(row, "snapshot")?,
        index_tree: oid_option(row, "index_tree")?,
        archive: path_option(row, "archive")?,
        archive_bytes: unsigned(row, "archive_bytes")?,
        paths: unsigned(row, "paths")?,
        created_at: instant(row, "created_at")?,
    })
}

pub(super) fn carried(row: &Row<'_>) -> Result<CarriedFile> {
    Ok(CarriedFile {
        path: row.get::<_, Vec<u8>>("path")?.into(),
        kind: parsed(row, "kind")?,
        hash: row.get("hash")?,
        mode: row.get("mode")?,
        size: unsigned(row, "size")?,
    })
}

pub(super) fn event(row: &Row<'_>) -> Result<Event> {
    let event = NewEvent {
        kind: parsed(row, "kind")?,
        worktree: parsed_option(row, "worktree")?,
        lease: parsed_option(row, "lease")?,
        detail: row.get("detail")?,
    };
    Ok(Event { seq: unsigned(row, "seq")?, at: instant(row, "at")?, event })
}

pub(super) fn session(row: &Row<'_>) -> Result<SessionRecord> {
    let bond = match (process_option(row, ["pid", "start", "boot"])?, instant_option(row, "expires_at")?) {
        (Some(process), None) => SessionBond::Process(process),
        (None, Some(end)) => SessionBond::Until(end),
        _ => return Err(unreadable("pid", "a session ends with a process or at a time")),
    };
    Ok(SessionRecord {
        id: parsed(row, "id")?,
        bond,
        started_at: instant(row, "started_at")?,
        ended_at: instant_option(row, "ended_at")?,
    })
}

pub(super) fn batch_task(row: &Row<'_>) -> Result<BatchTask> {
    let settled = if row.get("settled")? { Settled::Yes } else { Settled::NotYet };
    let verdict = Verdict {
        end: parsed(row, "outcome")?,
        exit: row.get("exit")?,
        detail: row.get("detail")?,
        elapsed: duration_option(row, "elapsed")?.unwrap_or_default(),
    };
    Ok(BatchTask {
        key: row.get("key")?,
        attempts: row.get("attempts")?,
        verdict,
        worktree: parsed_option(row, "worktree")?,
        harvest: harvest(row)?,
        settled,
    })
}

fn harvest(row: &Row<'_>) -> Result<Option<Harvest>> {
    let Some(name) = parsed_option(row, "name")? else { return Ok(None) };
    let branch = parsed_option(row, "branch")?.zip(oid_option(row, "head")?);
    Ok(Some(Harvest {
        name,
        base: oid(row, "base")?,
        branch,
        commits: unsigned(row, "commits")?,
        files: unsigned(row, "files")?,
        added: unsigned(row, "added")?,
        deleted: unsigned(row, "deleted")?,
        rescue: parsed_option(row, "rescue")?,
        fate: row.get("fate")?,
    }))
}

pub(super) fn port_block(row: &Row<'_>) -> Result<PortBlock> {
    Ok(PortBlock { first: row.get("first")?, count: row.get("count")? })
}

pub(super) fn waiter(row: &Row<'_>) -> Result<Waiter> {
    Ok(Waiter { ticket: unsigned(row, "ticket")?, process: process(row, ["pid", "start", "boot"])? })
}

/// A text column read by `T`'s own rules.
pub(super) fn parsed<T: FromStr<Err: ToString>>(row: &Row<'_>, column: &'static str) -> Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error: T::Err| unreadable(column, error.to_string()))
}

/// A text column that may be null.
pub(super) fn parsed_option<T: FromStr<Err: ToString>>(
    row: &Row<'_>,
    column: &'static str,
) -> Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    let value = text.map(|text| text.parse().map_err(|error: T::Err| unreadable(column, error.to_string())));
    value.transpose()
}

pub(super) fn instant(row: &Row<'_>, column: &'static str) -> Result<Timestamp> {
    from_micros(column, row.get(column)?)
}

pub(super) fn instant_option(row: &Row<'_>, column: &'static str) -> Result<Option<Timestamp>> {
    let micros: Option<i64> = row.get(column)?;
    micros.map(|micros| from_micros(column, micros)).transpose()
}

/// Takes the parts, because `Timestamp::from_microsecond` refuses the calendar's last second.
fn from_micros(column: &'static str, micros: i64) -> Result<Timestamp> {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).expect("less than a second");
    Timestamp::new(micros.div_euclid(1_000_000), nanos).map_err(|error| unreadable(column, error))
}

fn duration_option(row: &Row<'_>, column: &'static str) -> Result<Option<Duration>> {
    let micros: Option<i64> = row.get(column)?;
    let value = micros.map(|micros| u64::try_from(micros).map_err(|error| unreadable(column, error)));
    Ok(value.transpose()?.map(Duration::from_micros))
}

/// A duration in microseconds; one beyond 290,000 years becomes that.
pub(super) fn duration_column(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(row: &Row<'_>, column: &'static str) -> Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|error| unreadable(column, error))
}

/// A count or number as SQLite can hold it.
pub(super) fn signed(what: &'static str, value: u64) -> std::result::Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge { what, value: u128::from(value) })
}

fn path(row: &Row<'_>, column: &str) -> Result<PathBuf> {
    row.get(column).map(|bytes: Vec<u8>| OsString::from_vec(bytes).into())
}

pub(super) fn path_option(row: &Row<'_>, column: &str) -> Result<Option<PathBuf>> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    Ok(bytes.map(|bytes| OsString::from_vec(bytes).into()))
}

pub(super) fn path_column(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

pub(super) fn oid(row: &Row<'_>, column: &'static str) -> Result<Oid> {
    let bytes: Vec<u8> = row.get(column)?;
    Oid::from_bytes(&bytes).map_err(|error| unreadable(column, error))
}

pub(super) fn oid_option(row: &Row<'_>, column: &'static str) -> Result<Option<Oid>> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    bytes.map(|bytes| Oid::from_bytes(&bytes).map_err(|error| unreadable(column, error))).transpose()
}

/// A value that this version cannot understand.
pub(super) fn unreadable(column: &str, problem: impl Into<Box<dyn Error + Send + Sync>>) -> rusqlite::Error {
    let problem = format!("column `{column}`: {}", problem.into());
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, problem.into())
}
