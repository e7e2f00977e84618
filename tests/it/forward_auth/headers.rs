//! What the files say by the way: a claim in a header of its own, and no warning of nginx.

use super::front::{Front, Kind, document};
use crate::harness::browser::on_both;

/// Each change that the document names, by proxy: what is there, and what takes its place.
fn change(kind: Kind, text: &str) -> String {
    let (from, to) = match kind {
        Kind::Nginx => (
            "proxy_set_header X-Forwarded-Email \"\";",
            "auth_request_set $vestibule_email $upstream_http_x_forwarded_email;\nproxy_set_header X-Forwarded-Email $vestibule_email;",
        ),
        Kind::Caddy => ("X-Amzn-Trace-Id\n", "X-Amzn-Trace-Id X-Forwarded-Email\n"),
        Kind::Envoy => ("{ prefix: x-amzn-oidc- }]", "{ prefix: x-amzn-oidc- }, { exact: x-forwarded-email }]"),
        Kind::EnvoyGrpc => return text.to_owned(),
    };
    let document = document();
    for line in to.lines() {
        assert!(document.contains(line.trim()), "{kind:?}: the document does not say {line}");
    }
    assert_eq!(text.matches(from).count(), 1, "{kind:?}: {from}");
    text.replace(from, to)
}

#[test]
fn a_claim_reaches_the_application_in_a_header_of_its_own() {
    for kind in [Kind::Nginx, Kind::Caddy, Kind::Envoy, Kind::EnvoyGrpc] {
        let yaml = |yaml: String| {
            let from = "signing_key_file: /etc/vestibule/claims-key.pem".replace("/etc/vestibule/", "");
            assert!(yaml.contains(&from), "{yaml}");
            yaml.replace(&from, &format!("{from}, headers: {{ x-forwarded-email: email }}"))
        };
        let front = Front::start_with(kind, yaml, |text| change(kind, &text));
        front.provider.say(|script| {
            script.id_token = serde_json::json!({"sub": "alice", "email": "alice@example.com", "email_verified": true});
        });
        on_both(|protocol| {
            let mut browser = front.signed_in(protocol);
            let own = [("x-forwarded-email", "admin@example.com")];
            for (path, expected) in [("/x", Some("alice@example.com")), ("/public/x", None)] {
                assert_eq!(browser.send("GET", &format!("https://app.test{path}"), &own, b"").status, 200, "{kind:?}");
                assert_eq!(front.target.last().header("x-forwarded-email"), expected, "{kind:?} {path}");
            }
        });
    }
}

#[test]
fn nginx_has_nothing_to_warn_of() {
    let front = Front::start(Kind::Nginx);
    let errors = front.process.errors();
    assert!(!errors.contains("[warn]") && !errors.contains("[error]"), "{errors}");
}
