//! What the template of `pool.directory` may look like.

const REPO: &str = "{repo}";
const NAME: &str = "{name}";

/// Tells whether a template is usable by anyone: absolute or beginning with `{repo}`, holding `{name}`, with no other
/// field, without `..`, so that where it leads can be seen from its text.
pub(super) fn is_directory_template(text: &str) -> bool {
    let plain = text.replace(REPO, "").replace(NAME, "");
    (text.starts_with('/') || text.starts_with(REPO))
        && text.contains(NAME)
        && !plain.contains(['{', '}'])
        && !text.contains(char::is_control)
        && text.split('/').all(|part| part != "..")
}

/// Tells whether a template leads to a sibling of the main checkout whose name begins with the checkout's.
///
/// A committed file comes with a clone, so it must not choose where on the machine Windrow writes: not into the
/// checkout (`{repo}/.git/…`), not elsewhere, not into a bare repository beside it (`{repo}.git/…`).
pub(super) fn stays_beside_repository(text: &str) -> bool {
    let Some(suffix) = text.strip_prefix(REPO) else { return false };
    let is_git = |part: &str| part.to_ascii_lowercase().ends_with(".git");
    is_directory_template(text)
        && !suffix.is_empty()
        && !suffix.starts_with('/')
        && !suffix.contains(REPO)
        && !suffix.split('/').any(is_git)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_may_choose_any_place_that_can_be_read_off() {
        for good in ["{repo}.windrow/{name}", "/scratch/{name}", "/s/{repo}/{name}", "{repo}/.wt/{name}"] {
            assert!(is_directory_template(good), "{good}");
        }
        for bad in [
            "",
            "{name}",
            "~/w/{name}",
            "{repo}.w",
            "{repo}/../w/{name}",
            "/w/{name}/..",
            "{repo}.{host}/{name}",
            "/w/{name}{",
            "/w\0/{name}",
        ] {
            assert!(!is_directory_template(bad), "{bad}");
        }
    }

    #[test]
    fn a_committed_file_may_only_choose_a_sibling() {
        for good in ["{repo}.windrow/{name}", "{repo}-trees/a/{name}", "{repo}-{name}"] {
            assert!(stays_beside_repository(good), "{good}");
        }
        for bad in [
            "/tmp/{name}",
            "{repo}/{name}",
            "{repo}/.git/hooks/{name}",
            "{repo}.w/../../{name}",
            "{repo}.git/hooks/{name}",
            "{repo}.GIT/{name}",
            "{repo}.w/{repo}/{name}",
            "{repo}",
            "{repo}.w",
        ] {
            assert!(!stays_beside_repository(bad), "{bad}");
        }
    }
}
