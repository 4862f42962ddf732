//! A flag for each setting of the configuration, with the setting's name: `--http.body_bytes 500kB`.

use super::engine::address;
use clap::error::{Error, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use tidings::config::{Knob, knobs};

/// The settings that were given as flags, each with its values.
#[derive(Debug, Default, Clone)]
pub(crate) struct KnobFlags(pub(crate) Vec<(String, Vec<String>)>);

impl FromArgMatches for KnobFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<KnobFlags, Error> {
        let given = |knob: Knob| {
            let values: Vec<String> = matches.get_many::<String>(&knob.path)?.cloned().collect();
            Some((knob, values))
        };
        let mut flags = KnobFlags::default();
        for (knob, values) in knobs().into_iter().filter_map(given) {
            if knob.is_secret {
                let message = format!(
                    "all users of a machine can read the arguments of a process, so no secret is a flag: \
                     name a file with it (--{path}_file FILE), or set {variable}\n",
                    path = knob.path,
                    variable = knob.variable
                );
                return Err(Error::raw(ErrorKind::ArgumentConflict, message));
            }
            // An address may have one in it, and is a flag all the same.
            if knob.path == "redis.url" {
                let password = values.iter().map(|text| address(text)).find_map(Result::err);
                if let Some(problem) = password {
                    return Err(Error::raw(ErrorKind::ArgumentConflict, format!("--redis.url: {problem}\n")));
                }
            }
            flags.0.push((knob.path, values));
        }
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = KnobFlags::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for KnobFlags {
    fn augment_args(command: Command) -> Command {
        knobs().into_iter().fold(command, |command, knob| {
            let action = if knob.is_list { ArgAction::Append } else { ArgAction::Set };
            // Hidden: a hundred of them would bury the flags that people look for. The help says how they are named.
            command.arg(Arg::new(knob.path.clone()).long(knob.path).value_name("VALUE").action(action).hide(true))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        KnobFlags::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::args::Arguments;
    use clap::Parser as _;

    fn knobs(arguments: &[&str]) -> Result<Vec<(String, Vec<String>)>, String> {
        let parsed = Arguments::try_parse_from([&["tidings"], arguments].concat());
        parsed.map(|parsed| parsed.serve.settings.knobs.0).map_err(|error| error.to_string())
    }

    #[test]
    fn each_setting_is_a_flag_and_lists_may_be_given_several_times() {
        let given = knobs(&["--sse.retry", "5s", "--server.allow_origin=a", "--server.allow_origin", "b"]);
        let expected = [("server.allow_origin", vec!["a", "b"]), ("sse.retry", vec!["5s"])];
        let expected =
            expected.map(|(path, values)| (path.to_owned(), values.into_iter().map(str::to_owned).collect()));
        assert_eq!(given, Ok(expected.to_vec()));
        assert!(knobs(&["--sse.retry", "5s", "--sse.retry", "6s"]).expect_err("twice").contains("multiple times"));
        let error = knobs(&["--http.body-bytes", "5"]).expect_err("misspelt");
        assert!(error.contains("'--http.body_bytes'"), "{error}");
    }

    #[test]
    fn a_secret_is_no_flag() {
        let error = knobs(&["--server.operator_key", "0123456789abcdef"]).expect_err("a secret");
        assert!(error.contains("--server.operator_key_file FILE") && !error.contains("0123456789abcdef"), "{error}");
        assert!(error.contains("TIDINGS_SERVER_OPERATOR_KEY"), "{error}");
        let error = knobs(&["--redis.url", "redis://:hunter2@a"]).expect_err("a password");
        assert!(error.contains("--redis.password_file FILE") && !error.contains("hunter2"), "{error}");
        knobs(&["--redis.url", "redis://user@a"]).expect("none");
    }
}
