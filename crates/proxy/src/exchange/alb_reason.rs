//! The names that the ALB logs for reasons (ALB §6.2).

use crate::exchange::rejection::Reason;

impl Reason {
    /// The `error_reason` of the ALB. `None` if the ALB has no name for it, or does not refuse such requests. The list is complete, so
    /// that a new reason does not compile without a decision.
    pub(crate) const fn alb_name(self) -> Option<&'static str> {
        Some(match self {
            Self::AuthSessionInvalid
            | Self::AuthCookieNotReturned
            | Self::AuthCookieTwice
            | Self::AuthCookieUnreadable
            | Self::AuthClock => "AuthInvalidCookie",
            Self::AuthStateMissing => "AuthMissingStateParam",
            Self::AuthStateMismatch
            | Self::AuthLoginExpired
            | Self::AuthCallbackMalformed
            | Self::AuthIssuerMismatch => "AuthInvalidStateParam",
            // An answer of the provider that is an error has no code.
            Self::AuthCodeMissing | Self::AuthDenied | Self::AuthProviderError => "AuthMissingCodeParam",
            Self::AuthCodeRejected => "AuthInvalidGrantError",
            Self::AuthTokenUnreachable => "AuthTokenEpRequestTimeout",
            Self::AuthTokenRefused => "AuthTokenEpRequestFailed",
            Self::AuthTokenResponse => "AuthInvalidTokenResponse",
            Self::AuthIdToken | Self::AuthStepUpFailed => "AuthInvalidIdToken",
            Self::AuthUserinfoUnreachable => "AuthUserinfoEpRequestTimeout",
            Self::AuthUserinfoRefused | Self::AuthGroupsUnavailable => "AuthUserinfoEpRequestFailed",
            Self::AuthUserinfoInvalid | Self::AuthSubjectMismatch => "AuthInvalidUserinfoResponse",
            Self::AuthClaimsTooLarge | Self::AuthHeaderTooLarge => "AuthUserinfoResponseSizeExceeded",
            // The ALB fetches no metadata, and its documentation has no name for keys that it cannot fetch.
            Self::AuthProviderUnavailable | Self::AuthKeysUnavailable => "AuthUnhandledException",
            Self::BearerMissing => "JWTHeaderNotPresent",
            Self::BearerMalformed => "JWTRequestFormatInvalid",
            Self::BearerInvalid => "JWTSignatureValidationError",
            Self::BearerScope => "JWTClaimValueInvalid",
            Self::BearerKeysUnavailable => "JWKSRequestTimeout",
            // The ALB asks nobody about a token.
            Self::BearerEnded
            | Self::BearerIntrospectionUnavailable
            | Self::BearerIntrospectionBusy
            | Self::BearerOtherUser => return None,
            Self::RequestMalformed
            | Self::RequestNotCompliant
            | Self::RequestVersion
            | Self::RequestHeadTooLarge
            | Self::RequestHeadTimeout
            | Self::RequestUriTooLong
            | Self::RequestHost
            | Self::RequestPath
            | Self::RequestMethod
            | Self::RequestMethodOverride
            | Self::RequestNotHttps
            | Self::RequestPlainHttp
            | Self::RequestClientCertificate
            | Self::RequestForwarded
            | Self::RequestTransferEncoding
            | Self::RequestExpectation
            | Self::RequestOrigin
            | Self::RequestBodyTooLarge
            | Self::RequestBodyTimeout
            | Self::RequestBodyMalformed
            | Self::RequestBodyTooSlow
            | Self::ForwardAuthPeer
            | Self::ForwardAuthDescription
            | Self::ForwardAuthReserved => return None,
            Self::AuthRequired
            | Self::AuthSessionExpired
            | Self::AuthSessionEnded
            | Self::AuthFormNotSent
            | Self::AuthFormForeign
            | Self::AuthAddressTooLong
            | Self::AuthNotAllowed
            | Self::AuthCertificateNotAllowed
            | Self::AuthGroupsOverage
            | Self::AuthStepUpRequired
            | Self::BearerNotAllowed
            | Self::BearerGroupsOverage
            | Self::BearerStepUpRequired
            | Self::AuthTooManyLogins
            | Self::AuthSignOutForeign => return None,
            Self::RuleTransformFailed
            | Self::StaticMethod
            | Self::StaticUnreadable
            | Self::StaticBusy
            | Self::UpstreamNoTarget
            | Self::UpstreamName
            | Self::UpstreamUnreachable
            | Self::UpstreamConnectTimeout
            | Self::UpstreamTls
            | Self::UpstreamReset
            | Self::UpstreamDeregistered
            | Self::UpstreamRefused
            | Self::UpstreamTimeout
            | Self::UpstreamBodyTimeout
            | Self::UpstreamMalformed
            | Self::UpstreamNoWebSocket
            | Self::UpstreamProtocol
            | Self::NotFound
            | Self::SessionEnded
            | Self::DrainTimeout
            | Self::ClientClosed
            | Self::Internal => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn every_failed_login_has_a_name_of_the_alb() {
        let logins = Reason::ALL.iter().filter(|reason| reason.is_failed_login());
        let unnamed: Vec<_> = logins.filter(|reason| reason.alb_name().is_none()).collect();
        assert!(unnamed.is_empty(), "{unnamed:?}");
    }

    /// ALB §6.2 and §8.4: each row has the reasons that the code logs under its name, and each name of the code has a row.
    #[test]
    fn the_page_has_the_names_of_the_code() {
        fn quoted(cell: &str) -> BTreeSet<&str> {
            cell.split('`').skip(1).step_by(2).collect()
        }
        let page = include_str!("../../../../docs/ALB.md");
        let section = |number: &str| {
            let (_, rest) = page.split_once(&format!("\n### {number} ")).expect("a section");
            rest.split("\n## ").next().and_then(|rest| rest.split("\n### ").next()).expect("its text")
        };
        let mut of_the_page: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for row in [section("6.2"), section("8.4")]
            .into_iter()
            .flat_map(str::lines)
            .filter(|row| row.starts_with("| `") && !row.ends_with("| Test |"))
        {
            let cells: Vec<&str> = row.split('|').collect();
            for name in quoted(cells[1]) {
                let reasons = quoted(cells[2]);
                assert_eq!(reasons.is_empty(), cells[3].trim_start().starts_with("Not"), "{row}");
                assert!(of_the_page.insert(name, reasons).is_none(), "{name} is there twice");
            }
        }
        of_the_page.retain(|_, reasons| !reasons.is_empty());
        let mut of_the_code: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for reason in Reason::ALL {
            if let Some(name) = reason.alb_name() {
                of_the_code.entry(name).or_default().insert(reason.code());
            }
        }
        assert_eq!(of_the_page, of_the_code);
    }
}
