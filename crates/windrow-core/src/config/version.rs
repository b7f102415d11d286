//! Versions, as far as `min_version` needs them.

/// The `min_version` that every program satisfies.
pub(super) const ANY: &str = "0";

/// A version by precedence; a pre-release comes before its release.
///
/// *Source*: <https://semver.org/spec/v2.0.0.html>, item 11; two pre-releases of one version count as equal here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    numbers: [u64; 3],
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    PreRelease,
    Release,
}

/// Tells whether a program of version `this` is older than one of version `that`; what is no version is not older.
#[must_use]
pub fn is_older(this: &str, that: &str) -> bool {
    match (Version::parse_program(this), Version::parse_program(that)) {
        (Some(this), Some(that)) => this < that,
        _ => false,
    }
}

impl Version {
    /// Reads the version of a program, `1.2.3`, `1.2.3-dev` or `1.2.3+build`.
    pub(super) fn parse_program(text: &str) -> Option<Self> {
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        match text.split_once('-') {
            Some((core, _)) => Some(Self { numbers: numbers(core)?, stage: Stage::PreRelease }),
            None => Self::parse_needed(text),
        }
    }

    /// Reads `1`, `1.2` or `1.2.3`.
    pub(super) fn parse_needed(text: &str) -> Option<Self> {
        Some(Self { numbers: numbers(text)?, stage: Stage::Release })
    }
}

fn numbers(text: &str) -> Option<[u64; 3]> {
    let mut found = [0; 3];
    for (index, part) in text.split('.').enumerate() {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        *found.get_mut(index)? = if digits { part.parse().ok()? } else { return None };
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_by_precedence() {
        let needed = |text| Version::parse_needed(text).unwrap();
        let program = |text| Version::parse_program(text).unwrap();
        assert!(needed("0.10") > program("0.9.9"));
        assert!(needed("1") == program("1.0.0+linux"));
        assert!(needed("0.2.0") > program("0.2.0-dev"));
        assert!(needed("0.1.9") < program("0.2.0-dev"));
        assert!(needed(ANY) <= program("0.0.0"));
    }

    #[test]
    fn refuses_what_is_no_version() {
        for text in ["", "1.", "v1", "1.2.3.4", "1.x", "+1", "-1", "1.2.3-rc", "99999999999999999999"] {
            assert_eq!(Version::parse_needed(text), None, "{text}");
        }
    }
}
