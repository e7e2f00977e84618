//! Questions of Envoy over gRPC: `envoy.service.auth.v3.Authorization/Check`.
//!
//! The messages are the part of Envoy's `external_auth.proto`, `attribute_context.proto`, `base.proto` and `address.proto` (API v3) that is
//! used here, with the numbers of their fields. A field that is not here is skipped when it is read.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use prost::Message as _;

use crate::forward_auth::described::{Described, Error, target};
use crate::message::uri::Scheme;

/// The path of the call.
pub const PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Largest message that is read, in bytes. Envoy sends the head of the request, of which it accepts 60 KiB by default, and at most 96 KiB.
pub(crate) const BYTES_MAX: usize = 256 * 1024;

/// The length of the prefix of a message (gRPC over HTTP/2, Length-Prefixed-Message).
const PREFIX_BYTES: usize = 5;

/// Reads the one message of a call: the request that is described, and its headers.
///
/// # Errors
///
/// [`Error`].
pub(crate) fn read(mut body: Bytes) -> Result<(Described, HeaderMap), Error> {
    const MESSAGE: &str = "the message";
    if body.len() < PREFIX_BYTES {
        return Err(Error::Missing(MESSAGE));
    }
    // We accept no compression, so no client may use one.
    let is_compressed = body.get_u8() != 0;
    let length = body.get_u32() as usize;
    if is_compressed || length != body.len() {
        return Err(Error::Invalid(MESSAGE));
    }
    let attributes = CheckRequest::decode(body).map_err(|_| Error::Invalid(MESSAGE))?.attributes;
    let attributes = attributes.ok_or(Error::Missing("attributes"))?;
    let http = attributes.request.and_then(|request| request.http).ok_or(Error::Missing("http"))?;
    let source = attributes.source.and_then(|source| source.address).and_then(|address| address.socket_address);
    // A Unix socket has no address. Such a client must not count as one of this machine (attacks F-08).
    let client = source.ok_or(Error::Missing("source"))?.address.parse().map_err(|_| Error::Invalid("source"))?;
    let scheme = match &*http.scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        "" => return Err(Error::Missing("scheme")),
        _ => return Err(Error::Invalid("scheme")),
    };
    let present = |text: &str, name| if text.is_empty() { Err(Error::Missing(name)) } else { Ok(()) };
    present(&http.method, "method")?;
    present(&http.host, "host")?;
    present(&http.path, "path")?;
    let described = Described {
        method: Method::from_bytes(http.method.as_bytes()).map_err(|_| Error::Invalid("method"))?,
        scheme,
        host: HeaderValue::from_str(&http.host).map_err(|_| Error::Invalid("host"))?,
        target: target(http.path.as_bytes(), "path")?,
        client,
    };
    // Only these have every field of a name for itself, and every octet (attacks H-08, H-11).
    let fields = http.header_map.ok_or(Error::Missing("header_map"))?;
    Ok((described, headers(fields)?))
}

/// The headers of the client. Pseudo-headers are described elsewhere.
fn headers(fields: HeaderFields) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::with_capacity(fields.headers.len());
    for Field { key, raw_value, .. } in fields.headers {
        if key.starts_with(':') {
            continue;
        }
        let name = HeaderName::from_bytes(key.as_bytes()).map_err(|_| Error::Invalid("header_map"))?;
        let value = HeaderValue::from_maybe_shared(raw_value).map_err(|_| Error::Invalid("header_map"))?;
        headers.try_append(name, value).map_err(|_| Error::Invalid("header_map"))?;
    }
    Ok(headers)
}

/// The message that lets a request pass: with `set` in place of the client's headers, without `removed`, and with `added` in the response
/// of the application.
pub(crate) fn allowed(set: &HeaderMap, removed: &[HeaderName], added: &HeaderMap) -> Bytes {
    let ok = OkHttpResponse {
        headers: options(set, |_| Append::Overwrite),
        headers_to_remove: removed.iter().map(ToString::to_string).collect(),
        response_headers_to_add: options(added, of_response),
    };
    written(&CheckResponse { status: Some(RpcStatus { code: 0 }), http_response: Some(HttpResponse::Ok(ok)) })
}

/// The message that refuses a request: with the whole answer for the client.
pub(crate) fn denied(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Bytes {
    const PERMISSION_DENIED: i32 = 7;
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: known(status) }),
        headers: options(headers, of_response),
        body: String::from_utf8_lossy(body).into_owned(),
    };
    let status = Some(RpcStatus { code: PERMISSION_DENIED });
    written(&CheckResponse { status, http_response: Some(HttpResponse::Denied(denied)) })
}

/// Envoy refuses a message with a status that it has no name for: those of the load balancer (ALB §6.1).
fn known(status: StatusCode) -> i32 {
    match status.as_u16() {
        561 => 502,
        460..=464 => 400,
        other => i32::from(other),
    }
}

fn written(response: &CheckResponse) -> Bytes {
    let length = response.encoded_len();
    let mut message = BytesMut::with_capacity(PREFIX_BYTES + length);
    message.put_u8(0);
    message.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    response.encode_raw(&mut message);
    message.freeze()
}

