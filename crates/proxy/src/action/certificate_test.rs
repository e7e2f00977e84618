//! Tests of a client's certificate: a part of the requirement of `authorize`.

use std::fmt;

use crate::certificate::client::facts::Facts;

/// A test of one field of a client's certificate. It is met by one of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateTest {
    pub field: Field,
    /// In the spelling of [`Facts`].
    pub values: Vec<String>,
}

/// A field of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Subject,
    Issuer,
    /// A DNS name among the subject alternative names, compared without case. A wildcard is compared as text.
    DnsName,
    /// An e-mail address among the subject alternative names, compared without the case of ASCII letters.
    Email,
    /// A URI among the subject alternative names, compared exactly.
    Uri,
    /// SHA-256 of the certificate.
    Fingerprint,
    SerialNumber,
}

/// Whether a certificate meets a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    Yes,
    No,
    /// The certificate has no name of that kind.
    NoName,
    /// There is no certificate that an authority vouches for.
    NoCertificate,
}

impl Field {
    /// As the configuration calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Issuer => "issuer",
            Self::DnsName => "dns_name",
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Fingerprint => "fingerprint",
            Self::SerialNumber => "serial_number",
        }
    }
}

impl CertificateTest {
    /// Whether a verified certificate meets the test.
    pub(crate) fn of(&self, certificate: Option<&Facts>) -> Met {
        let Some(facts) = certificate else { return Met::NoCertificate };
        let has = |value: &str| self.values.iter().any(|wanted| wanted == value);
        let has_any = |names: &[String], is: fn(&str, &str) -> bool| match names {
            [] => Met::NoName,
            names if names.iter().any(|name| self.values.iter().any(|wanted| is(wanted, name))) => Met::Yes,
            _ => Met::No,
        };
        let met = match self.field {
            Field::Subject => has(&facts.subject),
            Field::Issuer => has(&facts.issuer),
            Field::Fingerprint => has(&facts.fingerprint),
            Field::SerialNumber => has(&facts.serial_number),
            Field::DnsName => return has_any(&facts.dns_names, |wanted, name| wanted.eq_ignore_ascii_case(name)),
            Field::Email => return has_any(&facts.emails, |wanted, name| wanted.eq_ignore_ascii_case(name)),
            Field::Uri => return has_any(&facts.uris, |wanted, name| wanted == name),
        };
        if met { Met::Yes } else { Met::No }
    }
}

impl fmt::Display for CertificateTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(|value| format!("`{value}`")).collect();
        write!(f, "`{}` of the client's certificate is {}", self.field.name(), values.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn facts() -> Facts {
        Facts {
            subject: "CN=ada,O=Example".into(),
            issuer: "CN=Staff CA".into(),
            serial_number: "03A5".into(),
            fingerprint: "AB".repeat(32),
            digest: [0xab; 32],
            valid_from: Timestamp::from_seconds(0),
            valid_to: Timestamp::MAX,
            dns_names: vec!["a.test".into(), "*.b.test".into()],
            emails: vec!["Ada@app.test".into()],
            uris: Vec::new(),
        }
    }

    #[track_caller]
    fn check(field: Field, value: &str, expected: Met) {
        let test = CertificateTest { field, values: vec!["other".into(), value.into()] };
        assert_eq!(test.of(Some(&facts())), expected, "{test}");
        assert_eq!(test.of(None), Met::NoCertificate);
    }

    #[test]
    fn fields_are_compared_whole() {
        check(Field::Subject, "CN=ada,O=Example", Met::Yes);
        for other in ["CN=ada", "CN=Ada,O=Example", "CN=ada,O=Example,C=DE", "O=Example,CN=ada", ""] {
            check(Field::Subject, other, Met::No);
        }
        check(Field::Issuer, "CN=Staff CA", Met::Yes);
        check(Field::Issuer, "CN=ada,O=Example", Met::No);
        check(Field::SerialNumber, "03A5", Met::Yes);
        check(Field::SerialNumber, "3A5", Met::No);
        check(Field::Fingerprint, &"AB".repeat(32), Met::Yes);
        check(Field::Fingerprint, "AB", Met::No);
    }

    #[test]
    fn one_of_several_names_is_enough_and_a_kind_without_names_is_not_known() {
        check(Field::DnsName, "A.test", Met::Yes);
        check(Field::DnsName, "*.b.test", Met::Yes);
        // A wildcard is a name of the certificate, and no pattern.
        check(Field::DnsName, "x.b.test", Met::No);
        check(Field::Email, "ada@app.test", Met::Yes);
        check(Field::Email, "app.test", Met::No);
        check(Field::Uri, "spiffe://app.test/ada", Met::NoName);
    }
}
