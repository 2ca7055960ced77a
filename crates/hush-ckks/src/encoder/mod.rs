//! Numbers to polynomials and back.

mod embedding;
mod integers;
mod mixed_radix;
