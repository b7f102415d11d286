//! Tasks and claims; every function here runs inside a transaction of the caller.

use std::time::Duration;

use rusqlite::{Row, params};
use windrow_model::Fence;

use super::{Outcome, SqliteCoordination};
use crate::store::{
    coordination::{
        Claim, CoordinationError, Fields, FieldsChange, NewTask, StateChange, TASK_ALPHABET, Task,
        TaskChange, TaskId, merged,
    },
    rows,
};

/// Random characters in an id; a million short ids, then longer ones.
const ID_LENGTHS: [usize; 10] = [4, 4, 4, 5, 5, 6, 6, 8, 10, 12];

impl SqliteCoordination {
    pub(super) fn insert_task(&self, new: &NewTask) -> Outcome<Task> {
        let now = self.micros();
        let sql = "INSERT INTO tasks (id, title, state, fields, rev, created_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5) RETURNING *";
        let id = self.free_id()?;
        let values = params![id.as_str(), new.title, new.state.as_str(), text_of(&new.fields), now];
        let made = self.database.one("create a task", sql, values, task)?.expect("an insert returns its row");
        self.write_change(&made, &new.actor)?;
        Ok(made)
    }

    fn free_id(&self) -> Outcome<TaskId> {
        let mut id = random_id(ID_LENGTHS[0]);
        for length in ID_LENGTHS {
            id = random_id(length);
            if self.find_task(&id)?.is_none() {
                break;
            }
        }
        // Should even the longest be taken, the primary key refuses it.
        Ok(id)
    }

    pub(super) fn find_task(&self, id: &TaskId) -> Outcome<Option<Task>> {
        Ok(self.database.one("find a task", "SELECT * FROM tasks WHERE id = ?1", [id.as_str()], task)?)
    }

    fn known_task(&self, id: &TaskId) -> Outcome<Task> {
        self.find_task(id)?.ok_or_else(|| CoordinationError::NoSuchTask(id.clone()))
    }

    pub(super) fn change_state(&self, id: &TaskId, change: &StateChange) -> Outcome<Task> {
        let current = self.changeable(id, change.fence)?;
        if current.state != change.expected {
            return Err(CoordinationError::Lost { current: Box::new(current) });
        }
        let fields = merged(&current.fields, &change.fields);
        self.write_task(&Task { state: change.next.clone(), fields, ..current }, &change.actor)
    }

    pub(super) fn change_fields(&self, id: &TaskId, change: &FieldsChange) -> Outcome<Task> {
        let current = self.changeable(id, change.fence)?;
        if current.rev != change.rev {
            return Err(CoordinationError::Lost { current: Box::new(current) });
        }
        self.write_task(&Task { fields: change.fields.clone(), ..current }, &change.actor)
    }

    fn changeable(&self, id: &TaskId, fence: Option<Fence>) -> Outcome<Task> {
        let task = self.known_task(id)?;
        if let Some(fence) = fence {
            self.held(id, fence)?;
        }
        Ok(task)
    }

    fn write_task(&self, next: &Task, actor: &str) -> Outcome<Task> {
        let sql = "UPDATE tasks SET state = ?2, fields = ?3, rev = rev + 1, updated_at = ?4 WHERE id = ?1 RETURNING *";
        let values = params![next.id.as_str(), next.state.as_str(), text_of(&next.fields), self.micros()];
        let changed = self.database.one("change a task", sql, values, task)?;
        let changed = changed.ok_or_else(|| CoordinationError::NoSuchTask(next.id.clone()))?;
        self.write_change(&changed, actor)?;
        Ok(changed)
    }

    fn write_change(&self, task: &Task, actor: &str) -> Outcome<()> {
        let sql =
            "INSERT INTO task_changes (task, rev, at, actor, state, fields) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let at = task.updated_at.as_microsecond();
        let rev = rows::signed("revision", task.rev)?;
        let values = params![task.id.as_str(), rev, at, actor, task.state.as_str(), text_of(&task.fields)];
        self.database.write("record a task's history", sql, values)?;
        Ok(())
    }

