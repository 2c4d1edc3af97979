//! How long a plan takes, and how much memory: `make bench-plan`.
//!
//! Two plans: the longest way, Train to 2026.2, of all fourteen services, nova with 500 cells; and an ordinary one, seven
//! services from 2023.1 to 2024.2. From the documents to the plan, the reading of the embedded catalogue included, the
//! databases' own time left out. Each in a process of its own, since memory that was used is not given back.

#[path = "../plans/cloud.rs"]
#[expect(dead_code, reason = "the tests of plans use all of it")]
mod cloud;

use std::error::Error;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use leapfrog::catalog::Catalog;

/// Cells besides cell0.
const CELLS: usize = 500;

/// How often it is measured.
const TIMES: usize = 11;

/// Which plan the measuring process makes.
const ONCE: &str = "LEAPFROG_BENCH_ONCE";

/// A plan that is measured, and its bounds.
struct Case {
    name: &'static str,
    told: &'static str,
    cloud: fn() -> cloud::Cloud,
    hops: usize,
    /// The longest it may take.
    longest: Duration,
    /// The most memory it may take, in kB.
    most: u64,
}

const CASES: [Case; 2] = [
    Case {
        name: "longest",
        told: "train to 2026.2, 14 services, 500 cells",
        cloud: longest,
        hops: 15,
        longest: Duration::from_millis(200),
        most: 64 * 1024,
    },
    Case {
        name: "ordinary",
        told: "2023.1 to 2024.2, 7 services",
        cloud: ordinary,
        hops: 4,
        longest: Duration::from_millis(30),
        most: 64 * 1024,
    },
];

/// Every service, and a nova with many cells, as they stand in Train.
fn longest() -> cloud::Cloud {
    let mut cloud = cloud::Cloud::whole("train");
    cloud.to = "2026.2".into();
    let heads = cloud.heads("train", "nova.cell0");
    let mut mapped = vec![("cell0".to_owned(), "nova.cell0".to_owned())];
    for cell in 1..=CELLS {
        let id = format!("nova.cells.cell{cell}");
        cloud.urls.insert(cloud::valid(&id), cloud::valid(&format!("mysql://leapfrog@10.0.0.5/nova_cell{cell}")));
        cloud.shows(&id, heads.clone());
        mapped.push((format!("cell{cell}"), id));
    }
    let mapped: Vec<(&str, &str, Option<&str>)> =
        mapped.iter().map(|(name, id)| (name.as_str(), "mysql://nova@10.0.0.5/…", Some(id.as_str()))).collect();
    cloud.stores(&mapped);
    cloud
}

/// Seven services, and a nova with two cells.
fn ordinary() -> cloud::Cloud {
    cloud::Cloud::at("2023.1")
}

/// Makes the plan once and prints microseconds, steps and the most memory in kB, before and with the plan.
fn once(case: &Case) -> Result<(), Box<dyn Error>> {
    let cloud = (case.cloud)();
    let before = most()?;
    let start = Instant::now();
    let catalog = Catalog::embedded().map_err(|error| error.to_string())?;
    let plan = cloud.plan().map_err(|refused| format!("{refused}: {:?}", refused.0))?;
    let took = start.elapsed();
    let (steps, hops) = (plan.steps().count(), plan.hops.len());
    assert_eq!((hops, catalog.releases().len()), (case.hops, 21));
    writeln!(std::io::stdout(), "{} {steps} {before} {}", took.as_micros(), most()?)?;
    Ok(())
}

/// The most memory this process has had, in kB.
fn most() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Measures a plan and prints what came of it; gives back what is above its bounds.
fn measure(case: &Case) -> Result<Option<String>, Box<dyn Error>> {
    let mut rounds: Vec<(Duration, u64, u64, u64)> = Vec::new();
    for _ in 0..TIMES {
        let output = Command::new(std::env::current_exe()?).env(ONCE, case.name).output()?;
        let text = String::from_utf8(output.stdout)?;
        let numbers: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [took, steps, before, most] = numbers[..] else {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        };
        rounds.push((Duration::from_micros(took), steps, before, most));
    }
    rounds.sort();
    let (median, steps, before, most) = rounds[rounds.len() / 2];
    let (quickest, slowest) = (rounds[0].0, rounds[rounds.len() - 1].0);
    writeln!(
        std::io::stdout(),
        "{}, {steps} steps: {median:.1?} (from {quickest:.1?} to {slowest:.1?}, {TIMES} times), {:.1} MB at most \
         ({:.1} MB before)",
        case.told,
        most as f64 / 1024.0,
        before as f64 / 1024.0
    )?;
    let above = median > case.longest || most > case.most;
    Ok(above.then(|| format!("{}: more than {:?} or {} MB", case.told, case.longest, case.most / 1024)))
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Ok(wanted) = std::env::var(ONCE) {
        let case = CASES.iter().find(|case| case.name == wanted).ok_or("no such plan")?;
        return once(case);
    }
    let above: Vec<String> = CASES.iter().map(measure).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    if above.is_empty() { Ok(()) } else { Err(above.join("; ").into()) }
}
