//! A configuration from all its sources, from the weakest to the strongest: defaults, a file, variables of the environment,
//! flags; and where each value comes from.

use super::error::ConfigError;
use super::knobs::Config;
use super::names;
use super::table::Given;
use std::collections::BTreeMap;
use std::fmt;

/// Secrets and the files with them: a source that sets one of both clears what a weaker source set for the other.
const SECRETS: [SecretPair; 2] = [
    SecretPair {
        secret: "server.operator_key",
        file: "server.operator_key_file",
        has_secret: |config| config.server.operator_key.is_some(),
        clear_secret: |config| config.server.operator_key = None,
        of_file: |config| &mut config.server.operator_key_file,
    },
    SecretPair {
        secret: "channels.sign_secret",
        file: "channels.sign_secret_file",
        has_secret: |config| config.channels.sign_secret.is_some(),
        clear_secret: |config| config.channels.sign_secret = None,
        of_file: |config| &mut config.channels.sign_secret_file,
    },
];
/// Where to listen for clients.
const LISTEN: &str = "server.listen";

/// A setting that holds a secret, and the one that names a file with it.
struct SecretPair {
    secret: &'static str,
    file: &'static str,
    has_secret: fn(&Config) -> bool,
    clear_secret: fn(&mut Config),
    of_file: fn(&mut Config) -> &mut String,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nothing set it.
    Default,
    /// A place in a file: its name, and line and column from 1, the column in characters.
    File(String, usize, usize),
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(name, line, column) => write!(f, "{name}:{line}:{column}"),
            Source::Variable(name) | Source::Flag(name) => f.write_str(name),
        }
    }
}

/// A mistake, and which setting it is about.
struct Mistake {
    path: Option<String>,
    text: String,
}

/// See the module. Later sources override earlier ones: call [`Settings::file`], then [`Settings::environment`], then
/// [`Settings::flag`].
#[derive(Default)]
pub struct Settings {
    pub(super) config: Config,
    /// Where each value comes from that is not a default.
    sources: BTreeMap<String, Source>,
    /// Where each block comes from, by the name of its kind.
    pub(super) blocks: BTreeMap<&'static str, Vec<Source>>,
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
}

impl Settings {
    /// Applies `text`, the contents of a TOML file called `file_name`.
    pub fn file(&mut self, file_name: &str, text: &str) {
        self.layer(|layer| layer.read_file(file_name, text));
    }

    /// Applies variables of the environment, each by its name and value. Those whose names do not begin with `TIDINGS_` are
    /// ignored, and empty ones count as not set, since that is how compose files and shells leave one out.
    ///
    /// An unknown name that begins as those of a section do is a mistake: a limit that is believed to be set is worse than a
    /// server that does not start. Any other unknown name is a warning, since deployments keep notes of their own under this
    /// prefix; what Kubernetes sets for a service called `tidings` is neither.
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let ours = variables.into_iter().filter(|(name, value)| name.starts_with(names::PREFIX) && !value.is_empty());
        // By name, so that mistakes are reported in the same order at each start.
        let ordered: BTreeMap<String, String> = ours.collect();
        self.layer(|layer| {
            for (name, value) in &ordered {
                match names::of_variable(name) {
                    Some((section, key)) => {
                        let given = Given::Texts(std::slice::from_ref(value));
                        layer.set(section, key, given, Source::Variable(name.clone()));
                    }
                    // That of the commands that are clients.
                    None if name == names::CLIENT_TOKEN => {}
                    // Before sections are looked for: a service called `tidings-server` has variables that begin as
                    // those of [server].
                    None if names::is_service_link(name, value) => {}
                    None if names::section_of_variable(name).is_some() => {
                        layer.settings.complain(None, names::unknown_variable(name));
                    }
                    None => layer.settings.warnings.push(names::unknown_variable(name)),
                }
            }
        });
    }

    /// Applies a flag that has the name of its setting, `section.key`: one value, or several for a list.
    pub fn flag(&mut self, path: &str, values: &[String]) {
        let source = Source::Flag(format!("--{path}"));
        self.layer(|layer| {
            let known = path
                .split_once('.')
                .is_some_and(|(section, key)| layer.set(section, key, Given::Texts(values), source.clone()));
            if !known {
                layer.settings.complain(None, format!("{source}: {}", names::unknown_key(path)));
            }
        });
    }

    /// Applies a flag with a name of its own, by changing the configuration.
    pub fn change(&mut self, path: &str, flag: &str, change: impl FnOnce(&mut Config)) {
        self.layer(|layer| {
            change(&mut layer.settings.config);
            layer.note(path, Source::Flag(flag.to_owned()));
        });
    }

    /// The configuration so far.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where the value of `section.key` comes from.
    #[must_use]
    pub fn source(&self, path: &str) -> &Source {
        self.sources.get(path).unwrap_or(&Source::Default)
    }

    /// Where a block comes from: by the name of its kind and its place among those, from 0.
    pub(super) fn block_source(&self, kind: &str, number: usize) -> &Source {
        self.blocks.get(kind).and_then(|sources| sources.get(number)).unwrap_or(&Source::Default)
    }

    /// What looks like a mistake, but does not keep the server from starting.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether everything could be read.
    ///
    /// # Errors
    /// All that could not, each with its place, what was expected, and the nearest name for one that is unknown.
    pub fn readable(&self) -> Result<(), ConfigError> {
        ConfigError::unless_empty(self.mistakes.iter().map(|mistake| mistake.text.clone()).collect())
    }

    /// Whether everything could be read, and a server can run with it.
    ///
    /// # Errors
    /// Everything that is wrong at once: what could not be read, and the relations of [`Config::check`] that do not hold
    /// between what could, each with the place of the value that it names first.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems: Vec<String> = self.mistakes.iter().map(|mistake| mistake.text.clone()).collect();
        let relations = self.config.check().err();
        for problem in relations.iter().flat_map(ConfigError::problems) {
            // A value that could not be read has its default here: a relation with it proves nothing.
            let unread = |mistake: &Mistake| mistake.path.as_ref().is_some_and(|path| problem.contains(path.as_str()));
            if !self.mistakes.iter().any(unread) {
                problems.push(match self.place_of(problem) {
                    Some(source) => format!("{source}: {problem}"),
                    None => problem.clone(),
                });
            }
        }
        ConfigError::unless_empty(problems)
    }

    /// The source of the first value that a sentence names and that is not a default.
    fn place_of(&self, problem: &str) -> Option<&Source> {
        // What is wrong with a block begins with its number and may name no setting.
        let block = problem.strip_prefix("[[").and_then(|rest| rest.split_once("]] "));
        let number = |rest: &str| rest.split(':').next().and_then(|number| number.parse::<usize>().ok());
        if let Some((kind, number)) = block.and_then(|(kind, rest)| Some((kind, number(rest)?))) {
            return Some(self.block_source(kind, number.checked_sub(1)?));
        }
        let named = problem.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'));
        // A setting may stand at the end of a sentence.
        named.into_iter().find_map(|word| self.sources.get(word.trim_end_matches('.')))
    }

    fn complain(&mut self, path: Option<String>, text: String) {
        self.mistakes.push(Mistake { path, text });
    }

    /// Applies one source.
    fn layer(&mut self, take: impl FnOnce(&mut Layer<'_>)) {
        let mut layer = Layer { settings: self, given: BTreeMap::new() };
        take(&mut layer);
        layer.settle();
    }
}

