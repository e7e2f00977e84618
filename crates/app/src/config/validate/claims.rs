//! `claims`.

use http::{HeaderName, header};

use crate::claims::settings::{ClaimHeader, Encoding, Format, Settings};
use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::raw;
use crate::config::raw::claims::MappedClaim;
use crate::config::validate::context::Context;
use crate::config::validate::{keys, value};
use crate::jose::signing_key::Algorithm;
use crate::message::header as names;

pub(super) fn claims(raw: &raw::claims::Claims, at: &Path, context: &mut Context<'_>) -> Result<Settings, Reported> {
    if raw.signer.is_empty() {
        context
            .found
            .problem(&at.key("signer"), "the signer is empty")
            .hint("write a name for this deployment: `arn:vestibule:NAME`");
    }
    let signing_key = keys::signing_key(&raw.signing_key_file, Algorithm::Es256, &at.key("signing_key_file"), context);
    let previous = at.key("previous_key_files");
    let other_keys = keys::public_keys(&raw.previous_key_files, Some(Algorithm::Es256), &previous, context);
    let mut claim_headers: Vec<ClaimHeader> = Vec::with_capacity(raw.headers.len());
    for (name, claim) in &raw.headers {
        let at = at.key("headers").key(name);
        let Ok(new) = claim_header(name, claim, &at, &mut context.found) else { continue };
        // Names contain only letters, digits and `-`, so names that applications might confuse differ only in case.
        if claim_headers.iter().any(|other| other.header == new.header) {
            let problem = context.found.problem_at_key(&at, format!("the header `{}` is given twice", new.header));
            problem.hint("header names are case-insensitive; a target would receive only one of the two claims");
            continue;
        }
        claim_headers.push(new);
    }
    Ok(Settings {
        signer: raw.signer.clone(),
        format: match raw.format {
            raw::claims::Format::Jwt => Format::Jwt,
            raw::claims::Format::Alb => Format::Alb,
        },
        signing_key: signing_key?,
        other_keys: other_keys?,
        access_token_header: raw.access_token_header,
        claim_headers,
        header_bytes_max: raw.header_bytes_max as usize,
    })
}

fn claim_header(name: &str, mapped: &MappedClaim, at: &Path, found: &mut Findings) -> Result<ClaimHeader, Reported> {
    let header = own_header(name, at, found)?;
    let (claim, encoding) = match mapped {
        MappedClaim::Short(claim) => (claim, raw::claims::Encoding::default()),
        MappedClaim::Long { claim, encoding } => (claim, *encoding),
    };
    let claim = value::claim_path(claim, at, found)?;
    let encoding = match encoding {
        raw::claims::Encoding::Csv => Encoding::Csv,
        raw::claims::Encoding::Json => Encoding::Json,
        raw::claims::Encoding::Repeated => Encoding::Repeated,
        raw::claims::Encoding::Percent => Encoding::Percent,
    };
    Ok(ClaimHeader { header, claim, encoding })
}

/// The name of a header for targets that the file chooses. Clients may not set it.
pub(super) fn own_header(name: &str, at: &Path, found: &mut Findings) -> Result<HeaderName, Reported> {
    let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
        return found.problem_at_key(at, format!("`{name}` is not a header name")).fail();
    };
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        let problem = found
            .problem_at_key(at, format!("the header name `{name}` has characters other than letters, digits and `-`"));
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        return problem.hint(format!("write `{plain}`: many applications treat both names as the same header")).fail();
    }
    if is_taken(&header) {
        let problem = found.problem_at_key(at, format!("the header `{header}` is reserved"));
        return problem.hint("choose another name, for example `x-forwarded-email`").fail();
    }
    Ok(header)
}

/// Headers to which HTTP or this proxy gives a meaning, or that applications trust for another reason. The headers
/// that tell a navigation from a script request (`message/media.rs`) belong to the client; mapped headers are removed
/// from requests.
pub(super) fn is_taken(name: &HeaderName) -> bool {
    const TAKEN: [HeaderName; 24] = [
        header::ACCEPT,
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::TRANSFER_ENCODING,
        header::TE,
        header::TRAILER,
        header::UPGRADE,
        header::EXPECT,
        header::AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
        header::ORIGIN,
        header::FORWARDED,
        header::PROXY_AUTHORIZATION,
        names::OIDC_IDENTITY,
        names::OIDC_DATA,
        names::OIDC_ACCESS_TOKEN,
        names::TRACE_ID,
        names::FORWARDED_FOR,
        names::FORWARDED_PROTO,
        names::FORWARDED_PORT,
        names::FORWARDED_HOST,
    ];
    let name_text = name.as_str();
    TAKEN.contains(name)
        || matches!(name_text, "keep-alive" | "proxy-connection" | "x-requested-with")
        || name_text.starts_with("sec-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_says_of_itself_is_not_a_claims_to_overwrite() {
        for name in ["accept", "x-requested-with", "sec-fetch-mode", "sec-fetch-dest", "sec-purpose", "upgrade"] {
            assert!(is_taken(&HeaderName::from_static(name)), "{name}");
        }
        assert!(!is_taken(&HeaderName::from_static("x-mail")));
    }
}
