//! `transforms` of a rule: the target receives another `Host`, or another path and query, than the client has sent (ALB §7.3).
//!
//! Transforms run after the rule is found, and change nothing else: sign-in, redirects, cookies and logs have what the client sent. The
//! expressions see the canonical request that the rules have matched, so no spelling of a path gets past a transform. The result is read
//! as strictly as what clients send, and the target receives its canonical form (decision 71).

use std::cell::RefCell;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::PathAndQuery;
use regex_automata::Input;
use regex_automata::meta::{Cache, Config, Regex};

use crate::action::replacement::{self, Out, Replacement};
use crate::message::regex::{self, NotRegex};
use crate::message::uri::{self, CanonicalRequest, EncodedSlash, authority};

/// The transforms of one rule.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host_header_rewrite`. The expression sees the host without port, in lower case.
    pub host: Option<Arc<Rewrite>>,
    /// `url_rewrite`. The expression sees the canonical path, encoded, and the query as the client sent it: `/path?query`.
    pub url: Option<Arc<Rewrite>>,
    /// What the rule does with `%2F`.
    pub encoded_slash: EncodedSlash,
}

/// An expression, and what takes the place of its first match.
#[derive(Debug)]
pub struct Rewrite {
    regex: Regex,
    replacement: Replacement,
}

/// Why a rewrite cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    NotRegex(#[from] NotRegex),
    /// Larger than [`EXPRESSION_BYTES_MAX`] in memory.
    #[error("the regular expression `{0}` needs more than {kb} KB", kb = EXPRESSION_BYTES_MAX / 1024)]
    TooLarge(String),
}

/// Maximum size of an expression in memory. The work for a request is at most this size times the length of the address.
const EXPRESSION_BYTES_MAX: usize = 64 * 1024;

impl Rewrite {
    /// `replacement` makes the replacement. It gets the number of groups of the expression.
    ///
    /// # Errors
    ///
    /// [`Error`], or that of `replacement`.
    pub fn new<E: From<Error>>(
        text: &str,
        is_insensitive: bool,
        replacement: impl FnOnce(usize) -> Result<Replacement, E>,
    ) -> Result<Self, E> {
        let hir = regex::parse(text, is_insensitive).map_err(Error::from)?;
        let config = Config::new()
            .utf8_empty(false)
            .dfa(false)
            .hybrid(false)
            .nfa_size_limit(Some(EXPRESSION_BYTES_MAX))
            .onepass_size_limit(Some(EXPRESSION_BYTES_MAX));
        let built = Regex::builder().configure(config).build_from_hir(&hir);
        let regex = built.map_err(|_| Error::TooLarge(text.to_owned()))?;
        let replacement = replacement(hir.properties().explicit_captures_len())?;
        Ok(Self { regex, replacement })
    }
}

/// What a target receives. `None` where no expression matched: then that part stays as it is.
#[derive(Debug, Default)]
pub struct Transformed {
    pub host: Option<HeaderValue>,
    pub target: Option<PathAndQuery>,
}

/// Why the result of a transform cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    #[error("the result of `host_header_rewrite` is not a host")]
    Host,
    #[error("the result of `url_rewrite` cannot be sent: {0}")]
    Target(uri::Error),
    #[error("the result of `url_rewrite` is too long, or not text")]
    Length,
}

/// The transforms of one rule, for one worker.
#[derive(Debug)]
pub struct Transforms {
    host: Option<Rewriter>,
    url: Option<Rewriter>,
    encoded_slash: EncodedSlash,
}

impl Transforms {
    pub fn new(settings: &Settings) -> Self {
        Self {
            host: settings.host.as_ref().map(Rewriter::new),
            url: settings.url.as_ref().map(Rewriter::new),
            encoded_slash: settings.encoded_slash,
        }
    }

    /// Transforms a request.
    ///
    /// # Errors
    ///
    /// [`Failed`], if an expression matches and the result cannot be sent.
    pub fn apply(&self, request: &CanonicalRequest) -> Result<Transformed, Failed> {
        let mut transformed = Transformed::default();
        if let Some(rewriter) = &self.host
            && let Some(text) = rewriter.apply(request.host(), None).map_err(|_| Failed::Host)?
        {
            transformed.host = Some(authority::host_field(&text).map_err(|_| Failed::Host)?);
        }
        if let Some(rewriter) = &self.url {
            let target = request.canonical_target().map_err(Failed::Target)?;
            let target = target.as_ref().unwrap_or(&request.target).as_str();
            if let Some(text) = rewriter.apply(target, target.find('?')).map_err(|_| Failed::Length)? {
                transformed.target = Some(uri::rewritten(&text, self.encoded_slash).map_err(Failed::Target)?);
            }
        }
        Ok(transformed)
    }
}

/// A rewrite with what one worker needs to apply it, so that workers share no lock.
#[derive(Debug)]
struct Rewriter {
    rewrite: Arc<Rewrite>,
    cache: RefCell<Cache>,
}

impl Rewriter {
    fn new(rewrite: &Arc<Rewrite>) -> Self {
        Self { cache: RefCell::new(rewrite.regex.create_cache()), rewrite: Arc::clone(rewrite) }
    }

    /// The text with its first match replaced. `None` if nothing matches. `mark` is where the `?` of an address is.
    fn apply(&self, text: &str, mark: Option<usize>) -> Result<Option<String>, replacement::Unusable> {
        let Rewrite { regex, replacement } = &*self.rewrite;
        let mut found = regex.create_captures();
        regex.search_captures_with(&mut self.cache.borrow_mut(), &Input::new(text), &mut found);
        let Some(whole) = found.get_match() else { return Ok(None) };
        let mut out = Out::new(text, mark);
        out.copy(0..whole.start());
        replacement.write(&mut out, |group| found.get_group(group).map(|span| span.range()));
        out.copy(whole.end()..text.len());
        out.finish().map(Some)
    }
}

#[cfg(test)]
mod tests;
