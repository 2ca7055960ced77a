//! The glue between libFuzzer and the targets of `hush-fuzz`: one program a target in `targets/`.
//!
//! Start at `crates/hush-fuzz`, which has the targets. Invariant: nothing is tested here that is not tested there. Non-goal: a part
//! of the workspace, whose compiler is a stable one.

pub use hush_fuzz::{TARGETS, Target};
pub use libfuzzer_sys;

/// The target of a name.
#[must_use]
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.expect("a target of this name")
}

/// The program of a target.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        use $crate::libfuzzer_sys;

        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
            static TARGET: std::sync::LazyLock<$crate::Target> =
                std::sync::LazyLock::new(|| $crate::target($name));
            (TARGET.run)(bytes);
        });
    };
}
