//! What tests and benches share: parameter sets, reproducible random data, a slow network.
//!
//! Start at [`ParameterSet`], [`TestRng`] and [`WideArea`].
//!
//! Invariants: everything that is not secure has a name that starts with `insecure_`; every
//! random generator prints its seed, and `HUSH_TEST_SEED` repeats a run.
//!
//! Non-goals: nothing here is for products; the workspace's binaries never depend on it.

#![forbid(unsafe_code)]

mod numbers;
mod parameter_set;
mod rng;
mod wide_area;

pub use numbers::{largest_error, random_complex, random_reals};
pub use parameter_set::{ParameterSet, insecure_small, insecure_with};
pub use rng::TestRng;
pub use wide_area::{Line, WideArea};
