//! The configuration file of a step: what its commands are told.

use super::build::{Brief, databases_in};
use super::document::{OptionValue, StepConfiguration};
use super::shared::Text;
use super::sorted::Sorted;
use crate::catalog::{ConfigurationFile, ConfigurationOption};
use crate::model::{DatabaseId, Service};

/// A configuration file before it is known which database a step is about: its words are there once for all of them.
pub(super) struct Template<'b> {
    file: &'b ConfigurationFile,
    passed_with: Option<Text>,
    options: Vec<TemplateOption<'b>>,
}

struct TemplateOption<'b> {
    group: Text,
    option: Text,
    /// The value, where it is plain text.
    value: Option<Text>,
    /// The database that it is the URL of in steps that are about none that the option names.
    only: Option<DatabaseId>,
    source: &'b ConfigurationOption,
}

impl<'b> Template<'b> {
    pub(super) fn new(brief: &Brief<'_>, service: &Service, file: &'b ConfigurationFile) -> Self {
        let options = file.options.iter().map(|option| {
            let only = match &option.url_of[..] {
                [slot] => databases_in(brief, service, slot).next().filter(|id| id.member.is_none()).cloned(),
                _ => None,
            };
            TemplateOption {
                group: option.group.as_str().into(),
                option: option.option.as_str().into(),
                value: option.value.as_deref().map(Text::from),
                only,
                source: option,
            }
        });
        Self { file, passed_with: file.passed_with.as_deref().map(Text::from), options: options.collect() }
    }

    /// The file for a step about `target`.
    pub(super) fn for_target(&self, target: Option<&DatabaseId>) -> StepConfiguration {
        let mut groups: Sorted<Text, Vec<(Text, OptionValue)>> = Sorted::default();
        for option in &self.options {
            let own = target.filter(|target| option.source.url_of.contains(&target.slot));
            let value = match &option.value {
                Some(value) => Some(OptionValue::Text(value.clone())),
                None => own.or(option.only.as_ref()).cloned().map(OptionValue::UrlOf),
            };
            if let Some(value) = value {
                groups.entry(option.group.clone()).push((option.option.clone(), value));
            }
        }
        let options = groups.into_iter().map(|(group, options)| (group, options.into_iter().collect())).collect();
        StepConfiguration { path: self.file.path.clone(), passed_with: self.passed_with.clone(), options }
    }
}
