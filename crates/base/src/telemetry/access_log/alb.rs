//! One line of the access log in the format of the ALB (ALB §6.4).
//!
//! 34 fields, separated by blanks. What clients can choose is escaped as `\xHH`, so that no value can end its field or its line.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::{RFC3339_LENGTH, Timestamp, rfc3339};
use crate::telemetry::access_log::record::AccessRecord;

/// What the operator writes in place of the identifiers of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The field `elb`.
    pub load_balancer: Box<str>,
    /// The field `target_group_arn`, by the name of the target group. The others have their name in it.
    pub target_group_arns: BTreeMap<Box<str>, Box<str>>,
}

impl Settings {
    /// The names for target groups in their order.
    pub fn names<'g>(self, groups: impl Iterator<Item = &'g str>) -> Names {
        let arn = |group: &str| self.target_group_arns.get(group).cloned().unwrap_or_else(|| group.into());
        Names { target_groups: groups.map(arn).collect(), load_balancer: self.load_balancer.clone() }
    }
}

/// What the lines have in place of the identifiers of AWS.
#[derive(Debug)]
pub struct Names {
    /// The field `elb`.
    pub load_balancer: Box<str>,
    /// The field `target_group_arn` of each target group, in the order of the groups.
    pub target_groups: Vec<Box<str>>,
}

/// What a line has that the JSON of an exchange has not.
#[derive(Debug)]
pub struct AlbRecord<'e> {
    /// The field `type`: `http`, `https`, `h2`, `grpcs`, `ws` or `wss`.
    pub kind: &'static str,
    pub load_balancer: &'e str,
    /// The address of the peer: an IPv6 address in brackets.
    pub peer: &'e str,
    /// The port that the client asked for.
    pub port: u16,
    /// Time from the request head until the request was sent to the target that answered. `None` if no target answered.
    pub until_sent: Option<Duration>,
    pub target_status: Option<u16>,
    /// Bytes of the request head and body.
    pub received_bytes: u64,
    /// Bytes of the response head.
    pub response_head_bytes: u64,
    pub target_group: Option<&'e str>,
    /// The `X-Amzn-Trace-Id` of the request, as the target gets it.
    pub trace: &'e str,
    pub priority: Priority,
    /// Where a `redirect` action sent the client, without the query.
    pub redirect: Option<&'e str>,
    pub error_reason: Option<&'static str>,
    /// The identity of the connection.
    pub connection: u128,
}

/// The field `matched_rule_priority`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// The priority of the rule; 0 for the default actions.
    Rule(u32),
    /// An error before a rule was found: `-1`.
    Failed,
    /// No rule was asked: `-`.
    None,
}

/// The ALB cuts the user agent here (ALB §6.4).
const USER_AGENT_BYTES_MAX: usize = 8 * 1024;

impl AlbRecord<'_> {
    /// Writes the exchange as one line. `record` has the fields that both formats have.
    pub(crate) fn write(&self, record: &AccessRecord<'_>, out: &mut Vec<u8>) {
        self.head(record, out);
        self.request(record, out);
        self.outcome(record, out);
        out.push(b'\n');
    }

    /// Fields 1 to 12.
    fn head(&self, record: &AccessRecord<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.kind.as_bytes());
        time(out, record.time, record.duration);
        word(out, Some(self.load_balancer));
        word(out, Some(self.peer));
        out.push(b':');
        digits(out, record.client_port.into());
        word(out, record.target);
        let waited = self.until_sent.map(|sent| (sent, record.first_byte.saturating_sub(sent), Duration::ZERO));
        seconds(out, waited.map(|waited| waited.0));
        seconds(out, waited.map(|waited| waited.1));
        seconds(out, waited.map(|waited| waited.2));
        number(out, Some(record.status.into()));
        number(out, self.target_status.map(u64::from));
        number(out, Some(self.received_bytes));
        number(out, Some(self.response_head_bytes + record.response_bytes));
    }

    /// Fields 13 to 22.
    fn request(&self, record: &AccessRecord<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b" \"");
        escaped(out, record.method.unwrap_or("-"), b' ');
        out.push(b' ');
        out.extend_from_slice(record.scheme.as_bytes());
        out.extend_from_slice(b"://");
        escaped(out, record.host.unwrap_or("-"), b' ');
        out.push(b':');
        digits(out, self.port.into());
        escaped(out, record.path.unwrap_or("-"), b' ');
        out.push(b' ');
        out.extend_from_slice(match record.http_version {
            Some("2") => b"HTTP/2.0",
            Some("1.0") => b"HTTP/1.0",
            Some(_) => b"HTTP/1.1",
            None => b"-",
        });
        out.push(b'"');
        let user_agent = record.user_agent.unwrap_or("-");
        quoted(out, Some(&user_agent[..user_agent.floor_char_boundary(USER_AGENT_BYTES_MAX)]));
        word(out, record.tls_cipher.map(openssl_name).as_deref());
        word(out, record.tls_version);
        word(out, self.target_group);
        quoted(out, Some(self.trace));
        quoted(out, record.tls_server_name);
        // Certificates have no ARN here.
        quoted(out, None);
        match self.priority {
            Priority::Rule(priority) => number(out, Some(priority.into())),
            Priority::Failed => out.extend_from_slice(b" -1"),
            Priority::None => number(out, None),
        }
        time(out, record.time, Duration::ZERO);
    }

    /// Fields 23 to 34.
    fn outcome(&self, record: &AccessRecord<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b" \"");
        for (place, action) in record.actions.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(action.as_bytes());
        }
        if record.actions.is_empty() {
            out.push(b'-');
        }
        out.push(b'"');
        quoted(out, self.redirect);
        quoted(out, self.error_reason);
        quoted(out, record.target.filter(|_| self.until_sent.is_some()));
        out.extend_from_slice(b" \"");
        match self.target_status {
            Some(status) => digits(out, status.into()),
            None => out.push(b'-'),
        }
        out.push(b'"');
        quoted(out, record.classification.map(|(class, _)| class));
        quoted(out, record.classification.map(|(_, finding)| finding));
        out.extend_from_slice(b" TID_");
        hex(out, self.connection);
        let transformed = record.transformed.as_ref();
        quoted(out, transformed.and_then(|transformed| transformed.host));
        quoted(out, transformed.and_then(|transformed| transformed.path));
        quoted(out, transformed.map(|transformed| transformed.status));
        // The address of the node.
        word(out, None);
    }
}

