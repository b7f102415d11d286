-- What a fleet shares. Instants are microseconds since 1970 by the store's clock.
-- Later migrations only add: tables, indices, and columns that may be null or have a default.

CREATE TABLE fences (
    resource TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    fields TEXT NOT NULL,        -- a JSON object
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX tasks_state ON tasks (state, created_at);

CREATE TABLE task_changes (
    task TEXT NOT NULL REFERENCES tasks (id),
    rev INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    state TEXT NOT NULL,
    fields TEXT NOT NULL,
    PRIMARY KEY (task, rev)
) STRICT, WITHOUT ROWID;

CREATE TABLE claims (
    task TEXT PRIMARY KEY REFERENCES tasks (id),
    holder TEXT NOT NULL,
    fence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a ticket is never used again.
CREATE TABLE landings (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    head BLOB NOT NULL,          -- 20 or 32 bytes
    branch TEXT,
    submitter TEXT NOT NULL,
    task TEXT,
    enqueued_at INTEGER NOT NULL,
    finished_at INTEGER,
    outcome TEXT,                -- null: waiting; 'landed', 'refused' or 'cancelled'
    landed BLOB,
    reason TEXT
) STRICT;

CREATE INDEX landings_waiting ON landings (target, ticket) WHERE outcome IS NULL;

PRAGMA user_version = 1;
