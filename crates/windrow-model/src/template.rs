//! Templates of environment variables: `{name}` and others like it stand for what a worktree has.

/// What may stand in braces.
const NAMES: [&str; 7] = ["name", "slug", "port", "repo", "main", "worktree", "state"];

/// Tells whether every name in braces is one that stands for something; what is no name may stand there, as in `${HOME}` or JSON.
#[must_use]
pub fn is_worktree_template(text: &str) -> bool {
    let mut known = true;
    fill_worktree_template(text.as_bytes(), |name| {
        known &= is_known(name);
        Some(Vec::new())
    });
    known
}

/// Puts values in; a name without a value stays as it is.
pub fn fill_worktree_template(text: &[u8], mut value: impl FnMut(&str) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut filled = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&first) = rest.first() {
        let named = name(rest).filter(|_| filled.last() != Some(&b'$'));
        match named.and_then(|(name, after)| Some((value(name)?, after))) {
            Some((value, after)) => {
                filled.extend(value);
                rest = after;
            }
            None => {
                filled.push(first);
                rest = &rest[1..];
            }
        }
    }
    filled
}

/// Also `port_1` and so on.
fn is_known(name: &str) -> bool {
    let numbered = name.strip_prefix("port_").is_some_and(|number| number.parse::<u16>().is_ok());
    NAMES.contains(&name) || numbered
}

/// The name in braces that the text begins with, and what follows.
fn name(text: &[u8]) -> Option<(&str, &[u8])> {
    let inner = text.strip_prefix(b"{")?;
    let end = inner.iter().position(|byte| *byte == b'}')?;
    let good = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
    let is_name = inner.first().is_some_and(u8::is_ascii_lowercase) && inner[..end].iter().all(good);
    std::str::from_utf8(&inner[..end]).ok().filter(|_| is_name).map(|name| (name, &inner[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_taken() {
        for good in [
            "app_{slug}",
            "http://localhost:{port}/{name}",
            "{port_9}",
            "${HOME}/x",
            "{\"a\": 1}",
            "{}",
            "{A}",
        ] {
            assert!(is_worktree_template(good), "{good}");
        }
        for bad in ["{nme}", "{port_x}", "{port_}", "x{y}"] {
            assert!(!is_worktree_template(bad), "{bad}");
        }
    }

    #[test]
    fn values_are_not_looked_at_again() {
        let value = |name: &str| (name == "name").then(|| b"{port}".to_vec());
        let filled = fill_worktree_template(b"<{name}>${name}{port}", value);
        assert_eq!(filled, b"<{port}>${name}{port}");
    }
}
