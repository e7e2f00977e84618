//! `redirect` (ALB §7.3).

use http::StatusCode;

use crate::action::settings::{Piece, Protocol, RedirectSettings, Template};
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::action::{Redirect, RedirectStatus};
use crate::config::validate::context::{ClientSpeaks, Context};

/// Maximum length of host, path and query (ALB §7.3).
const LENGTH_MAX: usize = 128;

const HOST: &str = "#{host}";
const PORT: &str = "#{port}";
const PATH: &str = "/#{path}";
const QUERY: &str = "#{query}";
const PROTOCOL: &str = "#{protocol}";

pub(super) fn redirect(
    raw: &Redirect,
    listener: ClientSpeaks,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<RedirectSettings, Reported> {
    let (host, port, path, query) = (&*raw.host, &*raw.port.0, &*raw.path, &*raw.query);
    let protocol = protocol(&raw.protocol, listener, &at.key("protocol"), context);
    let only = |allowed: &'static [Piece]| allowed;
    let settings = RedirectSettings {
        status: match raw.status_code {
            RedirectStatus::Http301 => StatusCode::MOVED_PERMANENTLY,
            RedirectStatus::Http302 => StatusCode::FOUND,
        },
        // A protocol that is invalid is judged last, so that the other parts are checked, too.
        protocol: protocol.unwrap_or_default(),
        host: template(host, only(&[Piece::Host]), "host", at, context)?,
        port: template(port, only(&[Piece::Port]), "port", at, context)?,
        path: template(path, only(&[Piece::Host, Piece::Port, Piece::Path]), "path", at, context)?,
        query: template(
            query,
            only(&[Piece::Protocol, Piece::Host, Piece::Port, Piece::Path, Piece::Query]),
            "query",
            at,
            context,
        )?,
    };
    parts(&settings, (host, port, path, query), at, context);
    let changes_protocol = protocol?.is_some_and(|protocol| is_other(protocol, listener));
    if !changes_protocol && host == HOST && port == PORT && path == PATH {
        let problem = context.found.problem(at, "this redirects to the same URL, in an endless loop");
        problem.hint("change at least one of `protocol`, `host`, `port`, `path`");
    }
    Ok(settings)
}

fn is_other(protocol: Protocol, listener: ClientSpeaks) -> bool {
    !matches!((protocol, listener), (Protocol::Http, ClientSpeaks::Http) | (Protocol::Https, ClientSpeaks::Https))
}

/// `None` means the protocol of the request.
fn protocol(
    written: &str,
    listener: ClientSpeaks,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<Protocol>, Reported> {
    match written {
        PROTOCOL => Ok(None),
        "HTTPS" => Ok(Some(Protocol::Https)),
        "HTTP" if listener == ClientSpeaks::Https => {
            context.found.problem(at, "a redirect from HTTPS to HTTP is not allowed").fail()
        }
        "HTTP" => Ok(Some(Protocol::Http)),
        other => {
            let hint = match other.to_ascii_uppercase().as_str() {
                upper @ ("HTTP" | "HTTPS") => format!("did you mean `{upper}`?"),
                _ => format!("`HTTP`, `HTTPS` or `{PROTOCOL}`"),
            };
            context.found.problem(at, format!("`{other}` is not a protocol")).hint(hint).fail()
        }
    }
}

fn template(
    text: &str,
    allowed: &[Piece],
    key: &str,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Template, Reported> {
    let at = at.key(key);
    let names: Vec<String> = allowed.iter().map(|piece| format!("`{}`", placeholder(piece))).collect();
    let hint = format!("allowed here: {}", names.join(", "));
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => return context.found.problem(&at, error.to_string()).hint(hint).fail(),
    };
    for piece in &template.0 {
        let message = match piece {
            Piece::Literal(text) if text.contains("#{") => "a placeholder is not closed by `}`".to_owned(),
            Piece::Literal(_) => continue,
            piece if allowed.contains(piece) => continue,
            piece => format!("`{}` is not allowed in the {key}", placeholder(piece)),
        };
        return context.found.problem(&at, message).hint(hint).fail();
    }
    Ok(template)
}

fn placeholder(piece: &Piece) -> &'static str {
    match piece {
        Piece::Literal(_) => "",
        Piece::Protocol => PROTOCOL,
        Piece::Host => HOST,
        Piece::Port => PORT,
        Piece::Path => "#{path}",
        Piece::Query => QUERY,
    }
}

/// Checks that the text between the placeholders can be part of a URL.
fn parts(
    settings: &RedirectSettings,
    (host, port, path, query): (&str, &str, &str, &str),
    at: &Path,
    context: &mut Context<'_>,
) {
    let every = |template: &Template, allowed: &dyn Fn(u8) -> bool| {
        template.0.iter().all(|piece| !matches!(piece, Piece::Literal(text) if !text.bytes().all(allowed)))
    };
    for (key, text) in [("host", host), ("path", path), ("query", query)] {
        if text.len() > LENGTH_MAX {
            context.found.problem(&at.key(key), format!("the {key} is longer than {LENGTH_MAX} characters"));
        }
    }
    let host_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || !every(&settings.host, &host_byte) {
        let problem = context.found.problem(&at.key("host"), format!("`{host}` is not a host"));
        problem.hint("write only the host; scheme, port and path have their own settings");
    }
    if port != PORT && port.parse::<u16>().ok().filter(|port| *port != 0).is_none() {
        context.found.problem(&at.key("port"), format!("`{port}` is not a port: 1 to 65535, or `{PORT}`"));
    }
    let visible = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`');
    let path_byte = |byte: u8| visible(byte) && !matches!(byte, b'?' | b'#');
    // A client would read `//host` as a host.
    if !path.starts_with('/') || path.starts_with("//") || !every(&settings.path, &path_byte) {
        let problem = context.found.problem(&at.key("path"), format!("`{path}` is not a path"));
        problem.hint("begin with one `/`, percent-encode non-ASCII characters, and use `query` for the query");
    }
    let query_byte = |byte: u8| visible(byte) && byte != b'#';
    if query.starts_with('?') || !every(&settings.query, &query_byte) {
        let problem = context.found.problem(&at.key("query"), format!("`{query}` is not a query"));
        problem.hint("remove the question mark, and percent-encode non-ASCII characters");
    }
}
