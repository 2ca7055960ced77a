//! The store and its API as callers see them, on SQLite and, where it is installed, on PostgreSQL.

mod api;
mod crash;
mod permissions;
mod postgres;
mod search;
mod support;
mod webhooks;
mod writes;
