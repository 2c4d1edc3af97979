//! Which leapfrog this is.

/// The number, and where it is known the commit: `0.1.0 (1c0b4a6f2d3e 2026-11-28)`. See `build.rs`.
pub(super) const LONG: &str = env!("LEAPFROG_VERSION");
