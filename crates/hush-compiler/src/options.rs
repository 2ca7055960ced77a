//! What the user can ask for.

use hush_program::PackingKind;

use crate::error::CompileError;

/// Share of [`Options::precision`] that approximating activations may use; noise has the rest.
pub const APPROXIMATION_SHARE: f64 = 0.5;

/// Without [`Options::precision`] outputs may be off by this share of the largest one on the calibration data.
pub const DEFAULT_SHARE: f64 = 0.02;

/// Without [`Options::precision`] outputs may be off by this much at least.
pub const DEFAULT_LEAST: f64 = 1e-3;

/// Options of [`crate::compile`].
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Largest absolute error wanted on any output, against the float model. Without it (the default) activations are
    /// approximated until the classes agree: with output errors twice as large as they are, the rows expected to change
    /// their arg max stay below 1.5 times the share that [`Options::min_agreement`] leaves. An error of half of
    /// [`DEFAULT_SHARE`] of the largest output (at least of [`DEFAULT_LEAST`]) is good enough in any case, and needed
    /// where outputs are not classes; noise may add the other half.
    pub precision: Option<f64>,
    /// Share of calibration rows whose arg max the encrypted model should not change. Default 0.99.
    pub min_agreement: f64,
    /// Samples that will be run together; one if not given.
    pub batch: Option<usize>,
    /// Forces a packing; otherwise the cheaper one for the batch is taken.
    pub packing: Option<PackingKind>,
    /// 128, 192 or 256. Default 128.
    pub security_bits: u32,
    /// Calibrated activation ranges are widened by this share of their width, half on each side. Default 0.2.
    pub activation_margin: f64,
    /// Bits that every message may grow beyond the largest one seen on the calibration data before it wraps around
    /// the modulus and its result is lost. Default 2: four times.
    pub headroom_bits: f64,
    /// Most bytes of evaluation keys. Default 8 GiB.
    pub max_key_bytes: u64,
    /// Highest degree tried for an activation. Default 127.
    pub max_degree: usize,
    /// Seed of the noise in the final simulation. Default 0.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            precision: None,
            min_agreement: 0.99,
            batch: None,
            packing: None,
            security_bits: 128,
            activation_margin: 0.2,
            headroom_bits: 2.0,
            max_key_bytes: 8 << 30,
            max_degree: 127,
            seed: 0,
        }
    }
}

impl Options {
    /// Checks ranges.
    ///
    /// # Errors
    /// [`CompileError::Option`] names the option and what is wrong.
    pub fn check(&self) -> Result<(), CompileError> {
        let fail = |option, reason| Err(CompileError::Option { option, reason });
        if self
            .precision
            .is_some_and(|precision| !(precision.is_finite() && precision > 0.0))
        {
            return fail("precision", "must be a positive number, for example 1e-3");
        }
        if !(0.0..=1.0).contains(&self.min_agreement) {
            return fail("smallest agreement", "must be between 0 and 1");
        }
        if self.batch == Some(0) {
            return fail("batch", "must be at least one");
        }
        if ![128, 192, 256].contains(&self.security_bits) {
            return fail("security bits", "must be 128, 192 or 256");
        }
        if !(0.0..=10.0).contains(&self.activation_margin) {
            return fail("activation margin", "must be between 0 and 10");
        }
        if !(0.0..=40.0).contains(&self.headroom_bits) {
            return fail("headroom bits", "must be between 0 and 40");
        }
        if !(2..=1023).contains(&self.max_degree) {
            return fail("largest degree", "must be between 2 and 1023");
        }
        Ok(())
    }
}
