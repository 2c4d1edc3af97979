//! Stories told to every reporter, kept as snapshots.

mod any;
mod json_lines;
mod plain;
mod schemas;
mod terminal;
mod texts;
mod view;
