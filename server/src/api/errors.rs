//! The errors of the domain as problem documents: one file for each area.

mod checkpoint;
mod ping;
mod proposal;
mod release;
mod rollback;
mod trigger;
