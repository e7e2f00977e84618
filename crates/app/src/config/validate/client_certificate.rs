//! `client_certificate` of `authorize`.

use crate::action::certificate_test::{CertificateTest, Field};
use crate::action::requirement::Requirement;
use crate::certificate::client::name;
use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::raw::action::ClientCertificate;
use crate::config::raw::value::List;
use crate::config::validate::value;

/// The tests of a certificate. All that are given must hold.
pub(super) fn requirement(raw: &ClientCertificate, at: &Path, found: &mut Findings) -> Result<Requirement, Reported> {
    let fields = [
        (Field::Subject, &raw.subject),
        (Field::Issuer, &raw.issuer),
        (Field::DnsName, &raw.dns_name),
        (Field::Email, &raw.email),
        (Field::Uri, &raw.uri),
        (Field::Fingerprint, &raw.fingerprint),
        (Field::SerialNumber, &raw.serial_number),
    ];
    let given = fields.into_iter().filter_map(|(field, values)| Some((field, values.as_ref()?)));
    let tests: Vec<_> = given.map(|(field, values)| test(field, values, &at.key(field.name()), found)).collect();
    if raw.serial_number.is_some() && raw.issuer.is_none() && found.concern(at).is_none() {
        let problem = found.problem(&at.key("serial_number"), "`serial_number` without `issuer`");
        return problem.hint("two authorities may give the same number: add `issuer`, or use `fingerprint`").fail();
    }
    let mut tests: Vec<Requirement> = tests.into_iter().collect::<Result<_, _>>()?;
    match tests.len() {
        0 => Err(found.concern(at).or_else(|| found.concern_keys_of(at)).unwrap_or_else(|| {
            let problem = found.problem(at, "this asks nothing of the certificate");
            problem.hint("for example `client_certificate: { subject: ['CN=ada,O=Example'] }`").reported()
        })),
        1 => Ok(tests.remove(0)),
        _ => Ok(Requirement::All(tests)),
    }
}

fn test(field: Field, values: &List<String>, at: &Path, found: &mut Findings) -> Result<Requirement, Reported> {
    if values.is_empty() {
        let problem = found.problem(at, "this list is empty, so nobody would be let in");
        return problem.hint("write at least one value, or remove the key").fail();
    }
    let values = value::each(values, at, found, |text: &String, at, found| one(field, text, at, found))?;
    Ok(Requirement::Certificate(CertificateTest { field, values }))
}

/// A value in the spelling that certificates are described in.
fn one(field: Field, text: &str, at: &Path, found: &mut Findings) -> Result<String, Reported> {
    let (value, hint) = match field {
        Field::Subject | Field::Issuer => (
            name::read(text),
            "write it as RFC 4514 does, the name first: `CN=ada,OU=Staff,O=Example,C=DE`, as `openssl x509 -nameopt RFC2253 -subject` prints it",
        ),
        Field::Fingerprint => (
            hex(text).filter(|digits| digits.len() == 64),
            "write the 64 hexadecimal digits that `openssl x509 -fingerprint -sha256` prints",
        ),
        Field::SerialNumber => (
            hex(text).map(|digits| without_zeros(&digits)),
            "write hexadecimal digits, as `openssl x509 -serial` prints them",
        ),
        Field::DnsName | Field::Email | Field::Uri => {
            (Some(text.to_owned()).filter(|text| !text.trim().is_empty()), "write a value, or remove it")
        }
    };
    if let Some(name) = &value
        && matches!(field, Field::Subject | Field::Issuer)
    {
        other_order(name, text, at, found);
    }
    value.ok_or_else(|| {
        let message = format!("`{text}` is not a value of `{}`", field.name());
        found.problem(at, message).hint(hint).reported()
    })
}

/// Warns about a name that begins with the country or the domain and ends with the person: the order in which `openssl` prints it by default. Such
/// a name can exist, but then the certificate has it the wrong way round.
fn other_order(name: &str, text: &str, at: &Path, found: &mut Findings) {
    let kinds = || name::kinds(name);
    let is_wide = kinds().next().is_some_and(|kind| ["C", "DC", "O", "ST", "L"].contains(&kind));
    if is_wide && kinds().last() == Some("CN") {
        let message = format!(
            "`{text}` is in the order in which `openssl x509 -subject` prints a name; certificates are compared in that of RFC 4514"
        );
        let hint =
            "write the parts in the other order, `CN` first, as `openssl x509 -nameopt RFC2253 -subject` prints them";
        let _ = found.warning(at, message).hint(hint);
    }
}

/// Hexadecimal digits in upper case, an even number of them. Colons between them are dropped.
fn hex(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|character| *character != ':').collect::<String>().to_ascii_uppercase();
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let even = if digits.len().is_multiple_of(2) { digits } else { format!("0{digits}") };
    is_hex.then_some(even)
}

fn without_zeros(digits: &str) -> String {
    let mut rest = digits;
    while rest.len() > 2 && rest.starts_with("00") {
        rest = &rest[2..];
    }
    rest.to_owned()
}
