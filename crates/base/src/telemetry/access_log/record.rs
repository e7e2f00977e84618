//! One line of the access log.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::telemetry::traces::span::Context;

/// One exchange. Never contains a query, cookie, token or e-mail address. `docs/ACCESS_LOG.md` describes the fields.
#[derive(Debug)]
pub struct AccessRecord<'e> {
    /// Time when the request head was complete.
    pub time: Timestamp,
    pub request_id: &'e str,
    /// The trace and the span of the exchange. `None` if it is not recorded.
    pub trace: Option<Context>,
    pub listener: &'e str,
    /// The address as text.
    pub client_address: &'e str,
    pub client_port: u16,
    pub method: Option<&'e str>,
    pub scheme: &'static str,
    pub host: Option<&'e str>,
    pub path: Option<&'e str>,
    pub http_version: Option<&'static str>,
    pub tls_version: Option<&'static str>,
    pub tls_cipher: Option<&'static str>,
    pub tls_server_name: Option<&'e str>,
    pub client_certificate: Option<ClientCertificate<'e>>,
    pub user_agent: Option<&'e str>,
    pub rule: Option<&'e str>,
    pub actions: &'e [&'static str],
    pub subject: Option<&'e str>,
    /// The group that was chosen. `None` if the rule has only one.
    pub target_group: Option<&'e str>,
    pub target: Option<&'e str>,
    /// `None` if the rule has no transforms.
    pub transformed: Option<TransformedRecord<'e>>,
    pub status: u16,
    pub reason: Option<&'static str>,
    /// How far the request is from the standard, and why (ALB §10.6).
    pub classification: Option<(&'static str, &'static str)>,
    pub response_bytes: u64,
    /// Time until the response head.
    pub first_byte: Duration,
    /// Time until the last byte of the response.
    pub duration: Duration,
}

/// The certificate that the client has shown.
#[derive(Clone, Copy, Debug)]
pub struct ClientCertificate<'e> {
    /// ASCII.
    pub subject: &'e str,
    pub serial_number: &'e str,
    /// SHA-256, in hexadecimal digits.
    pub fingerprint: &'e str,
    /// Whether an authority vouches for it.
    pub is_verified: bool,
}

/// Characters of the subject of a client's certificate.
const SUBJECT_MAX: usize = 1000;

/// What transforms of the rule have made of a request.
#[derive(Clone, Copy, Debug)]
pub struct TransformedRecord<'e> {
    /// `transformed`, `unchanged` or `failed`.
    pub status: &'static str,
    pub host: Option<&'e str>,
    /// Without the query.
    pub path: Option<&'e str>,
}

/// Starts a field: writes its name with the surrounding punctuation at once.
macro_rules! field {
    ($name:literal) => {
        concat!(",\"", $name, "\":").as_bytes()
    };
}

impl AccessRecord<'_> {
    /// Writes the record as one line. Hand-written for speed, because it runs for every request: our own values are
    /// copied, and only values from clients or the configuration are escaped. `time` is the formatted time of the
    /// record.
    pub fn write(&self, out: &mut Vec<u8>, time: &[u8]) {
        out.extend_from_slice(b"{\"time\":\"");
        out.extend_from_slice(time);
        out.push(b'"');
        plain(out, field!("request_id"), Some(self.request_id));
        if let Some(trace) = &self.trace {
            identify(out, trace);
        }
        text(out, field!("listener"), Some(self.listener));
        plain(out, field!("client.address"), Some(self.client_address));
        number(out, field!("client.port"), self.client_port.into());
        text(out, field!("http.request.method"), self.method);
        plain(out, field!("url.scheme"), Some(self.scheme));
        text(out, field!("server.address"), self.host);
        text(out, field!("url.path"), self.path);
        plain(out, field!("network.protocol.version"), self.http_version);
        plain(out, field!("tls.protocol.version"), self.tls_version);
        plain(out, field!("tls.cipher"), self.tls_cipher);
        text(out, field!("tls.client.server_name"), self.tls_server_name);
        if let Some(certificate) = &self.client_certificate {
            text(
                out,
                field!("tls.client.subject"),
                certificate.subject.get(..SUBJECT_MAX).or(Some(certificate.subject)),
            );
            plain(out, field!("tls.client.x509.serial_number"), Some(certificate.serial_number));
            plain(out, field!("tls.client.hash.sha256"), Some(certificate.fingerprint));
            out.extend_from_slice(field!("tls.client.verified"));
            out.extend_from_slice(if certificate.is_verified { b"true" } else { b"false" });
        }
        text(out, field!("user_agent.original"), self.user_agent);
        text(out, field!("rule.name"), self.rule);
        if let Some((first, rest)) = self.actions.split_first() {
            out.extend_from_slice(field!("actions"));
            out.extend_from_slice(b"[\"");
            out.extend_from_slice(first.as_bytes());
            for action in rest {
                out.extend_from_slice(b"\",\"");
                out.extend_from_slice(action.as_bytes());
            }
            out.extend_from_slice(b"\"]");
        }
        text(out, field!("user.id"), self.subject);
        text(out, field!("target_group"), self.target_group);
        text(out, field!("target.address"), self.target);
        if let Some(transformed) = &self.transformed {
            text(out, field!("transformed_host"), transformed.host);
            text(out, field!("transformed_uri"), transformed.path);
            plain(out, field!("request_transform_status"), Some(transformed.status));
        }
        number(out, field!("http.response.status_code"), self.status.into());
        plain(out, field!("reason"), self.reason);
        if let Some((class, finding)) = self.classification {
            plain(out, field!("classification"), Some(class));
            plain(out, field!("classification_reason"), Some(finding));
        }
        number(out, field!("http.response.body.size"), self.response_bytes);
        millis(out, field!("first_byte_ms"), self.first_byte);
        millis(out, field!("duration_ms"), self.duration);
        out.extend_from_slice(b"}\n");
    }
}