/// What Envoy does with a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Append {
    Append = 0,
    Overwrite = 2,
}

fn of_response(name: &HeaderName) -> Append {
    if *name == http::header::SET_COOKIE { Append::Append } else { Append::Overwrite }
}

fn options(headers: &HeaderMap, append: impl Fn(&HeaderName) -> Append) -> Vec<HeaderValueOption> {
    let mut options = Vec::with_capacity(headers.len());
    for name in headers.keys() {
        for (index, value) in headers.get_all(name).iter().enumerate() {
            let append_action = if index == 0 { append(name) } else { Append::Append } as i32;
            // Ours are ASCII, or paths in UTF-8.
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let header = Field { key: name.as_str().to_owned(), value, raw_value: Bytes::new() };
            options.push(HeaderValueOption { header: Some(header), append_action });
        }
    }
    options
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    attributes: Option<AttributeContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AttributeContext {
    #[prost(message, optional, tag = "1")]
    source: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    request: Option<AskedRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Peer {
    #[prost(message, optional, tag = "1")]
    address: Option<Address>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket_address: Option<SocketAddress>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SocketAddress {
    #[prost(string, tag = "2")]
    address: String,
}

/// `AttributeContext.Request`.
#[derive(Clone, PartialEq, prost::Message)]
struct AskedRequest {
    #[prost(message, optional, tag = "2")]
    http: Option<HttpRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HttpRequest {
    #[prost(string, tag = "2")]
    method: String,
    #[prost(string, tag = "4")]
    path: String,
    #[prost(string, tag = "5")]
    host: String,
    #[prost(string, tag = "6")]
    scheme: String,
    #[prost(message, optional, tag = "13")]
    header_map: Option<HeaderFields>,
}

/// `HeaderMap`.
#[derive(Clone, PartialEq, prost::Message)]
struct HeaderFields {
    #[prost(message, repeated, tag = "1")]
    headers: Vec<Field>,
}

/// `HeaderValue`.
#[derive(Clone, PartialEq, prost::Message)]
struct Field {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
    #[prost(bytes = "bytes", tag = "3")]
    raw_value: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<RpcStatus>,
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    http_response: Option<HttpResponse>,
}

/// `google.rpc.Status`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(DeniedHttpResponse),
    #[prost(message, tag = "3")]
    Ok(OkHttpResponse),
}

#[derive(Clone, PartialEq, prost::Message)]
struct DeniedHttpResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderValueOption>,
    #[prost(string, tag = "3")]
    body: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct HttpStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OkHttpResponse {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderValueOption>,
    #[prost(string, repeated, tag = "5")]
    headers_to_remove: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    response_headers_to_add: Vec<HeaderValueOption>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    header: Option<Field>,
    #[prost(int32, tag = "3")]
    append_action: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(key: &str, value: &[u8]) -> Field {
        Field { key: key.to_owned(), value: String::new(), raw_value: Bytes::copy_from_slice(value) }
    }

    fn whole() -> CheckRequest {
        let headers =
            vec![field(":path", b"/a"), field("cookie", b"a=b"), field("cookie", b"c=d"), field("x-role", b"adm\xe9n")];
        let http = HttpRequest {
            method: "POST".into(),
            path: "/a%2Fb?c=//d".into(),
            host: "app.test:8443".into(),
            scheme: "https".into(),
            header_map: Some(HeaderFields { headers }),
        };
        let address = Address { socket_address: Some(SocketAddress { address: "192.0.2.1".into() }) };
        CheckRequest {
            attributes: Some(AttributeContext {
                source: Some(Peer { address: Some(address) }),
                request: Some(AskedRequest { http: Some(http) }),
            }),
        }
    }

    fn call(message: &CheckRequest) -> Bytes {
        let mut call = BytesMut::new();
        call.put_u8(0);
        call.put_u32(u32::try_from(message.encoded_len()).unwrap());
        message.encode_raw(&mut call);
        call.freeze()
    }

    /// What is read of a call after a change.
    fn after(change: impl FnOnce(&mut AttributeContext)) -> Result<(Described, HeaderMap), Error> {
        let mut message = whole();
        change(message.attributes.as_mut().unwrap());
        read(call(&message))
    }

    fn with(change: impl FnOnce(&mut HttpRequest)) -> Result<(Described, HeaderMap), Error> {
        after(|attributes| change(attributes.request.as_mut().unwrap().http.as_mut().unwrap()))
    }

    #[test]
    fn a_call_describes_a_request() {
        let (described, headers) = read(call(&whole())).unwrap();
        let expected = Described {
            method: Method::POST,
            scheme: Scheme::Https,
            host: HeaderValue::from_static("app.test:8443"),
            target: "/a%2Fb?c=//d".parse().unwrap(),
            client: "192.0.2.1".parse().unwrap(),
        };
        assert_eq!(described, expected);
        assert_eq!(headers.get_all("cookie").iter().count(), 2);
        assert_eq!(headers["x-role"].as_bytes(), b"adm\xe9n");
        assert!(!headers.contains_key(":path"));
    }

    #[test]
    fn f_07_what_is_missing_or_cannot_be_read_is_refused() {
        assert_eq!(read(Bytes::new()).unwrap_err(), Error::Missing("the message"));
        assert_eq!(read(Bytes::from_static(b"\0\0\0\0\0")).unwrap_err(), Error::Missing("attributes"));
        for broken in
            [&b"\x01\0\0\0\0"[..], b"\0\0\0\0\x01", b"\0\0\0\0\0\0", b"\0\0\0\0\x02\x0a\x05", b"\0\xff\xff\xff\xff"]
        {
            assert_eq!(read(Bytes::from_static(broken)).unwrap_err(), Error::Invalid("the message"), "{broken:?}");
        }
        assert_eq!(after(|attributes| attributes.request = None).unwrap_err(), Error::Missing("http"));
        assert_eq!(after(|attributes| attributes.source = None).unwrap_err(), Error::Missing("source"));
        let source = |text: &str| {
            let address = Address { socket_address: Some(SocketAddress { address: text.to_owned() }) };
            after(|attributes| attributes.source = Some(Peer { address: Some(address) }))
        };
        assert_eq!(source("").unwrap_err(), Error::Invalid("source"));
        assert_eq!(source("localhost").unwrap_err(), Error::Invalid("source"));
        let pipe = Some(Peer { address: Some(Address { socket_address: None }) });
        assert_eq!(after(|attributes| attributes.source = pipe).unwrap_err(), Error::Missing("source"));
        for (path, expected) in [
            ("", Error::Missing("path")),
            ("x", Error::Invalid("path")),
            ("/a#b", Error::Invalid("path")),
            ("/a b", Error::Invalid("path")),
            ("*", Error::Invalid("path")),
        ] {
            assert_eq!(with(|http| http.path = path.into()).unwrap_err(), expected, "{path}");
        }
        assert_eq!(with(|http| http.method = "G T".into()).unwrap_err(), Error::Invalid("method"));
        assert_eq!(with(|http| http.method = String::new()).unwrap_err(), Error::Missing("method"));
        assert_eq!(with(|http| http.host = String::new()).unwrap_err(), Error::Missing("host"));
        assert_eq!(with(|http| http.scheme = String::new()).unwrap_err(), Error::Missing("scheme"));
        assert_eq!(with(|http| http.scheme = "ftp".into()).unwrap_err(), Error::Invalid("scheme"));
        // Without `encode_raw_headers`, headers of one name are joined.
        assert_eq!(with(|http| http.header_map = None).unwrap_err(), Error::Missing("header_map"));
        for broken in [field("a b", b""), field("", b""), field("x", b"a\r\nb"), field("x", b"\0")] {
            let headers = Some(HeaderFields { headers: vec![broken.clone()] });
            assert_eq!(with(|http| http.header_map = headers).unwrap_err(), Error::Invalid("header_map"), "{broken:?}");
        }
    }

    fn answer(message: Bytes) -> CheckResponse {
        assert_eq!(message[0], 0);
        assert_eq!(message[1..5], u32::try_from(message.len() - 5).unwrap().to_be_bytes());
        CheckResponse::decode(&message[5..]).unwrap()
    }

    fn told(options: &[HeaderValueOption]) -> Vec<(String, String, i32)> {
        let one = |option: &HeaderValueOption| {
            let header = option.header.clone().unwrap();
            (header.key, header.value, option.append_action)
        };
        options.iter().map(one).collect()
    }

    #[test]
    fn a_permission_replaces_headers_and_a_refusal_has_the_whole_answer() {
        let map = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            headers
        };
        let cookies = map(&[("set-cookie", "a=1"), ("set-cookie", "b=2"), ("cache-control", "private")]);
        let removed = [HeaderName::from_static("x-forwarded-user")];
        let set = map(&[("x-groups", "a"), ("x-groups", "b")]);
        let response = answer(allowed(&set, &removed, &cookies));
        assert_eq!(response.status.unwrap().code, 0);
        let Some(HttpResponse::Ok(ok)) = response.http_response else { panic!("allowed") };
        // The first takes the place of the client's.
        assert_eq!(told(&ok.headers), [("x-groups".into(), "a".into(), 2), ("x-groups".into(), "b".into(), 0)]);
        assert_eq!(ok.headers_to_remove, ["x-forwarded-user"]);
        assert_eq!(
            told(&ok.response_headers_to_add)[..2],
            [("set-cookie".into(), "a=1".into(), 0), ("set-cookie".into(), "b=2".into(), 0)]
        );

        for (status, expected) in [(302, 302), (401, 401), (200, 200), (561, 502), (463, 400), (464, 400)] {
            let message = denied(StatusCode::from_u16(status).unwrap(), &cookies, b"page");
            let response = answer(message);
            assert_ne!(response.status.unwrap().code, 0, "never a permission");
            let Some(HttpResponse::Denied(denied)) = response.http_response else { panic!("denied") };
            assert_eq!((denied.status.unwrap().code, &*denied.body, denied.headers.len()), (expected, "page", 3));
        }
    }
}
