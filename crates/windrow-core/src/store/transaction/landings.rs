//! Changes to the journal of landings.

use jiff::Timestamp;
use rusqlite::params;
use windrow_model::{
    EventKind, LandingEvent, LandingId, LandingRecord, LandingState, NewEvent, Oid, Watched,
};

use super::Tx;
use crate::store::{StoreError, rows};

impl Tx<'_> {
    /// Records a landing that begins.
    ///
    /// # Errors
    /// The database failed.
    pub fn insert_landing(&mut self, landing: &LandingRecord) -> Result<(), StoreError> {
        let sql = "INSERT INTO landings (id, key, state, strategy, target, source, branch, worktree, before,
            candidate, place, admin, created_at, ended_at, detail)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
        let place = landing.place.as_ref();
        let values = params![
            landing.id.to_string(),
            landing.key.as_ref().map(|key| key.as_str()),
            landing.state.as_str(),
            landing.strategy.as_str(),
            landing.target.as_str(),
            landing.source.as_bytes(),
            landing.branch.as_ref().map(|branch| branch.as_str()),
            landing.worktree.as_ref().map(|name| name.as_str()),
            landing.before.as_bytes(),
            landing.candidate.as_bytes(),
            place.map(|(root, _)| rows::path_column(root)),
            place.map(|(_, admin)| rows::path_column(admin)),
            landing.created_at.as_microsecond(),
            landing.ended_at.map(Timestamp::as_microsecond),
            landing.detail,
        ];
        self.database().write("record a landing", sql, values).map(drop)
    }

    /// Takes a landing through events, in order; the state after the last one is recorded.
    ///
    /// # Errors
    /// [`StoreError::NoSuchLanding`], [`StoreError::IllegalLanding`]; the database failed.
    pub fn advance_landing(
        &mut self,
        id: LandingId,
        events: &[LandingEvent],
        now: Timestamp,
        detail: &str,
    ) -> Result<LandingState, StoreError> {
        let landing = self.landing(id)?.ok_or(StoreError::NoSuchLanding(id))?;
        let step = |state: LandingState, event: &LandingEvent| state.after(*event);
        let state = events.iter().try_fold(landing.state, step).map_err(StoreError::IllegalLanding)?;
        let ended = state.is_over().then(|| now.as_microsecond());
        let sql = "UPDATE landings SET state = ?2, ended_at = ?3, detail = ?4 WHERE id = ?1";
        let values = params![id.to_string(), state.as_str(), ended, detail];
        self.database().write("advance a landing", sql, values)?;
        if state.is_over() {
            self.tell_landing(&landing, state, now, detail)?;
        }
        Ok(state)
    }

    /// Records where a landing that was made again goes now.
    ///
    /// # Errors
    /// [`StoreError::NoSuchLanding`], [`StoreError::IllegalLanding`]; the database failed.
    pub fn remake_landing(
        &mut self,
        id: LandingId,
        before: &Oid,
        candidate: &Oid,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.advance_landing(id, &[LandingEvent::Remade], now, "")?;
        let sql = "UPDATE landings SET before = ?2, candidate = ?3 WHERE id = ?1";
        let values = params![id.to_string(), before.as_bytes(), candidate.as_bytes()];
        self.database().write("move a landing", sql, values).map(drop)
    }

    /// Sets what every live lease was told of the main checkout from one value to the next, where it was told the first: what a
    /// landing changes is no drift.
    ///
    /// # Errors
    /// The database failed.
    pub fn follow_fingerprints(
        &mut self,
        kind: Watched,
        name: &[u8],
        (from, to): (&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let sql = "UPDATE fingerprints SET value = ?4 WHERE kind = ?1 AND name = ?2 AND value = ?3";
        self.database().write("follow a landing", sql, params![kind.as_str(), name, from, to]).map(drop)
    }

    fn tell_landing(
        &mut self,
        landing: &LandingRecord,
        state: LandingState,
        now: Timestamp,
        detail: &str,
    ) -> Result<(), StoreError> {
        let kind =
            if state == LandingState::Done { EventKind::LandingDone } else { EventKind::LandingRefused };
        let what = format!("{} on {}", landing.source.short(), landing.target);
        let detail = if detail.is_empty() { what } else { format!("{what}: {detail}") };
        self.append(&NewEvent { kind, worktree: landing.worktree.clone(), lease: None, detail }, now)
            .map(drop)
    }
}
