//! How the files of a new worktree come to be: which way is taken, and why not a better one.

/// A way to make the files of a worktree, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// Every file is written from git's objects.
    Checkout,
    /// Files are copied from a template; what it does not hold is written from git's objects.
    Copy,
    /// As [`Strategy::Copy`], but large files share their blocks with the template until somebody writes.
    Clone,
    /// The whole template is shared until somebody writes (a btrfs snapshot); what differs is then changed.
    Snapshot,
    /// The template is shown below what is changed, to the command and what it starts alone; from a template of its own kind,
    /// which serves in no other way.
    Overlay,
}

impl Strategy {
    /// All, slowest first.
    pub const ALL: [Self; 5] = [Self::Checkout, Self::Copy, Self::Clone, Self::Snapshot, Self::Overlay];

    /// Its name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Copy => "copy",
            Self::Clone => "clone",
            Self::Snapshot => "snapshot",
            Self::Overlay => "overlay",
        }
    }
}

/// Which way the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum StrategyChoice {
    /// The fastest that the machine can do.
    #[default]
    Auto,
    /// This one, and no worktree that is held ready.
    Only(Strategy),
}

/// What a file system was seen to do; a reason in words where it cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Snapshots of a directory.
    pub snapshot: Result<(), String>,
    /// Files that share blocks.
    pub clone: Result<(), String>,
    /// Overlays that one process and those it starts see.
    pub overlay: Result<(), String>,
}

impl Abilities {
    /// Why a way cannot be taken; `None` when it can.
    #[must_use]
    pub fn objection(&self, strategy: Strategy) -> Option<&str> {
        match strategy {
            Strategy::Overlay => self.overlay.as_ref().err().map(String::as_str),
            Strategy::Snapshot => self.snapshot.as_ref().err().map(String::as_str),
            Strategy::Clone => self.clone.as_ref().err().map(String::as_str),
            Strategy::Copy | Strategy::Checkout => None,
        }
    }
}

/// The way to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// It.
    pub strategy: Strategy,
    /// Why it is not the one that was asked for.
    pub instead: Option<String>,
}

/// Chooses the way for one worktree.
///
/// `offered` is the best way that the template of this repository serves, which includes all slower ones; `None` when there is no
/// template.
#[must_use]
pub fn choose_strategy(choice: StrategyChoice, offered: Option<Strategy>) -> Chosen {
    let best = offered.unwrap_or(Strategy::Checkout);
    let plain = |strategy| Chosen { strategy, instead: None };
    match (choice, offered) {
        (StrategyChoice::Auto, _) => plain(best),
        (StrategyChoice::Only(wanted), _) if wanted <= best => plain(wanted),
        (StrategyChoice::Only(wanted), None) => Chosen {
            strategy: best,
            instead: Some(format!(
                "strategy {} needs a template and there is none yet (`windrow pool template` makes one): files are \
                 written by {}",
                wanted.as_str(),
                best.as_str()
            )),
        },
        (StrategyChoice::Only(wanted), Some(_)) => Chosen {
            strategy: best,
            instead: Some(format!(
                "strategy {} cannot be had here (`windrow doctor --strategies` says why): files are written by {}",
                wanted.as_str(),
                best.as_str()
            )),
        },
    }
}

/// Why a template is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateOccasion {
    /// In the background, if it is worth it.
    Background,
    /// Because the user asked for one.
    Asked,
}

/// How few files are written as fast as they are copied. *Source*: measured, ripgrep and tokio take the same time every way.
pub const FEW_FILES: u64 = 2_000;

