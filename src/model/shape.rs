//! The shape of a database: its tables with their columns and keys, without rows.

use std::collections::BTreeMap;

/// What tables a database has, and how they are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// By name.
    pub tables: BTreeMap<String, TableShape>,
}

/// How a table is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableShape {
    /// Its columns, by name.
    pub columns: BTreeMap<String, ColumnShape>,
    /// Its indexes and constraints, by what they are and their name: `index ix_host`.
    pub keys: BTreeMap<String, KeyShape>,
}

/// How a column is made, each as the server writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnShape {
    /// Its type: `varchar(255)`.
    pub kind: String,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// What the server puts in where an INSERT says nothing.
    pub default: Option<String>,
    /// How its texts are compared; absent where it has none.
    pub collation: Option<String>,
    /// What is noted of it.
    pub comment: String,
    /// What the server does besides: `auto_increment`.
    pub extra: String,
}

/// What an index or a constraint is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyShape {
    /// Its columns, as far as the server lists them.
    pub columns: Vec<String>,
    /// All of it, in the server's words.
    pub definition: String,
}
