//! Header fields that a listener sets in responses (ALB §10.7).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::message::cors;

/// Fields to set, and whether `Server` is removed. Made at load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHeaders {
    fields: Box<[(HeaderName, HeaderValue)]>,
    removes_server: bool,
}

/// Who has made a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeBy {
    /// A target.
    Target,
    /// Vestibule, for a rule: an action or a refusal.
    Rule,
    /// Vestibule, before any rule: a refusal, a path of sign-in, a user pool.
    Vestibule,
}

impl ResponseHeaders {
    /// `None` if there is nothing to do.
    pub fn new(fields: Vec<(HeaderName, HeaderValue)>, removes_server: bool) -> Option<Self> {
        (removes_server || !fields.is_empty()).then(|| Self { fields: fields.into(), removes_server })
    }

    /// Whether a field of CORS is set.
    pub fn has_cors(&self) -> bool {
        self.fields.iter().any(|(name, _)| cors::is_response_field(name))
    }

    /// Changes the headers of a response. A field takes the place of every field of the same name.
    ///
    /// Two things are left out. Vestibule's own pages keep the stricter values that they already have: a policy for the application would
    /// let scripts and frames of others onto a page to sign in on. And fields of CORS are for rules only: with them, the pages of a
    /// user pool and the endpoints of sign-in would be readable by other sites.
    pub fn apply(&self, made_by: MadeBy, headers: &mut HeaderMap) {
        if self.removes_server {
            headers.remove(header::SERVER);
        }
        for (name, value) in &self.fields {
            let is_left_out = match made_by {
                MadeBy::Target => false,
                MadeBy::Rule => protects_a_page(name) && headers.contains_key(name),
                MadeBy::Vestibule => {
                    cors::is_response_field(name) || (protects_a_page(name) && headers.contains_key(name))
                }
            };
            if !is_left_out {
                headers.insert(name, value.clone());
            }
        }
    }
}

fn protects_a_page(name: &HeaderName) -> bool {
    [header::CONTENT_SECURITY_POLICY, header::X_FRAME_OPTIONS, header::X_CONTENT_TYPE_OPTIONS].contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(made_by: MadeBy, given: &[(HeaderName, &'static str)]) -> HeaderMap {
        let fields = [
            (header::STRICT_TRANSPORT_SECURITY, "max-age=1"),
            (header::CONTENT_SECURITY_POLICY, "default-src *"),
            (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "https://spa.test"),
        ];
        let fields = fields.map(|(name, value)| (name, HeaderValue::from_static(value))).to_vec();
        let mut headers: HeaderMap =
            given.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        ResponseHeaders::new(fields, true).expect("something to do").apply(made_by, &mut headers);
        headers
    }

    #[test]
    fn what_a_target_says_is_overwritten_and_what_it_does_not_say_is_added() {
        let headers = applied(
            MadeBy::Target,
            &[(header::SERVER, "app/1"), (header::CONTENT_SECURITY_POLICY, "default-src 'none'")],
        );
        assert_eq!(headers.get(header::SERVER), None);
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src *");
        assert_eq!(headers[header::STRICT_TRANSPORT_SECURITY], "max-age=1");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://spa.test");
    }

    #[test]
    fn x_07_a_page_of_ours_keeps_its_policy_and_is_not_shared_with_other_sites() {
        let page = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'"), (header::X_FRAME_OPTIONS, "DENY")];
        for made_by in [MadeBy::Rule, MadeBy::Vestibule] {
            let headers = applied(made_by, &page);
            assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src 'none'");
            assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
            assert_eq!(headers[header::STRICT_TRANSPORT_SECURITY], "max-age=1");
            assert_eq!(headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), made_by == MadeBy::Rule);
        }
        assert_eq!(applied(MadeBy::Rule, &[])[header::CONTENT_SECURITY_POLICY], "default-src *", "a fixed response");
    }

    #[test]
    fn nothing_to_do_is_nothing() {
        assert_eq!(ResponseHeaders::new(Vec::new(), false), None);
    }
}
