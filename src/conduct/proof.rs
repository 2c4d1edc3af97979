//! What the heads and tables of a database prove of a schema migration: pure, so that every case can be tried.
//!
//! An exit code is a claim. After a schema migration each of its databases must stand where the release
//! wants it: at all of the release's heads, or, for a command that takes one branch, at that branch's; and
//! no more tables may be gone than the revisions on the way drop.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::Evidence;
use crate::model::{Branch, DatabaseId, Heads, Trigger};
use crate::plan::{SchemaMove, SchemaTarget};

/// A database as it was seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its heads.
    pub(super) heads: Heads,
    /// How many tables it holds.
    pub(super) tables: u64,
    /// Its triggers.
    pub(super) triggers: Vec<Trigger>,
}

/// What was seen of a step's databases.
pub(super) type Sight = BTreeMap<DatabaseId, Seen>;

/// What every database shows that stands where the migration leads already; nothing if one does not.
pub(super) fn nothing_to_do(schema: &SchemaMove, before: &Sight) -> Option<Vec<Evidence>> {
    let shown = schema.databases.iter().map(|(database, target)| {
        let seen = before.get(database).filter(|seen| schema.is_reached(target, &seen.heads))?;
        if left_over(target, seen).next().is_some() {
            return None;
        }
        heads(schema.branch, database, target, None, seen).ok()
    });
    shown.collect()
}

/// What `after` proves of a command that says it went well. `before` is absent where the command ran before
/// anyone looked.
///
/// # Errors
/// What the databases show instead, a sentence for each.
pub(super) fn prove(schema: &SchemaMove, before: Option<&Sight>, after: &Sight) -> Result<Vec<Evidence>, Vec<String>> {
    let (mut evidence, mut wrong) = (Vec::new(), Vec::new());
    for (database, target) in &schema.databases {
        let Some(now) = after.get(database) else { continue };
        let then = before.and_then(|before| before.get(database));
        match heads(schema.branch, database, target, then, now) {
            Ok(piece) => evidence.push(piece),
            Err(what) => wrong.push(what),
        }
        match tables(database, target, then, now) {
            Ok(piece) => evidence.push(piece),
            Err(what) => wrong.push(what),
        }
        evidence.extend(triggers(database, then.map(|then| &then.triggers[..]), &now.triggers));
        let left: Vec<&str> = left_over(target, now).map(|trigger| trigger.name.as_str()).collect();
        if !left.is_empty() {
            wrong.push(format!(
                "{database} still has triggers that should be gone now: {}; drop them by hand (DROP TRIGGER) once no \
                 program of an older release writes there",
                left.join(", ")
            ));
        }
    }
    if wrong.is_empty() { Ok(evidence) } else { Err(wrong) }
}

/// Where the databases stand after a command that failed: a sentence for each that moved or is half-way.
pub(super) fn left_at(schema: &SchemaMove, before: Option<&Sight>, after: &Sight) -> Vec<String> {
    let mut sentences = Vec::new();
    for (database, target) in &schema.databases {
        let Some(now) = after.get(database) else { continue };
        let then = before.and_then(|before| before.get(database));
        sentences.push(if now.heads.stand_at(&target.heads) {
            format!("{database} stands at the release's heads, {}", now.heads)
        } else if then.is_some_and(|then| then.heads == now.heads) {
            format!("{database} still stands at {}", now.heads)
        } else {
            half_way(database, target, now)
        });
    }
    sentences
}

fn heads(
    branch: Option<Branch>,
    database: &DatabaseId,
    target: &SchemaTarget,
    then: Option<&Seen>,
    now: &Seen,
) -> Result<Evidence, String> {
    // A branch's head goes where another revision builds on it: at the release's heads nothing is missing.
    if now.heads.stand_at(&target.heads) {
        return Ok(Evidence::Heads { database: database.clone(), heads: now.heads.clone() });
    }
    if let Some(branch) = branch
        && target.reaches.is_subset(&now.heads.alembic)
    {
        let (heads, reached) = (now.heads.clone(), target.reaches.clone());
        return Ok(Evidence::Branch { database: database.clone(), heads, branch, reached });
    }
    let wanted = match branch {
        Some(branch) => format!("the head of the {branch} branch is {}", list(&target.reaches)),
        None => format!("the release's heads are {}", target.heads),
    };
    Err(if then.is_some_and(|then| then.heads == now.heads) {
        format!("{database} did not move: it stands at {} as before, and {wanted}", now.heads)
    } else if target.heads.alembic.is_disjoint(&now.heads.alembic) {
        format!("{database} stands at {}, and {wanted}", now.heads)
    } else {
        format!("{}; {wanted}", half_way(database, target, now))
    })
}

