//! Journals of legal runs, whole, cut off, damaged and out of order.

mod disk;
mod fold;
mod legal;
