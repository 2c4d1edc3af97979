//! Reading what OpenStack's commands print: pure, line by line, for hostile input too.
//!
//! A line of output may be anything: logs stand among the rows of a table, a row is cut in two, a number
//! has forty digits, half a traceback is missing. A reader never panics, never keeps more than a few
//! kilobytes, and never guesses: what cannot be read is said to be unreadable, because a count that was
//! made up would prove a step that is not done. Lines come without colour codes; whoever splits the
//! output takes them out.
//!
//! The fixtures in `tests/fixtures/cli-output/` are real outputs, and `tests/fixtures/` says what each of
//! them means; `make fuzz` sends millions of mutations of them through these readers.

mod checks;
mod counts;
mod exceptions;
mod sentences;
mod table;

pub use checks::CheckReader;
pub use counts::{CountReader, Unread};
pub use exceptions::{ExceptionReader, Raised};
