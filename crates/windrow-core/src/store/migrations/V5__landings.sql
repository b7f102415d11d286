-- The journal of landings: one row for each, from its candidate to its end. `state` and `strategy` are words of the model.

CREATE TABLE landings (
    id TEXT PRIMARY KEY,
    key TEXT,                    -- the caller's: one key lands once
    state TEXT NOT NULL,
    strategy TEXT NOT NULL,
    target TEXT NOT NULL,        -- a branch, short
    source BLOB NOT NULL,        -- the commit to be landed
    branch TEXT,                 -- the branch it was on
    worktree TEXT,               -- the name of the worktree it came from
    before BLOB NOT NULL,        -- where the target was
    candidate BLOB NOT NULL,     -- where it goes
    place BLOB,                  -- null: the target is checked out nowhere
    admin BLOB,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX landings_open ON landings (created_at) WHERE ended_at IS NULL;
CREATE INDEX landings_source ON landings (source, target) WHERE state = 'done';
CREATE UNIQUE INDEX landings_key ON landings (key) WHERE key IS NOT NULL AND state = 'done';

PRAGMA user_version = 5;
