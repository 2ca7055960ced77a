//! One file a verb. Each returns an [`Outcome`](crate::terminal::Outcome); nothing else is printed
//! on standard output.

pub(crate) mod canary;
pub(crate) mod compile;
pub(crate) mod decrypt;
pub(crate) mod demo;
pub(crate) mod encrypt;
pub(crate) mod inspect;
pub(crate) mod keygen;
pub(crate) mod mpc;
pub(crate) mod party;
pub(crate) mod predict;
pub(crate) mod register;
pub(crate) mod run;
pub(crate) mod run_project;
pub(crate) mod serve;
pub(crate) mod server;
pub(crate) mod simulate;
pub(crate) mod top;
pub(crate) mod tracking;
