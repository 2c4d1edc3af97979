//! What the commands about a part of one release take.

use std::str::FromStr;

use clap::Args;
use jiff::civil::Date;

use crate::model::Service;

/// Which release, and of which services.
#[derive(Debug, Clone, Args)]
pub struct PartArguments {
    /// Which release: 2024.1, caracal; default: that of the latest run, with its services, if it ended with --until migrated
    /// or was such a part
    #[arg(long, value_name = "SERIES")]
    pub at: Option<String>,

    /// Only these services, separated by commas
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    pub only: Vec<Service>,

    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    pub yes: bool,

    /// Commands side by side (1 to 256); default: as the cloud file says
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,

    /// Begin a new run although another one is unfinished
    #[arg(long)]
    pub fresh: bool,
}

/// What is removed, and what has to be seen before.
#[derive(Debug, Clone, Args)]
pub struct ContractArguments {
    /// Which part.
    #[command(flatten)]
    pub part: PartArguments,

    /// Only show what goes, and whether it may
    #[arg(long)]
    pub dry_run: bool,

    /// For how long no session of an older release may be seen, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub quiet_for: u64,

    /// Sessions and services of the new release, which may stay: USER@HOST or PROGRAM@HOST, with * for any part
    #[arg(long, value_name = "WHO")]
    pub new: Vec<Pattern>,

    /// Remove it although that is not known to be safe, and record why, by whom and until when
    #[arg(long, value_name = "REASON", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub waive: Option<String>,

    /// The last day on which --waive counts, such as 2026-12-31; default: for 24 hours
    #[arg(long, value_name = "DATE", requires = "waive")]
    pub until: Option<Date>,
}

/// Who is meant: a name and a host, `*` standing for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    name: String,
    host: String,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('@') {
            Some((name, host)) if !name.is_empty() && !host.is_empty() => {
                Ok(Self { name: name.to_owned(), host: host.to_owned() })
            }
            _ => Err("write it as USER@HOST or PROGRAM@HOST, such as 'glance@10.0.0.*' or 'neutron-*@net2'".to_owned()),
        }
    }
}

impl Pattern {
    /// Whether somebody is meant.
    pub(super) fn fits(&self, name: &str, host: &str) -> bool {
        glob(&self.name, name) && glob(&self.host, host)
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(before) else { return false };
    let starts = text.char_indices().map(|(start, _)| start).chain([text.len()]);
    starts.into_iter().any(|start| glob(rest, &text[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_part_and_nothing_else_does() {
        let fits =
            |pattern: &str, name: &str, host: &str| pattern.parse::<Pattern>().expect("a pattern").fits(name, host);
        assert!(fits("glance@10.0.0.*", "glance", "10.0.0.7") && !fits("glance@10.0.0.*", "glance", "10.0.1.7"));
        assert!(fits("neutron-*@*", "neutron-l3-agent", "net2") && !fits("neutron-*@net1", "neutron-l3-agent", "net2"));
        assert!(fits("*-api@c*3", "nova-api", "ctl3") && !fits("*-api@c*3", "nova-api", "ctl4"));
        assert!(!fits("glance@db", "glance2", "db") && !fits("glance@db", "glance", "db2"));
        assert!(["glance", "@db", "glance@", ""].iter().all(|text| text.parse::<Pattern>().is_err()));
    }
}
