//! What pages and JSON say about a user whom `authorize` refuses or sends to sign in again, in the language of the visitor.

use crate::action::certificate_test::CertificateTest;
use crate::action::demand::Demand;
use crate::action::requirement::{ClaimTest, Requirement, Scalar, Test};
use crate::action::settings::AuthorizeSettings;
use crate::clock::period_text;
use crate::exchange::rejection::Rejection;
use crate::identity::Identity;
use crate::page::{Sentence, Text};

/// Adds who is signed in, by a provider with this name.
pub(super) fn who(rejection: Rejection, identity: &Identity, provider: &str) -> Rejection {
    let name = identity.display_name();
    let who = Sentence::from(Text::AccessSignedInAs).named("user", &*name).named("provider", provider);
    rejection.note(who).fact("signed_in_as", name).fact("provider", provider.to_owned())
}

/// Adds whose token it is, and who has issued it.
pub(super) fn token_of(rejection: Rejection, identity: &Identity, provider: &str) -> Rejection {
    let name = identity.display_name();
    let whose = Sentence::from(Text::AccessTokenOf).named("user", &*name).named("provider", provider);
    rejection.note(whose).fact("token_of", name).fact("provider", provider.to_owned())
}

/// Adds whom to ask.
pub(super) fn contact(rejection: Rejection, contact: Option<&str>) -> Rejection {
    let Some(contact) = contact else { return rejection };
    let note = Sentence::from(Text::AccessContact).address("contact", contact);
    rejection.note(note).fact("contact", contact.to_owned())
}

/// Adds what is required.
pub(super) fn required(rejection: Rejection, settings: &AuthorizeSettings) -> Rejection {
    let requirement = settings.requirement.as_ref().map(|requirement| match requirement {
        Requirement::Any(parts) if parts.len() > 1 && !settings.demand.is_empty() => group(requirement),
        _ => sentence(requirement),
    });
    let all = requirement.into_iter().chain(demands(&settings.demand)).collect();
    let required = Sentence::joined(all, Text::RequireAnd);
    let fact = required.english();
    rejection.note(Sentence::from(Text::AccessRequired).words("requirement", required)).fact("required", fact)
}

fn demands(demand: &Demand) -> impl Iterator<Item = Sentence> {
    let max_age = demand
        .max_age
        .map(|age| Sentence::from(Text::RequireMaxAge).words("duration", Sentence::verbatim(period_text(age))));
    let acr = (!demand.acr.is_empty())
        .then(|| Sentence::from(Text::RequireAcr).words("values", one_of(demand.acr.iter().map(|acr| value(acr)))));
    max_age.into_iter().chain(acr)
}

fn sentence(requirement: &Requirement) -> Sentence {
    let joined = |parts: &[Requirement], word| {
        let part = |part: &Requirement| match part {
            Requirement::Any(inner) | Requirement::All(inner) if inner.len() > 1 => group(part),
            _ => sentence(part),
        };
        Sentence::joined(parts.iter().map(part).collect(), word)
    };
    match requirement {
        Requirement::Any(parts) => joined(parts, Text::RequireOr),
        Requirement::All(parts) => joined(parts, Text::RequireAnd),
        Requirement::Not(part) => Sentence::from(Text::RequireNot).words("requirement", sentence(part)),
        Requirement::Certificate(CertificateTest { field, values }) => Sentence::from(Text::RequireCertificate)
            .quoted("field", field.name().to_owned())
            .words("values", one_of(values.iter().map(|one| value(one)))),
        Requirement::Claim(ClaimTest { path, test }) => {
            let (text, values) = match test {
                Test::Contains(values) => (Text::RequireContains, one_of(values.iter().map(scalar))),
                Test::Equals(values) => (Text::RequireEquals, one_of(values.iter().map(scalar))),
                Test::Domain(values) => (Text::RequireDomain, one_of(values.iter().map(|domain| value(domain)))),
                Test::Address(values) => (Text::RequireAddress, one_of(values.iter().map(|address| value(address)))),
            };
            Sentence::from(text).quoted("claim", path.join(".")).words("values", values)
        }
    }
}

fn group(requirement: &Requirement) -> Sentence {
    Sentence::from(Text::RequireGroup).words("requirement", sentence(requirement))
}

fn one_of(values: impl Iterator<Item = Sentence>) -> Sentence {
    Sentence::joined(values.collect(), Text::RequireOr)
}

fn scalar(scalar: &Scalar) -> Sentence {
    match scalar {
        Scalar::Text(text) => value(text),
        Scalar::Integer(number) => Sentence::verbatim(number.to_string()),
        Scalar::Truth(truth) => Sentence::verbatim(truth.to_string()),
    }
}

fn value(text: &str) -> Sentence {
    Sentence::from(Text::RequireValue).quoted("value", text)
}