/// One source while it is applied.
pub(super) struct Layer<'s> {
    pub(super) settings: &'s mut Settings,
    /// What it set, and where.
    given: BTreeMap<String, Source>,
}

impl Layer<'_> {
    /// Sets one value; false when there is no such setting.
    pub(super) fn set(&mut self, section: &str, key: &str, given: Given<'_>, source: Source) -> bool {
        let path = format!("{section}.{key}");
        match self.settings.config.set(section, key, given) {
            None => return false,
            Some(Err(problem)) => {
                self.settings.complain(Some(path.clone()), format!("{source}: \"{path}\" {problem}"));
            }
            Some(Ok(())) => self.note(&path, source),
        }
        true
    }

    /// Notes the source of a value that was set.
    fn note(&mut self, path: &str, source: Source) {
        // Possible within one source where a variable has a second name: the later in the alphabet would win.
        if let Some(first) = self.given.insert(path.to_owned(), source.clone()) {
            let text = format!("{source}: \"{path}\" is set by {first} as well; keep one of them");
            self.settings.complain(Some(path.to_owned()), text);
        }
        self.settings.sources.insert(path.to_owned(), source);
    }

    /// A listener block was added. Blocks replace the default of `server.listen`, but are added to addresses that were set.
    pub(super) fn replace_default_listener(&mut self, source: Source) {
        // Only the first block finds the default: it is noted as the source then, so that the next ones clear
        // nothing.
        if self.settings.source(LISTEN) == &Source::Default {
            self.settings.config.server.listen.clear();
            self.settings.sources.insert(LISTEN.to_owned(), source);
        }
    }

    pub(super) fn complain(&mut self, source: &Source, problem: &str) {
        self.settings.complain(None, format!("{source}: {problem}"));
    }

    /// Each secret is set in one way or the other. Empty texts set nothing.
    fn settle(self) {
        let settings = self.settings;
        for pair in &SECRETS {
            let config = &mut settings.config;
            let secret = self.given.get(pair.secret).filter(|_| (pair.has_secret)(config));
            let file = self.given.get(pair.file).filter(|_| !(pair.of_file)(config).is_empty());
            match (secret, file) {
                (Some(secret), Some(file)) => {
                    let (secret_path, file_path) = (pair.secret, pair.file);
                    let text = format!(
                        "{file}: \"{file_path}\" and \"{secret_path}\" ({secret}) are both given; keep one of them"
                    );
                    settings.complain(Some(file_path.to_owned()), text);
                }
                (Some(_), None) => {
                    (pair.of_file)(config).clear();
                    settings.sources.remove(pair.file);
                }
                (None, Some(_)) => {
                    (pair.clear_secret)(config);
                    settings.sources.remove(pair.secret);
                }
                (None, None) => {}
            }
        }
    }
}
