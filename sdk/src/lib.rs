//! Ripcord in an application: evaluates flags in-process and goes on working when everything else is down.
pub mod engine;
