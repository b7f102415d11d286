-- Sessions: leases that end together, with a process or at a time.

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    pid INTEGER,                 -- null: it ends by time
    start INTEGER,               -- the bits of a u64
    boot TEXT,
    expires_at INTEGER,          -- null: it ends with its process
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    CHECK ((pid IS NULL) <> (expires_at IS NULL))
) STRICT;

CREATE INDEX sessions_live ON sessions (started_at) WHERE ended_at IS NULL;
CREATE INDEX leases_session ON leases (holder_name) WHERE holder = 'session' AND ended_at IS NULL;

PRAGMA user_version = 2;
