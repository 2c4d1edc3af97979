//! Something that was run and not read: a gap of the lint.

use super::{Concerns, Find, Phases, Rule, W};

pub(super) const RULE: Rule = Rule {
    id: "LF-E01",
    name: "unseen",
    detects: "A migration changes a schema in a way that was not read of its script; found by `--execute`.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "It is a gap of the lint: no rule has looked at this change. Where the script is said not to be understood (LF-S04), it is information.",
    mend: "Look at the statement yourself, and report the script.",
    decides: "What the statement is.",
    sources: &["the statements that the release's own command sends to the server"],
    severities: [W, W, W, W],
    hit: "op.drop_column('t', 'c')\nran     ALTER TABLE t DROP COLUMN c => ALGORITHM=INSTANT\nran     ALTER TABLE t DROP COLUMN d => ALGORITHM=INSTANT",
    near_miss: "for name in ('c', 'd'):\n    op.drop_column('t', name)\nran     ALTER TABLE t DROP COLUMN c => ALGORITHM=INSTANT\nran     ALTER TABLE t DROP COLUMN d => ALGORITHM=INSTANT",
    find: Find::InExecution,
};