/// A database between two releases, and which of its branches are where.
fn half_way(database: &DatabaseId, target: &SchemaTarget, now: &Seen) -> String {
    let reached: BTreeSet<String> = now.heads.alembic.intersection(&target.heads.alembic).cloned().collect();
    let missing: BTreeSet<String> = target.heads.alembic.difference(&now.heads.alembic).cloned().collect();
    if reached.is_empty() {
        return format!("{database} stands at {}, on the way to {}", now.heads, target.heads);
    }
    format!("{database} stands half-way, at {}: {} is reached, {} is not", now.heads, list(&reached), list(&missing))
}

fn tables(database: &DatabaseId, target: &SchemaTarget, then: Option<&Seen>, now: &Seen) -> Result<Evidence, String> {
    let lost = then.map_or(0, |then| then.tables.saturating_sub(now.tables));
    match target.may_drop.filter(|may_drop| lost > *may_drop) {
        Some(may_drop) => Err(format!(
            "{database} holds {lost} tables fewer than before ({} instead of {}), and the revisions on the way drop {}",
            now.tables,
            now.tables + lost,
            if may_drop == 0 { "none".to_owned() } else { format!("{may_drop} at most") }
        )),
        None => Ok(Evidence::Tables {
            database: database.clone(),
            before: then.map(|then| then.tables),
            after: now.tables,
            may_drop: target.may_drop,
        }),
    }
}

/// Triggers that a database has and should have no more.
fn left_over<'s>(target: &'s SchemaTarget, seen: &'s Seen) -> impl Iterator<Item = &'s Trigger> {
    seen.triggers.iter().filter(|trigger| target.no_triggers.contains(&trigger.name))
}

/// The triggers before and after a command, where there are any.
pub(super) fn triggers(database: &DatabaseId, before: Option<&[Trigger]>, now: &[Trigger]) -> Option<Evidence> {
    let missing = |from: &[Trigger], those: &[Trigger]| -> Vec<Trigger> {
        those.iter().filter(|trigger| !from.contains(trigger)).cloned().collect()
    };
    let any = !now.is_empty() || before.is_some_and(|before| !before.is_empty());
    any.then(|| Evidence::Triggers {
        database: database.clone(),
        after: now.to_vec(),
        made: missing(before.unwrap_or(now), now),
        gone: missing(now, before.unwrap_or_default()),
    })
}

/// The triggers around a command whose databases prove nothing, or not what it says.
pub(super) fn triggers_around(before: Option<&Sight>, after: &Sight) -> Vec<Evidence> {
    let then = |database| Some(&before?.get(database)?.triggers[..]);
    after.iter().filter_map(|(database, now)| triggers(database, then(database), &now.triggers)).collect()
}

