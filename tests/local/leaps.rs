//! Real leaps.
