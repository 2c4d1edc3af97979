//! Functions of other modules of which it is known what they do: `known.txt`.

/// The list.
const LIST: &str = include_str!("known.txt");

/// What a function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing to a schema or to rows.
    Harmless,
    /// It gives the table that is called as its first argument.
    Table,
    /// It makes each of the tables in the list that is its first argument.
    Creates,
    /// This operation of alembic, with its arguments, and the names of these by place where they are others.
    Does(&'static str, Option<&'static str>),
}

/// What the function of this full name does, if that is known.
pub(super) fn known(name: &str) -> Option<Known> {
    let (_, what) =
        entries().find(|(entry, _)| if entry.ends_with('.') { name.starts_with(entry) } else { name == *entry })?;
    if what == "unknown" {
        return None;
    }
    Some(match what {
        "harmless" => Known::Harmless,
        "table" => Known::Table,
        "creates" => Known::Creates,
        operation => match operation.split_once('(') {
            Some((operation, names)) => Known::Does(operation, Some(names.trim_end_matches(')'))),
            None => Known::Does(operation, None),
        },
    })
}

fn entries() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = LIST.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(char::is_whitespace)).map(|(name, what)| (name, what.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::read::operations::signature;

    #[test]
    fn every_entry_is_an_operation_that_is_understood() {
        let lines = LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
        assert_eq!(entries().count(), lines, "a line without a second column");
        for (name, what) in entries() {
            match known(name) {
                Some(Known::Does(operation, names)) => {
                    let places = signature(operation).unwrap_or_else(|| panic!("{name}: {what}"));
                    let mut names = names.into_iter().flat_map(|names| names.split(','));
                    assert!(names.all(|name| name == "_" || places.contains(&name.trim())), "{name}: {what}");
                }
                Some(_) => {}
                // What stands for everything below it.
                None if what == "unknown" => {}
                None => assert!(name.ends_with('.') && what == "harmless", "{name}: {what}"),
            }
        }
        assert_eq!(known("oslo_utils.timeutils.utcnow"), Some(Known::Harmless));
        assert_eq!(known("oslo_utilsx.timeutils"), None);
    }
}
