//! Rewrites from graph to graph. Each computes the same function as what it replaces, up to the
//! rounding of `f64`.
