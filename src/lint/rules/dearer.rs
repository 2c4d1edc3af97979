//! A change that costs more than was read.

use super::{Concerns, Find, N, Phases, Rule, W};

pub(super) const RULE: Rule = Rule {
    id: "LF-E03",
    name: "dearer",
    detects: "Your server needs a dearer algorithm or a stronger lock for a change than its script was read to need; found by `--execute`.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "What the server accepts depends on its version and on how the table is made there: what is said of the cost elsewhere in the report is too little.",
    mend: "Plan for what the server says, and report the script with the table's definition.",
    decides: "The server's version, the table's character set, indexes and foreign keys; then its rows.",
    sources: &["ALGORITHM and LOCK clauses, the cheapest first; PostgreSQL's locks and files"],
    severities: [W, W, W, N],
    hit: "op.add_column('volumes', sa.Column('c', sa.Integer))\nran     ALTER TABLE volumes ADD COLUMN c INTEGER => ALGORITHM=COPY, LOCK=SHARED",
    near_miss: "op.add_column('volumes', sa.Column('c', sa.Integer))\nran     ALTER TABLE volumes ADD COLUMN c INTEGER => ALGORITHM=INSTANT",
    find: Find::InExecution,
};