/// A time in microseconds, as the ALB writes it. A [`Timestamp`] has milliseconds.
fn time(out: &mut Vec<u8>, start: Timestamp, after: Duration) {
    let micros = start.millis().saturating_mul(1000).saturating_add(u64::try_from(after.as_micros()).unwrap_or(0));
    let text = rfc3339(Timestamp::from_millis(micros / 1000));
    out.push(b' ');
    out.extend_from_slice(&text[..RFC3339_LENGTH - 1]);
    let rest = micros % 1000;
    out.extend_from_slice(&[digit(rest / 100), digit(rest / 10), digit(rest), b'Z']);
}

/// Seconds with three decimals, or `-1`.
fn seconds(out: &mut Vec<u8>, value: Option<Duration>) {
    let Some(value) = value else { return out.extend_from_slice(b" -1") };
    let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    number(out, Some(millis / 1000));
    let rest = millis % 1000;
    out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
}

const fn digit(value: u64) -> u8 {
    b'0' + (value % 10) as u8
}

fn number(out: &mut Vec<u8>, value: Option<u64>) {
    out.push(b' ');
    match value {
        Some(value) => digits(out, value),
        None => out.push(b'-'),
    }
}

fn digits(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn hex(out: &mut Vec<u8>, value: u128) {
    for place in (0..32).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * place) & 0xf) as usize]);
    }
}

/// A field without quotes: it has no blank.
fn word(out: &mut Vec<u8>, value: Option<&str>) {
    out.push(b' ');
    escaped(out, value.filter(|value| !value.is_empty()).unwrap_or("-"), b' ');
}

/// A field in quotes. It may have blanks.
fn quoted(out: &mut Vec<u8>, value: Option<&str>) {
    out.extend_from_slice(b" \"");
    escaped(out, value.filter(|value| !value.is_empty()).unwrap_or("-"), b'"');
    out.push(b'"');
}

/// Visible ASCII and blanks as they are, everything else, quotes, backslashes and `also` as `\xHH`.
fn escaped(out: &mut Vec<u8>, value: &str, also: u8) {
    for byte in value.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\' && byte != also {
            out.push(byte);
        } else {
            let hex = |value: u8| b"0123456789abcdef"[usize::from(value & 0xf)];
            out.extend_from_slice(&[b'\\', b'x', hex(byte >> 4), hex(byte)]);
        }
    }
}

