//! Object names of either hash.

use std::{fmt, str::FromStr};

/// The name of a git object: 20 bytes (sha1) or 32 bytes (sha256).
///
/// Ordered by bytes; displays as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid {
    bytes: [u8; 32],
    len: u8,
}

/// Why a text or byte string is not an object name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an object name of 40 or 64 hexadecimal digits")]
pub struct OidError(String);

impl Oid {
    /// Makes an object name from 20 or 32 raw bytes.
    ///
    /// # Errors
    /// Any other length.
    pub fn from_bytes(raw: &[u8]) -> Result<Self, OidError> {
        if raw.len() != 20 && raw.len() != 32 {
            return Err(OidError(format!("{} bytes", raw.len())));
        }
        let mut bytes = [0; 32];
        bytes[..raw.len()].copy_from_slice(raw);
        Ok(Self { bytes, len: if raw.len() == 20 { 20 } else { 32 } })
    }

    /// The raw bytes, 20 or 32 of them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Tells whether all digits are zero, git's way of saying "no object".
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.as_bytes().iter().all(|&byte| byte == 0)
    }

    /// The first ten digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..10].to_owned()
    }

    /// The all-zero name of the same hash, which stands for "must not exist" in a ref transaction.
    #[must_use]
    pub fn null_like(&self) -> Self {
        Self { bytes: [0; 32], len: self.len }
    }
}

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, OidError> {
        let wrong = || OidError(text.to_owned());
        if text.len() != 40 && text.len() != 64 {
            return Err(wrong());
        }
        let mut raw = Vec::with_capacity(32);
        for pair in text.as_bytes().chunks(2) {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
            let high = digit(pair[0]).ok_or_else(wrong)?;
            let low = digit(pair[1]).ok_or_else(wrong)?;
            raw.push(high << 4 | low);
        }
        Self::from_bytes(&raw)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_both_hashes() {
        for text in ["0123456789abcdef0123456789abcdef01234567".to_owned(), "ab".repeat(32)] {
            assert_eq!(text.parse::<Oid>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_other_lengths_and_digits() {
        for text in ["", "abc", &"g".repeat(40), &"a".repeat(41), "é".repeat(20).as_str()] {
            assert!(text.parse::<Oid>().is_err(), "{text}");
        }
    }
}
