//! The real leap: real releases in real images from a real registry, real `*-manage` commands, a real
//! MariaDB with work pending. `make test` brings the test bed up and runs this.

// The longest first: tests begin in the order of their names.
mod back;
mod bed;
mod check;
mod clock;
mod complete;
mod contact;
mod dumps;
mod executed;
mod failing;
mod failover;
mod once;
mod others;
mod outages;
mod parts;
mod proofs;
mod refusals;
mod relay;
mod restore;
mod rocky;
mod schemas;
mod secrets;
mod terminal;
mod traps;
mod wrong_images;
