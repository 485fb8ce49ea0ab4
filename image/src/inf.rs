//! The INF template, as far as the image and the cards have to agree with it.

use anyhow::{Context as _, Result, ensure};

use crate::windows::Version;

/// A line `key = value`, or a value alone, and the comment behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is before the equals sign.
    pub key: String,
    /// What is behind it, or the whole line.
    pub value: String,
    /// What is behind a semicolon.
    pub comment: String,
}

/// A file's sections in their order; names without brackets.
#[derive(Clone, Debug)]
pub struct Inf(Vec<(String, Vec<Entry>)>);

impl Inf {
    /// Reads a file. What is before the first section is passed over.
    pub fn parse(text: &str) -> Self {
        let mut sections = Vec::<(String, Vec<Entry>)>::new();
        for line in text.lines() {
            let (line, comment) = cut(line, ';');
            if let Some(name) = line.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
                sections.push((name.to_owned(), Vec::new()));
            } else if let Some((_, entries)) = sections.last_mut()
                && !line.is_empty()
            {
                let (key, value) = cut(line, '=');
                let (key, value) = if value.is_empty() { ("", key) } else { (key, value) };
                let [key, value, comment] = [key, value, comment].map(str::to_owned);
                entries.push(Entry { key, value, comment });
            }
        }
        Self(sections)
    }

    /// The sections of a name; INF files do not tell capitals from small letters.
    pub fn section<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        let named = self.0.iter().filter(move |(section, _)| section.eq_ignore_ascii_case(name));
        named.flat_map(|(_, entries)| entries)
    }

    /// All entries with a key, in whatever section.
    pub fn keyed<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Entry> {
        let entries = self.0.iter().flat_map(|(_, entries)| entries);
        entries.filter(move |entry| entry.key.eq_ignore_ascii_case(key))
    }

    /// The decorated names of the sections with the manufacturer's models, each with the oldest Windows that it is for.
    pub fn models(&self) -> Result<Vec<(String, Version)>> {
        let mut found = Vec::new();
        for entry in self.section("Manufacturer") {
            let mut words = entry.value.split(',').map(str::trim);
            let name = words.next().unwrap_or_default();
            for decoration in words {
                let section = format!("{name}.{decoration}");
                ensure!(self.section(&section).next().is_some(), "there is no section [{section}]");
                let version =
                    decoration.split_once('.').with_context(|| format!("{decoration}: no version"))?.1;
                found.push((section, Version::parse(version)?));
            }
        }
        ensure!(!found.is_empty(), "no models with a version");
        Ok(found)
    }

    /// The oldest Windows that the file is for.
    pub fn oldest(&self) -> Result<Version> {
        self.models()?.into_iter().map(|(_, version)| version).min().context("no models")
    }

    /// The hardware ids of all models.
    pub fn hardware_ids(&self) -> Result<Vec<String>> {
        let models = self.models()?;
        let entries = models.iter().flat_map(|(section, _)| self.section(section));
        // The first word is the install section.
        Ok(entries.flat_map(|entry| list(&entry.value).skip(1)).collect())
    }

    /// The ids that `ExcludeFromSelect` names.
    pub fn excluded_from_select(&self) -> Vec<String> {
        let entries = self.section("ControlFlags");
        let wanted = entries.filter(|entry| entry.key.eq_ignore_ascii_case("ExcludeFromSelect"));
        wanted.flat_map(|entry| list(&entry.value)).collect()
    }
}

fn list(value: &str) -> impl Iterator<Item = String> {
    value.split(',').map(|word| word.trim().to_owned())
}

/// What is before the first of a character that is not quoted, and what is behind it.
fn cut(text: &str, at: char) -> (&str, &str) {
    let mut quoted = false;
    let place = text.find(|character| {
        quoted ^= character == '"';
        !quoted && character == at
    });
    place.map_or((text.trim(), ""), |place| (text[..place].trim(), text[place + at.len_utf8()..].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "; head\n[Manufacturer]\n%M% = Models, NTamd64.10.0...19041\n\n[models.ntamd64.10.0...19041]\n\
        \"a;b\" = Install, PCI\\X, PCI\\Y ; two\n[ControlFlags]\nExcludeFromSelect = PCI\\X,PCI\\Y\n";

    #[test]
    fn sections_entries_and_comments_are_told_apart() {
        let inf = Inf::parse(TEXT);
        let entry = inf.section("Models.NTamd64.10.0...19041").next().unwrap();
        assert_eq!((entry.key.as_str(), entry.comment.as_str()), ("\"a;b\"", "two"));
        assert_eq!(inf.oldest().unwrap(), Version::parse("10.0...19041").unwrap());
        assert_eq!(inf.hardware_ids().unwrap(), ["PCI\\X", "PCI\\Y"]);
        assert_eq!(inf.excluded_from_select(), ["PCI\\X", "PCI\\Y"]);
    }

    #[test]
    fn models_without_a_section_or_a_version_are_refused() {
        assert!(Inf::parse("[Manufacturer]\n%M% = Models, NTamd64.10.0...19041\n").models().is_err());
        assert!(
            Inf::parse("[Manufacturer]\n%M% = Models, NTamd64\n[Models.NTamd64]\na = b\n").models().is_err()
        );
        assert!(Inf::parse("[Version]\n").models().is_err());
    }
}
