//! `traces`.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri, header};
use url::Url;

use crate::backchannel::network;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::traces as written;
use crate::config::validate::context::Context;
use crate::config::validate::{keys, value};
use crate::crypto::provider;
use crate::otlp::settings::{Collector, Protocol, Settings};
use crate::secret::Secret;
use crate::telemetry::traces::sampling::{Parents, Sampling};

/// The last batch before the end of the process is waited for no longer than a few seconds in any case.
const TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
/// Each batch has them.
const RESOURCE_MAX: usize = 64;
const RESOURCE_BYTES_MAX: usize = 1024;

pub(super) fn traces(raw: &written::Traces, at: &Path, context: &mut Context<'_>) -> Result<Settings, Reported> {
    let collector = collector(&raw.otlp, &at.key("otlp"), context);
    let resource = resource(raw, at, context);
    let parents = match raw.sampling.parent {
        written::SamplingParent::TrustedProxies => Parents::Trusted,
        written::SamplingParent::Any => Parents::Any,
        written::SamplingParent::Ignore => Parents::None,
    };
    Ok(Settings {
        collector: collector?,
        sampling: Sampling::new(raw.sampling.ratio, parents),
        resource: resource?,
        has_client_address: raw.client_address,
    })
}

fn collector(raw: &written::Otlp, at: &Path, context: &mut Context<'_>) -> Result<Collector, Reported> {
    let protocol = match raw.protocol {
        written::OtlpProtocol::Grpc => Protocol::Grpc,
        written::OtlpProtocol::Http => Protocol::Http,
    };
    let endpoint = endpoint(&raw.endpoint, protocol, &at.key("endpoint"), context);
    let headers = headers(raw, at, context);
    let is_https = raw.endpoint.starts_with("https://");
    let roots = match &raw.ca_file {
        Some(file) => keys::roots(file, &at.key("ca_file"), context),
        None if is_https && provider::system_roots().is_empty() => {
            let problem = context.found.problem(at, "the system has no root certificates to verify the collector with");
            problem.hint("install them (Debian: `ca-certificates`), or set `ca_file`").fail()
        }
        None => Ok(Vec::new()),
    };
    let timeout = value::period(&raw.timeout, TIMEOUT_BOUNDS, &at.key("timeout"), &mut context.found);
    Ok(Collector {
        protocol,
        endpoint: endpoint?,
        headers: headers?,
        roots: roots?,
        timeout: timeout?,
        compresses: raw.compression == written::OtlpCompression::Gzip,
    })
}

/// Plain HTTP is allowed: a collector is often beside the process, or in its cluster. Elsewhere it deserves a warning.
fn endpoint(text: &str, protocol: Protocol, at: &Path, context: &mut Context<'_>) -> Result<Uri, Reported> {
    let hint = match protocol {
        Protocol::Grpc => "write `https://collector:4317`",
        Protocol::Http => "write `https://collector:4318`",
    };
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some());
    let Some(mut url) = url else {
        return context.found.problem(at, format!("`{text}` is not an `https` or `http` URL")).hint(hint).fail();
    };
    let has_path = url.path() != "/";
    let problem = if !url.username().is_empty() || url.password().is_some() {
        Some(("the URL must not contain a user name or password", "use `header_files`"))
    } else if url.query().is_some() || url.fragment().is_some() {
        Some(("the URL must have no query and no fragment", hint))
    } else if protocol == Protocol::Grpc && has_path {
        Some(("a URL for gRPC has no path", "remove the path, or set `protocol: http/protobuf`"))
    } else {
        None
    };
    if let Some((message, hint)) = problem {
        return context.found.problem(at, message).hint(hint).fail();
    }
    if protocol == Protocol::Http && !has_path {
        url.set_path("/v1/traces");
    }
    let other = match (protocol, url.port()) {
        (Protocol::Grpc, Some(4318)) => Some(("4318 is the port for `http/protobuf`", "set `protocol: http/protobuf`")),
        (Protocol::Http, Some(4317)) => Some(("4317 is the port for `grpc`", "set `protocol: grpc`")),
        _ => None,
    };
    if let Some((warning, hint)) = other {
        context.found.warning(at, warning).hint(hint);
    }
    let host = url.host_str().unwrap_or_default();
    if url.scheme() == "http" && !network::is_loopback(host) {
        let warning = format!("spans and the headers of `otlp` go to `{host}` unencrypted");
        context.found.warning(at, warning).hint("use `https`; set `ca_file` for a private certificate authority");
    }
    url.as_str().parse().map_err(|_| {
        context.found.problem(at, format!("`{text}` is not an `https` or `http` URL")).hint(hint).reported()
    })
}

