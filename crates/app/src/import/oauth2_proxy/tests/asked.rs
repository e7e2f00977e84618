//! oauth2-proxy behind nginx `auth_request`, `forwardAuth` of Traefik and others.

use super::*;

const ASKED: &str = r#"
provider = "oidc"
oidc_issuer_url = "https://login.example.com"
client_id = "wiki"
client_secret = "not-for-a-file"
email_domains = ["example.com"]
allowed_groups = ["staff"]
upstreams = ["static://202"]
http_address = "0.0.0.0:4180"
reverse_proxy = true
trusted_proxy_ips = ["10.0.0.7/32"]
set_xauthrequest = true
user_id_claim = "oid"
pass_user_headers = true
pass_host_header = true
upstream_timeout = "30s"
"#;

#[track_caller]
fn asked(by: Option<&str>, file: &str) -> Imported {
    let wanted = Wanted { asked_by: by.and_then(Asking::named), ..Wanted::default() };
    import_as(&[("a.cfg", file)], &[], wanted).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn why(imported: &Imported, option: &str) -> String {
    let row = imported.rows.iter().find(|row| row.setting == format!("a.cfg: {option}"));
    row.unwrap_or_else(|| panic!("{option}")).fate.why().to_owned()
}

#[test]
fn a_proxy_that_asks_gets_a_listener_for_questions() {
    let imported = asked(None, ASKED);
    assert_eq!(imported.closed, [""; 0], "{}", imported.yaml);
    insta::assert_snapshot!("asked_by_nginx", imported.yaml);
    let upstreams = why(&imported, "upstreams");
    for part in ["asked_by: nginx", "nginx.conf of docs/FORWARD_AUTH.md", "--asked-by", "allowed_groups"] {
        assert!(upstreams.contains(part), "{part}: {upstreams}");
    }
    for (name, file) in [("traefik", "dynamic.yaml"), ("caddy", "Caddyfile"), ("envoy", "envoy-http.yaml")] {
        let imported = asked(Some(name), ASKED);
        assert_eq!(imported.closed, [""; 0], "{}", imported.yaml);
        assert!(imported.yaml.contains(&format!("asked_by: {name}\n")), "{}", imported.yaml);
        let upstreams = why(&imported, "upstreams");
        assert!(upstreams.contains(file) && !upstreams.contains("--asked-by"), "{upstreams}");
    }
    assert_eq!(Asking::NAMES.map(|name| Asking::named(name).map(Asking::name)), Asking::NAMES.map(Some));
}

/// Whether there are upstreams decides; a static answer alone could also be a test.
#[test]
fn a_proxy_that_passes_requests_on_is_none_that_is_asked() {
    let upstream = |text: &str| ASKED.replace("[\"static://202\"]", text);
    let is_asked = |file: &str| asked(None, file).yaml.contains("forward_auth:");
    for text in ["[]", "[\"file:///dev/null\"]", "[\"static://200/\"]", "[\"static://202#/\"]"] {
        assert!(is_asked(&upstream(text)), "{text}");
    }
    for text in [
        "[\"http://127.0.0.1:3000\"]",
        "[\"static://202\", \"http://127.0.0.1/x/\"]",
        "[\"static://202#/x\"]",
        "[\"static://404\"]",
        "[\"file:///var/www#/\"]",
    ] {
        assert!(!is_asked(&upstream(text)), "{text}");
    }
    let alone = ASKED.replace("reverse_proxy = true\n", "").replace("set_xauthrequest = true\n", "");
    assert!(!is_asked(&alone) && asked(None, &alone).yaml.contains("status_code: 202"));
    assert!(is_asked(&alone.replace("upstreams = [\"static://202\"]\n", "")));
    assert!(asked(Some("caddy"), &alone).yaml.contains("asked_by: caddy"));
    let wanted = Wanted { asked_by: Some(Asking::Nginx), ..Wanted::default() };
    let error = import_as(&[("a.cfg", &upstream("[\"http://127.0.0.1:3000\"]"))], &[], wanted).unwrap_err();
    assert!(error.contains("--asked-by"), "{error}");
    let forwarding = asked(None, &upstream("[\"http://127.0.0.1:3000\"]"));
    assert!(why(&forwarding, "set_xauthrequest").contains("answers no questions"));
}

/// oauth2-proxy looked at the path of `X-Forwarded-Uri` and at the method of the question.
#[test]
fn routes_without_a_sign_in_are_those_that_had_an_effect() {
    let routes = "skip_auth_routes = ['^/open/', 'GET=^/page$', 'POST=^/hook$']\nskip_auth_preflight = true\n";
    let open = |by: Option<&str>, more: &str| {
        let imported = asked(by, &format!("{ASKED}{more}"));
        assert_eq!(imported.closed, [""; 0], "{}", imported.yaml);
        let all = rules(&imported.yaml).into_iter().filter(|rule| !rule.is_shut());
        all.map(|rule| (rule.name, rule.actions.join(" "))).collect::<Vec<_>>()
    };
    let allow = |names: &[&str]| -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), "allow".to_owned())).collect()
    };
    assert_eq!(open(None, routes), []);
    assert!(why(&asked(None, &format!("{ASKED}{routes}")), "skip_auth_routes").contains("in the file of nginx"));
    assert_eq!(open(Some("traefik"), routes), allow(&["open-1", "open-2"]));
    assert_eq!(open(Some("caddy"), routes), allow(&["open-1", "open-2"]));
    assert_eq!(open(Some("envoy"), routes), allow(&["open-1", "open-2", "open-3"]));
    let untold = format!("{}{routes}", ASKED.replace("reverse_proxy = true\n", ""));
    let imported = asked(Some("traefik"), &untold);
    assert!(rules(&imported.yaml).iter().all(Found::is_shut), "{}", imported.yaml);
}

/// A restriction that cannot be carried over closes here, too.
#[test]
fn no_unknown_option_lets_a_request_pass() {
    for more in ["a_gate_of_tomorrow = true", "allowed_roles = [\"admin\"]", "oidc_email_claim = \"upn\""] {
        let imported = asked(Some("traefik"), &format!("{ASKED}skip_auth_routes = ['^/open/']\n{more}\n"));
        assert!(rules(&imported.yaml).iter().any(|rule| rule.name == "default" && rule.is_closed), "{more}");
    }
}