fn list(heads: &BTreeSet<String>) -> String {
    heads.iter().map(String::as_str).collect::<Vec<_>>().join(" + ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn database() -> DatabaseId {
        "keystone".parse().expect("valid")
    }

    fn seen(heads: &[&str], tables: u64) -> Sight {
        [(database(), Seen { heads: Heads::alembic(heads.iter().copied()), tables, triggers: Vec::new() })].into()
    }

    fn to(heads: &[&str], branch: Option<Branch>, reaches: &[&str], may_drop: Option<u64>) -> SchemaMove {
        let reaches = reaches.iter().map(|head| (*head).to_owned()).collect();
        let no_triggers = BTreeSet::from(["read_only".to_owned()]);
        let target = SchemaTarget { heads: Heads::alembic(heads.iter().copied()), reaches, may_drop, no_triggers };
        SchemaMove { databases: [(database(), target)].into(), branch, skippable: true, unless: None }
    }

    fn wrong(schema: &SchemaMove, before: &Sight, after: &Sight) -> String {
        prove(schema, Some(before), after).expect_err("not proved").join("; ")
    }

    #[test]
    fn a_database_that_did_not_move_is_named_with_where_it_is_and_where_it_should_be() {
        let schema = to(&["new"], None, &["new"], None);
        insta::assert_snapshot!(wrong(&schema, &seen(&["old"], 9), &seen(&["old"], 9)),
            @"keystone did not move: it stands at old as before, and the release's heads are new");
        insta::assert_snapshot!(wrong(&schema, &seen(&["old"], 9), &seen(&["other"], 9)),
            @"keystone stands at other, and the release's heads are new");
    }

    #[test]
    fn half_of_the_heads_names_the_half_that_is_missing() {
        let schema = to(&["e2", "c2"], None, &["c2", "e2"], None);
        insta::assert_snapshot!(wrong(&schema, &seen(&["e1", "c1"], 9), &seen(&["e2", "c1"], 9)),
            @"keystone stands half-way, at c1 + e2: e2 is reached, c2 is not; the release's heads are c2 + e2");
    }

    #[test]
    fn a_branch_is_proved_by_its_head_and_by_what_builds_on_it() {
        // glance: the contract head builds on the expand head and takes its place.
        let expand = to(&["contract"], Some(Branch::Expand), &["expand"], None);
        let before = seen(&["old"], 9);
        let Ok(evidence) = prove(&expand, Some(&before), &seen(&["expand", "old"], 9)) else { panic!("not proved") };
        assert!(matches!(&evidence[0], Evidence::Branch { reached, .. } if reached.contains("expand")), "{evidence:?}");
        assert!(prove(&expand, Some(&before), &seen(&["contract"], 9)).is_ok());
        insta::assert_snapshot!(wrong(&expand, &before, &before),
            @"keystone did not move: it stands at old as before, and the head of the expand branch is expand");
    }

    #[test]
    fn more_tables_gone_than_the_revisions_drop_fail_a_step_and_an_unknown_number_is_only_noted() {
        let (before, after) = (seen(&["old"], 9), seen(&["new"], 6));
        insta::assert_snapshot!(wrong(&to(&["new"], None, &["new"], Some(2)), &before, &after),
            @"keystone holds 3 tables fewer than before (6 instead of 9), and the revisions on the way drop 2 at most");
        assert!(prove(&to(&["new"], None, &["new"], Some(3)), Some(&before), &after).is_ok());
        let noted = prove(&to(&["new"], None, &["new"], None), Some(&before), &after).expect("proved");
        assert!(noted.contains(&Evidence::Tables { database: database(), before: Some(9), after: 6, may_drop: None }));
    }

    #[test]
    fn a_trigger_that_should_be_gone_is_named_and_what_came_and_went_is_told() {
        let trigger = |name: &str| Trigger {
            name: name.to_owned(),
            table: "credential".into(),
            event: "BEFORE INSERT".into(),
            digest: "0a1b2c3d4e5f".into(),
        };
        let with = |heads: &[&str], names: &[&str]| {
            let mut sight = seen(heads, 9);
            sight.values_mut().for_each(|seen| seen.triggers = names.iter().map(|name| trigger(name)).collect());
            sight
        };
        let schema = to(&["new"], None, &["new"], None);
        let before = with(&["old"], &["read_only", "audit"]);
        insta::assert_snapshot!(wrong(&schema, &before, &with(&["new"], &["read_only", "audit"])),
            @"keystone still has triggers that should be gone now: read_only; drop them by hand (DROP TRIGGER) once no program of an older release writes there");
        let Ok(evidence) = prove(&schema, Some(&before), &with(&["new"], &["audit"])) else { panic!("not proved") };
        let told = Evidence::Triggers {
            database: database(),
            after: vec![trigger("audit")],
            made: Vec::new(),
            gone: vec![trigger("read_only")],
        };
        assert!(evidence.contains(&told), "{evidence:?}");
        assert!(
            nothing_to_do(&schema, &with(&["new"], &["audit"])).is_some(),
            "an operator's own trigger is nothing to do"
        );
        assert!(nothing_to_do(&schema, &with(&["new"], &["read_only"])).is_none(), "it is not skipped over a leftover");
    }

    #[test]
    fn after_a_failure_it_is_said_where_each_database_stands() {
        let schema = to(&["e2", "c2"], None, &[], None);
        let before = seen(&["e1", "c1"], 9);
        insta::assert_snapshot!(left_at(&schema, Some(&before), &seen(&["e2", "c1"], 9)).join("; "),
            @"keystone stands half-way, at c1 + e2: e2 is reached, c2 is not");
        insta::assert_snapshot!(left_at(&schema, Some(&before), &before).join("; "), @"keystone still stands at c1 + e1");
    }

    proptest! {
        #[test]
        fn a_step_without_a_branch_is_proved_at_the_release_s_heads_and_nowhere_else(
            target in proptest::collection::btree_set("[abc]", 1..3), now in proptest::collection::btree_set("[abc]", 0..3),
        ) {
            let target: Vec<&str> = target.iter().map(String::as_str).collect();
            let now: Vec<&str> = now.iter().map(String::as_str).collect();
            let proved = prove(&to(&target, None, &target, None), None, &seen(&now, 1)).is_ok();
            prop_assert_eq!(proved, now == target);
            let skipped = nothing_to_do(&to(&target, None, &target, None), &seen(&now, 1)).is_some();
            prop_assert_eq!(skipped, now == target);
        }
    }
}
