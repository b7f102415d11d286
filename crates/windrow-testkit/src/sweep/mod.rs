//! Strikes at every state-changing system call of an operation, and checks what the next command makes of it.
//!
//! Whatever a command had reported is there, nothing of others changed, nothing is left behind, and the pool works on.

mod desk;
mod scenario;
mod scene;
mod work;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::seeded::Seeded;
use crate::{Binary, Effect, Errno, Point, Side, Strike, Traced, Watch, trace};
pub use scenario::Scenario;
use scenario::{Said, Staged};
use scene::{Doubt, Scene};

/// What is wrong, in words.
type Found = Result<(), String>;

/// Where git keeps refs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file for each.
    Files,
    /// Tables.
    Reftable,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Files => "files",
            Self::Reftable => "reftable",
        })
    }
}

/// What the strikes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every process dies.
    Kill,
    /// One process dies: the one at the call, or the command itself, in turn.
    Process,
    /// The call fails: ENOSPC, EIO, EROFS, and EMFILE where a descriptor is made.
    Error,
    /// Every process dies, and every process of the recovery too.
    Double,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Process => "process",
            Self::Error => "errno",
            Self::Double => "double",
        })
    }
}

/// A run of strikes at one operation.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The program under test.
    pub binary: Binary,
    /// The operation.
    pub scenario: Scenario,
    /// Where git keeps refs.
    pub backend: Backend,
    /// The kind of strikes.
    pub mode: Mode,
    /// Chooses which of them, where not all are made.
    pub seed: u64,
    /// Leaves so many out but one; 1 makes all.
    pub every: usize,
    /// At most so many, spread evenly; all if absent.
    pub limit: Option<usize>,
    /// Makes only this one.
    pub only: Option<usize>,
    /// How many at once, each in a repository of its own.
    pub jobs: usize,
    /// Where the repositories lie; the system's temporary directory if absent.
    pub inside: Option<PathBuf>,
}

/// What came of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Calls that can be struck.
    pub points: usize,
    /// Strikes that fell.
    pub struck: usize,
    /// Strikes whose call was not reached, since threads run as they like.
    pub missed: usize,
    /// What was wrong.
    pub violations: Vec<Violation>,
    /// How long it took.
    pub elapsed: Duration,
}

/// An invariant that did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The strike that was to fall.
    pub strike: Strike,
    /// Where it fell.
    pub point: Option<Point>,
    /// What was wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Strike { at, effect, side } = self.strike;
        write!(f, "{effect:?} {side:?} call {at}: ")?;
        match &self.point {
            Some(point) => writeln!(f, "{point}")?,
            None => writeln!(f, "it was not reached")?,
        }
        f.write_str(&self.what)
    }
}

impl Sweep {
    /// Makes the strikes.
    ///
    /// # Panics
    ///
    /// Panics when the operation does not succeed without any.
    #[track_caller]
    pub fn run(&self) -> Tally {
        let begun = Instant::now();
        let scene = self.scene();
        let (plan, points) = self.plan(&scene);
        let next = AtomicUsize::new(0);
        let tally = Mutex::new(Tally { points, ..Tally::default() });
        thread::scope(|scope| {
            let mut own = Some(scene);
            for _ in 0..self.jobs.max(1) {
                let scene = own.take();
                let (plan, next, tally) = (&plan, &next, &tally);
                scope.spawn(move || self.work_off(scene, plan, next, tally));
            }
        });
        let mut tally = tally.into_inner().expect("nobody panicked with it");
        tally.elapsed = begun.elapsed();
        tally
    }

    fn scene(&self) -> Scene {
        Scene::new(&self.binary, self.backend, self.inside.as_deref())
    }

