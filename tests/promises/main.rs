//! One file for each promise of DESIGN 2, numbered alike: what would fail if it were broken.

mod p01_atomic;
mod p02_ordered;
mod p03_durable;
mod p04_flood;
mod p04_kill_wins;
mod p05_fail_static;
mod p06_kill_without_the_store;
mod p07_fail_safe;
mod p08_same_answer;
mod p09_monotone_exposure;
mod p10_confirmed;
mod p11_idempotent;
mod p12_no_surprise;
mod p13_traceable;
mod p14_bad_input;
mod p15_truthful;
mod p16_bounded;
