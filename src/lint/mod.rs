//! What migration scripts do to a schema, and which of it is a fault: read without running Python.
//!
//! A [`Script`] comes with its operations ([`Operation`]: one change each), which `read` finds; `rules` look at operations
//! and never at text; `judge` holds the one against the other; `range` takes a
//! schema through several releases, `numbered` through the scripts from before alembic; `chain` is what one command runs of it;
//! `cost` is what an operation costs on which server, `locks` which tables it holds until its transaction ends; `heavy` is what will take long on an operator's own tables; `document` is what is told of it all.
//! Pure: texts in, plain values out.
//!
//! Nothing is passed over in silence: what is not understood is an operation and a finding of its own (LF-S04).

mod chain;
mod cost;
mod document;
mod execute;
mod heavy;
mod judge;
mod locks;
mod numbered;
mod operation;
mod range;
pub mod read;
pub mod rules;
mod script;
mod server;

#[cfg(test)]
pub(crate) use chain::example;
pub use chain::{Chain, Link, Outlasts};
pub use cost::{Cost, Waits, Way, cost};
pub use document::{Accepted, Against, At, Found, Point, Report, Told};
pub use execute::{
    Again, Algorithm, Attempt, Confronted, Course, Lock, Measure, Passage, Ran, Statement, Stretch, again, confront,
    passages,
};
pub use heavy::{Heavy, Pass, Sized, heavy};
pub use judge::{Finding, Scope, judge};
pub use numbered::Repository;
pub use operation::{Alteration, Certainty, Change, Column, Constraint, Engines, Operation, Place, Type, Verb};
pub use range::{Held, range};
pub use read::{Declared, Models, Transactions};
pub use rules::{Find, RULES, Rule, Severity, Surroundings};
pub use script::{Before, Remark, Script, Versions};
pub use server::{Server, Target, Version};