/// The headers that a call has of its own.
const OWN_HEADERS: [HeaderName; 7] = [
    header::HOST,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::TE,
];

fn headers(
    raw: &written::Otlp,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<(HeaderName, Secret<String>)>, Reported> {
    let (inline_at, files_at) = (at.key("headers"), at.key("header_files"));
    let inline = raw.headers.iter().map(|(name, value)| (name, inline_at.key(name), Some(value.0.clone()), None));
    let files = raw.header_files.iter().map(|(name, file)| (name, files_at.key(name), None, Some(file)));
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    for (name, at, value, file) in inline.chain(files) {
        let header = header_name(name, &at, context);
        let value = match (value, file) {
            (Some(value), _) => Ok(value),
            (None, file) => keys::secret_text(file.map_or("", String::as_str), &at, context)
                .map(|text| Secret::new(text.expose().trim_end_matches(['\r', '\n']).to_owned())),
        };
        let value = value.and_then(|value| match HeaderValue::from_str(value.expose()) {
            Ok(_) if !value.expose().is_empty() => Ok(value),
            _ => {
                let problem = context.found.problem(&at, format!("this is not a value of the header `{name}`"));
                problem.hint("write one line of visible ASCII characters").fail()
            }
        });
        if let Ok(header) = &header
            && !known.insert(header.as_str().to_owned())
        {
            context.found.problem(&at, format!("the header `{header}` is there twice")).hint("keep one");
        }
        all.push(header.and_then(|header| Ok((header, value?))));
    }
    all.into_iter().collect()
}

fn header_name(name: &str, at: &Path, context: &mut Context<'_>) -> Result<HeaderName, Reported> {
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(header) if OWN_HEADERS.contains(&header) || header.as_str().starts_with("grpc-") => {
            context.found.problem(at, format!("`{name}` is set by Vestibule")).hint("remove it").fail()
        }
        Ok(header) => Ok(header),
        Err(_) => {
            let problem = context.found.problem(at, format!("`{name}` is not the name of a header"));
            problem.hint("use letters, digits and `-`").fail()
        }
    }
}

/// `service.name`, `service.version`, and what the file adds.
fn resource(raw: &written::Traces, at: &Path, context: &mut Context<'_>) -> Result<Vec<(String, String)>, Reported> {
    let is_text = |text: &str| matches!(text.len(), 1..=RESOURCE_BYTES_MAX) && !text.contains(char::is_control);
    let says = format!("write 1 to {RESOURCE_BYTES_MAX} bytes without control characters");
    if !is_text(&raw.service_name) {
        context.found.problem(&at.key("service_name"), "this is not the name of a service").hint(&*says);
    }
    let at = at.key("resource");
    if raw.resource.len() > RESOURCE_MAX {
        let problem = context.found.problem(&at, format!("these are more than {RESOURCE_MAX} attributes"));
        return problem.hint("remove some: each is sent with each batch of spans").fail();
    }
    for (key, value) in &raw.resource {
        let at = at.key(key);
        if key == "service.name" {
            context.found.problem(&at, "`service.name` has a setting of its own").hint("set `service_name`");
        } else if !is_text(key) || !is_text(value) {
            context.found.problem(&at, "this cannot be an attribute").hint(&*says);
        }
    }
    let version = ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let mut resource = vec![("service.name".to_owned(), raw.service_name.clone())];
    resource.extend((!raw.resource.contains_key(&version.0)).then_some(version));
    resource.extend(raw.resource.iter().map(|(key, value)| (key.clone(), value.clone())));
    Ok(resource)
}