    pub(super) fn find_claim(&self, id: &TaskId) -> Outcome<Option<Claim>> {
        Ok(self.database.one("find a claim", "SELECT * FROM claims WHERE task = ?1", [id.as_str()], claim)?)
    }

    /// The claim of a holder with `fence`, expired or not: what nobody took over is still its own.
    pub(super) fn held(&self, id: &TaskId, fence: Fence) -> Outcome<Claim> {
        let claim = self.find_claim(id)?.ok_or_else(|| CoordinationError::NotClaimed(id.clone()))?;
        if claim.fence != fence {
            return Err(CoordinationError::Fenced { given: fence, current: claim.fence });
        }
        Ok(claim)
    }

    pub(super) fn take_claim(&self, id: &TaskId, holder: &str, ttl: Duration) -> Outcome<Claim> {
        self.known_task(id)?;
        let now = self.clock.now();
        if let Some(Claim { task, holder, expires_at, .. }) =
            self.find_claim(id)?.filter(|claim| claim.expires_at > now)
        {
            return Err(CoordinationError::Claimed { task, holder, expires_at });
        }
        let fence = self.draw(&format!("task/{id}"))?;
        let sql = "INSERT OR REPLACE INTO claims (task, holder, fence, expires_at) VALUES (?1, ?2, ?3, ?4) RETURNING *";
        let fence = rows::signed("fence", fence.0)?;
        let values = params![id.as_str(), holder, fence, self.after(ttl).as_microsecond()];
        let made = self.database.one("claim a task", sql, values, claim)?;
        Ok(made.expect("an insert returns its row"))
    }

    pub(super) fn extend_claim(&self, id: &TaskId, fence: Fence, ttl: Duration) -> Outcome<Claim> {
        self.held(id, fence)?;
        let sql = "UPDATE claims SET expires_at = ?2 WHERE task = ?1 RETURNING *";
        let values = params![id.as_str(), self.after(ttl).as_microsecond()];
        let renewed = self.database.one("renew a claim", sql, values, claim)?;
        renewed.ok_or_else(|| CoordinationError::NotClaimed(id.clone()))
    }
}

pub(super) fn task(row: &Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        id: rows::parsed(row, "id")?,
        title: row.get("title")?,
        state: rows::parsed(row, "state")?,
        fields: fields(row)?,
        rev: rows::unsigned(row, "rev")?,
        created_at: rows::instant(row, "created_at")?,
        updated_at: rows::instant(row, "updated_at")?,
    })
}

pub(super) fn task_change(row: &Row<'_>) -> rusqlite::Result<TaskChange> {
    Ok(TaskChange {
        rev: rows::unsigned(row, "rev")?,
        at: rows::instant(row, "at")?,
        actor: row.get("actor")?,
        state: rows::parsed(row, "state")?,
        fields: fields(row)?,
    })
}

fn claim(row: &Row<'_>) -> rusqlite::Result<Claim> {
    Ok(Claim {
        task: rows::parsed(row, "task")?,
        holder: row.get("holder")?,
        fence: Fence(rows::unsigned(row, "fence")?),
        expires_at: rows::instant(row, "expires_at")?,
    })
}

fn fields(row: &Row<'_>) -> rusqlite::Result<Fields> {
    let text: String = row.get("fields")?;
    serde_json::from_str(&text).map_err(|error| rows::unreadable("fields", error))
}

fn text_of(fields: &Fields) -> String {
    serde_json::to_string(fields).expect("a map with text keys is always JSON")
}

/// An id from random bits; the database says whether it is free.
fn random_id(length: usize) -> TaskId {
    let bits = uuid::Uuid::now_v7().as_u128();
    let letter =
        |place: usize| char::from(TASK_ALPHABET[usize::try_from(bits >> (5 * place) & 31).unwrap_or(0)]);
    let text: String = (0..length).map(letter).collect();
    format!("t-{text}").parse().expect("letters of the alphabet")
}
