//! The options of the leap itself.

use clap::{Args, ValueEnum};

use crate::cli::arguments::{Selection, StopsAt, Until};
use crate::model::Service;

/// The leap itself.
#[derive(Debug, Clone, Args)]
pub struct LeapArguments {
    /// Where the databases stand: 2023.1, antelope, or auto to find out
    #[arg(long, value_name = "SERIES", requires = "to", allow_negative_numbers = true)]
    pub from: Option<String>,

    /// Where they shall stand: 2024.2, dalmatian, or +1 for the next release
    #[arg(long, value_name = "SERIES", requires = "from", allow_negative_numbers = true)]
    pub to: Option<String>,

    /// Only these services, separated by commas
    #[arg(long, value_name = "SERVICES", value_delimiter = ',', requires = "from")]
    pub only: Vec<Service>,

    /// At which releases to stop: every one (the default), or slurp: from a SLURP release straight to the next one
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = StopsAt::Every, requires = "from", hide_possible_values = true, hide_default_value = true)]
    pub stops: StopsAt,

    /// Where to end in the last release: complete (the default), or migrated: before it removes what older programs use
    #[arg(long, value_enum, value_name = "STAGE", default_value_t = Until::Complete, requires = "from", hide_possible_values = true, hide_default_value = true)]
    pub until: Until,

    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short, requires_all = ["from", "to"])]
    pub yes: bool,

    /// Commands side by side (1 to 256); default: as the cloud file says
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), requires = "from")]
    pub jobs: Option<u16>,

    /// Pull and read all images beforehand (all, the default), or each a release ahead (next)
    #[arg(long, value_enum, value_name = "WHEN", requires = "from", hide_possible_values = true)]
    pub prefetch: Option<Prefetch>,

    /// Run schema migrations even where the databases show that nothing is to do
    #[arg(long, requires = "from")]
    pub no_skip: bool,

    /// Begin a new run although another one is unfinished
    #[arg(long, requires = "from")]
    pub fresh: bool,

    /// Whether others may be connected to the databases: on refuses, off records it
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FenceMode::On, requires = "from", hide_possible_values = true)]
    pub fence: FenceMode,

    /// Whether the databases go away with the command when it is interrupted, so that nothing goes on with it.
    #[arg(skip)]
    pub fleeting: bool,

    /// Whether nothing but the answer is wanted, whether it may begin.
    #[arg(skip)]
    pub look: bool,
}

impl LeapArguments {
    /// Which leap; none if none was asked for.
    pub fn selection(&self) -> Option<Selection> {
        let (from, to) = self.from.clone().zip(self.to.clone())?;
        Some(Selection {
            from,
            to,
            only: self.only.clone(),
            no_skip: self.no_skip,
            stops: self.stops,
            until: self.until,
        })
    }
}

/// What is done about others that are connected to the databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FenceMode {
    /// The leap does not begin, and no hop does.
    On,
    /// It goes on beside them, and the journal says so.
    Off,
}

/// When images are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Prefetch {
    /// Those of a release while the one before works.
    Next,
    /// All of them before the first database is touched.
    All,
}
