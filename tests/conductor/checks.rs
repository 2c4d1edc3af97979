//! The next release's own checks: what lets its hop begin, and what stops the leap before any lane of it changes a thing.

use leapfrog::catalog::{Allowance, CheckFormat};
use leapfrog::journal::{Evidence, Outcome, RecordBody};
use leapfrog::model::{CheckResult, Effect, Phase, Unreachable};
use leapfrog::plan::{Action, ReleaseChecks, Step};
use leapfrog::runner::scripted::Script;

use crate::bed::{Bed, Told, begins, configuration, ends, image, valid};

const CINDER: &str = "2023.1/cinder/upgrade-check";
const PLACEMENT: &str = "2023.1/placement/upgrade-check";
const UNPLACED: &str = "SELECT COUNT(*) FROM volumes WHERE host IS NOT NULL AND service_uuid IS NULL";

/// Three lanes, two of which end the first hop with the checks of the second one's release.
fn bed(allow: &[Allowance]) -> Bed {
    let mut bed = Bed::two_by_three();
    for service in ["cinder", "placement"] {
        let words = ["status", "upgrade", "check"].map(|word| word.replace("status", &format!("{service}-status")));
        let step = Step {
            id: valid(&format!("2023.1/{service}/upgrade-check")),
            phase: Phase::Verify,
            why: "it may know better".into(),
            effect: Effect::ReadOnly,
            beside: false,
            action: Action::Check(Box::new(ReleaseChecks {
                release: valid("2023.2"),
                image: image("2023.2", service),
                command: words.to_vec().try_into().expect("a command"),
                output: CheckFormat::UpgradeCheck,
                allow: allow.to_vec(),
                database: valid(service),
                configuration: configuration(service),
            })),
        };
        let lane = bed.plan.hops[0].lanes.iter_mut().find(|lane| lane.service.as_str() == service);
        lane.expect("a lane").steps.push(step);
    }
    bed.runner.on(PLACEMENT, [report(0, &[("Incomplete Consumers", 0)])]);
    bed
}

/// What a `*-status upgrade check` prints, among log lines.
fn report(exit: i64, checks: &[(&str, u8)]) -> Script {
    let checks: Vec<String> = checks
        .iter()
        .map(|(name, result)| {
            let details = if *result == 0 { "null" } else { "\"Volumes must have a service UUID.\"" };
            format!("{{\"check\": \"{name}\", \"result\": {result}, \"details\": {details}}}")
        })
        .collect();
    let line = format!("{{\"name\": \"Upgrade Check Results\", \"checks\": [{}]}}", checks.join(", "));
    Script::ends(exit).err("a deprecated option").out(&line).err("bye")
}

fn allowance(check: &str, results: &[CheckResult], unless: Option<&str>) -> Allowance {
    Allowance {
        check: check.into(),
        results: results.to_vec(),
        series: Default::default(),
        unless: unless.map(str::to_owned),
        why: "no host ever took them".into(),
    }
}

fn evidence(told: &Told, of: &str) -> Vec<Evidence> {
    let mut pieces = told.records.iter().rev().filter_map(|record| match &record.body {
        RecordBody::StepEnded { step, evidence, .. } if step.to_string() == of => Some(evidence.clone()),
        _ => None,
    });
    pieces.next().unwrap_or_else(|| panic!("{of} did not end"))
}

/// Steps of the second hop that began.
fn changes(told: &Told) -> Vec<u64> {
    told.places(|body| begins(body, "2023.2/"))
}

