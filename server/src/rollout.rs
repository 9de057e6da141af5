//! Rollouts: a plan raises a split step by step; each step is held for a while and judged by gates.

pub mod step;
