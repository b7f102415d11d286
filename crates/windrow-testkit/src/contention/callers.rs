//! The callers: each wants a worktree again and again, until enough leases were held.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bstr::ByteSlice;
use rustix::process::Signal;

use super::random::Random;
use super::{Arena, Contention};
use crate::poll::poll_quietly;
use crate::{Invocation, Outcome, Running};

/// "Somebody else has it, try again."
const TRY_AGAIN: i32 = 75;

/// Names and keys that callers compete for.
const RIVALS: u64 = 6;

/// What the callers came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contended {
    /// Leases that somebody was seen to hold.
    pub held: u64,
    /// Calls that were refused because somebody else had the name or the key.
    pub refused: u64,
    /// Callers with a lease of their own that were killed.
    pub killed_callers: u64,
    /// Supervisors (`windrow run`) that were killed.
    pub killed_supervisors: u64,
    /// From the first call to the end of the last.
    pub elapsed: Duration,
    /// The longest time from a call to the lease.
    pub worst_wait: Duration,
    /// Every call that ended as none should, in words.
    pub failures: Vec<String>,
}

impl Arena {
    /// Lets the callers compete until enough leases were held; `progress` is told the number after each.
    ///
    /// # Panics
    ///
    /// Panics when a call does not end within the time allowed.
    pub fn contend(&self, wanted: &Contention, progress: impl Fn(u64) + Sync) -> Contended {
        let all = Mutex::new(Contended::default());
        let (started, broken) = (Instant::now(), AtomicBool::new(false));
        thread::scope(|scope| {
            let callers: Vec<_> = (0..wanted.callers)
                .map(|number| {
                    let caller = Caller::new(self, wanted, number, &all, &progress);
                    scope.spawn(|| caller.call_until_enough(&broken))
                })
                .collect();
            let ended: Vec<_> = callers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            ended.into_iter().for_each(|one| one.unwrap_or_else(|panic| resume_unwind(panic)));
        });
        let all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        Contended { elapsed: started.elapsed(), ..all }
    }
}

struct Caller<'a, P> {
    arena: &'a Arena,
    wanted: &'a Contention,
    random: Random,
    all: &'a Mutex<Contended>,
    progress: &'a P,
    /// How long calls take, for the moments to kill one.
    usual: Duration,
}

/// Who holds the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// A caller of acquire and release.
    Caller,
    /// `windrow run`.
    Supervisor,
}

/// What one death takes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    Alone,
    /// With the command of ours that it waits for.
    Group,
}

struct End {
    outcome: Option<Outcome>,
    wait: Option<Duration>,
}

impl<'a, P: Fn(u64)> Caller<'a, P> {
    fn new(
        arena: &'a Arena,
        wanted: &'a Contention,
        number: usize,
        all: &'a Mutex<Contended>,
        progress: &'a P,
    ) -> Self {
        let random = Random::new(wanted.seed, number);
        Self { arena, wanted, random, all, progress, usual: Duration::from_secs(2) }
    }

    /// Goes on until enough was held, the time is over, or another caller panicked.
    fn call_until_enough(mut self, broken: &AtomicBool) {
        let (alarm, started) = (Alarm(broken), Instant::now());
        let enough = |held| held >= self.wanted.leases || started.elapsed() >= self.wanted.limit;
        while !broken.load(Ordering::Relaxed) && !enough(self.held()) {
            let refused = self.call();
            if refused {
                // Whoever has it needs its time.
                let pause = Duration::from_millis(50 + self.random.below(400));
                poll_quietly(pause, || broken.load(Ordering::Relaxed).then_some(()));
            }
        }
        std::mem::forget(alarm);
    }

