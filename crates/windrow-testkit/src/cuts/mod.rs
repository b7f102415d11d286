//! One power cut after another: a scene is set, windrow works, the power goes at some moment, and afterwards everything that
//! was acknowledged, or synced before, has to be there.
//!
//! Everything that can be chosen is chosen by the seed; the moment is chosen in time, so the same seed hits about the same
//! step again. After a cut windrow sees another boot id, as after a real reboot.

mod aftermath;
mod dice;
mod scene;
mod work;

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bstr::ByteSlice;
use serde_json::Value;

use crate::{Binary, Cuttable, Running};
use dice::Dice;
use scene::{Scene, Started};

pub use scene::SceneKind;

/// How long a command takes as long as nobody knows better.
const FIRST_GUESS: Duration = Duration::from_millis(300);

/// How long a command may take, and a half-dead one may hang.
const BOUND: Duration = Duration::from_secs(60);

/// A file system, a program, and what is known of how long the program takes.
#[derive(Debug)]
pub struct PowerCuts {
    cuttable: Cuttable,
    binary: Binary,
    usual: HashMap<SceneKind, Duration>,
}

/// When the power was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before anything was acknowledged.
    Before,
    /// When the answer was there and the program had not ended yet.
    At,
    /// After the program had ended.
    After,
}

/// What came of one cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerCut {
    /// Reproduces it.
    pub seed: u64,
    /// What was going on.
    pub scene: SceneKind,
    /// When it was cut.
    pub moment: Moment,
    /// How many worktrees, damaged by the cut before anybody had synced them, windrow leaves in place for a person.
    pub set_aside: usize,
    /// What was broken, one line each; empty when nothing was.
    pub violations: Vec<String>,
}

impl fmt::Display for PowerCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {:?}, cut {:?} the answer", self.seed, self.scene, self.moment)?;
        self.violations.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl PowerCuts {
    /// Prepares cuts of the power of `cuttable` while `binary` works on it.
    pub fn new(cuttable: Cuttable, binary: Binary) -> Self {
        Self { cuttable, binary, usual: HashMap::new() }
    }

    /// Sets a scene, cuts the power, and looks what is left. The file system is empty again afterwards.
    pub fn next(&mut self, seed: u64) -> PowerCut {
        let mut dice = Dice::new(seed);
        let mut cut = PowerCut {
            seed,
            scene: dice.of(&SceneKind::ALL),
            moment: Moment::Before,
            set_aside: 0,
            violations: Vec::new(),
        };
        let ended = catch_unwind(AssertUnwindSafe(|| self.cut(&mut dice, &mut cut)));
        if let Err(panic) = ended {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
            cut.violations.push(text.to_owned());
            self.cuttable.power_on();
        }
        cut
    }

    fn cut(&mut self, dice: &mut Dice, cut: &mut PowerCut) {
        let mut scene = Scene::set(cut.scene, dice, &self.cuttable, &self.binary);
        let Started { mut running, since } = scene.start();
        let plan = Plan::choose(dice, self.usual.get(&cut.scene).copied().unwrap_or(FIRST_GUESS));
        plan.wait(&mut running, since, &self.cuttable);
        let ended = !running.is_running();
        if ended {
            // What it wrote last is still on its way to us.
            watch(since, || running.is_silent());
        }
        let answer = answer(&running);
        if ended {
            self.usual.insert(cut.scene, since.elapsed());
        }
        self.cuttable.cut();
        cut.moment = match (ended, &answer) {
            (true, _) => Moment::After,
            (false, Some(_)) => Moment::At,
            (false, None) => Moment::Before,
        };
        let said = format!("{}\n{}", running.stdout(), running.stderr());
        drop(running);
        self.cuttable.power_on();
        if ended && answer.is_none() {
            cut.violations.push(format!("it failed with the power on: {said}"));
            return;
        }
        let found = aftermath::look(&scene, answer.as_ref(), dice, &mut self.cuttable);
        (cut.violations, cut.set_aside) = (found.wrong, found.set_aside);
    }
}

/// The acknowledgement, if it is there in full and is one.
fn answer(running: &Running) -> Option<Value> {
    let printed = running.stdout();
    let answer: Value = serde_json::from_slice(printed.as_bytes()).ok()?;
    answer.get("error").is_none_or(Value::is_null).then_some(answer)
}

/// When to cut.
#[derive(Clone, Copy, Debug)]
enum Plan {
    /// After a time, with everything else of the machine synced at another time before, if at all.
    Time { cut: Duration, sync: Option<Duration> },
    /// As soon as the answer is there.
    Answer,
    /// As soon as the program has ended.
    End,
}

impl Plan {
    fn choose(dice: &mut Dice, usual: Duration) -> Self {
        match dice.below(10) {
            0..6 => {
                let cut = dice.share_of(usual.mul_f64(1.1));
                let sync = dice.share_of(cut);
                Self::Time { cut, sync: dice.chance(50).then_some(sync) }
            }
            6..9 => Self::Answer,
            _ => Self::End,
        }
    }

    fn wait(self, running: &mut Running, since: Instant, cuttable: &Cuttable) {
        match self {
            Self::Time { cut, sync } => {
                if let Some(sync) = sync {
                    outlast(since + sync);
                    cuttable.sync();
                }
                outlast(since + cut);
            }
            Self::Answer => watch(since, || answer(running).is_some() || !running.is_running()),
            Self::End => watch(since, || !running.is_running()),
        }
    }
}

/// The moment itself is what is wanted, so there is nothing to poll for.
fn outlast(moment: Instant) {
    while let Some(left) = moment.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Polls in steps so short that little happens between what is watched for and the cut.
fn watch(since: Instant, mut over: impl FnMut() -> bool) {
    while !over() && since.elapsed() < BOUND {
        std::thread::park_timeout(Duration::from_micros(200));
    }
}
