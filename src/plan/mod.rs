//! What will be done, in which order, and why: decided before anything is touched.
//!
//! Planning is pure and synchronous: documents and observations in, a [`Plan`] or a [`Refusal`] out.
//! After it the conductor has no choices left. No I/O, no clock, no secrets: a plan can be printed,
//! kept and compared.

pub mod detect;
mod document;

pub use document::{
    Action, DataMigration, Hop, Lane, OptionValue, Plan, Standing, Step, StepConfiguration, Verification,
};
