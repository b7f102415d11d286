-- Batches: many tasks that one call gives each a worktree, and what became of each task. Ports: blocks of them that worktrees have.

CREATE TABLE batches (
    id TEXT PRIMARY KEY,
    runs INTEGER NOT NULL,       -- how many calls worked on it
    began_at INTEGER NOT NULL    -- the last of them
) STRICT, WITHOUT ROWID;

CREATE TABLE batch_tasks (
    batch TEXT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    outcome TEXT NOT NULL,       -- the word of the model
    exit INTEGER,
    detail TEXT NOT NULL,
    elapsed INTEGER NOT NULL,    -- microseconds
    worktree TEXT,               -- outlives the worktree's row, so no foreign key
    settled INTEGER NOT NULL,    -- 0: the command has ended, the worktree was not given back yet
    name TEXT,                   -- null, as all below: there was no worktree, or it is not settled
    base BLOB,
    branch TEXT,
    head BLOB,
    commits INTEGER,
    files INTEGER,
    added INTEGER,
    deleted INTEGER,
    rescue TEXT,
    fate TEXT,
    PRIMARY KEY (batch, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE ports (
    worktree TEXT PRIMARY KEY REFERENCES worktrees (id) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 4;
