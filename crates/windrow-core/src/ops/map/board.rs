//! Who does what next: which tasks wait, which are under way, which are over.

use windrow_model::{BatchTask, TaskEnd};

use super::{MapError, MapTask};

/// The tasks of a batch and how far they are.
#[derive(Debug)]
pub(super) struct Board {
    /// The place of the task that each depends on.
    after: Vec<Option<usize>>,
    stages: Vec<Stage>,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    UnderWay,
    Over(Box<BatchTask>),
    /// Stopped without a result.
    Stopped,
}

/// What a worker does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This task.
    Begin(usize),
    /// This task never begins, because the one at that place did not succeed.
    Skip(usize, usize),
    /// Nothing until another task is over.
    Wait,
    /// Nothing any more.
    Leave,
}

impl Board {
    /// Refuses tasks that can never all be done.
    pub(super) fn new(tasks: &[MapTask]) -> Result<Self, MapError> {
        let after = tasks.iter().map(|task| predecessor(tasks, task)).collect::<Result<Vec<_>, _>>()?;
        for (place, task) in tasks.iter().enumerate() {
            if tasks[..place].iter().any(|other| other.key == task.key) {
                return Err(MapError::SameKey { key: task.key.clone() });
            }
            if is_in_circle(&after, place) {
                return Err(MapError::Circle { key: task.key.clone() });
            }
        }
        let stages = tasks.iter().map(|_| Stage::Waiting).collect();
        Ok(Self { after, stages })
    }

    /// The first task that can begin, and takes it.
    pub(super) fn next(&mut self) -> Next {
        let waiting = |place: &usize| matches!(self.stages[*place], Stage::Waiting);
        let mut next = Next::Leave;
        for place in (0..self.stages.len()).filter(waiting) {
            match self.after[place].map(|before| (before, &self.stages[before])) {
                None => next = Next::Begin(place),
                Some((before, Stage::Over(task))) => {
                    let good = task.verdict.end == TaskEnd::Succeeded;
                    next = if good { Next::Begin(place) } else { Next::Skip(place, before) };
                }
                Some((_, Stage::Stopped)) => continue,
                Some((_, Stage::Waiting | Stage::UnderWay)) => {
                    next = Next::Wait;
                    continue;
                }
            }
            self.stages[place] = Stage::UnderWay;
            break;
        }
        next
    }

    /// Records the end of a task; `None` when it was stopped.
    pub(super) fn finish(&mut self, place: usize, task: Option<BatchTask>) {
        self.stages[place] = task.map_or(Stage::Stopped, |task| Stage::Over(Box::new(task)));
    }

    /// What the task before this one came to.
    pub(super) fn before(&self, place: usize) -> Option<&BatchTask> {
        match &self.stages[self.after[place]?] {
            Stage::Over(task) => Some(task),
            _ => None,
        }
    }

    /// The results in order.
    pub(super) fn results(self) -> Vec<Option<BatchTask>> {
        let result = |stage| if let Stage::Over(task) = stage { Some(*task) } else { None };
        self.stages.into_iter().map(result).collect()
    }
}

fn predecessor(tasks: &[MapTask], task: &MapTask) -> Result<Option<usize>, MapError> {
    let Some(after) = &task.after else { return Ok(None) };
    let unknown = || MapError::UnknownPredecessor { key: task.key.clone(), after: after.clone() };
    tasks.iter().position(|other| other.key == *after).ok_or_else(unknown).map(Some)
}

/// Each task has one predecessor at most, so whoever is met again after as many steps as there are tasks goes round.
fn is_in_circle(after: &[Option<usize>], place: usize) -> bool {
    let mut at = Some(place);
    for _ in 0..after.len() {
        at = at.and_then(|place| after[place]);
    }
    at.is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use windrow_model::{Settled, Verdict};

    use super::*;
    use crate::ops::map::TaskMode;

    fn tasks(chain: &[(&str, Option<&str>)]) -> Vec<MapTask> {
        let task = |(key, after): &(&str, Option<&str>)| MapTask {
            key: (*key).to_owned(),
            after: after.map(str::to_owned),
            mode: TaskMode::Branch,
        };
        chain.iter().map(task).collect()
    }

    fn over(end: TaskEnd) -> Option<BatchTask> {
        let verdict = Verdict { end, exit: None, detail: String::new(), elapsed: Duration::ZERO };
        let key = String::new();
        Some(BatchTask { key, attempts: 1, verdict, worktree: None, harvest: None, settled: Settled::Yes })
    }

    #[test]
    fn a_task_begins_when_the_one_before_has_succeeded() {
        let mut board = Board::new(&tasks(&[("b", Some("a")), ("a", None), ("c", Some("b"))])).unwrap();
        assert_eq!((board.next(), board.next()), (Next::Begin(1), Next::Wait));
        board.finish(1, over(TaskEnd::Succeeded));
        assert_eq!((board.next(), board.next()), (Next::Begin(0), Next::Wait));
        board.finish(0, over(TaskEnd::TimedOut));
        assert_eq!((board.next(), board.next()), (Next::Skip(2, 0), Next::Leave));
        board.finish(2, over(TaskEnd::Skipped));
        assert!(board.results().iter().all(Option::is_some));
    }

    #[test]
    fn what_was_stopped_stops_what_follows() {
        let mut board = Board::new(&tasks(&[("a", None), ("b", Some("a")), ("c", None)])).unwrap();
        assert_eq!((board.next(), board.next()), (Next::Begin(0), Next::Begin(2)));
        board.finish(0, None);
        assert_eq!(board.next(), Next::Leave);
        board.finish(2, over(TaskEnd::Failed));
        assert_eq!(board.results().iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn tasks_that_can_never_all_be_done_are_refused() {
        let refused = |chain: &[(&str, Option<&str>)]| Board::new(&tasks(chain)).unwrap_err().to_string();
        assert_eq!(refused(&[("a", None), ("a", None)]), "two tasks have the key `a`");
        assert!(refused(&[("a", Some("x"))]).contains("`x`, which is not among the tasks"));
        assert!(refused(&[("a", Some("a"))]).contains("depends on itself"));
        assert!(
            refused(&[("z", None), ("a", Some("c")), ("b", Some("a")), ("c", Some("b"))]).contains("itself")
        );
    }
}
