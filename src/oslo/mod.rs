//! The configuration of OpenStack's services, read as they read it: oslo.config files.
//!
//! A service reads several files one after the other, then every `*.conf` of some directories; what is read later
//! wins. [`Configuration::read`] does the same with the same order, the same section and option names (groups in any
//! case, old names where the service still takes them), the same continuation lines, quotes and `$` substitution. What
//! makes a service refuse a file makes it an [`OsloError`] here, with file and line. Source: oslo.config 10,
//! `iniparser.py` and `cfg.py` (`_parse_file`, `_get_file_value`, `_substitute`).
//!
//! It differs where a service knows more: defaults that stand in a service's code are not known, so a substitution
//! that leads to one is an error; and where a service would go on although a file is damaged (a NUL byte), it is said.
//!
//! Every value may hold a password. Values are [`Secret`](crate::model::Secret)s from the moment they are read, and no
//! error repeats one. This module changes nothing, prints nothing, and knows neither services nor databases.

mod configuration;
mod error;
mod parse;
mod substitute;
#[cfg(test)]
mod tests;

pub use configuration::{Configuration, Name, Setting};
pub use error::{Malformation, OsloError};
