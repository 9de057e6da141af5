//! Rollbacks: the record of each is its procedure, taken from its commit to its end by whichever node drives the environment.

pub mod acts;
mod judgement;
mod ladder;
mod procedure;
pub mod progress;
pub mod review;
mod says;
mod served;
#[cfg(test)]
mod tests;
pub mod wait;
