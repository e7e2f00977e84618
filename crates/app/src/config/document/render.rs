//! Shows diagnostics as text. `annotate-snippets`, which Cargo uses, draws the lines and carets.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::config::document::diagnostic::{Diagnostic, Severity, Span};
use crate::config::document::secrets::without_userinfo;

/// The diagnostics as plain text. Each ends with a line feed; empty lines are between them.
pub(crate) fn plain(file: &str, shown: &str, list: &[Diagnostic]) -> String {
    all(&Renderer::plain(), file, shown, list)
}

/// The diagnostics with terminal colours.
pub(crate) fn coloured(file: &str, shown: &str, list: &[Diagnostic]) -> String {
    all(&Renderer::styled(), file, shown, list)
}

fn all(renderer: &Renderer, file: &str, shown: &str, list: &[Diagnostic]) -> String {
    let file = printable(file);
    let each = list.iter().map(|diagnostic| one(renderer, &file, shown, diagnostic) + "\n");
    each.collect::<Vec<_>>().join("\n")
}

fn one(renderer: &Renderer, file: &str, shown: &str, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(printable(&diagnostic.message)));
    group = match diagnostic.span {
        Some(span) => group.element(snippet(file, shown, span, diagnostic)),
        None => group.element(Origin::path(file)),
    };
    if !diagnostic.path.is_empty() {
        group = group.element(Level::NOTE.with_name("at").message(printable(&diagnostic.path)));
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(printable(hint)));
    }
    renderer.render(&[group])
}

/// The lines from the first place to the last one. `annotate-snippets` leaves out what is in between.
fn snippet<'d>(
    file: &'d str,
    shown: &'d str,
    span: Span,
    diagnostic: &'d Diagnostic,
) -> Snippet<'d, annotate_snippets::Annotation<'d>> {
    let places = || std::iter::once(span).chain(diagnostic.labels.iter().map(|label| label.span));
    let first = places().map(|span| span.start).min().unwrap_or_default();
    let last = places().map(|span| span.end).max().unwrap_or_default();
    let start = shown[..first].rfind('\n').map_or(0, |at| at + 1);
    let end = shown[last..].find('\n').map_or(shown.len(), |at| last + at);
    // Without the carriage return of the line's end, unless a place is behind it.
    let end = (start + shown[start..end].trim_end_matches('\r').len()).max(last);
    let within = |span: Span| -> Range<usize> { span.start - start..span.end - start };
    let mut snippet = Snippet::source(&shown[start..end])
        .path(file)
        .line_start(shown[..start].matches('\n').count() + 1)
        .annotation(AnnotationKind::Primary.span(within(span)));
    for label in &diagnostic.labels {
        snippet = snippet.annotation(AnnotationKind::Context.span(within(label.span)).label(printable(&label.text)));
    }
    snippet
}

/// Text without terminal control characters, without characters that change the direction of what follows, and without the password of
/// a URL. In the lines of the file, `annotate-snippets` replaces the first two.
fn printable(text: &str) -> String {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    without_userinfo(text).chars().map(|c| if c.is_control() || turns(c) { '�' } else { c }).collect()
}

#[cfg(test)]
mod tests;
