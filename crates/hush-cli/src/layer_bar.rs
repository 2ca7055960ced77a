//! Progress by layer: which layer of the model is at work, on a bar that moves as fast as the layers are expected to.
//!
//! Instructions differ a thousandfold in cost, so the bar counts predicted nanoseconds. During an instruction it moves
//! on by the pace so far, and waits just before its end.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hush_program::count::count;
use hush_program::{Instruction, Observer, Operation, Program};
use indicatif::ProgressBar;
use serde_json::Value;

use crate::failure::Result;
use crate::layers::title_of;
use crate::progress::Progress;

/// How often the bar moves between instructions.
const TICK: Duration = Duration::from_millis(80);

/// An unfinished instruction shows at most this share of itself.
const UNFINISHED: f64 = 0.97;

/// The bar; dropping it takes it from the terminal.
pub(crate) struct LayerBar {
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

struct Shared {
    bar: ProgressBar,
    plan: Plan,
    groups: u64,
    state: Mutex<State>,
    over: AtomicBool,
}

/// What is expected of one group of ciphertexts.
struct Plan {
    /// Predicted nanoseconds of each instruction.
    weights: Vec<f64>,
    /// The layer of each instruction.
    layers: Vec<usize>,
    titles: Vec<String>,
}

#[derive(Default)]
struct State {
    /// Weight of all instructions that are done, and the time since the first began.
    done: f64,
    begun: Option<Instant>,
    /// Per group at work: weight and start of its instruction.
    active: BTreeMap<u64, (f64, Instant)>,
}

impl Plan {
    fn new(program: &Program, report: &Value) -> Result<Self> {
        let count = count(program)?;
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        let mut plan = Self {
            weights: Vec::new(),
            layers: Vec::new(),
            titles: Vec::new(),
        };
        for (index, instruction) in program.instructions.iter().enumerate() {
            let work = count.steps.get(index).copied().unwrap_or_default();
            // What costs nothing is still an instruction.
            plan.weights
                .push(work.nanoseconds(program.parameters.log_degree).max(1.0));
            let label = instruction.label.as_str();
            let layer = match (known.get(label), plan.layers.last()) {
                (Some(&layer), _) => layer,
                // Dropping limbs for an output belongs to the layer before.
                (None, Some(&layer))
                    if matches!(instruction.operation, Operation::Align { .. }) =>
                {
                    layer
                }
                (None, _) => {
                    plan.titles.push(match title_of(report, label) {
                        Some(title) => format!("{} ({})", title.name, title.operator),
                        None => label.to_owned(),
                    });
                    known.insert(label, plan.titles.len() - 1);
                    plan.titles.len() - 1
                }
            };
            plan.layers.push(layer);
        }
        Ok(plan)
    }

    fn message(&self, instruction: usize, group: u64, groups: u64) -> String {
        let layer = self.layers.get(instruction).copied().unwrap_or(0);
        let title = self.titles.get(layer).map_or("", String::as_str);
        let group = if groups > 1 {
            format!(", group {} of {groups}", group + 1)
        } else {
            String::new()
        };
        format!(
            "layer {} of {}{group}: {title}",
            layer + 1,
            self.titles.len()
        )
    }
}

impl State {
    /// How far the bar is, in weight.
    fn position(&self) -> f64 {
        let pace = match self.begun {
            Some(begun) if self.done > 0.0 => {
                // Nanoseconds a predicted nanosecond, instructions at work left out.
                let latest = self.active.values().map(|(_, start)| *start).min();
                let until = latest.unwrap_or_else(Instant::now);
                until.duration_since(begun).as_nanos() as f64 / self.done
            }
            _ => 1.0,
        };
        let part = |(weight, start): &(f64, Instant)| {
            let share = start.elapsed().as_nanos() as f64 / (weight * pace.max(1e-3));
            weight * share.min(UNFINISHED)
        };
        self.done + self.active.values().map(part).sum::<f64>()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self) {
        let position = self.state().position() as u64;
        // Never back: a pace that was taken for too fast only waits.
        if position > self.bar.position() {
            self.bar.set_position(position);
        }
        self.bar.tick();
    }
}

impl LayerBar {
    /// A bar for `groups` runs of a program; `report` has the names of its layers.
    pub(crate) fn new(
        progress: Progress,
        program: &Program,
        report: &Value,
        groups: u64,
    ) -> Result<Self> {
        let plan = Plan::new(program, report)?;
        let length = plan.weights.iter().sum::<f64>() * groups as f64;
        let bar = progress.share("run", length.ceil() as u64);
        let visible = !bar.is_hidden();
        let shared = Arc::new(Shared {
            bar,
            plan,
            groups,
            state: Mutex::new(State::default()),
            over: AtomicBool::new(false),
        });
        let ticker = visible.then(|| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                while !shared.over.load(Ordering::Relaxed) {
                    shared.show();
                    thread::park_timeout(TICK);
                }
            })
        });
        Ok(Self { shared, ticker })
    }

    /// Watches one group, counted from 0.
    pub(crate) fn group(&self, group: u64) -> Watcher<'_> {
        Watcher {
            shared: &self.shared,
            group,
        }
    }
}

