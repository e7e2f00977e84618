//! `listeners[].rules[].transforms`.

use std::sync::Arc;

use crate::action::replacement::{self, Replacement};
use crate::action::settings::{ChainSettings, TerminalSettings};
use crate::action::transform::{self, Rewrite, Settings};
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::transforms::{self as written, LENGTH_MAX, Transforms};
use crate::config::validate::context::Context;
use crate::message::uri::EncodedSlash;

/// Gives the transforms of a rule to its `forward`.
pub(super) fn add(
    raw: &Transforms,
    chain: Result<&mut ChainSettings, Reported>,
    encoded_slash: EncodedSlash,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<(), Reported> {
    let mut each = |raw: &Option<written::Rewrite>, key, subject| {
        raw.as_ref().map(|raw| rewrite(raw, subject, &at.key(key), context)).transpose()
    };
    let host = each(&raw.host_header_rewrite, "host_header_rewrite", Subject::Host);
    let url = each(&raw.url_rewrite, "url_rewrite", Subject::Url);
    let (host, url) = (host?, url?);
    match &mut chain?.terminal {
        TerminalSettings::Forward(forward) if host.is_some() || url.is_some() => {
            forward.transforms = Some(Settings { host, url, encoded_slash });
        }
        TerminalSettings::Forward(_) => {}
        TerminalSettings::Allow(_)
        | TerminalSettings::Redirect(_)
        | TerminalSettings::FixedResponse(_)
        | TerminalSettings::Static(_) => {
            let message = "`transforms` change what a target receives, and this rule has no `forward`";
            let warning = context.found.warning(at, message);
            warning.hint("remove them; a `redirect` says itself where it leads to, and a `static` has `path_prefix`");
        }
    }
    Ok(())
}

/// What a rewrite changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Host,
    Url,
}

/// Why a rewrite is refused.
enum Error {
    Regex(transform::Error),
    Replacement(replacement::Error),
    /// A character that the result cannot have.
    Character(char),
    /// A path that does not begin with a slash.
    NoSlash,
}

impl From<transform::Error> for Error {
    fn from(error: transform::Error) -> Self {
        Self::Regex(error)
    }
}

fn rewrite(
    raw: &written::Rewrite,
    subject: Subject,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Arc<Rewrite>, Reported> {
    let (regex_at, replace_at) = (at.key("regex"), at.key("replace"));
    for (text, at) in [(&raw.regex, &regex_at), (&raw.replace, &replace_at)] {
        let length = text.chars().count();
        if length > LENGTH_MAX {
            let message = format!("{length} characters; at most {LENGTH_MAX} are allowed");
            return context.found.problem(at, message).fail();
        }
    }
    let replacement = |groups| {
        let replacement = Replacement::parse(&raw.replace, groups).map_err(Error::Replacement)?;
        check(&replacement, subject, raw.regex.starts_with('^')).map(|()| replacement)
    };
    let rewrite = Rewrite::new(&raw.regex, subject == Subject::Host, replacement);
    rewrite.map(Arc::new).map_err(|error| match error {
        Error::Regex(error) => context.found.problem(&regex_at, error.to_string()).reported(),
        Error::Replacement(error) => {
            let problem = context.found.problem(&replace_at, error.to_string());
            problem
                .hint("`$1` to `$9` and `${10}` are groups `(…)` of `regex`, `$0` is the whole match, `$$` a dollar")
                .reported()
        }
        Error::Character(character) => {
            let what = if subject == Subject::Host { "a host" } else { "a path or query" };
            let message = format!("{character:?} cannot be in {what}");
            let hint = (subject == Subject::Url).then(|| "write it percent-encoded, as in `/my%20docs/`".to_owned());
            context.found.problem(&replace_at, message).maybe_hint(hint).reported()
        }
        Error::NoSlash => {
            let problem = context.found.problem(&replace_at, "the result must begin with `/`");
            problem.hint("begin with a slash, or with a group that does").reported()
        }
    })
}

/// Checks what is known of every result. `is_begin`: the replacement is at its begin.
fn check(replacement: &Replacement, subject: Subject, is_begin: bool) -> Result<(), Error> {
    let is_possible = |character: char| match subject {
        Subject::Host => character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_' | ':' | '[' | ']'),
        Subject::Url => character.is_ascii_graphic() && !matches!(character, '#' | '\\' | '<' | '>' | '"' | '`' | '^'),
    };
    if let Some(character) = replacement.literals().flat_map(str::chars).find(|character| !is_possible(*character)) {
        return Err(Error::Character(character));
    }
    // A replacement of nothing leaves what is behind the match: `^/api` before `/x`.
    let begins_well = |text: &str| text.is_empty() || text.starts_with('/');
    if subject == Subject::Url && is_begin && !replacement.first_literal().is_none_or(begins_well) {
        return Err(Error::NoSlash);
    }
    Ok(())
}
