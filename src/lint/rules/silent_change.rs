//! A change that nobody asked for.

use super::{Concerns, Find, Phases, Rule, W};

pub(super) const RULE: Rule = Rule {
    id: "LF-E02",
    name: "silent-change",
    detects: "A column or an index is another one after a migration in a way that neither the script nor, where that is not understood, the statement asks for; found by `--execute`.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "MySQL's `MODIFY` restates the whole column: what it leaves out, a default, NOT NULL, a comment, is dropped without a word. Code of the release before that relies on it fails.",
    mend: "State every `existing_…` of the column in the script.",
    decides: "What the column was on your server: a script cannot know it.",
    sources: &["information_schema before and after each revision, on a copy without rows"],
    severities: [W, W, W, W],
    hit: "op.alter_column('t', 'c', type_=sa.String(60), existing_type=sa.String(50), existing_nullable=True)\nran     ALTER TABLE t MODIFY c VARCHAR(60) NULL => ALGORITHM=INSTANT\ncolumn  t.c varchar(50) DEFAULT 'a' => varchar(60)",
    near_miss: "op.alter_column('t', 'c', type_=sa.String(60), existing_type=sa.String(50), existing_nullable=True, server_default=None)\nran     ALTER TABLE t MODIFY c VARCHAR(60) NULL => ALGORITHM=INSTANT\ncolumn  t.c varchar(50) DEFAULT 'a' => varchar(60)",
    find: Find::InExecution,
};
