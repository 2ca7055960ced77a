//! Which instruction set the kernels run on, and the one place that dispatches.

use std::sync::OnceLock;

use crate::lanes::{Lanes, scalar::Scalar};

/// An instruction set that this machine has. A value other than
/// [`Isa::scalar`] proves detection: it can only be made after the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Why `HUSH_ISA` could not be honoured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IsaError {
    /// The name is not one of the known instruction sets.
    #[error("HUSH_ISA is `{name}`; use one of scalar, avx2, avx512")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The name is known but this processor lacks the instructions.
    #[error("HUSH_ISA is `{name}`, which this processor does not have; unset it or use scalar")]
    Missing {
        /// What was asked for.
        name: String,
    },
}

impl Isa {
    /// Plain Rust, present everywhere.
    pub const fn scalar() -> Self {
        Self(Kind::Scalar)
    }

    /// Every instruction set of this machine, slowest first.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut all = vec![Self::scalar()];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Self(Kind::Avx2));
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512ifma")
            {
                all.push(Self(Kind::Avx512));
            }
        }
        all
    }

    /// The instruction set called `scalar`, `avx2` or `avx512`.
    pub fn named(name: &str) -> Result<Self, IsaError> {
        if !["scalar", "avx2", "avx512"].contains(&name) {
            return Err(IsaError::Unknown { name: name.into() });
        }
        Self::available()
            .into_iter()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| IsaError::Missing { name: name.into() })
    }

    /// `HUSH_ISA` if set, else the fastest of this machine. Programs call this once
    /// at start to report a bad value.
    pub fn from_environment() -> Result<Self, IsaError> {
        match std::env::var("HUSH_ISA") {
            Ok(name) if !name.is_empty() => Self::named(&name),
            _ => Ok(Self::fastest()),
        }
    }

    /// [`Isa::from_environment`], read once; a bad value falls back to the fastest.
    pub fn active() -> Self {
        static ACTIVE: OnceLock<Isa> = OnceLock::new();
        *ACTIVE.get_or_init(|| Self::from_environment().unwrap_or_else(|_| Self::fastest()))
    }

    /// `scalar`, `avx2` or `avx512`.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        }
    }

    /// 64-bit lanes per vector.
    pub const fn width(self) -> usize {
        match self.0 {
            Kind::Scalar => 1,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 4,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 8,
        }
    }

    fn fastest() -> Self {
        *Self::available()
            .last()
            .expect("scalar code is always available")
    }

    /// Runs a kernel compiled for this instruction set.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Kind::Scalar => kernel.run(Scalar),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => {
                // SAFETY: `Kind::Avx2` is only made after avx2 and fma were detected.
                unsafe { run_avx2(kernel) }
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => {
                // SAFETY: `Kind::Avx512` is only made after avx512f, dq and ifma were detected.
                unsafe { run_avx512(kernel) }
            }
        }
    }
}

/// A loop over lanes. `run` is inlined into one function per instruction set, which
/// is how it comes to be compiled for each; everything it calls must be
/// `#[inline(always)]` for the same reason.
pub(crate) trait Kernel {
    type Output;
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(crate::lanes::avx2::Avx2::new())
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(crate::lanes::avx512::Avx512::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused() {
        assert_eq!(
            Isa::named("sse9"),
            Err(IsaError::Unknown {
                name: "sse9".into()
            })
        );
    }

    #[test]
    fn every_available_isa_is_found_by_name() {
        for isa in Isa::available() {
            assert_eq!(Isa::named(isa.name()), Ok(isa));
        }
    }
}
