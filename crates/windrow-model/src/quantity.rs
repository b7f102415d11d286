//! Durations and sizes as people write them.

use std::time::Duration;

/// Why a text is no duration or size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct QuantityError {
    text: String,
    expected: &'static str,
}

const SECONDS: [(&str, u64); 9] = [
    ("s", 1),
    ("sec", 1),
    ("m", 60),
    ("min", 60),
    ("h", 3_600),
    ("d", 86_400),
    ("w", 604_800),
    ("day", 86_400),
    ("days", 86_400),
];
const BYTES: [(&str, u64); 9] = [
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("t", 1 << 40),
    ("tib", 1 << 40),
];

/// Reads `90`, `90s`, `10m`, `1h30m`, `14d`; a bare number is seconds.
///
/// # Errors
/// Anything else, and what does not fit 64 bits.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let wrong =
        || QuantityError { text: text.to_owned(), expected: "a duration such as 90s, 10m, 1h30m or 14d" };
    let mut total: u64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let (number, unit, after) = split_quantity(rest).ok_or_else(wrong)?;
        let unit = if unit.is_empty() && after.is_empty() { "s" } else { unit };
        let scale = SECONDS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
        total = number.checked_mul(scale).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = after;
    }
    Ok(Duration::from_secs(total))
}

/// Reads `4096`, `64k`, `512MiB`, `2g`; a bare number is bytes, units are powers of 1024.
///
/// # Errors
/// Anything else, and what does not fit 64 bits.
pub fn parse_bytes(text: &str) -> Result<u64, QuantityError> {
    let wrong = || QuantityError { text: text.to_owned(), expected: "a size such as 4096, 512MiB or 2GiB" };
    let lower = text.trim().to_ascii_lowercase();
    let (number, unit, after) = split_quantity(&lower).ok_or_else(wrong)?;
    let unit = if unit.is_empty() { "b" } else { unit };
    let scale = BYTES.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    if after.is_empty() { number.checked_mul(scale).ok_or_else(wrong) } else { Err(wrong()) }
}

/// Splits off a leading number and the letters after it.
fn split_quantity(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(letters);
    Some((number.parse().ok()?, unit, after))
}

/// Writes a duration in its two largest units: `1h 30m`, `42s`, `0s`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts =
        [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let written: Vec<_> = parts
        .iter()
        .filter(|(_, count)| *count > 0)
        .take(2)
        .map(|(unit, count)| format!("{count}{unit}"))
        .collect();
    if written.is_empty() { "0s".to_owned() } else { written.join(" ") }
}

/// Writes a size with one digit after the point: `512 B`, `1.5 MiB`.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    let units = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, scale)| bytes >= *scale) {
        Some((unit, scale)) => format!("{}.{} {unit}", bytes / scale, (bytes % scale) * 10 / scale),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        for (text, seconds) in [("90", 90), ("10m", 600), ("1h30m", 5_400), ("14d", 1_209_600), ("0s", 0)] {
            assert_eq!(parse_duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "m", "10x", "-1s", "1.5h", "99999999999999999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_and_writes_sizes() {
        for (text, bytes) in [("0", 0), ("64k", 65_536), ("512MiB", 512 << 20), ("2g", 2 << 30)] {
            assert_eq!(parse_bytes(text).unwrap(), bytes, "{text}");
        }
        assert!(parse_bytes("12q").is_err() && parse_bytes("").is_err() && parse_bytes("1g1").is_err());
        assert_eq!(format_bytes(1_610_612_736), "1.5 GiB");
        assert_eq!(format_bytes(900), "900 B");
    }

    #[test]
    fn writes_the_two_largest_units() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (5_400, "1h 30m"), (90_061, "1d 1h")] {
            assert_eq!(format_duration(Duration::from_secs(seconds)), text);
        }
    }
}
