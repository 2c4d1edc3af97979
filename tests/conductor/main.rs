//! Whole leaps of the conductor: a real journal in a directory of its own, a scripted runner in the place
//! of containers, and databases that stand where the commands that ran would have brought them.

mod bed;
mod checks;
#[path = "../plans/cloud.rs"]
#[expect(dead_code, reason = "the tests of plans use all of it")]
mod cloud;
mod data;
mod deaths;
mod leaps;
mod once;
mod others;
mod outages;
mod points;
#[path = "../fuzz/random.rs"]
#[expect(dead_code, reason = "the fuzzer uses all of it")]
mod random;
mod schedules;
mod schemas;
mod secrets;
mod side_by_side;
mod stops;
mod trips;
