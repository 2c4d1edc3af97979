//! A script that another release has otherwise, or not at all.

use super::{Concerns, Find, I, Phases, Rule};

pub(super) const RULE: Rule = Rule {
    id: "LF-S06",
    name: "history-edited",
    detects: "A revision that databases went through is another script in a later release, or is gone; found over a range of releases.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "Databases have what the script did when they went through it, not what it says now. Where the revision at which they stand is gone, alembic cannot go on at all, and that is an error.",
    mend: "Take every release on the way by its own scripts. Never edit or delete a script that was released.",
    decides: "Through which releases a database went.",
    sources: &["neutron and nova, scripts of 2023.1 to 2026.2 held against each other"],
    severities: [I, I, I, I],
    hit: "2024.1  revision = 'a'; def upgrade(): op.drop_table('t')\n2024.2  revision = 'a'; def upgrade(): op.drop_table('u')",
    near_miss: "2024.1  revision = 'a'; def upgrade(): op.drop_table('t')\n2024.2  revision = 'a'; def upgrade(): op.drop_table('t')  # a comment",
    find: Find::InHistory,
};
