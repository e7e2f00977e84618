//! Spans as OTLP writes them.
//!
//! The messages are the part of `opentelemetry-proto` 1.x that is used here, with the numbers of their fields. Numbers never change within
//! version 1.

use bytes::Bytes;
use prost::Message as _;

use crate::telemetry::traces::span::{self, Attributes, Context, Kind};

/// The conventions that the names of attributes follow.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// Flags of a span: the one of W3C that says that it is sampled, whether it is known where the parent is, and whether that is another process.
const SAMPLED: u32 = 0x01;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

const STATUS_ERROR: i32 = 2;

/// Encodes a request to take `spans`.
pub(super) fn request(resource: &[(String, String)], spans: &[span::Span]) -> Bytes {
    let attributes = resource.iter().map(|(key, value)| text(key, value.clone())).collect();
    let scope = Scope { name: "vestibule".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let spans = spans.iter().map(span).collect();
    let of_scope = ScopeSpans { scope: Some(scope), spans, schema_url: SCHEMA_URL.to_owned() };
    let resource_spans = ResourceSpans {
        resource: Some(Resource { attributes }),
        scope_spans: vec![of_scope],
        schema_url: SCHEMA_URL.to_owned(),
    };
    ExportRequest { resource_spans: vec![resource_spans] }.encode_to_vec().into()
}

/// How many spans of the request the collector refused, and what it says of them. A message that cannot be read says nothing.
pub(super) fn refused(answer: Bytes) -> (u64, String) {
    let partial = ExportResponse::decode(answer).ok().and_then(|response| response.partial_success);
    let partial = partial.unwrap_or_default();
    (partial.rejected_spans.try_into().unwrap_or(0), partial.error_message)
}

/// How long the collector asks to wait, in the details of a status of gRPC (`google.rpc.RetryInfo`). `None` if it does not ask to try again.
pub(super) fn retry_after(details: Bytes) -> Option<std::time::Duration> {
    let status = RpcStatus::decode(details).ok()?;
    let info = status.details.into_iter().find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(Bytes::from(info.value)).ok()?.retry_delay.unwrap_or_default();
    let (seconds, nanos) = (u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?);
    Some(std::time::Duration::new(seconds, nanos.min(999_999_999)))
}

fn span(span: &span::Span) -> Span {
    let remote = if span.has_remote_parent { IS_REMOTE } else { 0 };
    Span {
        trace_id: span.context.trace.to_be_bytes().to_vec(),
        span_id: span.context.span.to_be_bytes().to_vec(),
        parent_span_id: span.parent.map(|parent| parent.to_be_bytes().to_vec()).unwrap_or_default(),
        name: span.name.clone().into_owned(),
        kind: match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
        },
        start_time_unix_nano: span.start,
        end_time_unix_nano: span.end,
        attributes: attributes(&span.attributes),
        links: span.link.iter().map(link).collect(),
        status: span.is_error.then_some(Status { code: STATUS_ERROR }),
        flags: SAMPLED | HAS_IS_REMOTE | remote,
    }
}

fn link(context: &Context) -> Link {
    let (trace_id, span_id) = (context.trace.to_be_bytes().to_vec(), context.span.to_be_bytes().to_vec());
    Link { trace_id, span_id, flags: HAS_IS_REMOTE | IS_REMOTE }
}

fn attributes(attributes: &Attributes) -> Vec<KeyValue> {
    let attribute = |(key, value): &(&'static str, span::Value)| match value {
        span::Value::Text(value) => text(key, value.clone().into_owned()),
        span::Value::Number(number) => of(key, OneValue::Int(*number)),
        span::Value::Texts(values) => {
            let texts = values.iter().map(|value| AnyValue { value: Some(OneValue::Text((*value).to_owned())) });
            of(key, OneValue::Array(ArrayValue { values: texts.collect() }))
        }
    };
    attributes.0.iter().map(attribute).collect()
}

fn text(key: &str, value: String) -> KeyValue {
    of(key, OneValue::Text(value))
}

fn of(key: &str, value: OneValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

/// `ExportTraceServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

/// `ExportTraceServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// `ExportTracePartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

/// `InstrumentationScope`.
#[derive(Clone, PartialEq, prost::Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(fixed32, tag = "6")]
    flags: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AnyValue {
    #[prost(oneof = "OneValue", tags = "1, 3, 5")]
    value: Option<OneValue>,
}

/// `AnyValue.value`.
#[derive(Clone, PartialEq, prost::Oneof)]
enum OneValue {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
}

#[derive(Clone, PartialEq, prost::Message)]
struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[cfg(test)]
pub(super) mod tests;
