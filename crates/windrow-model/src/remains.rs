//! Whose the remains of a worktree are that was never finished, by what its files still say.
//!
//! Nothing is synced while a worktree is made, so a power cut takes bytes of its files, and on some file systems names. What
//! then proves nothing any more is neither removed nor forgotten.

/// What a file says of whose the directory is that it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProofSeen {
    /// It says what was written into it.
    Ours,
    /// It has lost bytes that were written into it, and says nothing else.
    CutShort,
    /// It is not there.
    Missing,
    /// It says something else.
    Others,
}

/// Whether a power cut can have taken bytes of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossSeen {
    /// The machine has not been started anew since the record was made.
    Impossible,
    /// It has, but the directory is older than the record, or nobody knows how old it is.
    Unlikely,
    /// It has, and the directory was made after the record, or is the recorded one.
    Possible,
}

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remains {
    /// Nobody's: it is not there.
    Nothing,
    /// It is proven to be ours.
    Ours,
    /// It could be ours and could be somebody else's.
    Doubtful,
    /// Nothing speaks for its being ours.
    Others,
}

/// What the registration at the place of an unfinished worktree's says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegistrationProofs {
    /// The file that holds the worktree's id and nothing else.
    pub token: ProofSeen,
    /// The lock, whose reason holds the id too.
    pub lock: ProofSeen,
    /// The file that names the worktree's path.
    pub link: ProofSeen,
    /// Whether bytes can be lost.
    pub loss: LossSeen,
}

/// Decides whose a registration is that lies where an unfinished worktree's was to lie.
#[must_use]
pub fn registration_remains(seen: &RegistrationProofs) -> Remains {
    use ProofSeen as P;
    match (seen.token, seen.lock, seen.link) {
        (P::Ours, ..) => Remains::Ours,
        (P::Others, ..) => Remains::Others,
        (_, P::Ours, _) => Remains::Ours,
        (_, _, P::Others) => Remains::Others,
        // Somebody locked it since.
        (_, P::Others, _) | (P::Missing, ..) => unless_impossible(seen.loss, Remains::Doubtful),
        (P::CutShort, ..) => unless_impossible(seen.loss, Remains::Ours),
    }
}

/// Decides whose the directory at the place of an unfinished worktree is: by its `.git` file, whose the registration is that this one
/// names, and whether bytes can be lost.
#[must_use]
pub fn files_remains(dot_git: ProofSeen, registration: Remains, loss: LossSeen) -> Remains {
    match (dot_git, registration) {
        (ProofSeen::Ours, Remains::Ours | Remains::Others) => registration,
        (ProofSeen::Ours, Remains::Nothing | Remains::Doubtful) => Remains::Doubtful,
        (ProofSeen::CutShort, _) => unless_impossible(loss, Remains::Ours),
        // It had one before it came to this place.
        (ProofSeen::Missing, _) if loss == LossSeen::Possible => Remains::Doubtful,
        (ProofSeen::Missing | ProofSeen::Others, _) => Remains::Others,
    }
}

/// What bytes would prove that can have been lost.
fn unless_impossible(loss: LossSeen, remains: Remains) -> Remains {
    match loss {
        LossSeen::Impossible => Remains::Others,
        LossSeen::Unlikely => Remains::Doubtful,
        LossSeen::Possible => remains,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOFS: [ProofSeen; 4] =
        [ProofSeen::Ours, ProofSeen::CutShort, ProofSeen::Missing, ProofSeen::Others];
    const LOSSES: [LossSeen; 3] = [LossSeen::Impossible, LossSeen::Unlikely, LossSeen::Possible];
    const ALL: [Remains; 4] = [Remains::Nothing, Remains::Ours, Remains::Doubtful, Remains::Others];

    fn letter(remains: Remains) -> char {
        match remains {
            Remains::Nothing => '.',
            Remains::Ours => 'u',
            Remains::Doubtful => '?',
            Remains::Others => 't',
        }
    }

    /// The locks downwards; across, for each token, the links.
    fn registrations(loss: LossSeen) -> [String; 4] {
        PROOFS.map(|lock| {
            let of = |token| PROOFS.map(|link| RegistrationProofs { token, lock, link, loss });
            let row = PROOFS.map(|token| of(token).iter().map(registration_remains).map(letter).collect());
            row.map(|part: String| part).join(" ")
        })
    }

    #[test]
    fn a_registration_is_ours_by_its_id_or_by_what_only_a_cut_can_have_taken() {
        let possible =
            ["uuuu uuuu uuuu tttt", "uuuu uuut ???t tttt", "uuuu uuut ???t tttt", "uuuu ???t ???t tttt"];
        assert_eq!(registrations(LossSeen::Possible), possible);
        let unlikely =
            ["uuuu uuuu uuuu tttt", "uuuu ???t ???t tttt", "uuuu ???t ???t tttt", "uuuu ???t ???t tttt"];
        assert_eq!(registrations(LossSeen::Unlikely), unlikely);
        let impossible =
            ["uuuu uuuu uuuu tttt", "uuuu tttt tttt tttt", "uuuu tttt tttt tttt", "uuuu tttt tttt tttt"];
        assert_eq!(registrations(LossSeen::Impossible), impossible);
    }

    #[test]
    fn files_are_ours_by_their_registration_or_by_what_only_a_cut_can_have_taken() {
        let row = |dot_git, loss| ALL.map(|one| letter(files_remains(dot_git, one, loss))).iter().collect();
        let table = |loss| PROOFS.map(|dot_git| row(dot_git, loss));
        let expected: [[&str; 4]; 3] = [
            ["?u?t", "tttt", "tttt", "tttt"],
            ["?u?t", "????", "tttt", "tttt"],
            ["?u?t", "uuuu", "????", "tttt"],
        ];
        assert_eq!(LOSSES.map(|loss| table(loss) as [String; 4]), expected);
    }
}
