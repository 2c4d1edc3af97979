//! A script that nobody runs.

use super::{Concerns, Find, Phases, Rule, W};

pub(super) const RULE: Rule = Rule {
    id: "LF-S07",
    name: "unreachable",
    detects: "A script is among those of a release, and none of that release's heads needs it; found over a range of releases.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "The release's own command does not run it, and what it does is not looked at here. A plain `alembic upgrade heads` would.",
    mend: "Look whether the release's command takes it, and delete what nobody runs.",
    decides: "Nothing.",
    sources: &["keystone, common/sql/upgrades.py: the releases that its command takes"],
    severities: [W, W, W, W],
    hit: "heads of 2024.1: b\na.py  revision = 'a'; down_revision = None\nb.py  revision = 'b'; down_revision = 'a'\nc.py  revision = 'c'; down_revision = 'a'",
    near_miss: "heads of 2024.1: b, c\na.py  revision = 'a'; down_revision = None\nb.py  revision = 'b'; down_revision = 'a'\nc.py  revision = 'c'; down_revision = 'a'",
    find: Find::InHistory,
};
