//! The labels and names by which containers are found again.

use std::collections::HashMap;

use crate::model::RunId;
use crate::runner::TaskId;

/// The run a container belongs to.
pub(super) const RUN: &str = "leapfrog.run";
const STEP: &str = "leapfrog.step";
const ATTEMPT: &str = "leapfrog.attempt";
const ROUND: &str = "leapfrog.round";
const CLOUD: &str = "leapfrog.cloud";
const VERSION: &str = "leapfrog.version";
/// Marks containers that are only looked into.
const PROBE: &str = "leapfrog.probe";
/// Which process looks into it: number and machine.
const PROCESS: &str = "leapfrog.process";

/// The labels of a task's container.
pub(super) fn of_task(id: &TaskId, cloud: &str) -> HashMap<String, String> {
    labels([
        (RUN, id.run.to_string()),
        (STEP, id.step.to_string()),
        (ATTEMPT, id.attempt.to_string()),
        (ROUND, id.round.to_string()),
        (CLOUD, cloud.to_owned()),
        (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
    ])
}

/// The labels of a container that is only looked into.
pub(super) fn of_probe(cloud: &str) -> HashMap<String, String> {
    labels([
        (PROBE, "true".to_owned()),
        (PROCESS, process(std::process::id())),
        (CLOUD, cloud.to_owned()),
        (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
    ])
}

/// A process of this machine.
fn process(number: u32) -> String {
    format!("{number} on {}", rustix::system::uname().nodename().to_string_lossy())
}

/// Whether labels say that a container was looked into by a process of this machine that is gone.
pub(super) fn is_of_dead_process(labels: &HashMap<String, String>) -> bool {
    let number = labels.get(PROCESS).and_then(|holder| {
        let number: u32 = holder.split(' ').next()?.parse().ok()?;
        (*holder == process(number)).then_some(number)
    });
    let pid = number.and_then(|number| rustix::process::Pid::from_raw(i32::try_from(number).ok()?));
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

/// The filter that finds a cloud's containers that were only looked into.
pub(super) fn probes(cloud: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([
        ("label".to_owned(), vec![format!("{PROBE}=true"), format!("{CLOUD}={cloud}")]),
        ("status".to_owned(), vec!["created".to_owned()]),
    ])
}

fn labels<const N: usize>(labels: [(&str, String); N]) -> HashMap<String, String> {
    labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The filter that finds a run's containers.
pub(super) fn filter(run: &RunId) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{RUN}={run}")])])
}

/// The task that labels name. None for containers that are no task's.
pub(super) fn task(labels: &HashMap<String, String>) -> Option<TaskId> {
    let label = |name: &str| labels.get(name);
    Some(TaskId {
        run: label(RUN)?.parse().ok()?,
        step: label(STEP)?.parse().ok()?,
        attempt: label(ATTEMPT)?.parse().ok()?,
        round: label(ROUND)?.parse().ok()?,
    })
}

/// The name of a task's container. No two tasks share one: none of its parts holds a dot but the series,
/// and only the last two begin with a digit.
pub(super) fn name(id: &TaskId) -> String {
    let step = id.step.to_string().replace(['/', '@'], ".");
    format!("leapfrog-{}.{step}.{}.{}", id.run, id.attempt, id.round)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(step: &str) -> TaskId {
        TaskId {
            run: "20261122-031502-7f3a".parse().expect("valid"),
            step: step.parse().expect("valid"),
            attempt: 2,
            round: 31,
        }
    }

    #[test]
    fn a_task_is_found_again_by_its_labels() {
        let id = id("2023.2/nova/db-sync@cell1");
        assert_eq!(task(&of_task(&id, "north")), Some(id));
        assert_eq!(task(&of_probe("north")), None);
    }

    #[test]
    fn only_a_process_of_this_machine_can_be_known_to_be_gone() {
        let of = |holder: String| HashMap::from([(PROCESS.to_owned(), holder)]);
        assert!(!is_of_dead_process(&of_probe("north")));
        // No process has so high a number.
        assert!(is_of_dead_process(&of(process(i32::MAX as u32))));
        for holder in [format!("{} on elsewhere", i32::MAX), "0 on ".to_owned(), "x".to_owned(), process(u32::MAX)] {
            assert!(!is_of_dead_process(&of(holder.clone())), "{holder}");
        }
        assert!(!is_of_dead_process(&HashMap::new()));
    }

    #[test]
    fn a_container_has_a_name_that_engines_accept_and_that_people_can_read() {
        assert_eq!(
            name(&id("2023.2/nova/db-sync@cell1")),
            "leapfrog-20261122-031502-7f3a.2023.2.nova.db-sync.cell1.2.31"
        );
    }
}
