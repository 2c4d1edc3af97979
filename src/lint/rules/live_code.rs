//! A script that is another one with each release that is installed.

use super::{Concerns, Find, Phases, Rule, W};
use crate::lint::operation::Place;
use crate::lint::read::imports;

pub(super) const RULE: Rule = Rule {
    id: "LF-S05",
    name: "live-code",
    detects: "A script imports models, constants or the configuration of the code that is installed.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "What it does is what these say on the day on which it runs: a model has other columns by then, a constant another value, and a node another configuration. Databases that went through it earlier have something else.",
    mend: "Write tables, columns and values in the script as they are at that revision.",
    decides: "Which release runs it.",
    sources: &[
        "octavia: default values from octavia.common.constants",
        "cinder b7b88f50aab5: models; 9c74c1c6971f: cinder.conf",
    ],
    severities: [W, W, W, W],
    hit: "from nova.db.main import models\nmodels.Instance.__table__",
    near_miss: "from sqlalchemy import orm\norm.Session(bind=op.get_bind())",
    find: Find::InScript(find),
};

/// Parts of a module's name by which it is known.
const LIVE: [&str; 8] = ["models", "model", "models_v2", "constants", "consts", "conf", "config", "cfg"];

fn find(text: &str) -> Vec<(Place, String)> {
    let live = imports(text).into_iter().filter(|(name, _)| name.split('.').any(|part| LIVE.contains(&part)));
    live.map(|(name, place)| (place, format!("imports {name}: what it does depends on the code that is installed")))
        .collect()
}
