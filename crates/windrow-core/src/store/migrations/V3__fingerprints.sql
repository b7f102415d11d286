-- What was everybody's when a lease was given; goes when the lease ends. `kind` is a word of the model; the row `taken` holds
-- the instant in `name`.

CREATE TABLE fingerprints (
    lease TEXT NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (lease, kind, name)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 3;
