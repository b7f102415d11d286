//! Identifiers of records.

use std::{fmt, str::FromStr};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what} id")]
pub struct IdError {
    what: &'static str,
    text: String,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// Wraps a time-ordered UUID (version 7), made by the caller.
            #[must_use]
            pub fn new(id: uuid::Uuid) -> Self {
                Self(id)
            }

            /// Eight hexadecimal digits from the random part, for people and file names; not unique by itself.
            #[must_use]
            pub fn short(&self) -> String {
                let text = self.0.simple().to_string();
                text[text.len() - 8..].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = |_| IdError { what: $what, text: text.to_owned() };
                uuid::Uuid::try_parse(text).map(Self).map_err(wrong)
            }
        }
    };
}

uuid_id!(
    /// Names a worktree's record, for ever.
    WorktreeId,
    "worktree"
);
uuid_id!(
    /// Names a lease, for ever.
    LeaseId,
    "lease"
);
uuid_id!(
    /// Names a session: leases that end together.
    SessionId,
    "session"
);
uuid_id!(
    /// Names a landing, for ever.
    LandingId,
    "landing"
);

/// Names a rescue: the worktree's name, a hyphen and eight hexadecimal digits, safe in a ref and in a file name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RescueId(String);

impl RescueId {
    /// Makes the id of a rescue of the worktree `name`, told apart by the short form of the lease it came from.
    #[must_use]
    pub fn of(name: &crate::WorktreeName, lease: &LeaseId) -> Self {
        Self(format!("{name}-{}", lease.short()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RescueId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let safe = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > 128 || text.starts_with('-') || !text.bytes().all(safe) {
            return Err(IdError { what: "rescue", text: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RescueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RescueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RescueId({self})")
    }
}

/// A number that only grows; a mutation that carries an older one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
