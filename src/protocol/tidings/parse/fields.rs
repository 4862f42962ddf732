//! The members of a request, found once: known names, duplicates and unknown names, compared after unescaping.

use super::nearest::{hint, shown};
use super::values;
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::model::request::RequestId;
use crate::wire::json::scanner::members;
use crate::wire::json::text::unquote;
use std::borrow::Cow;

/// A member that some request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Id,
    Method,
    Path,
    Since,
    Last,
    Once,
    Limit,
    Data,
    Event,
    Key,
    ExcludeSelf,
    IfMatch,
    ContentType,
    Token,
}

impl Name {
    const ALL: [Name; 14] = [
        Name::Id,
        Name::Method,
        Name::Path,
        Name::Since,
        Name::Last,
        Name::Once,
        Name::Limit,
        Name::Data,
        Name::Event,
        Name::Key,
        Name::ExcludeSelf,
        Name::IfMatch,
        Name::ContentType,
        Name::Token,
    ];
    /// Members of every request that is a JSON object.
    pub(super) const COMMON: &[Name] = &[Name::Id, Name::Method, Name::Path];
    /// Members of AUTH, which has no path.
    pub(super) const AUTH: &[Name] = &[Name::Id, Name::Method, Name::Token];
    /// Options of GET.
    pub(super) const GET: &[Name] = &[Name::Since, Name::Last, Name::Once, Name::Limit];
    /// Options of POST in a text frame.
    pub(super) const POST: &[Name] = &[Name::Data, Name::Event, Name::Key, Name::ExcludeSelf, Name::IfMatch];
    /// Options of POST in a binary frame.
    pub(super) const BINARY_POST: &[Name] =
        &[Name::Event, Name::Key, Name::ExcludeSelf, Name::IfMatch, Name::ContentType];

    /// The name as it appears in JSON.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Name::Id => "id",
            Name::Method => "method",
            Name::Path => "path",
            Name::Since => "since",
            Name::Last => "last",
            Name::Once => "once",
            Name::Limit => "limit",
            Name::Data => "data",
            Name::Event => "event",
            Name::Key => "key",
            Name::ExcludeSelf => "exclude_self",
            Name::IfMatch => "if_match",
            Name::ContentType => "content_type",
            Name::Token => "token",
        }
    }

    /// The inverse, written out: a match by length costs a tenth of a search through all names.
    fn find(key: &str) -> Option<Name> {
        Some(match key {
            "id" => Name::Id,
            "method" => Name::Method,
            "path" => Name::Path,
            "since" => Name::Since,
            "last" => Name::Last,
            "once" => Name::Once,
            "limit" => Name::Limit,
            "data" => Name::Data,
            "event" => Name::Event,
            "key" => Name::Key,
            "exclude_self" => Name::ExcludeSelf,
            "if_match" => Name::IfMatch,
            "content_type" => Name::ContentType,
            "token" => Name::Token,
            _ => return None,
        })
    }
}

/// The values of one object's members by name.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    values: [Option<&'a [u8]>; Name::ALL.len()],
    duplicate: Option<Name>,
    id_is_double: bool,
    unknown: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    /// Goes through the members of a valid JSON object once.
    pub(super) fn read(object: &'a [u8]) -> Fields<'a> {
        let mut fields = Fields::empty();
        for member in members(object) {
            // A key with half a surrogate pair is no text, and no known name: it has to be shown when it is refused.
            fields.add(unquote(member.key).unwrap_or_else(|| String::from_utf8_lossy(member.key)), member.value);
        }
        fields
    }

    /// No members yet.
    pub(super) fn empty() -> Fields<'a> {
        Fields { values: [None; Name::ALL.len()], duplicate: None, id_is_double: false, unknown: None }
    }

    /// Adds the next member.
    pub(super) fn add(&mut self, key: Cow<'a, str>, value: &'a [u8]) {
        match Name::find(&key) {
            Some(name) => self.put(name, value),
            None => drop(self.unknown.get_or_insert(key)),
        }
    }

    fn put(&mut self, name: Name, value: &'a [u8]) {
        if self.values[name as usize].replace(value).is_some() {
            self.duplicate.get_or_insert(name);
            // Apart from `duplicate`, which names the first member that came twice, and that may be another one.
            self.id_is_double |= name == Name::Id;
        }
    }

    /// The value of a member, unparsed.
    pub(super) fn get(&self, name: Name) -> Option<&'a [u8]> {
        self.values[name as usize]
    }

    /// The id, `None` without one.
    pub(super) fn id(&self) -> Result<Option<RequestId>, Refusal> {
        // With two ids the client cannot be told which of its requests this was, so neither is used.
        if self.id_is_double {
            return Err(duplicate(Name::Id));
        }
        self.get(Name::Id).map(values::id).transpose()
    }

    /// Refuses a member that appears twice.
    pub(super) fn check_duplicates(&self) -> Result<(), Refusal> {
        self.duplicate.map_or(Ok(()), |name| Err(duplicate(name)))
    }

    /// Refuses members outside `allowed`; `what` says which request it is ("a GET").
    pub(super) fn check_names(&self, allowed: &[&[Name]], what: &str) -> Result<(), Refusal> {
        let known = || -> Vec<&str> { allowed.iter().copied().flatten().map(|name| name.as_str()).collect() };
        if let Some(key) = &self.unknown {
            let hint = hint(key, &known());
            return Err(unknown_member(format!("unknown member \"{}\": {hint}", shown(key))));
        }
        let misplaced = |name: &Name| self.get(*name).is_some() && !allowed.iter().any(|list| list.contains(name));
        match Name::ALL.into_iter().find(misplaced) {
            Some(name) => Err(unknown_member(misplaced_message(name, what, &known()))),
            None => Ok(()),
        }
    }
}

fn misplaced_message(name: Name, what: &str, known: &[&str]) -> String {
    let why = match name {
        // Only AUTH knows a token.
        Name::Path if known.contains(&"token") => "signing in has no path",
        Name::Id | Name::Method | Name::Path => "it belongs to a request that is a JSON object",
        Name::ContentType => "it belongs to a POST in a binary frame",
        Name::Token => "it belongs to AUTH",
        // Only a POST in a binary frame knows a content type.
        Name::Data if known.contains(&"content_type") => "the bytes after the line feed are the data",
        _ if Name::GET.contains(&name) => "it belongs to GET /channels/{name}",
        _ => "it belongs to POST /channels/{name}",
    };
    let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
    format!("{what} has no member \"{}\": {why} (known here: {known})", name.as_str())
}

fn unknown_member(message: String) -> Refusal {
    Refusal::new(Code::UnknownMember, message)
}

fn duplicate(name: Name) -> Refusal {
    Refusal::new(Code::DuplicateMember, format!("the member \"{}\" appears more than once", name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn every_name_is_found_by_how_it_is_written() {
        for name in Name::ALL {
            assert_eq!(Name::find(name.as_str()), Some(name));
        }
        assert_eq!(Name::find("Id"), None);
    }
}
