//! First contact: what a machine's own configuration says of its cloud, and a cloud file made of it.
//!
//! [`look`] knows nothing of services but what their playbooks say: which file and which option tells a service where
//! its database is. It looks for that file where packages put it (`/etc/nova/nova.conf` and what services read
//! besides) or where kolla-ansible does (`/etc/kolla/nova-api/nova.conf`), reads it as the service would
//! ([`oslo`](crate::oslo)), and keeps where each URL stands. [`Draft`] is the text of a cloud file that leads there.
//!
//! Rules: a service that is there and cannot be understood is a [`Problem`], never left out in silence; a service of
//! which there is no trace is left out and named. Guesses are told as remarks. No password gets into the draft unless
//! somebody asks for it, and no text of this module holds one.
//!
//! It reads files and changes nothing. It connects to nothing.

mod draft;
mod images;
mod kolla;
mod look;
mod places;
mod service;

pub use draft::Draft;
pub use images::FoundImages;
pub use look::{Contact, Ground, Layout, look};
pub use places::Place;
pub use service::{FoundDatabase, FoundService, Problem};
