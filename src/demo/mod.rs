//! The cloud of `leapfrog demo`: what is in it, as data, and the cloud file that describes it.
//!
//! `demo/cloud.yaml` names the services, nova's cells and the seeds; the seeds are SQL that every engine takes. All of it
//! is embedded in the binary. How a schema is made is no matter of this module: the playbooks' own steps do it, on empty
//! databases, as a leap would.
//!
//! Pure: texts and values in, texts and values out. It must not run anything, nor know where its databases are made.

mod cloud_file;
mod ground;
mod sketch;

pub use cloud_file::{Site, SiteRunner};
pub use ground::{Ground, NoGround, PREFIX};
pub use sketch::{Seed, Sketch};
