//! The whole API over the memory store, call by call as callers make them.

mod bad_input;
mod checkpoints;
mod drills;
mod edits;
mod harness;
mod history;
mod keys;
mod kills;
mod openapi;
mod permissions;
mod procedures;
mod releases;
mod rollbacks;