    fn work_off(&self, mut scene: Option<Scene>, plan: &[Planned], next: &AtomicUsize, tally: &Mutex<Tally>) {
        while let Some(planned) = plan.get(next.fetch_add(1, Ordering::Relaxed)) {
            let here = scene.take().unwrap_or_else(|| self.scene());
            let mut struck = None;
            let tried = catch_unwind(AssertUnwindSafe(|| self.strike(&here, planned, &mut struck)));
            let found = tried.unwrap_or_else(|panic| Err(message(panic.as_ref())));
            let mut tally = tally.lock().expect("nobody panicked with it");
            match &struck {
                Some(_) => tally.struck += 1,
                None => tally.missed += 1,
            }
            match found {
                Ok(()) => scene = Some(here),
                Err(what) => {
                    tally.violations.push(Violation { strike: planned.strike, point: struck, what });
                    drop(tally);
                    // It is spoiled, and may hold processes that its end would complain of.
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(here)));
                }
            }
        }
    }

    /// Lists the strikes to make, after a look at the operation without any.
    #[track_caller]
    fn plan(&self, scene: &Scene) -> (Vec<Planned>, usize) {
        let changes = self.count(scene, Watch::Changes);
        let mut all = Vec::new();
        match self.mode {
            Mode::Kill => {
                all.extend(changes.iter().map(|point| Planned::kill(point.number, Effect::KillTree)));
                // Dying before a call is dying after the one before it; only the last has none behind it.
                let last = Strike { at: changes.len(), effect: Effect::KillTree, side: Side::After };
                all.push(Planned { watch: Watch::Changes, strike: last });
            }
            Mode::Double => {
                all.extend(changes.iter().map(|point| Planned::kill(point.number, Effect::KillTree)));
            }
            Mode::Process => all.extend(changes.iter().map(|point| {
                let effects = [Effect::KillProcess, Effect::KillProgram];
                Planned::kill(point.number, effects[point.number % 2])
            })),
            Mode::Error => {
                for error in [Errno::ENOSPC, Errno::EIO, Errno::EROFS] {
                    let able = changes.iter().filter(|point| point.can_fail_with(error));
                    all.extend(able.map(|point| Planned::kill(point.number, Effect::Fail(error))));
                }
                // Whoever leaves some out leaves out an error at each call rather than a call.
                all.sort_by_key(|planned| planned.strike.at);
                let made = self.count(scene, Watch::Descriptors);
                all.extend(made.iter().map(|point| Planned {
                    watch: Watch::Descriptors,
                    ..Planned::kill(point.number, Effect::Fail(Errno::EMFILE))
                }));
            }
        }
        let points = all.len();
        (self.choose(all), points)
    }

    fn choose(&self, all: Vec<Planned>) -> Vec<Planned> {
        if let Some(only) = self.only {
            return all.into_iter().filter(|planned| planned.strike.at == only).collect();
        }
        let some = all.len().div_ceil(self.every.max(1));
        let limit = self.limit.unwrap_or(some).min(some).max(1);
        let offset = usize::try_from(Seeded::new(self.seed).below(all.len() as u64)).expect("below a length");
        (0..limit).map(|number| all[(offset + number * all.len() / limit) % all.len()]).collect()
    }

    /// Runs the operation undisturbed, checks it, and lists its calls.
    #[track_caller]
    fn count(&self, scene: &Scene, watch: Watch) -> Vec<Point> {
        let staged = self.scenario.stage(scene);
        let traced = trace(&self.scenario.command(scene, &staged), watch, None);
        assert!(traced.outcome.code == 0, "the operation fails by itself: {}", traced.outcome);
        let said = Said::of(&traced.outcome);
        let found = scene.check(Doubt::None).and_then(|()| self.scenario.verify(scene, &staged, &said));
        let found = found.and_then(|()| scene.clear());
        assert!(found.is_ok(), "undisturbed: {found:?}");
        traced.points
    }

    /// Makes one strike and checks what comes of it.
    fn strike(&self, scene: &Scene, planned: &Planned, struck: &mut Option<Point>) -> Found {
        let staged = self.scenario.stage(scene);
        let traced = trace(&self.scenario.command(scene, &staged), planned.watch, Some(planned.strike));
        struck.clone_from(&traced.struck);
        if !traced.overran.is_empty() {
            return Err(format!("hangs:\n{}", traced.overran.join("\n")));
        }
        self.judge(&traced, planned)?;
        if self.mode == Mode::Double {
            self.strike_recovery(scene, planned.strike.at)?;
        }
        self.recover(scene, planned.strike.at)?;
        self.examine(scene, &staged, &traced, planned)
    }

    /// Checks how a command that was not killed itself ended.
    fn judge(&self, traced: &Traced, planned: &Planned) -> Found {
        let outcome = &traced.outcome;
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        if stderr.contains("panicked at") {
            return Err(format!("panics: {outcome}"));
        }
        if !matches!(planned.strike.effect, Effect::Fail(_)) || traced.struck.is_none() {
            return Ok(());
        }
        let told = stderr.lines().filter(|line| line.starts_with("error:")).count();
        let document = serde_json::from_slice::<serde_json::Value>(&outcome.stdout).unwrap_or_default();
        let in_document = !document["error"].is_null();
        match outcome.code {
            0 if told == 0 && !in_document => Ok(()),
            0 => Err(format!("succeeds with an error: {outcome}")),
            _ if outcome.signal.is_some() => Err(format!("dies of an error: {outcome}")),
            _ if told > 1 => Err(format!("tells more than one error: {outcome}")),
            // An agent's own command may fail; then its code is passed on.
            _ if told == 1 || in_document || !document.is_null() => Ok(()),
            _ => Err(format!("fails without a word: {outcome}")),
        }
    }

    fn recover(&self, scene: &Scene, turn: usize) -> Found {
        let outcome = self.scenario.recovery(scene, turn).run();
        if outcome.code != 0 {
            return Err(format!("the next command fails: {outcome}"));
        }
        if scene.worktree("next").is_some() { scene.finish(&["release", "next"]) } else { Ok(()) }
    }

    fn strike_recovery(&self, scene: &Scene, turn: usize) -> Found {
        /// More than most recoveries have; a strike behind the end is a whole recovery.
        const CALLS: u64 = 70;
        let chosen = 1 + Seeded::new(self.seed ^ turn as u64).below(CALLS);
        let at = usize::try_from(chosen).expect("a small number");
        let strike = Strike { at, effect: Effect::KillTree, side: Side::Before };
        let traced = trace(&self.scenario.recovery(scene, turn), Watch::Changes, Some(strike));
        if traced.overran.is_empty() { Ok(()) } else { Err(format!("recovery hangs: {:?}", traced.overran)) }
    }

    fn examine(&self, scene: &Scene, staged: &Staged, traced: &Traced, planned: &Planned) -> Found {
        let told = |what: String| format!("{what}\n--- the command struck: {}", traced.outcome);
        let said = Said::of(&traced.outcome);
        // Whoever is still alive to see a failure may leave a worktree in place with a doubt.
        let alive = matches!(self.mode, Mode::Error | Mode::Process);
        let doubt = if alive { Doubt::Allowed } else { Doubt::None };
        let found = scene.check(doubt).and_then(|()| self.scenario.verify(scene, staged, &said));
        let found = found.and_then(|()| scene.clear());
        let found =
            found.and_then(|()| if planned.strike.at.is_multiple_of(16) { scene.fsck() } else { Ok(()) });
        found.map_err(told)
    }
}

/// A strike to make.
#[derive(Clone, Copy, Debug)]
struct Planned {
    watch: Watch,
    strike: Strike,
}

impl Planned {
    fn kill(at: usize, effect: Effect) -> Self {
        Self { watch: Watch::Changes, strike: Strike { at, effect, side: Side::Before } }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
