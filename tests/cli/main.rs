//! The command line as its users meet it: the program itself is run, on SQLite databases and closed ports.
//!
//! `pages/` holds what needs no cloud, as `trycmd` transcripts; everything about a cloud is told in
//! Rust, and reviewed as `insta` snapshots. Every run of the program in here is also searched for
//! panics, backtraces and passwords: see [`lab::Lab::run`].

mod arguments;
mod check;
mod cloud_file;
mod data;
mod doctor;
mod lab;
mod lint;
mod mapped;
mod packaging;
mod pages;
mod refusals;
mod resolve;
mod restore;
mod runs;
mod secrets;
mod selection;
mod state;
mod streams;
mod trip;
mod verify;
