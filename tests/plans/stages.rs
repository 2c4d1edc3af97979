//! Which stage of a release follows from a plan and the records of its run, and how that stands to what a database shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leapfrog::journal::{Evidence, Outcome, Record, RecordBody};
use leapfrog::model::{DatabaseId, Heads};
use leapfrog::plan::{Action, Part, Plan, Step};
use leapfrog::stages::{Book, Judge, Mark, Relation, Stage};

use crate::cloud::{Cloud, valid};

/// Records as a run writes them, and what is noted for them.
struct Run {
    book: Book,
    sequence: u64,
    /// Database, release and stage, in the order in which they were noted; a dash where nothing holds any more.
    noted: Vec<String>,
}

impl Run {
    fn new(plan: &Plan) -> Self {
        let book = Book::new(Arc::new(plan.clone()), Some("ops".into()), BTreeSet::new());
        let mut run = Self { book, sequence: 0, noted: Vec::new() };
        run.write(RecordBody::RunStarted {
            run: valid("20261122-031502-7f3a"),
            cloud: plan.cloud.clone(),
            from: plan.from.clone(),
            to: plan.to.clone(),
            leapfrog: "0.1.0".into(),
            runner: "Scripted 1.0".into(),
            host: "alpha".into(),
            pid: 7,
            images: BTreeMap::new(),
            unfenced: false,
        });
        run
    }

    fn write(&mut self, body: RecordBody) {
        self.sequence += 1;
        let time = jiff::Timestamp::from_second(1_790_000_000 + self.sequence.cast_signed()).expect("a time");
        let record = Record { format: Record::FORMAT, sequence: self.sequence, time, body };
        let before = self.book.state().sequence;
        for (id, mark) in self.book.see(&record) {
            let told = mark.map_or_else(|| "-".to_owned(), |mark| format!("{} {}", mark.series, mark.stage));
            self.noted.push(format!("{id} {told}"));
        }
        assert_eq!(self.book.state().sequence, before + 1, "an illegal record: {record:?}");
    }

    fn step(&mut self, step: &Step) {
        let id = step.id.clone();
        let evidence = match &step.action {
            Action::Run(run) => {
                let targets = run.schema.iter().flat_map(|schema| schema.databases.iter());
                let heads =
                    |(id, heads): (&DatabaseId, &Heads)| Evidence::Heads { database: id.clone(), heads: heads.clone() };
                targets.map(|(id, target)| heads((id, &target.heads))).collect()
            }
            _ => Vec::new(),
        };
        self.write(RecordBody::StepStarted { step: id.clone(), attempt: 1, command: None, adopted: false });
        self.write(RecordBody::StepEnded {
            step: id,
            attempt: 1,
            outcome: Outcome::Done,
            seconds: 1.0,
            rows: None,
            evidence,
            failure: None,
            never_began: false,
        });
    }

    /// All of a plan's steps, hop by hop.
    fn through(&mut self, plan: &Plan) {
        for hop in &plan.hops {
            self.write(RecordBody::HopStarted { series: hop.series.clone() });
            hop.lanes.iter().flat_map(|lane| &lane.steps).for_each(|step| self.step(step));
            self.write(RecordBody::HopEnded { series: hop.series.clone() });
        }
    }

    fn noted(&mut self) -> Vec<String> {
        std::mem::take(&mut self.noted)
    }
}

fn cloud(only: &[&'static str]) -> Cloud {
    let mut cloud = Cloud::at("2023.2");
    (cloud.to, cloud.only) = ("2024.1".into(), only.to_vec());
    cloud
}

#[test]
fn stages_follow_each_other_in_every_release_and_end_contracted() {
    let cloud = cloud(&["glance"]);
    let plan = cloud.plan().expect("a plan");
    let mut run = Run::new(&plan);
    run.through(&plan);
    let expected = ["2023.2", "2024.1"]
        .map(|series| ["expanded", "migrated", "contracted"].map(|stage| format!("glance {series} {stage}")));
    assert_eq!(run.noted(), expected.concat());
    let mark = run.book.mark(&valid("glance")).expect("a mark");
    assert_eq!((mark.by.as_str(), mark.heads.to_string().as_str()), ("ops@alpha", "2024_1_contract01"));
}

#[test]
fn a_service_of_several_databases_is_as_far_as_the_last_of_them() {
    let cloud = cloud(&["nova"]);
    let plan = cloud.plan().expect("a plan");
    let mut run = Run::new(&plan);
    run.through(&plan);
    let noted = run.noted();
    let of = |id: &str| noted.iter().filter(|line| line.starts_with(id)).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("nova.api ").last(), Some(&"nova.api 2024.1 contracted"));
    assert_eq!(of("nova.api ").len(), of("nova.cells.cell2 ").len());
    assert!(noted.iter().all(|line| !line.ends_with("ready")), "{noted:?}");
}