/// The best way that a template to be made would serve; `None` when none is to be made.
///
/// Where only copies can be made a template costs the disk of one more worktree, so that one is made only when somebody asks. One
/// for overlays is made only for who wants overlays: not everything can be done in them.
#[must_use]
pub fn template_for(
    choice: StrategyChoice,
    abilities: &Abilities,
    files: u64,
    occasion: TemplateOccasion,
) -> Option<Strategy> {
    let most = match choice {
        StrategyChoice::Auto => Strategy::Snapshot,
        StrategyChoice::Only(wanted) => wanted,
    };
    let able = |strategy: &Strategy| *strategy <= most && abilities.objection(*strategy).is_none();
    let best = Strategy::ALL.into_iter().rev().find(able).filter(|best| *best != Strategy::Checkout)?;
    let asked = occasion == TemplateOccasion::Asked || choice == StrategyChoice::Only(best);
    (asked || (files >= FEW_FILES && best > Strategy::Copy)).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn able_to(able: &[Strategy]) -> Abilities {
        let ability = |way| if able.contains(&way) { Ok(()) } else { Err("no".to_owned()) };
        Abilities {
            snapshot: ability(Strategy::Snapshot),
            clone: ability(Strategy::Clone),
            overlay: ability(Strategy::Overlay),
        }
    }

    const BTRFS: [Strategy; 2] = [Strategy::Snapshot, Strategy::Clone];
    const XFS: [Strategy; 1] = [Strategy::Clone];

    #[test]
    fn the_best_that_is_offered_is_taken() {
        for offered in [None].into_iter().chain(Strategy::ALL.map(Some)) {
            let chosen = choose_strategy(StrategyChoice::Auto, offered);
            assert_eq!(chosen.strategy, offered.unwrap_or(Strategy::Checkout));
            assert_eq!(chosen.instead, None);
        }
    }

    #[test]
    fn what_is_asked_for_is_taken_or_explained() {
        for wanted in Strategy::ALL {
            for offered in [None].into_iter().chain(Strategy::ALL.map(Some)) {
                let best = offered.unwrap_or(Strategy::Checkout);
                let chosen = choose_strategy(StrategyChoice::Only(wanted), offered);
                assert_eq!(chosen.strategy, wanted.min(best));
                assert_eq!(chosen.instead.is_some(), wanted > best, "{wanted:?} of {offered:?}");
            }
        }
    }

    #[test]
    fn templates_are_made_where_they_cost_little() {
        use TemplateOccasion::{Asked, Background};
        let auto = StrategyChoice::Auto;
        let of = |able: &[Strategy], files, occasion| template_for(auto, &able_to(able), files, occasion);
        assert_eq!(of(&BTRFS, FEW_FILES, Background), Some(Strategy::Snapshot));
        assert_eq!(of(&XFS, FEW_FILES, Background), Some(Strategy::Clone));
        assert_eq!(of(&[], FEW_FILES, Background), None);
        assert_eq!(of(&BTRFS, FEW_FILES - 1, Background), None);
        assert_eq!(of(&[], 1, Asked), Some(Strategy::Copy));
        assert_eq!(of(&BTRFS, 1, Asked), Some(Strategy::Snapshot));
    }

    #[test]
    fn only_who_wants_overlays_gets_a_template_for_them() {
        use TemplateOccasion::{Asked, Background};
        let able = able_to(&[Strategy::Overlay, Strategy::Clone]);
        let wanted = StrategyChoice::Only(Strategy::Overlay);
        for occasion in [Asked, Background] {
            assert_eq!(template_for(wanted, &able, 1, occasion), Some(Strategy::Overlay));
        }
        assert_eq!(template_for(StrategyChoice::Auto, &able, FEW_FILES, Background), Some(Strategy::Clone));
        // Where there are none, what comes next is made as if nothing had been said.
        assert_eq!(template_for(wanted, &able_to(&XFS), FEW_FILES, Background), Some(Strategy::Clone));
        assert_eq!(template_for(wanted, &able_to(&[]), FEW_FILES, Background), None);
    }

    #[test]
    fn a_choice_bounds_the_template() {
        let all = able_to(&BTRFS);
        let of = |wanted, files| {
            template_for(StrategyChoice::Only(wanted), &all, files, TemplateOccasion::Background)
        };
        assert_eq!(of(Strategy::Checkout, 1 << 20), None);
        for wanted in [Strategy::Copy, Strategy::Clone, Strategy::Snapshot] {
            assert_eq!(of(wanted, 1), Some(wanted));
        }
        let none = able_to(&[]);
        let choice = StrategyChoice::Only(Strategy::Snapshot);
        assert_eq!(template_for(choice, &none, 1 << 20, TemplateOccasion::Background), None);
    }
}
