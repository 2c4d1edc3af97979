//! Whole leaps of the conductor: a real journal in a directory of its own, a scripted runner in the place
//! of containers, and databases that stand where the commands that ran would have brought them.

mod bed;
mod checks;
mod data;
mod deaths;
mod leaps;
mod once;
mod others;
mod outages;
mod points;
mod schemas;
mod secrets;
mod side_by_side;
mod stops;
