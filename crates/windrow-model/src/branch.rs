//! Branch names and the template that makes them.

use std::{fmt, str::FromStr};

use crate::{LeaseKey, WorktreeName};

/// A branch's short name (`windrow/quiet-fern`), checked by the rules of git-check-ref-format(1) for branches.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchName(String);

/// Why a text cannot name a branch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid branch name")]
pub struct BranchNameError(String);

impl BranchName {
    /// The short name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full ref, `refs/heads/…`.
    #[must_use]
    pub fn full(&self) -> String {
        format!("refs/heads/{}", self.0)
    }

    /// Reads a full ref; `None` when it is not a branch.
    #[must_use]
    pub fn from_full(full: &str) -> Option<Self> {
        full.strip_prefix("refs/heads/")?.parse().ok()
    }
}

impl FromStr for BranchName {
    type Err = BranchNameError;

    fn from_str(text: &str) -> Result<Self, BranchNameError> {
        if is_branch_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BranchNameError(text.escape_debug().to_string()))
        }
    }
}

/// The rules of git-check-ref-format(1) with `--branch`, plus: at most 200 bytes, so that lock files fit a name.
fn is_branch_name(text: &str) -> bool {
    let forbidden = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let component = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    text.len() <= 200
        && !text.starts_with('-')
        && text != "@"
        && text != "HEAD"
        && !text.contains("..")
        && !text.contains("@{")
        && !text.ends_with('.')
        && !text.chars().any(forbidden)
        && text.split('/').all(component)
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BranchName({self})")
    }
}

/// A pattern such as `windrow/{name}` or `pilot/GH-{key}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchTemplate(String);

/// What a [`BranchTemplate`] may mention.
#[derive(Clone, Debug)]
pub struct TemplateValues<'a> {
    /// Value of `{name}`.
    pub name: &'a WorktreeName,
    /// Value of `{key}`; a template that mentions it needs one.
    pub key: Option<&'a LeaseKey>,
    /// Value of `{user}`.
    pub user: Option<&'a str>,
}

/// Why a template gives no branch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BranchTemplateError {
    /// Neither `{name}` nor `{key}` occurs, so two worktrees would want one branch.
    #[error("branch template `{0}` must hold `{{name}}` or `{{key}}`")]
    Constant(String),
    /// Something in braces that is not known.
    #[error("branch template `{template}` mentions `{{{field}}}`, which is not one of name, key, user")]
    Unknown {
        /// The template.
        template: String,
        /// The word in braces.
        field: String,
    },
    /// A field without a value.
    #[error("branch template `{template}` needs a `{field}`")]
    Missing {
        /// The template.
        template: String,
        /// The word in braces.
        field: String,
    },
    /// The result is no branch name.
    #[error(transparent)]
    Name(#[from] BranchNameError),
}

impl Default for BranchTemplate {
    fn default() -> Self {
        Self("windrow/{name}".to_owned())
    }
}

impl BranchTemplate {
    /// Fills the template in.
    ///
    /// Characters of a key that no branch may hold become hyphens, so that any task id can be used.
    ///
    /// # Errors
    /// A field without a value, or a result that is no branch name.
    pub fn render(&self, values: &TemplateValues<'_>) -> Result<BranchName, BranchTemplateError> {
        let mut text = String::new();
        for piece in pieces(&self.0) {
            match piece {
                Piece::Text(fixed) => text.push_str(fixed),
                Piece::Field(field) => text.push_str(&self.value(field, values)?),
            }
        }
        Ok(text.parse()?)
    }

    fn value(&self, field: &str, values: &TemplateValues<'_>) -> Result<String, BranchTemplateError> {
        let given = match field {
            "name" => Some(values.name.as_str().to_owned()),
            "key" => values.key.map(|key| branch_safe(key.as_str())),
            _ => values.user.map(branch_safe),
        };
        given
            .ok_or_else(|| BranchTemplateError::Missing { template: self.0.clone(), field: field.to_owned() })
    }
}

fn branch_safe(text: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() || "-_./#+=".contains(c) { c } else { '-' };
    text.chars().map(keep).collect()
}

enum Piece<'a> {
    Text(&'a str),
    Field(&'a str),
}

fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut rest = template;
    let mut found = Vec::new();
    while let Some((before, field, after)) = split_field(rest) {
        found.push(Piece::Text(before));
        found.push(Piece::Field(field));
        rest = after;
    }
    found.push(Piece::Text(rest));
    found
}

fn split_field(text: &str) -> Option<(&str, &str, &str)> {
    let (before, opened) = text.split_once('{')?;
    let (field, after) = opened.split_once('}')?;
    Some((before, field, after))
}

impl FromStr for BranchTemplate {
    type Err = BranchTemplateError;

    fn from_str(text: &str) -> Result<Self, BranchTemplateError> {
        let fields: Vec<_> = pieces(text)
            .into_iter()
            .filter_map(|piece| if let Piece::Field(field) = piece { Some(field) } else { None })
            .collect();
        if let Some(field) = fields.iter().find(|field| !["name", "key", "user"].contains(field)) {
            return Err(BranchTemplateError::Unknown {
                template: text.to_owned(),
                field: (*field).to_owned(),
            });
        }
        if !fields.iter().any(|field| ["name", "key"].contains(field)) {
            return Err(BranchTemplateError::Constant(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for BranchTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, key: Option<&str>) -> Result<String, BranchTemplateError> {
        let name = "quiet-fern".parse().unwrap();
        let key = key.map(|text| text.parse().unwrap());
        let values = TemplateValues { name: &name, key: key.as_ref(), user: None };
        Ok(template.parse::<BranchTemplate>()?.render(&values)?.as_str().to_owned())
    }

    #[test]
    fn fills_in_names_and_keys() {
        assert_eq!(render("windrow/{name}", None).unwrap(), "windrow/quiet-fern");
        assert_eq!(render("pilot/GH-{key}", Some("17")).unwrap(), "pilot/GH-17");
        assert_eq!(render("t/{key}", Some("a b:c")).unwrap(), "t/a-b-c");
    }

    #[test]
    fn refuses_templates_that_collide_or_ask_for_the_unknown() {
        assert!(matches!(render("fixed", None), Err(BranchTemplateError::Constant(_))));
        assert!(matches!(render("{nmae}/{name}", None), Err(BranchTemplateError::Unknown { .. })));
        assert!(matches!(render("x/{key}", None), Err(BranchTemplateError::Missing { .. })));
        assert!(matches!(render("x/{key}", Some("..")), Err(BranchTemplateError::Name(_))));
    }

    #[test]
    fn knows_gits_rules_for_branches() {
        for good in ["main", "a/b", "pilot/GH-1", "ünïcode", "a@b"] {
            assert!(good.parse::<BranchName>().is_ok(), "{good}");
        }
        for bad in [
            "", "-x", "@", "HEAD", "a..b", "a@{b", "a.lock", "a.lock/b", "/a", "a/", "a//b", ".a", "a.",
            "a b", "a~", "a\u{7f}",
        ] {
            assert!(bad.parse::<BranchName>().is_err(), "{bad}");
        }
    }
}
