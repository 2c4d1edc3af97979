//! Any record and any event, for property tests of whatever reads or writes them.
//!
//! Values are those that can occur: ids are valid, numbers finite and to the millisecond, and a record
//! of an unknown kind is left out of [`record`], because it does not survive being written.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::{
    Event, Evidence, FailedMigration, Failure, MigrationCount, Outcome, Progress, Record, RecordBody, SavedPoint,
    Waiver,
};
use crate::model::{
    Branch, CheckResult, DatabaseId, Digest, Heads, ImageReference, OldServices, PointProof, RecordedService, RunId,
    Series, Service, Slot, StepId, Stream, Trigger, Verdict,
};

fn valid<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("the strategy makes valid texts only")
}

/// A text as programs print them: anything but a line feed.
pub(crate) fn text() -> impl Strategy<Value = String> {
    "[^\n\r]{0,40}"
}

/// A series.
pub(crate) fn series() -> impl Strategy<Value = Series> {
    "(20[0-9]{2}\\.[12]|[a-z]{1,9})".prop_map(|text| valid(&text))
}

fn service() -> impl Strategy<Value = Service> {
    "[a-z][a-z0-9_-]{0,9}".prop_map(|text| valid(&text))
}

/// A step.
pub(crate) fn step() -> impl Strategy<Value = StepId> {
    let name = || "[a-z][a-z0-9_-]{0,9}";
    (series(), name(), name(), option::of(name())).prop_map(|(series, service, step, target)| StepId {
        series,
        service: valid::<Service>(&service),
        name: valid(&step),
        target: target.map(|target| valid::<Slot>(&target)),
    })
}

/// An image, by tag or by digest.
pub(crate) fn image() -> impl Strategy<Value = ImageReference> {
    "[a-z]{1,8}\\.example(:[0-9]{2,4})?/[a-z]{1,8}(/[a-z]{1,8})?(:[a-z0-9._-]{0,8}[a-z]|@sha256:[0-9a-f]{64})"
        .prop_filter_map("an image", |text| text.parse().ok())
}

fn digest() -> impl Strategy<Value = Digest> {
    "sha256:[0-9a-f]{64}".prop_map(|text| valid(&text))
}

fn database() -> impl Strategy<Value = DatabaseId> {
    "[a-z]{1,8}(\\.[a-z]{1,8}(\\.[a-z][a-z0-9]{0,6})?)?".prop_map(|text| valid(&text))
}

fn heads() -> impl Strategy<Value = Heads> {
    (proptest::collection::btree_set("[0-9a-f]{12}", 0..3), btree_map("[a-z_]{1,8}", 0u32..500, 0..3))
        .prop_map(|(alembic, migrate)| Heads { alembic, migrate })
}

/// A time, to the microsecond.
pub(crate) fn time() -> impl Strategy<Value = jiff::Timestamp> {
    (0i64..4_000_000_000_000_000)
        .prop_map(|micros| jiff::Timestamp::from_microsecond(micros).expect("a time within range"))
}

/// Seconds, to the millisecond.
pub(crate) fn seconds() -> impl Strategy<Value = f64> {
    (0u64..10_000_000_000).prop_map(|milliseconds| milliseconds as f64 / 1000.0)
}

/// A verdict.
pub(crate) fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Done),
        Just(Verdict::More),
        Just(Verdict::Stuck),
        Just(Verdict::Failed),
        Just(Verdict::Warning)
    ]
}

/// An outcome.
pub(crate) fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Skipped),
        Just(Outcome::Failed),
        Just(Outcome::Stuck),
        Just(Outcome::Interrupted)
    ]
}

/// A piece of evidence.
pub(crate) fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![
        (any::<i64>(), verdict()).prop_map(|(code, verdict)| Evidence::Exit { code, verdict }),
        any::<i64>().prop_map(|code| Evidence::EndUnseen { code }),
        any::<u32>().prop_map(|round| Evidence::NothingLeft { round }),
        (text(), any::<u64>(), text()).prop_map(|(migration, rows, why)| Evidence::Residue { migration, rows, why }),
        (text(), database()).prop_map(|(what, database)| Evidence::NoneRemain { what, database }),
        (database(), text(), vec(text(), 0..3), any::<u64>(), any::<u64>(), option::of(any::<u64>())).prop_map(
            |(database, table, triggers, rows, batches, remainder)| Evidence::Touched {
                database,
                table,
                triggers,
                rows,
                batches,
                remainder
            }
        ),
        (database(), text()).prop_map(|(database, table)| Evidence::Untriggered { database, table }),
        (database(), heads()).prop_map(|(database, heads)| Evidence::Heads { database, heads }),
        (text(), check_result(), option::of(text()), option::of(text()))
            .prop_map(|(name, result, details, why)| Evidence::Check { name, result, details, why }),
        (database(), heads(), branch(), btree_set(text(), 0..3))
            .prop_map(|(database, heads, branch, reached)| { Evidence::Branch { database, heads, branch, reached } }),
        (database(), option::of(any::<u64>()), any::<u64>(), option::of(any::<u64>()))
            .prop_map(|(database, before, after, may_drop)| Evidence::Tables { database, before, after, may_drop }),
        Just(Evidence::NothingElsewhere {}),
        (database(), vec(trigger(), 0..3), vec(trigger(), 0..2), vec(trigger(), 0..2))
            .prop_map(|(database, after, made, gone)| Evidence::Triggers { database, after, made, gone }),
        saved_point().prop_map(|point| Evidence::RestorePoint(Box::new(point))),
        (database(), text(), heads(), any::<u64>(), any::<u64>(), proof()).prop_map(
            |(database, point, heads, tables, rows, compared)| Evidence::Restored {
                database,
                point,
                heads,
                tables,
                rows,
                compared
            }
        ),
        text().prop_map(|what| Evidence::NothingBesides { what }),
        old_services().prop_map(|old| Evidence::OldServices(Box::new(old))),
        (database(), text(), text()).prop_map(|(database, what, reason)| Evidence::ServicesUnread {
            database,
            what,
            reason
        }),
    ]
}

