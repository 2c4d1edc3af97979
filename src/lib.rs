//! leapfrog steps the databases of an OpenStack control plane through several releases.

pub mod catalog;
pub mod cli;
pub mod cloud;
pub mod conduct;
pub mod database;
pub mod document;
pub mod journal;
pub mod model;
pub mod observe;
pub mod plan;
pub mod report;
pub mod runner;
