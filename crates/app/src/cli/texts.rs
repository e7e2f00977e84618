//! `texts`: prints what the pages or messages say, to start other texts or a translation from.

use std::process::ExitCode;

use crate::cli::exit::WrongUse;
use crate::cli::terminal::print;
use crate::page::translation::built_in;
use crate::user_pool::messages::texts;

/// Prints the texts of the pages in a language that is built in, as a file for `pages.texts`; or those of the messages of user pools, as a file
/// for `messages.texts`.
///
/// Save it, and change the texts. For a language that is not built in, translate all of them. A file for a language that is
/// built in needs only the texts that you change.
#[derive(Debug, clap::Args)]
pub(crate) struct Texts {
    /// The language: `en` or `de`.
    #[arg(value_name = "LANGUAGE", default_value = "en")]
    language: String,
    /// The texts of messages to users.
    #[arg(long)]
    messages: bool,
}

impl Texts {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let is_asked = |tag: &str| tag.eq_ignore_ascii_case(&self.language);
        let built_in = if self.messages { texts::built_in() } else { built_in() };
        let Some(translation) = built_in.iter().find(|translation| is_asked(translation.tag())) else {
            let known: Vec<_> = built_in.iter().map(|translation| format!("`{}`", translation.tag())).collect();
            let message = format!("the language `{}` is not built in: use {}", self.language, known.join(" or "));
            return Err(WrongUse(message).into());
        };
        print(translation.file())?;
        Ok(ExitCode::SUCCESS)
    }
}
