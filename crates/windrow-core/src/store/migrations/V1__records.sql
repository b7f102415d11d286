-- The facts of this host. Instants are microseconds since 1970, paths are the raw bytes, ids are lower-case hexadecimal.
-- Later migrations only add: tables, indices, and columns that may be null or have a default.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, value) VALUES ('fence', 0);

CREATE TABLE worktrees (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    path BLOB NOT NULL,
    admin BLOB NOT NULL,
    filesystem INTEGER,          -- the bits of a u64
    inode INTEGER,               -- the bits of a u64
    born_nanos INTEGER,
    state TEXT NOT NULL,
    base BLOB NOT NULL,          -- 20 or 32 bytes
    target TEXT,
    branch TEXT,                 -- null: detached
    branch_origin TEXT,          -- 'created', 'continued' or 'existing'
    created_at INTEGER NOT NULL,
    keep_until INTEGER,
    doubt TEXT,
    boot_id TEXT NOT NULL,
    gone_at INTEGER
) STRICT;

CREATE UNIQUE INDEX worktrees_name ON worktrees (name) WHERE state <> 'gone';
CREATE UNIQUE INDEX worktrees_path ON worktrees (path) WHERE state <> 'gone';
CREATE UNIQUE INDEX worktrees_branch ON worktrees (branch) WHERE state <> 'gone' AND branch IS NOT NULL;

CREATE TABLE leases (
    id TEXT PRIMARY KEY,
    worktree TEXT NOT NULL REFERENCES worktrees (id),
    holder TEXT NOT NULL,        -- 'process', 'session', 'remote' or 'unbound'
    holder_pid INTEGER,
    holder_start INTEGER,
    holder_boot TEXT,
    holder_name TEXT,            -- session id or remote name
    key TEXT,
    fence INTEGER NOT NULL,
    expires_at INTEGER,
    acquired_at INTEGER NOT NULL,
    ended_at INTEGER,
    keep INTEGER,                -- microseconds
    reaper_pid INTEGER,
    reaper_start INTEGER,
    reaper_boot TEXT
) STRICT;

CREATE UNIQUE INDEX leases_live_worktree ON leases (worktree) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX leases_live_key ON leases (key) WHERE ended_at IS NULL AND key IS NOT NULL;
CREATE INDEX leases_worktree ON leases (worktree, fence);
CREATE INDEX leases_key ON leases (key, fence) WHERE key IS NOT NULL;

CREATE TABLE rescues (
    id TEXT PRIMARY KEY,
    worktree TEXT NOT NULL,      -- outlives the worktree's row, so no foreign key
    name TEXT NOT NULL,
    head BLOB NOT NULL,
    branch TEXT,
    snapshot BLOB,
    index_tree BLOB,
    archive BLOB,
    archive_bytes INTEGER NOT NULL,
    paths INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE carried (
    worktree TEXT NOT NULL REFERENCES worktrees (id) ON DELETE CASCADE,
    path BLOB NOT NULL,
    kind TEXT NOT NULL,          -- 'file', 'symlink', 'directory' or 'link'
    hash TEXT NOT NULL,
    mode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (worktree, path)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a number is never used again, even after its row was forgotten.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    worktree TEXT,               -- its name
    lease TEXT,
    detail TEXT NOT NULL
) STRICT;

CREATE TABLE waiters (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    pid INTEGER NOT NULL,
    start INTEGER NOT NULL,
    boot TEXT NOT NULL,
    since INTEGER NOT NULL,
    UNIQUE (pid, start, boot)
) STRICT;

PRAGMA user_version = 1;