impl Drop for LayerBar {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            ticker.thread().unpark();
            // A bar that failed to draw has nothing left to say.
            let _ = ticker.join();
        }
        self.shared.bar.finish_and_clear();
    }
}

/// Tells the bar what one group does.
pub(crate) struct Watcher<'a> {
    shared: &'a Shared,
    group: u64,
}

impl Observer for Watcher<'_> {
    fn before(&mut self, index: usize, _: usize, _: &Instruction) -> ControlFlow<()> {
        let shared = self.shared;
        let weight = shared.plan.weights.get(index).copied().unwrap_or(0.0);
        let now = Instant::now();
        let mut state = shared.state();
        state.begun.get_or_insert(now);
        state.active.insert(self.group, (weight, now));
        drop(state);
        shared
            .bar
            .set_message(shared.plan.message(index, self.group, shared.groups));
        ControlFlow::Continue(())
    }

    fn after(&mut self, _: usize, _: usize, _: &Instruction) {
        let mut state = self.shared.state();
        if let Some((weight, _)) = state.active.remove(&self.group) {
            state.done += weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_program::{ParameterSpec, Register};
    use serde_json::json;

    fn program() -> Program {
        let [x, y, z, out] = [0, 1, 2, 3].map(Register);
        let instruction = |label: &str, operation, result, level| Instruction {
            label: label.to_owned(),
            operation,
            results: vec![result],
            level,
            scale: 2f64.powi(30),
        };
        let fold = Operation::Fold {
            input: x,
            steps: vec![1, 2, 4],
        };
        Program {
            name: "two layers".to_owned(),
            parameters: ParameterSpec {
                log_degree: 12,
                moduli: vec![1_073_692_673, 1_073_668_097],
                special_moduli: vec![1_073_651_713],
            },
            slots: 8,
            inputs: vec![x],
            input_level: 1,
            input_scale: 2f64.powi(30),
            instructions: vec![
                instruction("/a/Gemm", fold, y, 1),
                instruction("b", Operation::Add { left: y, right: y }, z, 1),
                instruction("output", Operation::Align { input: z }, out, 0),
            ],
            outputs: vec![out],
        }
    }

    #[test]
    fn layers_have_names_and_weights() {
        let report =
            json!({ "layers": [{ "label": "/a/Gemm", "name": "a", "operator": "dense 8 → 8" }] });
        let plan = Plan::new(&program(), &report).unwrap();
        assert_eq!(plan.titles, ["a (dense 8 → 8)", "b"]);
        assert_eq!(plan.layers, [0, 1, 1]);
        assert!(
            plan.weights[0] > 1000.0 * plan.weights[1],
            "{:?}",
            plan.weights
        );
        assert_eq!(plan.message(0, 0, 1), "layer 1 of 2: a (dense 8 → 8)");
        assert_eq!(plan.message(2, 1, 3), "layer 2 of 2, group 2 of 3: b");
    }

    #[test]
    fn an_instruction_at_work_never_looks_done() {
        let mut state = State::default();
        assert_eq!(state.position(), 0.0);
        let long_ago = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        state.begun = Some(long_ago);
        state.active.insert(0, (100.0, long_ago));
        assert_eq!(state.position(), 100.0 * UNFINISHED);
        state.active.clear();
        state.done = 100.0;
        assert_eq!(state.position(), 100.0);
    }
}
