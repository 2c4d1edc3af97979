//! Plans and refusals as operators read them, made from the embedded catalogue.
//!
//! Each snapshot is a whole situation: a cloud with seven services, something about it, and what leapfrog
//! says. To be read as at three in the morning: what is wrong, where, and what to run next.

mod cloud;
mod ladder;
mod mapped;
mod parts;
mod plans;
mod points;
mod reconcile;
mod refusals;
mod stages;
