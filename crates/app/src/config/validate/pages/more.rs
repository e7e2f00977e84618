//! Links, colour schemes and stylesheets.

use std::sync::Arc;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::pages::{ColorScheme, Pages};
use crate::config::validate::context::Context;
use crate::page::color::Schemes;
use crate::page::css::{self, Stylesheet};
use crate::page::link;
use crate::page::settings::{Links, Settings};

pub(super) fn schemes(raw: &Pages, base: &Settings) -> Schemes {
    match raw.color_scheme {
        None => base.schemes,
        Some(ColorScheme::System) => Schemes::System,
        Some(ColorScheme::Light) => Schemes::Light,
    }
}

pub(super) fn links(raw: &Pages, base: &Links, at: &Path, context: &mut Context<'_>) -> Result<Links, Reported> {
    let Some(raw) = &raw.links else { return Ok(base.clone()) };
    let at = at.key("links");
    let mut link = |written: Option<&String>, base: &Option<Arc<str>>, key| match written {
        None => Ok(base.clone()),
        Some(text) => match link::to(text) {
            Some(address) => Ok(Some(address.into())),
            None => {
                let problem =
                    context.found.problem(&at.key(key), format!("`{text}` is no address that a page can link to"));
                problem.hint("write `https://www.example.com/terms`, or an e-mail address").fail()
            }
        },
    };
    let terms = link(raw.terms.as_ref(), &base.terms, "terms");
    let privacy = link(raw.privacy.as_ref(), &base.privacy, "privacy");
    let help = link(raw.help.as_ref(), &base.help, "help");
    Ok(Links { terms: terms?, privacy: privacy?, help: help? })
}

/// Reads the stylesheet. The places of problems are in the other file, so they are part of the messages.
pub(super) fn css(
    raw: &Pages,
    base: &Settings,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<Stylesheet>, Reported> {
    let Some(file) = &raw.css else { return Ok(base.css.clone()) };
    let at = at.key("css");
    if at.steps().len() == 2 {
        let problem = context.found.problem(&at, "a stylesheet is only for the pages of a user pool");
        return problem.hint("set it in `user_pools.NAME.pages`: the pool serves it on its host").fail();
    }
    let path = context.source.resolve(file);
    let shown = path.display();
    let text = match context.source.files.read(&path, css::BYTES_MAX as u64) {
        Ok(bytes) => String::from_utf8(bytes),
        Err(error) => return context.found.problem(&at, format!("`{shown}` cannot be read: {error}")).fail(),
    };
    let Ok(text) = text else { return context.found.problem(&at, format!("`{shown}` is not UTF-8")).fail() };
    Stylesheet::read(&text).map(Some).map_err(|problems| {
        for problem in problems {
            context.found.problem(&at, format!("{shown}:{}: {}", problem.line, problem.message));
        }
        context.found.concern(&at).expect("a file that cannot be used has problems")
    })
}
