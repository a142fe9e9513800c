//! Boolean flags as kubectl takes them: `--force`, `--force=true` and `--force=false`.

use clap::{Arg, ArgAction, Command};

/// Gives every flag of a command line, and of all its commands, an optional `=true` or `=false`; a flag may be repeated, and the
/// last one counts.
pub fn with_booleans(command: Command) -> Command {
    command.args_override_self(true).mut_args(boolean).mut_subcommands(with_booleans)
}

fn boolean(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .value_parser(clap::value_parser!(bool))
        .default_value("false")
        .default_missing_value("true")
        .value_name("BOOL")
        .hide_default_value(true)
        .hide_possible_values(true)
}
