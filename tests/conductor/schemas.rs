//! Schema migrations: proved by the databases, skipped with nothing to do, and never believed alone.

use leapfrog::journal::{Evidence, Outcome, RecordBody};
use leapfrog::model::{Branch, Heads, Trigger};
use leapfrog::plan::{Action, SchemaMove, SchemaTarget, Unless};
use leapfrog::runner::scripted::Script;

use crate::bed::{Bed, Told, heads, valid};

impl Bed {
    /// Makes the steps named db-sync what they are in playbooks: schema migrations that the heads prove.
    pub(crate) fn with_schemas(mut self) -> Self {
        for hop in &mut self.plan.hops {
            let series = hop.series.to_string();
            for step in hop.lanes.iter_mut().flat_map(|lane| &mut lane.steps) {
                let Action::Run(run) = &mut step.action else { continue };
                let target = heads(&series);
                let reaches = target.alembic.clone();
                let target = SchemaTarget { heads: target, reaches, may_drop: None, no_triggers: Default::default() };
                let databases = [(valid(step.id.service.as_str()), target)].into();
                run.schema = Some(SchemaMove { databases, branch: None, skippable: true, unless: None });
            }
        }
        self
    }

    /// Changes what a step's schema migration must show.
    pub(crate) fn schema(&mut self, step: &str, change: impl FnOnce(&mut SchemaMove)) {
        let step = self.step(step);
        let Action::Run(run) = &mut step.action else { panic!("{} is no schema migration", step.id) };
        change(run.schema.as_mut().expect("a schema migration"));
    }
}