fn old_services() -> impl Strategy<Value = OldServices> {
    let service = (text(), text(), vec(option::of(text()), 4..=4)).prop_map(|(program, host, mut more)| {
        let mut next = || more.pop().flatten();
        RecordedService { program, host, version: next(), named: next(), seen: next(), state: next() }
    });
    let texts = (text(), text(), text(), option::of(text()), text(), text());
    (database(), series(), texts, any::<u64>(), vec(service, 0..3), vec(text(), 0..3)).prop_map(
        |(database, release, (question, what, oldest, named, means, source), count, services, mends)| OldServices {
            database,
            question,
            what,
            release,
            oldest,
            named,
            count,
            services,
            means,
            mends,
            source,
        },
    )
}

fn trigger() -> impl Strategy<Value = Trigger> {
    (text(), text(), text(), "[0-9a-f]{12}").prop_map(|(name, table, event, digest)| Trigger {
        name,
        table,
        event,
        digest,
    })
}

fn waiver() -> impl Strategy<Value = Waiver> {
    (text(), text(), text(), time()).prop_map(|(by, host, reason, until)| Waiver { by, host, reason, until })
}

fn proof() -> impl Strategy<Value = PointProof> {
    prop_oneof![Just(PointProof::Off), Just(PointProof::Sample), Just(PointProof::Full)]
}

fn saved_point() -> impl Strategy<Value = SavedPoint> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    (database(), text(), heads(), numbers, option::of(text()), proof(), vec(text(), 0..3)).prop_map(
        |(database, point, heads, (tables, rows, plain, bytes), sum, proof, removed)| SavedPoint {
            database,
            point,
            heads,
            tables,
            rows,
            plain,
            bytes,
            sum,
            proof,
            removed,
        },
    )
}

fn branch() -> impl Strategy<Value = Branch> {
    prop_oneof![Just(Branch::Expand), Just(Branch::Contract)]
}

fn check_result() -> impl Strategy<Value = CheckResult> {
    prop_oneof![Just(CheckResult::Success), Just(CheckResult::Warning), Just(CheckResult::Failure)]
}

/// A failure.
pub(crate) fn failure() -> impl Strategy<Value = Failure> {
    let exit = option::of(any::<i64>());
    let parts = (text(), option::of(text()), exit, vec(text(), 0..3), option::of(text()));
    (parts, option::of(migration()), text()).prop_map(|((what, command, exit, last_lines, log), migration, advice)| {
        Failure { what, command, exit, last_lines, log, migration: migration.map(Box::new), advice }
    })
}

fn migration() -> impl Strategy<Value = FailedMigration> {
    let counts = (option::of(any::<u64>()), option::of(any::<u64>()));
    (text(), counts, option::of(text()), vec(text(), 0..3)).prop_map(|(name, (found, moved), exception, queries)| {
        FailedMigration { name, found, moved, exception, queries }
    })
}

fn count() -> impl Strategy<Value = MigrationCount> {
    (text(), any::<u64>(), any::<u64>()).prop_map(|(migration, found, moved)| MigrationCount {
        migration,
        found,
        moved,
    })
}

fn run() -> impl Strategy<Value = RunId> {
    ("20[0-9]{6}-[0-9]{6}", any::<u16>()).prop_map(|(began, salt)| RunId::new(&began, salt))
}

/// The first record of a run.
pub(crate) fn run_started() -> RecordBody {
    RecordBody::RunStarted {
        run: valid("20261122-031502-7f3a"),
        cloud: "ewr1".into(),
        from: valid("2023.1"),
        to: valid("2024.1"),
        leapfrog: "0.1.0".into(),
        runner: "Scripted 1.0".into(),
        host: "alpha".into(),
        pid: 7,
        images: std::collections::BTreeMap::new(),
        unfenced: false,
    }
}

