//! The macros that turn the table of knobs into structs, defaults, a parser and a description.

use toml::de::DeValue;

/// One knob of one configuration, as text: what the description, the summary and the range check work on.
#[derive(Debug)]
pub(super) struct Entry {
    /// The section, which is a table of the file.
    pub(super) section: &'static str,
    /// What the section is about.
    pub(super) section_about: String,
    /// The key in that table.
    pub(super) key: &'static str,
    /// Why the knob exists and why its default is what it is.
    pub(super) reason: String,
    /// Unit and range.
    pub(super) unit: String,
    /// The value in force, as TOML.
    pub(super) value: String,
    /// The default, as TOML.
    pub(super) default: String,
    /// What is wrong with the value, if it is out of range.
    pub(super) problem: Option<String>,
    /// Whether it is a list.
    pub(super) is_list: bool,
    /// Whether its value is never shown.
    pub(super) is_secret: bool,
}

/// A value for a knob.
#[derive(Clone, Copy)]
pub(super) enum Given<'v> {
    /// As read from a file.
    Value(&'v DeValue<'v>),
    /// As texts: those of a flag, or the one of a variable.
    Texts(&'v [String]),
}

/// Joins the lines of a doc comment into one text.
pub(super) fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// One table of the file.
pub(super) trait Section: Sized {
    /// Its name.
    const NAME: &'static str;
    /// Its keys, in the order of the table.
    const KEYS: &'static [&'static str];

    /// Every knob of it as text.
    fn entries(&self) -> Vec<Entry>;
    /// The names of the knobs whose values are others than in `other`.
    fn differing_from(&self, other: &Self) -> Vec<&'static str>;
    /// Takes the value of one knob from `other`.
    fn take(&mut self, name: &str, other: &Self);
    /// Sets one knob; `None` when there is no such knob.
    fn set(&mut self, key: &str, given: Given<'_>) -> Option<Result<(), String>>;
}

/// One row is `/// reason`, then `field: Type = default, kind;`, in a block per section. The [kind](super::kind) knows
/// the unit and the range, and reads and writes the value as TOML.
macro_rules! sections {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {
            $( $(#[doc = $reason:literal])+ $key:ident: $Type:ty = $default:expr, $kind:expr; )+
        }
    )+) => { $(
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $Section {
            $( $(#[doc = $reason])+ pub $key: $Type, )+
        }

        impl Default for $Section {
            fn default() -> Self {
                $Section { $( $key: $default, )+ }
            }
        }

        impl Section for $Section {
            const NAME: &'static str = stringify!($section);
            const KEYS: &'static [&'static str] = &[$( stringify!($key), )+];

            fn entries(&self) -> Vec<Entry> {
                let (defaults, about) = ($Section::default(), joined(&[$( $about, )+]));
                vec![$( Entry {
                    section: stringify!($section),
                    section_about: about.clone(),
                    key: stringify!($key),
                    reason: joined(&[$( $reason, )+]),
                    // By the type, since one kind may be that of several, as `Text` is.
                    unit: Kind::<$Type>::unit(&$kind),
                    value: $kind.write(&self.$key),
                    default: $kind.write(&defaults.$key),
                    problem: $kind.check(&self.$key).err(),
                    is_list: Kind::<$Type>::is_list(&$kind),
                    is_secret: Kind::<$Type>::is_secret(&$kind),
                }, )+]
            }

            fn differing_from(&self, other: &$Section) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(
                    if self.$key != other.$key {
                        names.push(concat!(stringify!($section), ".", stringify!($key)));
                    }
                )+
                names
            }

            fn take(&mut self, name: &str, other: &$Section) {
                $(
                    if name == concat!(stringify!($section), ".", stringify!($key)) {
                        self.$key.clone_from(&other.$key);
                    }
                )+
            }

            fn set(&mut self, key: &str, given: Given<'_>) -> Option<Result<(), String>> {
                match key {
                    $( stringify!($key) => {
                        let read = match given {
                            Given::Value(value) => Kind::<$Type>::read_checked(&$kind, value),
                            Given::Texts(texts) => {
                                Kind::<$Type>::read_checked(&$kind, &Kind::<$Type>::value_of(&$kind, texts))
                            }
                        };
                        Some(read.map(|value| self.$key = value))
                    } )+
                    _ => None,
                }
            }
        }
    )+ };
}
pub(super) use sections;
