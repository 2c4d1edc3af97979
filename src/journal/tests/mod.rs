//! Journals of legal runs, whole, cut off, damaged and out of order.

mod bytes;
mod disk;
mod fold;
mod legal;