#[tokio::test(start_paused = true)]
async fn no_lane_of_a_hop_changes_anything_before_the_checks_of_every_lane_are_done() {
    let mut bed = bed(&[]);
    bed.runner.on(CINDER, [report(0, &[("Service UUIDs", 0), ("Attachment specs", 0)])]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    let checked = [CINDER, PLACEMENT].map(|step| told.place(|body| ends(body, step)).expect("it ended"));
    let first = changes(&told)[0];
    assert!(checked.iter().all(|check| *check < first), "{checked:?} before {first}");
    for service in ["cinder", "placement"] {
        let asked = told.place(|body| begins(body, &format!("2023.1/{service}/upgrade-check"))).expect("it began");
        let drained = told.place(|body| ends(body, &format!("2023.1/{service}/online-data")));
        assert!(drained.expect("it ended") < asked, "{service} was asked about rows that were still to be moved");
    }
    let success = |name: &str| {
        let name = name.to_owned();
        Evidence::Check { name, result: CheckResult::Success, details: None, why: None }
    };
    let evidence = evidence(&told, CINDER);
    assert!(evidence.contains(&success("Service UUIDs")) && evidence.contains(&success("Attachment specs")));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_the_playbook_allows_is_evidence_with_its_reason() {
    let mut bed = bed(&[allowance("Service UUIDs", &[CheckResult::Failure], Some(UNPLACED))]);
    bed.finds(UNPLACED, &[0]);
    bed.runner.on(CINDER, [report(2, &[("Service UUIDs", 2), ("Attachment specs", 0)])]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    let allowed = Evidence::Check {
        name: "Service UUIDs".into(),
        result: CheckResult::Failure,
        details: Some("Volumes must have a service UUID.".into()),
        why: Some("no host ever took them".into()),
    };
    assert!(evidence(&told, CINDER).contains(&allowed), "{:?}", evidence(&told, CINDER));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_nobody_allows_stops_before_the_hop_and_the_mended_databases_go_on() {
    let mut bed = bed(&[allowance("Attachment specs", &[CheckResult::Failure], None)]);
    let failing = report(2, &[("Service UUIDs", 2), ("Attachment specs", 0)]);
    bed.runner.on(CINDER, [failing, report(0, &[("Service UUIDs", 0)])]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert_eq!(changes(&told), Vec::<u64>::new(), "a lane of the hop began");
    assert_eq!(told.ended(PLACEMENT), Some(Outcome::Done), "the other lane was asked, too");
    let failure = told.failure(CINDER);
    assert!(failure.what.contains("not ready for it: Service UUIDs: Volumes must have a service UUID"), "{failure:?}");
    assert!(failure.advice.contains("nothing of 2023.2 has begun") && failure.advice.contains("allow"), "{failure:?}");
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn rows_that_make_a_failure_a_true_one_are_counted_and_it_stops() {
    let mut bed = bed(&[allowance("Service UUIDs", &[CheckResult::Failure], Some(UNPLACED))]);
    bed.finds(UNPLACED, &[3]);
    bed.runner.on(CINDER, [report(2, &[("Service UUIDs", 2)])]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    let what = &told.failure(CINDER).what;
    assert!(what.contains("3 rows in cinder") && what.contains(UNPLACED), "{what}");
    assert_eq!(changes(&told), Vec::<u64>::new());
}

#[tokio::test(start_paused = true)]
async fn rows_that_cannot_be_counted_excuse_nothing() {
    let mut bed = bed(&[allowance("Service UUIDs", &[CheckResult::Failure], Some(UNPLACED))]);
    bed.cannot_count(UNPLACED, "the server has gone away");
    bed.runner.on(CINDER, [report(2, &[("Service UUIDs", 2)])]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert!(told.failure(CINDER).what.contains("the server has gone away"));
}

#[tokio::test(start_paused = true)]
async fn a_warning_is_evidence_to_be_read_and_stops_nothing() {
    let mut bed = bed(&[]);
    bed.runner.on(CINDER, [report(1, &[("Use of Policy File", 1)])]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    let warned = |piece: &Evidence| {
        matches!(piece, Evidence::Check { result: CheckResult::Warning, details: Some(_), why: None, .. })
    };
    assert!(evidence(&told, CINDER).iter().any(warned));
}

#[tokio::test(start_paused = true)]
async fn checks_that_say_nothing_or_less_than_their_exit_code_prove_nothing() {
    let traceback = Script::ends(255).out("Error:").out("Traceback (most recent call last):");
    let cut = Script::ends(0).out("| Upgrade Check Results |").out("+---+").out("| Check: Service UUIDs |");
    let less = report(2, &[("Service UUIDs", 0)]);
    for (script, says) in [(traceback, "exit code 255 proves nothing"), (cut, "proves nothing"), (less, "says more")] {
        let mut bed = bed(&[]);
        bed.runner.on(CINDER, [script]);
        let told = bed.leap().await;
        assert_eq!(told.outcome(), Outcome::Failed, "{says}");
        assert!(told.failure(CINDER).what.contains(says), "{}", told.failure(CINDER).what);
        assert_eq!(changes(&told), Vec::<u64>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_check_prints_of_a_password_is_kept_nowhere() {
    let mut bed = bed(&[]);
    let line = format!(
        "{{\"checks\": [{{\"check\": \"Connection\", \"result\": 1, \"details\": \"cannot use {}\"}}]}}",
        bed.password
    );
    bed.runner.on(CINDER, [Script::ends(1).out(&line)]);
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
    for (name, text) in bed.files() {
        assert!(!text.contains(&bed.password), "{name} holds it");
    }
}

/// What the playbook of nova asks at the end of a leap to 2024.1.
fn question() -> leapfrog::plan::VersionQuestion {
    leapfrog::plan::VersionQuestion {
        database: "nova".parse().expect("valid"),
        release: "2024.1".parse().expect("valid"),
        name: "compute-versions".into(),
        what: "compute services".into(),
        query: "SELECT".into(),
        oldest: leapfrog::catalog::OldestAccepted {
            series: Default::default(),
            version: "66".into(),
            named: Some("Antelope".into()),
        },
        names: Default::default(),
        means: "They do not start.".into(),
        mends: vec!["Set the option.".into()],
        source: "nova 29.0.0".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn services_that_the_last_release_does_not_accept_are_told_and_the_leap_is_complete() {
    const STEP: &str = "2023.2/nova/verify-heads";
    let service = |host: &str, version: &str| leapfrog::model::RecordedService {
        program: "nova-compute".into(),
        host: host.into(),
        version: Some(version.into()),
        named: None,
        seen: None,
        state: None,
    };
    let away = Unreachable { reason: "it is away".into(), advice: "start it".into() };
    for (answer, told_of) in [
        (Ok(vec![service("cmp1", "61"), service("cmp2", "66")]), "old"),
        (Ok(vec![service("cmp2", "66")]), "nothing"),
        (Err(away), "unread"),
    ] {
        let mut bed = Bed::new(&["2023.1", "2023.2"], &["cinder", "nova"]);
        bed.services(STEP, question(), answer);
        let told = bed.leap().await;
        assert_eq!((told.outcome(), told.ended(STEP)), (Outcome::Done, Some(Outcome::Done)), "{told_of}");
        let evidence = told.records.iter().find_map(|record| match &record.body {
            RecordBody::StepEnded { step, evidence, .. } if step.to_string() == STEP => Some(evidence.clone()),
            _ => None,
        });
        let evidence = evidence.expect("it ended");
        let found = match evidence.last() {
            Some(Evidence::OldServices(old)) if old.count == 1 && old.services[0].host == "cmp1" => "old",
            Some(Evidence::ServicesUnread { reason, .. }) if reason == "it is away" => "unread",
            Some(Evidence::Heads { .. }) => "nothing",
            other => panic!("{other:?}"),
        };
        assert_eq!(found, told_of);
    }
}
