//! `tidings completions` and `tidings man`: what shells and readers of manuals need, made from the definition of the arguments.

use super::Outcome;
use super::args::{Arguments, CompletionsArgs, ManArgs};
use clap::{Command, CommandFactory as _};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Prints the completions.
pub(crate) fn completions(args: &CompletionsArgs) -> Outcome {
    // Written as a whole: the generator gives up by a panic when its writer fails.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut shown(&Arguments::command()), "tidings", &mut text);
    io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A command without what its help hides: a flag for each setting. fish takes no flag with a point in its name and would
/// complete nothing at all.
fn shown(command: &Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    let visible = command.get_arguments().filter(|argument| !argument.is_hide_set()).cloned();
    Command::new(command.get_name().to_owned())
        .about(about)
        .version(command.get_version().unwrap_or_default().to_owned())
        .disable_version_flag(command.get_version().is_none())
        .args(visible)
        .subcommands(command.get_subcommands().map(shown))
}

/// Writes a page for each command.
pub(crate) fn pages(args: &ManArgs) -> Outcome {
    let named = |error: io::Error| format!("the pages cannot be written to {}: {error}", args.folder.display());
    write_pages(&args.folder).map_err(named)?;
    Ok(ExitCode::SUCCESS)
}

fn write_pages(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)
}

#[cfg(test)]
mod tests {
    use super::{Arguments, write_pages};
    use clap::{Command, CommandFactory as _, Parser as _};
    use std::collections::BTreeSet;
    use std::fs;

    /// The names of the pages of a command and of those below it.
    fn names(command: &Command, above: &str, names: &mut BTreeSet<String>) {
        let name =
            if above.is_empty() { command.get_name().to_owned() } else { format!("{above}-{}", command.get_name()) };
        names.insert(format!("{name}.1"));
        command.get_subcommands().for_each(|below| self::names(below, &name, names));
    }

    #[test]
    fn each_command_has_a_page_that_says_what_its_help_says() {
        let folder = std::env::temp_dir().join(format!("tidings-man-{}", std::process::id()));
        write_pages(&folder).expect("a folder in that of temporary files");
        let mut expected = BTreeSet::new();
        names(&Arguments::command(), "", &mut expected);
        let entries = fs::read_dir(&folder).expect("the folder");
        let written: BTreeSet<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        let page = fs::read_to_string(folder.join("tidings-publish.1")).expect("a page");
        fs::remove_dir_all(&folder).expect("the folder is removed");
        assert_eq!(written, expected);
        assert!(expected.len() > 10 && page.contains("Idempotency key"), "{page}");
    }

    #[test]
    fn other_shells_are_refused_with_the_names_of_those_that_there_are() {
        for shell in ["bash", "zsh", "fish"] {
            Arguments::try_parse_from(["tidings", "completions", shell]).expect(shell);
        }
        let error = Arguments::try_parse_from(["tidings", "completions", "csh"]).expect_err("csh").to_string();
        assert!(error.contains("[possible values: bash, zsh, fish]"), "{error}");
    }
}
