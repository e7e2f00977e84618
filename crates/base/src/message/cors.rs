//! Cross-origin resource sharing (Fetch §3.3): which other origins may read the answers of a rule.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

use crate::message::body::Body;

/// The policy of a rule. Made at load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub origins: Origins,
    /// `Access-Control-Allow-Methods`.
    pub methods: HeaderValue,
    /// `Access-Control-Allow-Headers`.
    pub headers: Option<HeaderValue>,
    /// `Access-Control-Expose-Headers`.
    pub expose: Option<HeaderValue>,
    /// `Access-Control-Max-Age`, in seconds.
    pub max_age: HeaderValue,
}

/// Which origins may read answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Every origin, without credentials. With credentials, every site could read what its visitors may see here (attacks X-10).
    Any,
    /// These, as browsers write them: `https://app.example.com`.
    Listed { origins: Box<[HeaderValue]>, credentials: bool },
}

/// What a request asks of a [`Policy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The one `Origin` of the request. `None` if it has none or several.
    origin: Option<HeaderValue>,
    is_preflight: bool,
}

const RESPONSE_FIELDS: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// Whether the name is that of a response field of CORS.
pub(crate) fn is_response_field(name: &HeaderName) -> bool {
    RESPONSE_FIELDS.contains(name)
}

impl Asked {
    /// What a request with this method and these headers asks.
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (first, second) = (origins.next(), origins.next());
        let is_preflight = *method == Method::OPTIONS
            && first.is_some()
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        Self { origin: first.filter(|_| second.is_none()).cloned(), is_preflight }
    }

    /// Whether the request is a preflight (Fetch §3.3.2). It comes without credentials, so no gate could let it in.
    pub const fn is_preflight(&self) -> bool {
        self.is_preflight
    }
}

/// The answer to a preflight. [`Policy::apply`] adds what it says.
pub fn preflight_response() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

impl Policy {
    /// Adds the fields of the policy to a response. There is one policy for a rule: fields of CORS that the target has set are removed.
    /// An origin that is not allowed gets none, and the browser keeps the response from its scripts.
    pub fn apply(&self, asked: &Asked, headers: &mut HeaderMap) {
        for name in &RESPONSE_FIELDS {
            headers.remove(name);
        }
        let allowed = match &self.origins {
            Origins::Any => asked.origin.is_some().then(|| HeaderValue::from_static("*")),
            Origins::Listed { origins, credentials } => {
                // Without it, a cache could give the answer for one origin to another (Fetch §3.3.5).
                vary_by_origin(headers);
                let origin = asked.origin.as_ref().filter(|origin| origins.contains(origin));
                if origin.is_some() && *credentials {
                    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
                }
                origin.cloned()
            }
        };
        let Some(allowed) = allowed else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if asked.is_preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
            if let Some(allowed) = &self.headers {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
            }
        } else if let Some(exposed) = &self.expose {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }
}

fn vary_by_origin(headers: &mut HeaderMap) {
    let names = headers.get_all(header::VARY).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut names = names.map(<[u8]>::trim_ascii);
    if !names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin")) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: Origins) -> Policy {
        Policy {
            origins,
            methods: HeaderValue::from_static("GET, PUT"),
            headers: Some(HeaderValue::from_static("x-token")),
            expose: Some(HeaderValue::from_static("x-total")),
            max_age: HeaderValue::from_static("600"),
        }
    }

    fn listed(credentials: bool) -> Policy {
        policy(Origins::Listed { origins: [HeaderValue::from_static("https://spa.test")].into(), credentials })
    }

    fn asked(method: Method, fields: &[(&'static str, &'static str)]) -> Asked {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Asked::of(&method, &headers)
    }

    #[track_caller]
    fn answered(policy: &Policy, asked: &Asked, given: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, HeaderValue::from_static(value));
        }
        policy.apply(asked, &mut headers);
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("ASCII"))).collect();
        lines.sort();
        lines
    }

    #[test]
    fn an_allowed_origin_is_named_and_others_are_not() {
        let ours = asked(Method::GET, &[("origin", "https://spa.test")]);
        let allowed = [
            "access-control-allow-credentials: true",
            "access-control-allow-origin: https://spa.test",
            "access-control-expose-headers: x-total",
            "vary: Origin",
        ];
        assert_eq!(answered(&listed(true), &ours, &[]), allowed);
        for origin in
            ["https://evil.test", "https://spa.test.evil.test", "http://spa.test", "https://spa.test:444", "null"]
        {
            let fields = [("origin", origin)];
            assert_eq!(answered(&listed(true), &asked(Method::GET, &fields), &[]), ["vary: Origin"], "{origin}");
        }
        let twice = [("origin", "https://spa.test"), ("origin", "https://evil.test")];
        assert_eq!(answered(&listed(true), &asked(Method::GET, &twice), &[]), ["vary: Origin"]);
        assert_eq!(answered(&listed(true), &asked(Method::GET, &[]), &[]), ["vary: Origin"]);
    }

    #[test]
    fn x_10_every_origin_never_comes_with_credentials() {
        let lines = answered(&policy(Origins::Any), &asked(Method::GET, &[("origin", "https://evil.test")]), &[]);
        assert_eq!(lines, ["access-control-allow-origin: *", "access-control-expose-headers: x-total"]);
    }

    #[test]
    fn the_policy_of_the_rule_takes_the_place_of_the_targets() {
        let given = [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("vary", "Accept, origin"),
        ];
        let evil = asked(Method::GET, &[("origin", "https://evil.test")]);
        assert_eq!(answered(&listed(false), &evil, &given), ["vary: Accept, origin"]);
    }

    #[test]
    fn a_preflight_is_told_methods_headers_and_how_long() {
        let fields = [("origin", "https://spa.test"), ("access-control-request-method", "PUT")];
        let preflight = asked(Method::OPTIONS, &fields);
        assert!(preflight.is_preflight());
        let expected = [
            "access-control-allow-headers: x-token",
            "access-control-allow-methods: GET, PUT",
            "access-control-allow-origin: https://spa.test",
            "access-control-max-age: 600",
            "vary: Origin",
        ];
        assert_eq!(answered(&listed(false), &preflight, &[]), expected);
        assert!(!asked(Method::GET, &fields).is_preflight(), "another method");
        assert!(!asked(Method::OPTIONS, &fields[..1]).is_preflight(), "an ordinary OPTIONS");
        assert!(!asked(Method::OPTIONS, &fields[1..]).is_preflight(), "no origin");
    }
}