/// The name that OpenSSL, and so the ALB, has for a cipher suite. Suites of TLS 1.3 have the same name in both.
fn openssl_name(suite: &str) -> String {
    let Some((exchange, rest)) = suite.trim_start_matches("TLS_").split_once("_WITH_") else { return suite.to_owned() };
    let rest = if rest.starts_with("CHACHA20") { rest.trim_end_matches("_SHA256") } else { rest };
    let rest = rest.replace("AES_128", "AES128").replace("AES_256", "AES256");
    format!("{exchange}-{rest}").replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> AccessRecord<'static> {
        AccessRecord {
            time: Timestamp::from_millis(1_717_402_177_123),
            request_id: "1-665d7a41-032e7e1d59b8e8043f88b4dc",
            trace: None,
            listener: "public",
            client_address: "192.0.2.1",
            client_port: 2817,
            method: Some("GET"),
            scheme: "https",
            host: Some("example.com"),
            path: Some("/a%20b"),
            http_version: Some("2"),
            tls_version: Some("TLSv1.3"),
            tls_cipher: Some("TLS_AES_128_GCM_SHA256"),
            tls_server_name: Some("example.com"),
            client_certificate: None,
            user_agent: Some("curl/7.46.0"),
            rule: Some("app"),
            actions: &["authenticate", "forward"],
            subject: Some("alice"),
            target_group: None,
            target: Some("10.0.0.1:80"),
            transformed: None,
            status: 200,
            reason: None,
            classification: None,
            response_bytes: 57,
            first_byte: Duration::from_micros(87_400),
            duration: Duration::from_micros(90_004),
        }
    }

    fn alb() -> AlbRecord<'static> {
        AlbRecord {
            kind: "h2",
            load_balancer: "app/my-lb/50dc6c495c0c9188",
            peer: "192.168.131.39",
            port: 443,
            until_sent: Some(Duration::from_micros(1_900)),
            target_status: Some(200),
            received_bytes: 34,
            response_head_bytes: 100,
            target_group: Some("arn:aws:tg/app"),
            trace: "Root=1-665d7a41-032e7e1d59b8e8043f88b4dc",
            priority: Priority::Rule(7),
            redirect: None,
            error_reason: None,
            connection: 0xb339_32fc_4060_3344_b9a7_6c1b_94b2_08fd,
        }
    }

    fn line(alb: &AlbRecord<'_>, record: &AccessRecord<'_>) -> String {
        let mut out = Vec::new();
        alb.write(record, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn a_line_has_the_fields_of_the_alb_in_their_order() {
        assert_eq!(
            line(&alb(), &record()),
            "h2 2024-06-03T08:09:37.213004Z app/my-lb/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 \
             0.001 0.085 0.000 200 200 34 157 \"GET https://example.com:443/a%20b HTTP/2.0\" \"curl/7.46.0\" \
             TLS_AES_128_GCM_SHA256 TLSv1.3 arn:aws:tg/app \"Root=1-665d7a41-032e7e1d59b8e8043f88b4dc\" \
             \"example.com\" \"-\" 7 2024-06-03T08:09:37.123000Z \"authenticate,forward\" \"-\" \"-\" \
             \"10.0.0.1:80\" \"200\" \"-\" \"-\" TID_b33932fc40603344b9a76c1b94b208fd \"-\" \"-\" \"-\" -\n"
        );
    }

    #[test]
    fn what_is_not_known_is_a_dash_and_a_time_minus_one() {
        let nothing = AccessRecord {
            method: None,
            scheme: "http",
            host: None,
            path: None,
            http_version: None,
            tls_version: None,
            tls_cipher: None,
            tls_server_name: None,
            user_agent: None,
            actions: &[],
            target_group: None,
            target: None,
            status: 400,
            ..record()
        };
        let alb = AlbRecord {
            kind: "http",
            until_sent: None,
            target_status: None,
            target_group: None,
            priority: Priority::None,
            ..alb()
        };
        let line = line(&alb, &nothing);
        assert!(line.contains(" - -1 -1 -1 400 - 34 157 \"- http://-:443- -\" \"-\" - - - \"Root="), "{line}");
        assert!(line.contains(" \"-\" \"-\" - 2024-"), "{line}");
    }

    #[test]
    fn no_value_ends_its_field_or_its_line() {
        let forged = "x\" 200 \"\\\n\r\u{1b}[31mZo\u{eb}";
        let record = AccessRecord {
            user_agent: Some(forged),
            tls_server_name: Some(forged),
            method: Some(forged),
            host: Some(forged),
            path: Some(forged),
            ..record()
        };
        let alb = AlbRecord { target_group: Some(forged), redirect: Some(forged), trace: forged, ..alb() };
        let line = line(&alb, &record);
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(line.matches('"').count(), line_of_nothing_special().matches('"').count());
        assert!(line.contains("\"x\\x22 200 \\x22\\x5c\\x0a\\x0d\\x1b[31mZo\\xc3\\xab\""), "{line}");
        assert!(line.contains(" x\\x22\\x20200\\x20\\x22\\x5c"), "a field without quotes has no blank: {line}");
    }

    fn line_of_nothing_special() -> String {
        line(&alb(), &record())
    }

    #[test]
    fn a_long_user_agent_is_cut() {
        let long = "é".repeat(USER_AGENT_BYTES_MAX);
        let line = line(&alb(), &AccessRecord { user_agent: Some(&long), ..record() });
        assert_eq!(line.matches("\\xc3\\xa9").count(), USER_AGENT_BYTES_MAX / 2);
    }

    #[test]
    fn cipher_suites_have_the_names_of_openssl() {
        for (suite, name) in [
            ("TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
            ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
            ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
        ] {
            assert_eq!(openssl_name(suite), name);
        }
    }
}