/// Any kind of record that this program writes.
pub(crate) fn body() -> impl Strategy<Value = RecordBody> {
    let started = (
        run(),
        (text(), text(), text(), text()),
        (series(), series()),
        any::<u32>(),
        btree_map(image(), digest(), 0..3),
        any::<bool>(),
    )
        .prop_map(|(run, (cloud, leapfrog, runner, host), (from, to), pid, images, unfenced)| {
            RecordBody::RunStarted { run, cloud, from, to, leapfrog, runner, host, pid, images, unfenced }
        });
    let ended = (step(), any::<u32>(), outcome(), seconds(), option::of(any::<u64>()), vec(evidence(), 0..4));
    let ended =
        (ended, option::of(failure())).prop_map(|((step, attempt, outcome, seconds, rows, evidence), failure)| {
            RecordBody::StepEnded { step, attempt, outcome, seconds, rows, evidence, failure, never_began: false }
        });
    let said = (step(), any::<u32>(), outcome(), (text(), text(), option::of(text())), vec(evidence(), 0..3));
    let said = said.prop_map(|(step, attempt, outcome, (by, host, note), evidence)| RecordBody::StepResolved {
        step,
        attempt,
        outcome,
        by,
        host,
        note,
        evidence,
    });
    let round = (any::<u32>(), option::of(any::<u64>()));
    let round = (step(), any::<u32>(), round, any::<i64>(), verdict(), vec(count(), 0..3), seconds()).prop_map(
        |(step, attempt, (round, count), exit, verdict, counts, seconds)| RecordBody::RoundEnded {
            step,
            attempt,
            round,
            exit,
            verdict,
            count,
            counts,
            seconds,
        },
    );
    prop_oneof![
        started,
        (text(), text(), any::<u32>(), any::<bool>())
            .prop_map(|(leapfrog, host, pid, unfenced)| RecordBody::RunResumed { leapfrog, host, pid, unfenced }),
        (vec(text(), 0..3), vec(text(), 0..3), option::of(waiver()))
            .prop_map(|(met, unmet, waiver)| RecordBody::Readiness { met, unmet, waiver }),
        series().prop_map(|series| RecordBody::HopStarted { series }),
        (step(), any::<u32>(), option::of(text()), any::<bool>()).prop_map(|(step, attempt, command, adopted)| {
            RecordBody::StepStarted { step, attempt, command, adopted }
        }),
        round,
        ended,
        said,
        series().prop_map(|series| RecordBody::HopEnded { series }),
        (series(), btree_set(service(), 0..3), option::of(step()), text(), any::<u32>()).prop_map(
            |(to, services, because, host, pid)| RecordBody::RestoreStarted { to, services, because, host, pid }
        ),
        (series(), btree_set(service(), 0..3), outcome(), seconds(), vec(evidence(), 0..3), option::of(failure()))
            .prop_map(|(to, services, outcome, seconds, evidence, failure)| RecordBody::RestoreEnded {
                to,
                services,
                outcome,
                seconds,
                evidence,
                failure
            }),
        (outcome(), option::of(failure())).prop_map(|(outcome, failure)| RecordBody::RunEnded { outcome, failure }),
    ]
}

/// Any record that this program writes.
pub(crate) fn record() -> impl Strategy<Value = Record> {
    (1u64.., time(), body()).prop_map(|(sequence, time, body)| Record { format: Record::FORMAT, sequence, time, body })
}

/// Any progress.
pub(crate) fn progress() -> impl Strategy<Value = Progress> {
    prop_oneof![
        (image(), any::<u64>(), any::<u64>()).prop_map(|(image, done, total)| Progress::Fetching {
            image,
            done,
            total
        }),
        (image(), any::<bool>()).prop_map(|(image, cached)| Progress::Fetched { image, cached }),
        (image(), text()).prop_map(|(image, text)| Progress::NotFetched { image, text }),
        (step(), any::<u32>(), any::<u64>(), option::of(any::<u64>()), seconds())
            .prop_map(|(step, round, moved, total, rate)| Progress::Rows { step, round, moved, total, rate }),
        text().prop_map(|text| Progress::Stopping { text }),
        text().prop_map(|text| Progress::Notice { text }),
    ]
}

/// Any event.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
    prop_oneof![
        4 => record().prop_map(Event::Record),
        2 => progress().prop_map(Event::Progress),
        1 => (step(), stream, text()).prop_map(|(step, stream, text)| Event::Output { step, stream, text }),
    ]
}

proptest! {
    #[test]
    fn a_record_survives_being_written_and_read(record in record()) {
        let line = serde_json::to_string(&record).expect("a record has a form in JSON");
        prop_assert!(!line.contains('\n'), "a record is one line");
        prop_assert_eq!(serde_json::from_str::<Record>(&line).expect("readable"), record);
    }
}