fn evidence<'t>(told: &'t Told, step: &str) -> &'t [Evidence] {
    let ends = told.records.iter().rev().filter_map(|record| match &record.body {
        RecordBody::StepEnded { step: of, evidence, .. } if of.to_string() == step => Some(&evidence[..]),
        _ => None,
    });
    ends.into_iter().next().unwrap_or_else(|| panic!("{step} did not end"))
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The triggers that a step's evidence names: there after it, come, gone.
fn triggers(told: &Told, step: &str) -> Option<(Vec<String>, Vec<String>, Vec<String>)> {
    let names = |triggers: &[Trigger]| triggers.iter().map(|one| one.name.clone()).collect();
    evidence(told, step).iter().find_map(|piece| match piece {
        Evidence::Triggers { after, made, gone, .. } => Some((names(after), names(made), names(gone))),
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_schema_that_stands_at_its_heads_is_not_migrated_and_the_journal_shows_the_heads_instead() {
    let mut bed = Bed::two_by_three().with_schemas();
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    for service in ["cinder", "nova", "placement"] {
        let (first, second) = (format!("2023.1/{service}/db-sync"), format!("2023.2/{service}/db-sync"));
        assert_eq!((told.ended(&first), told.ended(&second)), (Some(Outcome::Skipped), Some(Outcome::Done)));
        let database = service.parse().expect("valid");
        assert_eq!(evidence(&told, &first), [Evidence::Heads { database, heads: heads("2023.1") }]);
        assert!(!bed.runner.launched().contains(&first), "{first} was run");
        let shown = evidence(&told, &second);
        assert!(shown.contains(&Evidence::NothingElsewhere {}), "{shown:?}");
        let database = service.parse().expect("valid");
        assert!(shown.contains(&Evidence::Heads { database, heads: heads("2023.2") }), "{shown:?}");
        assert!(matches!(shown.last(), Some(Evidence::Tables { before: Some(40), after: 40, .. })), "{shown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hop_ends_only_without_the_triggers_that_its_release_removes_and_tells_which_came_and_went() {
    let mut bed = Bed::two_by_three().with_schemas();
    let step = "2023.2/nova/db-sync";
    bed.schema(step, |schema| {
        schema.databases.values_mut().for_each(|target| target.no_triggers = ["read_only".to_owned()].into());
    });
    // A look at the first release, then before and after the command.
    bed.has_triggers("nova", &[&["audit"], &["audit", "read_only"], &["audit", "read_only"], &["audit"]]);
    let told = bed.leap().await;
    assert_eq!(told.ended(step), Some(Outcome::Failed));
    let failure = told.failure(step);
    assert!(failure.what.contains("still has triggers that should be gone now: read_only;"), "{}", failure.what);
    assert_eq!(triggers(&told, step), Some((names(&["audit", "read_only"]), names(&[]), names(&[]))));

    let mut bed = Bed::two_by_three().with_schemas();
    bed.schema(step, |schema| {
        schema.databases.values_mut().for_each(|target| target.no_triggers = ["read_only".to_owned()].into());
    });
    bed.has_triggers("nova", &[&["audit"], &["audit", "read_only"], &["audit"]]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(triggers(&told, step), Some((names(&["audit"]), names(&[]), names(&["read_only"]))));
}

#[tokio::test(start_paused = true)]
async fn the_triggers_that_a_command_left_which_failed_or_proves_nothing_are_told() {
    let made = Some((names(&["audit", "read_only"]), names(&["read_only"]), names(&[])));
    let step = "2023.2/nova/db-sync";
    let mut bed = Bed::two_by_three().with_schemas();
    bed.runner.on(step, [Script::ends(1)]);
    bed.has_triggers("nova", &[&["audit"], &["audit"], &["audit", "read_only"]]);
    let told = bed.leap().await;
    assert_eq!((told.ended(step), triggers(&told, step)), (Some(Outcome::Failed), made.clone()));
    // One that is told of a database whose schema nobody reads.
    let mut bed = Bed::two_by_three();
    bed.has_triggers("nova", &[&["audit"], &["audit"], &["audit"], &["audit", "read_only"]]);
    let told = bed.leap().await;
    assert_eq!((told.ended(step), triggers(&told, step)), (Some(Outcome::Done), made));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_does_more_than_migrate_runs_even_at_the_heads() {
    let mut bed = Bed::two_by_three().with_schemas();
    bed.schema("2023.1/cinder/db-sync", |schema| schema.skippable = false);
    let told = bed.leap().await;
    assert_eq!(told.ended("2023.1/cinder/db-sync"), Some(Outcome::Done));
    assert_eq!(told.ended("2023.1/nova/db-sync"), Some(Outcome::Skipped));
}

#[tokio::test(start_paused = true)]
async fn what_a_command_does_besides_is_counted_and_only_where_there_is_none_of_it_the_command_is_skipped() {
    const QUERY: &str = "SELECT COUNT(*) FROM tables_of_other_projects";
    let mut bed = Bed::two_by_three().with_schemas();
    for service in ["cinder", "nova", "placement"] {
        let unless = Unless { what: "it migrates others".into(), query: QUERY.into() };
        bed.schema(&format!("2023.1/{service}/db-sync"), |schema| schema.unless = Some(unless));
    }
    bed.finds(QUERY, &[0, 1, 0]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    let first: Vec<_> =
        ["cinder", "nova", "placement"].map(|service| format!("2023.1/{service}/db-sync")).into_iter().collect();
    let ran: Vec<_> = first.iter().filter(|step| bed.runner.launched().contains(step)).collect();
    assert_eq!(ran.len(), 1, "{ran:?}");
    for step in first.iter().filter(|step| !ran.contains(step)) {
        let nothing = Evidence::NothingBesides { what: "it migrates others".to_owned() };
        assert!(evidence(&told, step).contains(&nothing), "{step}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_tell_what_there_is_besides_the_command_is_not_run_either() {
    const QUERY: &str = "SELECT COUNT(*) FROM tables_of_other_projects";
    let mut bed = Bed::two_by_three().with_schemas();
    let unless = Unless { what: "it migrates others".into(), query: QUERY.into() };
    bed.schema("2023.1/nova/db-sync", |schema| schema.unless = Some(unless));
    bed.cannot_count(QUERY, "nobody answers");
    let told = bed.leap().await;
    assert_eq!(told.ended("2023.1/nova/db-sync"), Some(Outcome::Failed));
    assert!(told.failure("2023.1/nova/db-sync").what.contains("nobody answers"));
    assert!(!bed.runner.launched().iter().any(|step| step == "2023.1/nova/db-sync"));
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_branch_is_at_its_head_is_skipped_while_the_other_branch_waits() {
    let mut bed = Bed::two_by_three().with_schemas();
    let branch = |schema: &mut SchemaMove| {
        schema.branch = Some(Branch::Expand);
        for target in schema.databases.values_mut() {
            target.heads = Heads::alembic(["head-of-2023.1", "contract"]);
        }
    };
    bed.schema("2023.1/nova/db-sync", branch);
    let told = bed.leap().await;
    assert_eq!(told.ended("2023.1/nova/db-sync"), Some(Outcome::Skipped));
    let shown = evidence(&told, "2023.1/nova/db-sync");
    assert!(matches!(shown, [Evidence::Branch { branch: Branch::Expand, .. }]), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn exit_code_0_without_moved_heads_fails_the_step_that_claimed_it_and_says_which_database_stayed_where() {
    let mut bed = Bed::two_by_three().with_schemas();
    bed.shows("cinder", heads("2023.1"));
    let told = bed.leap().await;
    assert_eq!((told.outcome(), told.ended("2023.2/cinder/db-sync")), (Outcome::Failed, Some(Outcome::Failed)));
    assert_eq!(told.ended("2023.2/cinder/online-data"), None, "no data is migrated in a schema that was not");
    let failure = told.failure("2023.2/cinder/db-sync");
    insta::assert_snapshot!(format!("{}\n{}", failure.what, failure.advice), @r"
    the command ended with 0 and the databases do not show it: cinder did not move: it stands at head-of-2023.1 as before, and the release's heads are head-of-2023.2
    check that the image holds the release that its name says, and that its cinder-manage reads its configuration at /etc/cinder/cinder.conf ([database] connection); then run the same command again: it goes on with this step
    ");
    bed.shows_the_truth("cinder");
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_failed_leaves_word_of_where_its_database_stands() {
    let mut bed = Bed::two_by_three().with_schemas();
    bed.runner.on("2023.2/nova/db-sync", [Script::ends(1)]);
    let told = bed.leap().await;
    let failure = told.failure("2023.2/nova/db-sync");
    insta::assert_snapshot!(failure.what, @"the command failed with exit code 1; nova stands at the release's heads, head-of-2023.2");
    assert_eq!(failure.exit, Some(1));
    // What is complete is not run again.
    let before = bed.runner.launched().len();
    let again = bed.leap().await;
    assert_eq!((again.outcome(), again.ended("2023.2/nova/db-sync")), (Outcome::Done, Some(Outcome::Skipped)));
    assert!(!bed.runner.launched()[before..].iter().any(|step| step == "2023.2/nova/db-sync"));
}

#[tokio::test(start_paused = true)]
async fn a_branch_is_proved_by_its_own_head_while_the_other_one_waits() {
    let mut bed = Bed::two_by_three().with_schemas();
    bed.schema("2023.2/nova/db-sync", |schema| {
        schema.branch = Some(Branch::Expand);
        for target in schema.databases.values_mut() {
            target.heads = Heads::alembic(["head-of-2023.2", "contract"]);
        }
    });
    let told = bed.leap().await;
    let shown = evidence(&told, "2023.2/nova/db-sync");
    let reached = |piece: &Evidence| matches!(piece, Evidence::Branch { branch: Branch::Expand, reached, .. } if reached.contains("head-of-2023.2"));
    assert!(shown.iter().any(reached), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_cannot_be_read_is_not_migrated_for_nothing_could_prove_it() {
    let mut bed = Bed::two_by_three().with_schemas();
    bed.is_away("cinder");
    let told = bed.leap().await;
    let failure = told.failure("2023.1/cinder/db-sync");
    assert!(failure.what.starts_with("the command was not run") && failure.what.ends_with("nobody answers"));
    assert_eq!(failure.advice, "start the server");
    assert!(!bed.runner.launched().iter().any(|step| step.contains("/cinder/")), "{:?}", bed.runner.launched());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_wrote_a_sqlite_file_used_another_database_whatever_it_says_and_whatever_the_heads_say() {
    for code in [0, 1] {
        let mut bed = Bed::two_by_three().with_schemas();
        bed.runner.on("2023.2/placement/db-sync", [Script::ends(code).writes("/placement.db"), Script::ends(0)]);
        let told = bed.leap().await;
        assert_eq!(told.outcome(), Outcome::Failed);
        let failure = told.failure("2023.2/placement/db-sync");
        insta::allow_duplicates! {
            insta::assert_snapshot!(failure.what, @"the command wrote a SQLite file of its own, /placement.db: it did not use the configured database");
        }
        assert!(failure.advice.contains("/etc/placement/placement.conf ([database] connection)"), "{}", failure.advice);
    }
}

#[tokio::test(start_paused = true)]
async fn tables_that_no_revision_drops_may_not_be_gone_and_where_nobody_knows_it_is_on_record() {
    let mut bed = Bed::two_by_three().with_schemas();
    bed.schema("2023.2/cinder/db-sync", |schema| {
        for target in schema.databases.values_mut() {
            target.may_drop = Some(1);
        }
    });
    for service in ["cinder", "nova"] {
        // Looked at before the skipped step of the first hop, then before and after that of the second.
        bed.holds(service, &[40, 40, 37]);
    }
    let told = bed.leap().await;
    let failure = told.failure("2023.2/cinder/db-sync");
    assert!(failure.what.contains("cinder holds 3 tables fewer than before (37 instead of 40)"), "{}", failure.what);
    let shown = evidence(&told, "2023.2/nova/db-sync");
    let noted =
        |piece: &Evidence| matches!(piece, Evidence::Tables { before: Some(40), after: 37, may_drop: None, .. });
    assert!(shown.iter().any(noted), "{shown:?}");
}
