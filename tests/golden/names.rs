//! Names on the command line and in the configuration. Help texts may change, names may not.

use std::fmt::Write;

use cf_billing::cli;
use cf_billing::config;
use cf_billing::keyed::{Absent, Takes};
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

/// What a key takes, and within which bounds. Which text is right, such as a country's code, isn't told.
fn type_of(takes: Takes) -> String {
    match takes {
        Takes::Text | Takes::Line | Takes::TextLines(_) | Takes::Code(_) | Takes::Form("text" | "colour") => {
            "text".to_owned()
        }
        Takes::Secret => "secret".to_owned(),
        Takes::Seconds { min, max } => format!("whole seconds {min}..{max}"),
        Takes::Duration { min_ms, max_ms } => format!("milliseconds {min_ms}..{max_ms}"),
        Takes::Whole { min, max } => format!("integer {min}..{max}"),
        Takes::Choice(words) => format!("one of {}", words.join("|")),
        Takes::Words(words) => format!("some of {}", words.join("|")),
        Takes::Form("IANA time zone") => "time zone".to_owned(),
        Takes::Time => "time".to_owned(),
        Takes::Form(form) => form.to_owned(),
        other => panic!("no key takes {other:?}"),
    }
}

#[test]
fn configuration_keys_keep_names_types_and_defaults() {
    let mut text = String::new();
    for section in config::tables() {
        let name = section.heading.trim_matches(['`', '[', ']']);
        for key in &section.keys {
            let default = match key.absent {
                Absent::Value(default) => format!(" = {default}"),
                Absent::Required => " required".to_owned(),
                Absent::Nothing | Absent::NothingOrEmpty | Absent::Means(_) => String::new(),
            };
            writeln!(text, "{name}.{}: {}{default}", key.name, type_of(key.takes)).unwrap();
        }
    }
    check("configuration.txt", &text);
}
