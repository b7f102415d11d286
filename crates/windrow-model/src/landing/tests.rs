//! Every state with every event.

use super::*;

const EVENTS: [LandingEvent; 14] = [
    LandingEvent::VerifyBegan,
    LandingEvent::Remade,
    LandingEvent::Locked,
    LandingEvent::Staged,
    LandingEvent::ApplyBegan,
    LandingEvent::RefMoved,
    LandingEvent::IndexPublished,
    LandingEvent::PushBegan,
    LandingEvent::CleanBegan,
    LandingEvent::Finished,
    LandingEvent::Conflicted,
    LandingEvent::VerifyFailed,
    LandingEvent::Blocked,
    LandingEvent::TakenBack,
];

fn states() -> impl Iterator<Item = LandingState> {
    LandingState::WORDS.into_iter().map(|(state, _)| state)
}

#[test]
fn every_state_and_strategy_has_its_own_word() {
    for (state, word) in LandingState::WORDS {
        assert_eq!((state.as_str(), word.parse()), (word, Ok(state)));
    }
    for (strategy, word) in LandStrategy::WORDS {
        assert_eq!((strategy.as_str(), word.parse()), (word, Ok(strategy)));
    }
}

#[test]
fn what_is_over_stays_over() {
    for state in states().filter(|state| state.is_over()) {
        for event in EVENTS {
            assert_eq!(state.after(event), Err(IllegalLanding { from: state, event }));
        }
    }
}

/// Before the target moves everything can be taken back; afterwards nothing can.
#[test]
fn a_landing_goes_back_before_the_move_and_forward_after_it() {
    for state in states().filter(|state| !state.is_over()) {
        let back = [LandingEvent::Blocked, LandingEvent::TakenBack].map(|event| state.after(event).is_ok());
        let ends = state.after(LandingEvent::Finished).is_ok();
        let forward = matches!(state.recovery(), LandingRecovery::Forward | LandingRecovery::AskTheRemote);
        assert_eq!(back, [!forward; 2], "{state}");
        assert_eq!(ends, forward, "{state}");
    }
}

#[test]
fn h49_only_a_candidate_can_be_in_conflict_and_what_is_never_moves_a_ref() {
    for state in states() {
        let found = state.after(LandingEvent::Conflicted);
        assert_eq!(found.is_ok(), state == LandingState::Candidate, "{state}");
    }
    assert!(LandingState::Conflicted.after(LandingEvent::ApplyBegan).is_err());
    assert!(LandingState::Failed.after(LandingEvent::ApplyBegan).is_err());
}

/// Nothing of anybody's is touched before the state says so.
#[test]
fn only_applying_leads_to_a_moved_target() {
    for state in states() {
        assert_eq!(state.after(LandingEvent::RefMoved).is_ok(), state == LandingState::Applying, "{state}");
    }
    for (state, rule) in [
        (LandingState::Candidate, LandingRecovery::Forget),
        (LandingState::Verifying, LandingRecovery::Forget),
        (LandingState::Locked, LandingRecovery::Discard),
        (LandingState::Staged, LandingRecovery::Discard),
        (LandingState::Applying, LandingRecovery::AskTheRef),
        (LandingState::Pushing, LandingRecovery::AskTheRemote),
    ] {
        assert_eq!(state.recovery(), rule, "{state}");
    }
}

#[test]
fn every_state_is_reached_from_a_candidate() {
    let mut reached = vec![LandingState::Candidate];
    let mut at = 0;
    while let Some(state) = reached.get(at).copied() {
        for next in EVENTS.into_iter().filter_map(|event| state.after(event).ok()) {
            if !reached.contains(&next) {
                reached.push(next);
            }
        }
        at += 1;
    }
    assert_eq!(reached.len(), LandingState::WORDS.len(), "{reached:?}");
}
