//! The ways by which windrow can make a worktree, and what each needs beforehand.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use windrow_testkit::{Invocation, TestRepo};

/// How long making something ready may take; it is not measured.
pub(super) const LONG: Duration = Duration::from_secs(2 * 3_600);

/// Strategies that take the files from a template, which therefore has to be there.
const FROM_TEMPLATE: [&str; 4] = ["overlay", "snapshot", "clone", "copy"];

/// One way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A worktree that was held ready.
    Warm,
    /// Neither pool nor template.
    Fresh,
    /// No pool, but a template.
    Template,
    /// No pool, and this strategy; with a template where it needs one.
    Strategy(String),
}

impl Way {
    /// The settings of a call, as arguments.
    pub(super) fn words(&self) -> Vec<String> {
        let mut settings = Vec::new();
        if *self != Self::Warm {
            settings.push("pool.warm=0".to_owned());
        }
        match self {
            Self::Warm => {}
            // A template that another way left would make it something else.
            Self::Fresh => settings.push("pool.templates=0".to_owned()),
            Self::Template => settings.push("pool.templates=1".to_owned()),
            Self::Strategy(name) => {
                settings.extend(self.needs_template().then(|| "pool.templates=1".to_owned()));
                settings.push(format!("pool.strategy={name}"));
            }
        }
        settings.into_iter().flat_map(|setting| ["--config".to_owned(), setting]).collect()
    }

    /// Makes ready what the next worktree is to be made from, and nothing else.
    pub(super) fn prepare(&self, repo: &TestRepo) {
        let ready: &[&str] = match self {
            Self::Warm => &["pool", "warm", "1", "--wait"],
            _ => &["pool", "resize", "0"],
        };
        let run = |call: Invocation| call.bound(LONG).run().assert_success();
        run(repo.windrow(ready));
        if self.needs_template() {
            run(repo.windrow(["pool", "template"]).args(self.words()));
        }
    }

    fn needs_template(&self) -> bool {
        match self {
            Self::Warm | Self::Fresh => false,
            Self::Template => true,
            Self::Strategy(name) => FROM_TEMPLATE.contains(&name.as_str()),
        }
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "warm" => Ok(Self::Warm),
            "fresh" => Ok(Self::Fresh),
            "template" => Ok(Self::Template),
            _ => match word.strip_prefix("strategy=") {
                Some(name) if !name.is_empty() => Ok(Self::Strategy(name.to_owned())),
                _ => Err("`warm`, `fresh`, `template` or `strategy=NAME`".to_owned()),
            },
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warm => f.write_str("warm"),
            Self::Fresh => f.write_str("fresh"),
            Self::Template => f.write_str("template"),
            Self::Strategy(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_named() {
        let parsed = ["warm", "fresh", "template", "strategy=clone"].map(str::parse);
        let clone = Way::Strategy("clone".to_owned());
        assert_eq!(parsed, [Ok(Way::Warm), Ok(Way::Fresh), Ok(Way::Template), Ok(clone)]);
        for wrong in ["", "cold", "strategy", "strategy="] {
            assert!(wrong.parse::<Way>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_go_with_the_way() {
        let words = |way: &str| way.parse::<Way>().expect("a way").words().join(" ");
        assert_eq!(words("warm"), "");
        assert_eq!(words("fresh"), "--config pool.warm=0 --config pool.templates=0");
        assert_eq!(words("template"), "--config pool.warm=0 --config pool.templates=1");
        assert_eq!(words("strategy=checkout"), "--config pool.warm=0 --config pool.strategy=checkout");
        assert!(words("strategy=copy").contains("pool.templates=1"));
    }
}
