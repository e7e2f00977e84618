//! What a terminal shows.

use std::io::IsTerminal as _;

use crate::config::document::report::Diagnostics;

/// The diagnostics as text for standard error: with colours if that is a terminal, unless `NO_COLOR` is set
/// (<https://no-color.org>) or the terminal says that it has none.
pub(crate) fn for_stderr(diagnostics: &Diagnostics) -> String {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    if std::io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb {
        diagnostics.coloured()
    } else {
        diagnostics.to_string()
    }
}
