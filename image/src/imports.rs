//! On which Windows an image loads: each of its imports is in a table of first versions, `first-versions.toml`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::pe::Image;
use crate::windows::Version;

/// When a name was first exported, and who says so.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    first: String,
    /// The page or header that says so.
    pub source: String,
}

/// Names by module, and when each was first exported.
#[derive(Clone, Debug)]
pub struct FirstVersions(BTreeMap<String, BTreeMap<String, Export>>);

impl FirstVersions {
    /// The table of this repository.
    pub fn known() -> Result<Self> {
        Self::parse(include_str!("../first-versions.toml")).context("image/first-versions.toml")
    }

    /// Reads a table.
    pub fn parse(text: &str) -> Result<Self> {
        let table = Self(toml::from_str(text)?);
        for (_, name, export) in table.exports() {
            Version::parse(&export.first).with_context(|| name.to_owned())?;
        }
        Ok(table)
    }

    /// All modules, names and first versions.
    pub fn exports(&self) -> impl Iterator<Item = (&str, &str, &Export)> {
        let modules = self.0.iter();
        modules.flat_map(|(module, names)| {
            names.iter().map(move |(name, export)| (module.as_str(), name.as_str(), export))
        })
    }

    /// The first version of Windows with a name.
    pub fn first(&self, module: &str, name: &str) -> Option<Version> {
        let modules = self.0.iter();
        let (_, names) = modules.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(module))?;
        Version::parse(&names.get(name)?.first).ok()
    }

    /// What keeps an image from loading on a version of Windows.
    pub fn missing(&self, image: &Image, windows: Version) -> Vec<String> {
        let mut found = Vec::new();
        for import in image.imports.values() {
            match self.first(&import.module, &import.name) {
                None => found.push(format!("{import}: nobody says since when")),
                Some(first) if first > windows => found.push(format!("{import}: since {first} only")),
                Some(_) => {}
            }
        }
        found.sort();
        found
    }
}
