//! Names on the command line and in the configuration. Help texts may change, names may not.

use std::fmt::Write;

use cf_billing::cli;
use cf_billing::config::{KEYS, Kind, SECTIONS};
use clap::{Arg, Command};

use super::check;

/// A line for each command, argument and option, each after its command.
fn commands(command: &Command, path: &str, text: &mut String) {
    writeln!(text, "{path}").unwrap();
    let mut arguments: Vec<String> = command
        .get_arguments()
        .filter(|argument| path == "cf-billing" || !(argument.is_global_set() || argument.get_id() == "help"))
        .map(told)
        .collect();
    arguments.sort();
    for argument in arguments {
        writeln!(text, "{path} {argument}").unwrap();
    }
    let mut below: Vec<&Command> = command.get_subcommands().filter(|below| below.get_name() != "help").collect();
    below.sort_by_key(|command| command.get_name());
    for below in below {
        commands(below, &format!("{path} {}", below.get_name()), text);
    }
}

/// `--format VALUE [table|json|csv] = table`
fn told(argument: &Arg) -> String {
    let mut text = match (argument.get_long(), argument.get_short()) {
        (Some(long), Some(short)) => format!("--{long} -{short}"),
        (Some(long), None) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        // Its place is what users rely on; its name is for help.
        (None, None) => format!("<{}>", argument.get_index().unwrap()),
    };
    let takes_value = argument.get_action().takes_values();
    if takes_value && !argument.is_positional() {
        text += " VALUE";
    }
    if argument.get_num_args().is_some_and(|count| count.max_values() > 1)
        || matches!(argument.get_action(), clap::ArgAction::Append)
    {
        text += " …";
    }
    if argument.is_required_set() {
        text += " required";
    }
    let values: Vec<String> = argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if takes_value && !values.is_empty() {
        write!(text, " [{}]", values.join("|")).unwrap();
    }
    for value in argument.get_default_values().iter().filter(|_| takes_value) {
        write!(text, " = {}", value.to_string_lossy()).unwrap();
    }
    if let Some(variable) = argument.get_env() {
        write!(text, " ${}", variable.to_string_lossy()).unwrap();
    }
    if argument.is_global_set() {
        text += " (of every command)";
    }
    text
}

#[test]
fn commands_and_options_keep_their_names() {
    let mut command = cli::command();
    command.build();
    let mut text = String::new();
    commands(&command, "cf-billing", &mut text);
    check("cli.txt", &text);
}

/// What a key takes, and within which bounds.
fn type_of(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Secret => "secret".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Duration { min, max } => format!("whole seconds {min}..{max}"),
        Kind::Interval { min_ms, max_ms } => format!("milliseconds {min_ms}..{max_ms}"),
        Kind::Count { min, max } => format!("integer {min}..{max}"),
        Kind::Choice(words) => format!("one of {}", words.join("|")),
        Kind::Words(words) => format!("some of {}", words.join("|")),
        Kind::TimeZone => "time zone".to_owned(),
        Kind::Time => "time".to_owned(),
        Kind::Url => "URL".to_owned(),
        Kind::Listen => "address and port".to_owned(),
        Kind::LogFilter => "log filter".to_owned(),
    }
}

#[test]
fn configuration_keys_keep_names_types_and_defaults() {
    let mut text = String::new();
    for section in SECTIONS {
        for key in KEYS.iter().filter(|key| key.section == section.name) {
            let default = match (key.default, key.required) {
                (Some(default), _) => format!(" = {default}"),
                (None, true) => " required".to_owned(),
                (None, false) => String::new(),
            };
            writeln!(text, "{}.{}: {}{default}", key.section, key.name, type_of(key.kind)).unwrap();
        }
    }
    check("configuration.txt", &text);
}
