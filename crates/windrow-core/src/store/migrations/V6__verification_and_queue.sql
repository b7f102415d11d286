-- Verification: what stood it, and the leases that exist for it. The queue: what is to be landed, in the order in which it came.

CREATE TABLE verified (
    tree BLOB NOT NULL,
    command TEXT NOT NULL,
    log BLOB,                    -- a path
    at INTEGER NOT NULL,
    PRIMARY KEY (tree, command)
) STRICT, WITHOUT ROWID;

CREATE TABLE trials (
    lease TEXT PRIMARY KEY REFERENCES leases (id) ON DELETE CASCADE,
    landing TEXT NOT NULL        -- outlives the landing's row, so no foreign key
) STRICT, WITHOUT ROWID;

CREATE TABLE tickets (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL,         -- the word of the model
    target TEXT NOT NULL,        -- a branch, short
    source BLOB NOT NULL,        -- the commit to be landed
    branch TEXT,                 -- the branch it was on
    worktree TEXT,               -- the name of the worktree it came from
    strategy TEXT NOT NULL,
    message TEXT,
    key TEXT,                    -- the caller's: one key lands once
    verify TEXT,                 -- null: nothing is run
    verify_timeout INTEGER NOT NULL, -- microseconds
    attempts INTEGER NOT NULL,   -- how often somebody began to land it
    landing TEXT,                -- null: nothing moved, or not yet
    after BLOB,                  -- where the target went
    log BLOB,                    -- a path: what the verification printed
    queued_at INTEGER NOT NULL,
    ended_at INTEGER,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX tickets_open ON tickets (target, number) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX tickets_key ON tickets (key) WHERE key IS NOT NULL AND ended_at IS NULL;

PRAGMA user_version = 6;
