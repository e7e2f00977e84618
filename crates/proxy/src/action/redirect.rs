//! `redirect` with placeholders (ALB §7.3).

use std::fmt::Write as _;

use http::{HeaderValue, header};

use crate::action::settings::{Piece, Protocol, RedirectSettings, Template};
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::body::Body;
use crate::message::uri::CanonicalRequest;

/// Maximum length of `Location` (ALB §6.5: 8 K).
const LOCATION_BYTES_MAX: usize = 8 * 1024;

/// Redirects the client.
#[derive(Debug)]
pub struct Redirect(RedirectSettings);

impl Redirect {
    pub fn new(settings: RedirectSettings) -> Self {
        Self(settings)
    }

    /// The response.
    ///
    /// # Errors
    ///
    /// [`Reason::RequestUriTooLong`] if the location would be longer than 8 K.
    pub fn run(&self, exchange: &Exchange, request: &CanonicalRequest) -> Result<Response, Rejection> {
        let original = exchange.scheme;
        let port = request.authority.port().unwrap_or(original.default_port());
        let location = self.location(request, original.as_str(), port);
        let value = HeaderValue::try_from(location).map_err(|error| Rejection::new(Reason::Internal, error))?;
        if value.len() > LOCATION_BYTES_MAX {
            return Err(Reason::RequestUriTooLong.into());
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.status;
        response.headers_mut().insert(header::LOCATION, value);
        Ok(response)
    }

    fn location(&self, request: &CanonicalRequest, original: &str, port: u16) -> String {
        let settings = &self.0;
        let protocol = match settings.protocol {
            Some(Protocol::Http) => "http",
            Some(Protocol::Https) => "https",
            None => original,
        };
        let original = Original { protocol: original, request, port };
        let (host, path) = (original.fill(&settings.host), original.fill(&settings.path));
        let (port, query) = (original.fill(&settings.port), original.fill(&settings.query));
        let mut location = format!("{protocol}://{host}");
        let is_default = matches!((protocol, port.as_str()), ("https", "443") | ("http", "80"));
        if !is_default {
            let _ = write!(location, ":{port}");
        }
        location.push_str(&path);
        if !query.is_empty() {
            let _ = write!(location, "?{query}");
        }
        location
    }
}

/// The request that is redirected, for the placeholders of a template.
struct Original<'r> {
    protocol: &'r str,
    request: &'r CanonicalRequest,
    port: u16,
}

impl Original<'_> {
    fn fill(&self, template: &Template) -> String {
        let mut out = String::new();
        for piece in &template.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Protocol => out.push_str(self.protocol),
                Piece::Host => out.push_str(self.request.host()),
                Piece::Port => {
                    let _ = write!(out, "{}", self.port);
                }
                Piece::Path => out.push_str(&self.request.target.path()[1..]),
                Piece::Query => out.push_str(self.request.query().unwrap_or_default()),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, StatusCode};

    use super::*;
    use crate::message::uri::Scheme;

    fn template(text: &str) -> Template {
        Template::parse(text).expect("a template")
    }

    #[track_caller]
    fn check(change: impl Fn(&mut RedirectSettings), expected: &str) {
        let mut settings = RedirectSettings {
            status: StatusCode::MOVED_PERMANENTLY,
            protocol: None,
            host: template("#{host}"),
            port: template("#{port}"),
            path: template("/#{path}"),
            query: template("#{query}"),
        };
        change(&mut settings);
        let uri = "http://app.test:8080/a/b%20c?x=1&y".parse().expect("a URI");
        let request = CanonicalRequest::parse(Scheme::Http, &Method::GET, &uri, &HeaderMap::new()).expect("canonical");
        assert_eq!(Redirect::new(settings).location(&request, "http", 8080), expected);
    }

    #[test]
    fn what_is_not_said_is_kept() {
        check(|_| {}, "http://app.test:8080/a/b%20c?x=1&y");
    }

    #[test]
    fn to_https() {
        check(
            |to| {
                to.protocol = Some(Protocol::Https);
                to.port = template("443");
            },
            "https://app.test/a/b%20c?x=1&y",
        );
        check(
            |to| {
                to.protocol = Some(Protocol::Https);
                to.port = template("8443");
            },
            "https://app.test:8443/a/b%20c?x=1&y",
        );
    }

    #[test]
    fn placeholders_are_parts_of_the_request() {
        check(
            |to| {
                to.host = template("www.#{host}");
                to.path = template("/new/#{path}");
                to.query = template("#{query}&from=#{protocol}-#{port}");
            },
            "http://www.app.test:8080/new/a/b%20c?x=1&y&from=http-8080",
        );
    }

    #[test]
    fn a_query_can_be_dropped() {
        check(|to| to.query = template(""), "http://app.test:8080/a/b%20c");
    }
}
