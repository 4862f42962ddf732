//! The macro that turns the table of knobs into structs, defaults, a parser and a description.

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

/// One row is `/// reason`, then `field: Type = default, kind;`, in a block per section. The [kind](super::kind) knows
/// the unit and the range, and reads and writes the value as TOML.
macro_rules! knobs {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {
            $( $(#[doc = $reason:literal])+ $key:ident: $Type:ty = $default:expr, $kind:expr; )+
        }
    )+) => {
        $(
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
        )+

        /// The whole configuration of a server. [`Config::default`] is what runs when nothing is set.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Config {
            $( $(#[doc = $about])+ pub $section: $Section, )+
            /// Where to listen besides `server.listen`, and what is served there: the `[[listener]]` blocks.
            pub listeners: Vec<ListenerConfig>,
            /// How channels behave and who may use them, by their names: the `[[channel]]` blocks. The first that matches
            /// counts.
            pub channel_rules: Vec<ChannelRule>,
            /// Who may sign tokens: the `[[issuer]]` blocks.
            pub issuers: Vec<IssuerConfig>,
            /// What listeners that speak TLS show, by the names in it: the `[[certificate]]` blocks.
            pub certificates: Vec<CertificateConfig>,
            /// The keys of backends: the `[[key]]` blocks.
            pub keys: Vec<KeySettings>,
        }

        impl Config {
            /// Every section with its keys, in the order of the table.
            pub(super) const KEYS: &'static [(&'static str, &'static [&'static str])] =
                &[$( (stringify!($section), &[$( stringify!($key), )+]), )+];

            /// Every knob as text.
            pub(super) fn entries(&self) -> Vec<Entry> {
                let defaults = Config::default();
                let mut entries = Vec::new();
                $(
                    let about = joined(&[$( $about, )+]);
                    entries.extend([$( Entry {
                        section: stringify!($section),
                        section_about: about.clone(),
                        key: stringify!($key),
                        reason: joined(&[$( $reason, )+]),
                        // By the type, since one kind may be that of several, as `Text` is.
                        unit: Kind::<$Type>::unit(&$kind),
                        value: $kind.write(&self.$section.$key),
                        default: $kind.write(&defaults.$section.$key),
                        problem: $kind.check(&self.$section.$key).err(),
                        is_list: Kind::<$Type>::is_list(&$kind),
                        is_secret: Kind::<$Type>::is_secret(&$kind),
                    }, )+]);
                )+
                entries
            }

            /// The names of the knobs whose values are others than in `other`.
            pub(super) fn differing_from(&self, other: &Config) -> Vec<&'static str> {
                let mut names = Vec::new();
                $( $(
                    if self.$section.$key != other.$section.$key {
                        names.push(concat!(stringify!($section), ".", stringify!($key)));
                    }
                )+ )+
                names
            }

            /// Takes the value of one knob from `other`.
            pub(super) fn take(&mut self, name: &str, other: &Config) {
                $( $(
                    if name == concat!(stringify!($section), ".", stringify!($key)) {
                        self.$section.$key.clone_from(&other.$section.$key);
                    }
                )+ )+
            }

            /// Sets one knob; `None` when there is no such knob.
            pub(super) fn set(&mut self, section: &str, key: &str, given: Given<'_>) -> Option<Result<(), String>> {
                match (section, key) {
                    $( $( (stringify!($section), stringify!($key)) => {
                        let read = match given {
                            Given::Value(value) => Kind::<$Type>::read_checked(&$kind, value),
                            Given::Texts(texts) => {
                                Kind::<$Type>::read_checked(&$kind, &Kind::<$Type>::value_of(&$kind, texts))
                            }
                        };
                        Some(read.map(|value| self.$section.$key = value))
                    } )+ )+
                    _ => None,
                }
            }
        }
    };
}
pub(super) use knobs;
