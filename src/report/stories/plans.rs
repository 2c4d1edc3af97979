//! Plans to tell stories about: real services, real steps, made-up heads.

use std::collections::BTreeMap;

use super::parse;
use crate::catalog::OutputFormat;
use crate::model::{Command, DatabaseId, Effect, ExitTable, Heads, ImageReference, Phase, StepId, Verdict};
use crate::plan::{
    Action, CommandRun, DataMigration, Hop, Lane, Plan, Standing, Step, StepConfiguration, Verification,
};

fn words(text: &str) -> Command {
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    Command::try_from(words).unwrap_or_else(|error| panic!("{error}"))
}

fn databases(service: &str) -> Vec<DatabaseId> {
    match service {
        "nova" => ["nova.api", "nova.cell0", "nova.cells.cell1"].map(parse).to_vec(),
        _ => vec![parse(service)],
    }
}

/// Phase, step and command of each of a service's steps; a `{count}` makes it a drain.
fn steps_of(service: &str) -> Vec<(Phase, &'static str, &'static str)> {
    use Phase::{Contract, Expand, Migrate};
    match service {
        "keystone" => vec![
            (Expand, "db-expand", "keystone-manage db_sync --expand"),
            (Migrate, "db-migrate", "keystone-manage db_sync --migrate"),
            (Contract, "db-contract", "keystone-manage db_sync --contract"),
        ],
        "glance" => vec![
            (Expand, "db-expand", "glance-manage db expand"),
            (Migrate, "db-migrate", "glance-manage db migrate"),
            (Contract, "db-contract", "glance-manage db contract"),
        ],
        "nova" => vec![
            (Expand, "api-db-sync", "nova-manage api_db sync"),
            (Expand, "db-sync@cell0", "nova-manage db sync --local_cell"),
            (Expand, "db-sync@cell1", "nova-manage db sync --local_cell"),
            (Migrate, "online-data-migrations@cell0", "nova-manage db online_data_migrations --max-count {count}"),
            (Migrate, "online-data-migrations@cell1", "nova-manage db online_data_migrations --max-count {count}"),
        ],
        "cinder" => vec![
            (Expand, "db-sync", "cinder-manage db sync --bump-versions"),
            (Migrate, "online-data-migrations", "cinder-manage db online_data_migrations --max_count {count}"),
        ],
        "placement" => vec![
            (Expand, "db-sync", "placement-manage db sync"),
            (Migrate, "online-data-migrations", "placement-manage db online_data_migrations --max-count {count}"),
        ],
        _ => vec![
            (Expand, "db-expand", "neutron-db-manage upgrade --expand"),
            (Contract, "db-contract", "neutron-db-manage upgrade --contract"),
        ],
    }
}

fn heads(service: &str, series: &str) -> Heads {
    // Twelve digits that depend on both, as alembic's do.
    let seed = service
        .bytes()
        .chain(series.bytes())
        .fold(7u64, |sum, byte| sum.wrapping_mul(1_099_511).wrapping_add(byte.into()));
    Heads::alembic([format!("{:012x}", seed & 0xffff_ffff_ffff)])
}

fn lane(series: &str, service: &str, before: Option<&str>) -> Lane {
    let id = |step: &str| parse::<StepId>(&format!("{series}/{service}/{step}"));
    let configuration = StepConfiguration {
        path: format!("/etc/{service}.conf").into(),
        passed_with: None,
        options: Default::default(),
    };
    let mut steps: Vec<Step> = steps_of(service)
        .into_iter()
        .map(|(phase, name, command)| Step {
            id: id(name),
            phase,
            why: "because".into(),
            effect: Effect::Idempotent,
            beside: name.ends_with("@cell1"),
            action: if command.contains("{count}") {
                Action::Drain(Box::new(DataMigration {
                    command: words(command),
                    count: 1000,
                    exits: ExitTable([(0, Verdict::Done), (1, Verdict::More)].into()),
                    failure_texts: Default::default(),
                    output: OutputFormat::Table,
                    database: databases(service)[databases(service).len() - 1].clone(),
                    residues: Default::default(),
                    remainders: Default::default(),
                    takes_turns: false,
                    configuration: configuration.clone(),
                }))
            } else {
                Action::Run(Box::new(CommandRun {
                    command: words(command),
                    exits: ExitTable::default(),
                    failure_texts: Default::default(),
                    configuration: configuration.clone(),
                    schema: None,
                }))
            },
        })
        .collect();
    let reached: BTreeMap<DatabaseId, Heads> =
        databases(service).into_iter().map(|id| (id.clone(), heads(&id.to_string(), series))).collect();
    steps.push(Step {
        id: id("verify-heads"),
        phase: Phase::Verify,
        why: "exit codes are claims".into(),
        effect: Effect::ReadOnly,
        beside: false,
        action: Action::Verify(Verification { heads: reached.clone(), services: Vec::new() }),
    });
    let standing = reached.into_iter().map(|(id, to)| {
        let from = before.map(|before| heads(&id.to_string(), before));
        let standing =
            from.map_or(Standing::AtHeads { heads: to.clone() }, |from| Standing::Moves { from, to: to.clone() });
        (id, standing)
    });
    let image = image(service, series);
    Lane {
        service: parse(service),
        image,
        package: None,
        common_rows: Vec::new(),
        known: Default::default(),
        standing: standing.collect(),
        steps,
    }
}

pub(crate) fn image(service: &str, series: &str) -> ImageReference {
    parse(&format!("quay.io/openstack.kolla/{service}:{series}-ubuntu-jammy"))
}

/// A plan for these services through these series.
pub(crate) fn plan(series: &[&str], services: &[&str]) -> Plan {
    let hops = series.iter().enumerate().map(|(n, name)| Hop {
        series: parse(name),
        reason: "the path leads through it".to_owned(),
        notes: Vec::new(),
        changes: Vec::new(),
        lanes: services
            .iter()
            .map(|service| lane(name, service, n.checked_sub(1).map(|before| series[before])))
            .collect(),
    });
    Plan {
        format: Plan::FORMAT,
        cloud: "production".to_owned(),
        from: parse(series[0]),
        to: parse(series[series.len() - 1]),
        stops: Default::default(),
        part: Default::default(),
        reasons: Vec::new(),
        hops: hops.collect(),
    }
}
