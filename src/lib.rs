//! leapfrog steps the databases of an OpenStack control plane through several releases, each with its
//! own code.
//!
//! Documents and observations become a [`plan`] (pure, with every reason not to begin); the
//! [`conduct`]or carries it out, one journalled step after the other, and [`report`]s tell what
//! happens. `docs/architecture.md` is the long form. What holds everywhere:
//!
//! 1. A record is durable before anyone sees it, and before the act it announces.
//! 2. After planning the conductor makes no choices: every branch is in the plan or in an exit table.
//! 3. The database outranks the journal. On every start heads are read and compared.
//! 4. Reporters never influence a run.
//! 5. Everything shown later is derivable from the plan and the journal alone.
//! 6. No success without evidence. Exit code 0 is a claim.

pub mod catalog;
pub mod cli;
pub mod cloud;
pub mod conduct;
pub mod contact;
pub mod database;
pub mod demo;
pub mod document;
pub mod journal;
pub mod lint;
pub mod migrations;
pub mod model;
pub mod observe;
pub mod oslo;
pub mod plan;
pub mod readers;
pub mod report;
pub mod restore;
pub mod runner;
pub mod stages;
pub mod trip;
