//! What a terminal shows.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

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

/// Writes to standard output. If nobody reads any more (`vestibule check … | head -1`), the rest is not written, and that is no failure.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