    fn held(&self) -> u64 {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).held
    }

    /// One call; tells whether it was refused.
    fn call(&mut self) -> bool {
        let holder = if self.random.below(2) == 0 { Holder::Caller } else { Holder::Supervisor };
        let invocation = self.invocation(holder);
        let doomed = self.random.share() < self.wanted.kills;
        let death = doomed.then(|| self.death(holder));
        let started = Instant::now();
        let end = attend(invocation.spawn(), death);
        if death.is_none() {
            self.usual = (self.usual * 3 + started.elapsed()) / 4;
        }
        self.record(holder, &end)
    }

    fn death(&mut self, holder: Holder) -> (Death, Duration) {
        let with_group = holder == Holder::Caller && self.random.below(2) == 0;
        let death = if with_group { Death::Group } else { Death::Alone };
        (death, self.usual.mul_f64(self.random.share() * 1.2))
    }

    fn record(&self, holder: Holder, end: &End) -> bool {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = end.wait {
            all.held += 1;
            all.worst_wait = all.worst_wait.max(wait);
            (self.progress)(all.held);
        }
        match (&end.outcome, holder) {
            (None, Holder::Caller) => all.killed_callers += 1,
            (None, Holder::Supervisor) => all.killed_supervisors += 1,
            (Some(outcome), _) if outcome.code == TRY_AGAIN && end.wait.is_none() => {
                all.refused += 1;
                return true;
            }
            (Some(outcome), _) if outcome.code != 0 || end.wait.is_none() => {
                all.failures.push(outcome.to_string());
            }
            (Some(_), _) => {}
        }
        false
    }

    /// A wish: any worktree, one of few names, or the worktree of one of few keys.
    fn invocation(&mut self, holder: Holder) -> Invocation {
        let rival = self.random.below(RIVALS);
        let (target, may_commit) = match self.random.below(4) {
            0 => (vec!["--name".to_owned(), format!("rival-{rival}")], false),
            1 => (vec!["--key".to_owned(), format!("task-{rival}")], true),
            _ => (Vec::new(), true),
        };
        // A name whose branch holds a commit could not be had again.
        let work = match self.random.below(20) {
            0 => "write",
            1 if may_commit => "commit",
            _ => "none",
        };
        let pause = ["0", "0", "0.02", "0.1"][self.random.below(4) as usize];
        let mut options = target;
        options.push(format!("--wait={}s", self.wanted.patience.as_secs()));
        if self.random.below(25) == 0 {
            options.push("--keep=1s".to_owned());
        }
        self.line(holder, [work, pause], &options)
    }

    fn line(&self, holder: Holder, hold: [&str; 2], options: &[String]) -> Invocation {
        let (repo, script) = (&self.arena.repo, self.arena.script());
        let invocation = match holder {
            Holder::Supervisor => {
                let run = repo.windrow(["run"]).args(options).args(["--", "sh"]).arg(&script);
                run.arg("hold").args(hold)
            }
            Holder::Caller => {
                let keep = options.iter().position(|option| option.starts_with("--keep"));
                let rest = options.iter().enumerate().filter(|(at, _)| Some(*at) != keep);
                let call = repo.command("sh", repo.path()).arg(&script).arg("lease").args(hold);
                call.args(rest.map(|(_, option)| option)).env("WINDROW", repo.program())
            }
        };
        invocation
            .env("SOAK", self.arena.notes())
            .env("WINDROW_CONFIG__POOL__KEEPER", "true")
            .env("WINDROW_CONFIG__POOL__MAX_WORKTREES", self.wanted.places.to_string())
            .bound(self.wanted.patience * 2)
    }
}

/// Tells the others to stop when a caller panics.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits for the end of a call, or brings it about.
fn attend(mut running: Running, death: Option<(Death, Duration)>) -> End {
    let started = uptime();
    let outcome = match death {
        Some((death, after)) if poll_quietly(after, || (!running.is_running()).then_some(())).is_none() => {
            if death == Death::Group {
                running.signal_group(Signal::KILL);
            }
            running.kill_alone();
            let wait = wait_until_held(&running.stdout(), started);
            return End { outcome: None, wait };
        }
        _ => running.wait(),
    };
    End { wait: wait_until_held(&outcome.stdout, started), outcome: Some(outcome) }
}

/// Reads from the output of a holder when it had its lease.
fn wait_until_held(output: &[u8], started: Duration) -> Option<Duration> {
    let line = output.lines().find_map(|line| line.strip_prefix(b"held "))?;
    let seconds = line.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs_f64(seconds).saturating_sub(started))
}

/// *Source*: proc(5), `/proc/uptime`: the clock that a shell can read without starting a program.
fn uptime() -> Duration {
    let text = std::fs::read_to_string("/proc/uptime").expect("proc is mounted");
    let seconds = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_secs_f64(seconds.expect("the first word is a number"))
}
