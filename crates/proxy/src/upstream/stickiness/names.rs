//! The names of stickiness cookies.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::octets;
use crate::message::cookie::NamePattern;
use crate::upstream::stickiness::settings::{Format, Kind};

/// The name where the client used HTTPS. The suffix begins with a dot, so that the name is no part of a session, whatever the base name of
/// session cookies is.
const SECURE: &str = "__Host-vestibule-target";
/// The name where the client used plain HTTP. Browsers accept neither the prefix `__Host-` nor `Secure` there.
const PLAIN: &str = "vestibule-target";

/// The same for the cookies of groups.
const SECURE_GROUP: &str = "__Host-vestibule-group";
const PLAIN_GROUP: &str = "vestibule-group";

const ALB: &str = "AWSALB";
/// The same cookie, for requests from other sites.
pub(super) const ALB_CORS: &str = "AWSALBCORS";
const ALB_APP: &str = "AWSALBAPP-0";
const ALB_GROUP: &str = "AWSALBTG";
const ALB_GROUP_CORS: &str = "AWSALBTGCORS";

/// The number of bytes of the hash that stands for the name of a group. Eight characters.
const GROUP_BYTES: usize = 6;

/// The names of the cookies of one group.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) secure: String,
    pub(super) plain: String,
    /// A second cookie with the same value.
    pub(super) twin: Option<&'static str>,
}

impl Names {
    pub(super) fn new(format: Format, kind: &Kind, group: &str) -> Self {
        match (format, kind) {
            // A host may have rules for several groups, so each group has a name of its own. The hash keeps names of groups from the eyes
            // of clients.
            (Format::Vestibule, _) => {
                let suffix = suffix(group);
                Self { secure: format!("{SECURE}.{suffix}"), plain: format!("{PLAIN}.{suffix}"), twin: None }
            }
            (Format::Alb, Kind::LbCookie) => {
                Self { secure: ALB.to_owned(), plain: ALB.to_owned(), twin: Some(ALB_CORS) }
            }
            (Format::Alb, Kind::AppCookie(_)) => {
                Self { secure: ALB_APP.to_owned(), plain: ALB_APP.to_owned(), twin: None }
            }
        }
    }

    /// The names of the cookies of a `forward` to several groups, of which `first` is the first. Rules with the same first group have the
    /// same cookie, and a group can be added or removed behind it.
    pub(super) fn of_groups(format: Format, first: &str) -> Self {
        match format {
            Format::Vestibule => {
                let suffix = suffix(first);
                Self {
                    secure: format!("{SECURE_GROUP}.{suffix}"),
                    plain: format!("{PLAIN_GROUP}.{suffix}"),
                    twin: None,
                }
            }
            Format::Alb => {
                Self { secure: ALB_GROUP.to_owned(), plain: ALB_GROUP.to_owned(), twin: Some(ALB_GROUP_CORS) }
            }
        }
    }
}

fn suffix(group: &str) -> String {
    let hash = octets::sha256(&[b"vestibule target group", group.as_bytes()].concat());
    URL_SAFE_NO_PAD.encode(&hash[..GROUP_BYTES])
}

impl Format {
    /// The names that belong to Vestibule where a group has this format. Targets neither receive nor set these cookies.
    pub const fn reserved(self) -> &'static [NamePattern] {
        match self {
            Self::Vestibule => &[
                NamePattern::BeginsWith("__Host-vestibule-target."),
                NamePattern::BeginsWith("vestibule-target."),
                NamePattern::BeginsWith("__Host-vestibule-group."),
                NamePattern::BeginsWith("vestibule-group."),
            ],
            Self::Alb => &[
                NamePattern::Is(ALB),
                NamePattern::Is(ALB_CORS),
                // ALB §9.5: up to four, of which Vestibule sets the first.
                NamePattern::BeginsWith("AWSALBAPP-"),
                NamePattern::Is(ALB_GROUP),
                NamePattern::Is(ALB_GROUP_CORS),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_reserved() {
        for format in [Format::Vestibule, Format::Alb] {
            for kind in [Kind::LbCookie, Kind::AppCookie("JSESSIONID".into())] {
                for names in [Names::new(format, &kind, "app"), Names::of_groups(format, "app")] {
                    for name in [&*names.secure, &names.plain].into_iter().chain(names.twin) {
                        assert!(format.reserved().iter().any(|pattern| pattern.matches(name.as_bytes())), "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn each_group_has_a_name_that_stays() {
        let name = |group| Names::new(Format::Vestibule, &Kind::LbCookie, group).secure;
        assert_eq!(name("app"), "__Host-vestibule-target.eCnJg595");
        assert_ne!(name("app"), name("api"));
    }
}