/// Our own text, which needs no escaping.
#[inline]
fn plain(out: &mut Vec<u8>, field: &[u8], value: Option<&str>) {
    if let Some(value) = value {
        out.extend_from_slice(field);
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    }
}

#[cold]
fn identify(out: &mut Vec<u8>, trace: &Context) {
    plain(out, field!("trace.id"), Some(&format!("{:032x}", trace.trace)));
    plain(out, field!("span.id"), Some(&format!("{:016x}", trace.span)));
}

/// Text from clients or the configuration, escaped (RFC 8259 §7). Most needs no escaping and is copied.
#[inline]
fn text(out: &mut Vec<u8>, field: &[u8], value: Option<&str>) {
    let Some(given) = value else { return };
    // Without a branch per byte, so that the compiler can use vector instructions.
    let special = given.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'));
    if special {
        out.extend_from_slice(field);
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut *out, given);
    } else {
        plain(out, field, value);
    }
}

#[inline]
fn number(out: &mut Vec<u8>, field: &[u8], value: u64) {
    out.extend_from_slice(field);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Milliseconds with three decimals, the precision of the measurement.
#[inline]
fn millis(out: &mut Vec<u8>, field: &[u8], value: Duration) {
    let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
    number(out, field, micros / 1000);
    let rest = micros % 1000;
    if rest != 0 {
        let digit = |value: u64| b'0' + (value % 10) as u8;
        out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_json_whatever_strangers_put_into_it() {
        let record = AccessRecord {
            time: Timestamp::from_seconds(0),
            request_id: "1-0-0",
            trace: Some(Context { trace: 0x0a, span: 0x0b }),
            listener: "a \"quoted\" name",
            client_address: "127.0.0.1",
            client_port: 4711,
            method: Some("GET"),
            scheme: "https",
            host: Some("a.test"),
            path: Some("/\u{1b}[31m\\"),
            http_version: None,
            tls_version: None,
            tls_cipher: None,
            tls_server_name: None,
            client_certificate: Some(ClientCertificate {
                subject: "CN=\"ada\"",
                serial_number: "01",
                fingerprint: "AB",
                is_verified: true,
            }),
            user_agent: Some("a\r\n{\"time\":0}"),
            rule: None,
            actions: &["authenticate", "forward"],
            subject: Some("Zoë"),
            target_group: None,
            target: None,
            transformed: None,
            status: 200,
            reason: None,
            classification: None,
            response_bytes: 5,
            first_byte: Duration::from_micros(1_050),
            duration: Duration::from_micros(2_000),
        };
        let mut line = Vec::new();
        record.write(&mut line, b"then");
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let read: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
        assert_eq!(read["user_agent.original"], "a\r\n{\"time\":0}");
        assert_eq!((&read["tls.client.subject"], &read["tls.client.verified"]), (&"CN=\"ada\"".into(), &true.into()));
        assert_eq!(read["trace.id"], "0000000000000000000000000000000a");
        assert_eq!(read["span.id"], "000000000000000b");
        assert_eq!(read["listener"], "a \"quoted\" name");
        assert_eq!(read["actions"], serde_json::json!(["authenticate", "forward"]));
        assert_eq!((&read["first_byte_ms"], &read["duration_ms"]), (&1.05.into(), &2.into()));
        assert!(read.get("rule.name").is_none());
    }
}
