//! The whole API over the memory store, call by call as callers make them.

mod bad_input;
mod budgets;
mod checkpoints;
mod drills;
mod edits;
mod file_sets;
mod harness;
mod history;
mod keys;
mod kills;
mod openapi;
mod outbound;
mod permissions;
mod procedures;
mod proposals;
mod releases;
mod rollbacks;
mod rollouts;
mod trigger_approval;
