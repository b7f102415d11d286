//! Processes that create tasks and race for changes of their states, and whether anything was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Outcome, TestRepo};

/// How long one of many processes may take on a busy machine.
const BOUND: Duration = Duration::from_secs(110);

/// How many workers compete for the same tasks, and how often each of them goes through them.
const RIVALS: usize = 10;
const ROUNDS: usize = 4;

/// The states that every task goes through, again and again.
const CYCLE: [&str; 3] = ["queued", "running", "review"];

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct TaskRace {
    /// Processes at the same time.
    pub workers: usize,
    /// Tasks in all.
    pub tasks: usize,
    /// Tries to change a state in all.
    pub tries: usize,
}

/// What was counted.
#[derive(Debug)]
pub struct TaskRaced {
    /// Tries that changed a state.
    pub won: usize,
    /// Tries that came too late.
    pub lost: usize,
    /// How long all of it took.
    pub elapsed: Duration,
    /// What is wrong, one line each.
    pub wrong: Vec<String>,
}

/// The state and revision of a task, as somebody was told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    task: String,
    rev: u64,
    state: String,
}

/// How one try ended.
enum Try {
    Won(Told),
    Lost(Told),
}

impl TestRepo {
    /// Lets workers create tasks at once, then race for their states, one process for each call.
    ///
    /// # Panics
    /// Panics when a call fails in another way than by coming too late.
    #[track_caller]
    pub fn race_tasks(&self, race: &TaskRace) -> TaskRaced {
        let started = Instant::now();
        let each = race.tasks.div_ceil(race.workers);
        let ids = in_parallel(race.workers, |worker| {
            (0..each).map(|number| self.new_task(&format!("{worker}/{number}"))).collect::<Vec<_>>()
        });
        let ids = ids.concat();
        let tries = race.tries.div_ceil(race.workers);
        let tried = in_parallel(race.workers, |worker| self.try_to_change(&ids, worker, tries));
        let (mut won, mut lost) = (Vec::new(), Vec::new());
        for one in tried.into_iter().flatten() {
            match one {
                Try::Won(told) => won.push(told),
                Try::Lost(told) => lost.push(told),
            }
        }
        let wrong = self.judge(&ids, &won, &lost);
        TaskRaced { won: won.len(), lost: lost.len(), elapsed: started.elapsed(), wrong }
    }

    fn task_call(&self, arguments: &[&str]) -> Outcome {
        self.windrow([&["task"], arguments, &["--json"]].concat()).bound(BOUND).run()
    }

    fn new_task(&self, title: &str) -> String {
        let made = self.task_call(&["new", title]).assert_success().json();
        made["task"]["id"].as_str().expect("a task has an id").to_owned()
    }

    /// Ten workers go through the same few tasks in the same order, round after round, each expecting what it was told last.
    fn try_to_change(&self, ids: &[String], worker: usize, tries: usize) -> Vec<Try> {
        let few = (tries / ROUNDS).max(1);
        let first = worker / RIVALS * few;
        let mut known: BTreeMap<&str, String> = BTreeMap::new();
        let one = |number: usize| {
            let id = ids[(first + number % few) % ids.len()].as_str();
            let expected = known.get(id).map_or(CYCLE[0], String::as_str).to_owned();
            let tried = self.change_state(id, &expected);
            let (Try::Won(told) | Try::Lost(told)) = &tried;
            known.insert(id, told.state.clone());
            tried
        };
        (0..tries).map(one).collect()
    }

    fn change_state(&self, id: &str, expected: &str) -> Try {
        let place = CYCLE.iter().position(|state| *state == expected).expect("a state of the cycle");
        let next = CYCLE[(place + 1) % CYCLE.len()];
        let outcome = self.task_call(&["set", id, "--expect", expected, "--to", next]);
        let told = |facts: &Value| Told {
            task: id.to_owned(),
            rev: facts["rev"].as_u64().expect("a revision is told"),
            state: facts["state"].as_str().expect("a state is told").to_owned(),
        };
        if outcome.code == 75 {
            let told = told(&outcome.json()["error"]["details"]);
            assert_ne!(told.state, expected, "the loser is told why");
            return Try::Lost(told);
        }
        Try::Won(told(&outcome.assert_success().json()["task"]))
    }

    fn judge(&self, ids: &[String], won: &[Told], lost: &[Told]) -> Vec<String> {
        let mut wrong = Vec::new();
        let different: BTreeSet<_> = ids.iter().collect();
        let listed = self.task_call(&["list"]).assert_success().json();
        let listed = listed["tasks"].as_array().expect("a list").len();
        if different.len() != ids.len() || listed != ids.len() {
            wrong.push(format!("{} ids, {} different, {listed} listed", ids.len(), different.len()));
        }
        let history: BTreeSet<Told> = ids.iter().flat_map(|id| self.history_of(id)).collect();
        let winners: BTreeSet<&Told> = won.iter().collect();
        if winners.len() != won.len() {
            wrong.push("two were told that they made the same change".to_owned());
        }
        if history.len() != ids.len() + won.len() {
            wrong.push(format!(
                "{} changes are on record, {} were won",
                history.len() - ids.len(),
                won.len()
            ));
        }
        let unknown = won.iter().chain(lost).filter(|told| !history.contains(told));
        wrong.extend(unknown.map(|told| format!("{told:?} was told and never was")));
        wrong
    }

    /// Every revision of a task, whose states follow the cycle.
    fn history_of(&self, id: &str) -> Vec<Told> {
        let log = self.task_call(&["log", id]).assert_success().json();
        let changes = log["changes"].as_array().expect("a list").iter().enumerate();
        let told = |(place, change): (usize, &Value)| {
            assert_eq!(change["state"], CYCLE[place % CYCLE.len()], "{id}: {change}");
            let state = CYCLE[place % CYCLE.len()].to_owned();
            Told { task: id.to_owned(), rev: change["rev"].as_u64().expect("a revision"), state }
        };
        changes.map(told).collect()
    }
}

fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|one| one.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}