#[test]
fn what_ends_before_the_contract_is_migrated_and_no_more() {
    let mut cloud = cloud(&["glance", "placement"]);
    cloud.part = Part::UntilMigrated;
    let plan = cloud.plan().expect("a plan");
    let mut run = Run::new(&plan);
    run.through(&plan);
    let stage = |id: &str| run.book.mark(&valid(id)).map(|mark| (mark.series.to_string(), mark.stage));
    assert_eq!(stage("glance"), Some(("2024.1".into(), Stage::Migrated)));
    assert_eq!(stage("placement"), Some(("2024.1".into(), Stage::Contracted)), "it has nothing to remove");
}

#[test]
fn a_contract_is_ready_once_that_is_on_record_and_then_contracted() {
    let cloud = cloud(&["glance"]);
    let mut plan = cloud.plan().expect("a plan");
    plan.part = Part::Contract;
    plan.hops.remove(0);
    for lane in plan.hops.iter_mut().flat_map(|hop| &mut hop.lanes) {
        lane.steps.retain(|step| step.phase >= leapfrog::model::Phase::Contract);
    }
    let mut run = Run::new(&plan);
    run.write(RecordBody::Readiness { met: Vec::new(), unmet: Vec::new(), waiver: None });
    assert_eq!(run.noted(), ["glance 2024.1 ready"]);
    run.through(&plan);
    assert_eq!(run.noted(), ["glance 2024.1 contracted"]);
}

#[test]
fn a_restore_takes_back_what_was_noted_since() {
    let cloud = cloud(&["glance"]);
    let plan = cloud.plan().expect("a plan");
    for (to, left) in [("2024.1", "glance 2023.2 contracted"), ("2023.2", "glance -")] {
        let mut run = Run::new(&plan);
        run.through(&plan);
        run.noted();
        let services = BTreeSet::from([valid("glance")]);
        let (host, pid, because) = ("alpha".into(), 7, None);
        run.write(RecordBody::RestoreStarted { to: valid(to), services: services.clone(), because, host, pid });
        let heads = cloud.heads("2023.2", "glance");
        let (database, point) = (valid("glance"), "point".into());
        let compared = leapfrog::model::PointProof::Full;
        let evidence = vec![Evidence::Restored { database, point, heads: heads.clone(), tables: 1, rows: 1, compared }];
        let (outcome, seconds, failure) = (Outcome::Done, 1.0, None);
        run.write(RecordBody::RestoreEnded { to: valid(to), services, outcome, seconds, evidence, failure });
        assert_eq!(run.noted(), [left]);
        assert_eq!(run.book.seen(&valid("glance")).expect("seen").0, heads);
    }
}

#[test]
fn a_database_that_was_brought_back_or_migrated_by_hand_is_told_from_one_that_agrees() {
    let cloud = Cloud::at("2023.1");
    let releases = cloud.catalog.releases().collect();
    let judge = Judge { releases, playbooks: cloud.catalog.playbooks().collect() };
    let mark = |id: &str, heads: Heads| Mark {
        series: valid("2023.2"),
        stage: Stage::Contracted,
        heads,
        since: jiff::Timestamp::UNIX_EPOCH,
        run: valid("20261122-031502-7f3a"),
        by: id.to_owned(),
        leapfrog: "0.1.0".into(),
    };
    let noted = mark("keystone", cloud.heads("2023.2", "keystone"));
    let relation = |heads: Heads, tables: u64| {
        let engine = leapfrog::model::Engine::Mysql;
        let found = leapfrog::model::ObservedDatabase { engine, version: String::new(), heads, tables };
        judge.relation(&valid("keystone"), &noted, &found)
    };
    let at = |series: &str| cloud.heads(series, "keystone");
    assert_eq!(relation(at("2023.2"), 60), Relation::Agrees);
    assert_eq!(relation(at("2023.1"), 60), Relation::Behind);
    assert_eq!(relation(at("2024.1"), 60), Relation::Ahead);
    // Half of 2023.2: what adds is done.
    assert_eq!(relation(Heads::alembic(["11c3b243b4cb", "e25ffa003242"]), 60), Relation::Behind);
    assert_eq!(relation(Heads::alembic(["0123456789ab"]), 60), Relation::Unclear);
    assert_eq!(relation(Heads::default(), 0), Relation::Behind, "it is empty");
}
