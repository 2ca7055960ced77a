//! The web pages of the tracking server: functions from what is stored to HTML, and the routes that call them.
//!
//! Start reading at [`router`]: every page is a file named after what it shows (`experiments`, `runs`, `run`, `compare`,
//! `models`, `deployments`, `keys`), whose route asks [`hush_tracking::Tracking`] or [`hush_serving::Service`] and hands what
//! it got to a function that writes markup. `document` is the frame around all of them, `forms` what several of them hold,
//! `answer` the headers, `assets` the scripts and styles.
//!
//! Invariants:
//! - whatever somebody wrote is text: templates escape, and no answer lets a browser run or load anything that is not ours;
//! - files of runs are shown in a sandbox, without scripts, and never as a page of ours;
//! - a form that changes something carries a token that other sites cannot know;
//! - pages work without scripts; scripts add plots, shortcuts and updates;
//! - no page reads more than a page: tables are paged and histories thinned by the server.
//!
//! Non-goals: who visitors are (`hush-server` finds that out and hands over a [`hush_tracking::Caller`] with the request), and
//! any state of its own.
#![forbid(unsafe_code)]

mod address;
mod answer;
mod assets;
mod compare;
mod deployments;
mod document;
mod door;
mod experiments;
mod files;
mod format;
mod forms;
mod keys;
mod models;
mod pages;
mod plots;
mod run;
mod runs;
mod sign_in;
mod visitor;

pub use door::{Door, Known, Later, SignIn};
pub use pages::{Pages, is_open, root, router};
pub use sign_in::{SESSION_COOKIE, session_token, to_sign_in};
