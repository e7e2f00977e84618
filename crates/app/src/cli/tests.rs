use clap::CommandFactory as _;

use super::*;

#[test]
fn the_command_line_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_and_option_says_what_it_does() {
    let command = Arguments::command();
    for command in command.get_subcommands() {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for option in command.get_arguments().filter(|option| !option.is_global_set()) {
            assert!(option.get_help().is_some(), "{} {}", command.get_name(), option.get_id());
        }
    }
}
