mod asked;
mod headers;
mod open_routes;
mod several;

use super::*;
use crate::import::tests::{Found, rules};
use crate::import::{Imported, oauth2_proxy};

const FILE: &str = r##"
provider = "oidc"
oidc_issuer_url = "https://login.example.com/realms/staff"
client_id = "wiki"
client_secret = "not-for-a-file"
cookie_secret = "not-for-a-file-either"
email_domains = ["example.com"]
allowed_groups = ["staff", "/admins"]
oidc_groups_claim = "roles"
upstreams = ["http://127.0.0.1:3000/", "http://127.0.0.1:3001/api/", "static://204#/ping", "file:///var/www#/static/"]
redirect_url = "https://wiki.example.com/oauth2/callback"
http_address = "0.0.0.0:4180"
reverse_proxy = true
skip_auth_routes = ["GET=^/health$", "^/public/", "POST!=^/x", "^/a|b"]
skip_auth_preflight = true
cookie_name = "_wiki"
cookie_expire = "12h0m0s"
cookie_refresh = "1h"
cookie_samesite = "lax"
pass_access_token = true
scope = "openid email profile roles"
prompt = "login"
code_challenge_method = "S256"
request_logging = false
whitelist_domains = [".example.com"]
"##;

fn import(files: &[(&str, &str)], flags: &[&str]) -> Result<Imported, String> {
    import_as(files, flags, Wanted::default())
}

fn import_as(files: &[(&str, &str)], flags: &[&str], wanted: Wanted) -> Result<Imported, String> {
    let input = |(name, text): &(&str, &str)| Input { name: (*name).to_owned(), text: (*text).to_owned() };
    let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    oauth2_proxy(&files.iter().map(input).collect::<Vec<_>>(), &flags, wanted).map_err(|error| error.to_string())
}

#[track_caller]
fn with(more: &str) -> Imported {
    import(&[("proxy.cfg", &format!("{FILE}{more}\n"))], &[]).unwrap_or_else(|error| panic!("{more}: {error}"))
}

fn shut(imported: &Imported) -> Vec<Found> {
    rules(&imported.yaml).into_iter().filter(|rule| rule.is_shut()).collect()
}

#[test]
fn a_file_is_carried_over() {
    let imported = with("");
    let rows: Vec<&str> = imported.rows.iter().map(|row| row.setting.as_str()).collect();
    let keys = FILE.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| format!("proxy.cfg: {key}"));
    assert_eq!(rows, keys.collect::<Vec<_>>(), "left: rows; right: settings of the file");
    assert!(!imported.yaml.contains("not-for-a-file") && !imported.explanation().contains("not-for-a-file"));
    assert_eq!(imported.closed, [""; 0]);
    insta::assert_snapshot!("oauth2_proxy_result", imported.yaml);
    insta::assert_snapshot!("oauth2_proxy_report", imported.report());
}

/// An option that nobody knows may be a gate.
#[test]
fn no_unknown_option_opens_a_rule() {
    let before = rules(&with("").yaml);
    let mut closed = 0;
    for line in FILE.lines().filter(|line| line.contains(" = ")) {
        let (key, value) = line.split_once(" = ").unwrap();
        let changed = FILE.replace(line, &format!("{key}_misspelled = {value}"));
        let Ok(imported) = import(&[("proxy.cfg", &changed)], &[]) else { continue };
        let after = rules(&imported.yaml);
        for rule in before.iter().filter(|rule| rule.is_shut()) {
            let same = after.iter().find(|other| other.name == rule.name);
            // Without its upstreams it has the default actions only.
            assert!(same.is_none_or(Found::is_shut), "{key}: {same:?}");
        }
        assert!(after.iter().find(|rule| rule.name == "default").unwrap().is_shut(), "{key}");
        closed += usize::from(imported.closed.len() > 1);
    }
    assert!(closed > 15, "{closed}");
}

#[test]
fn a_restriction_that_cannot_be_carried_over_lets_nobody_in() {
    for option in [
        "google_groups = [\"a@example.com\"]",
        "allowed_roles = [\"admin\"]",
        "oidc_email_claim = \"upn\"",
        "a_gate_of_tomorrow = true",
    ] {
        let imported = with(option);
        let open: Vec<_> = rules(&imported.yaml).into_iter().filter(|rule| !rule.is_shut()).collect();
        assert!(
            open.iter().all(|rule| rule.name.starts_with("open-") || rule.name == "preflight"),
            "{option}: {open:?}"
        );
        assert!(shut(&imported).iter().all(|rule| rule.is_closed), "{option}");
    }
    for (domains, emails) in
        [("[]", ""), ("[\".example.com\"]", ""), ("[\"example.com\"]", "authenticated_emails_file = \"/etc/emails\"\n")]
    {
        let file = FILE.replace("[\"example.com\"]\nallowed", &format!("{domains}\n{emails}allowed"));
        assert_ne!(file, FILE.replace("zzz", ""), "{domains}");
        let imported = import(&[("proxy.cfg", &file)], &[]).unwrap();
        assert!(imported.yaml.contains("allowed_emails: [nobody@nobody.invalid]"), "{domains}: {}", imported.yaml);
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let env =
        "# nothing\nOAUTH2_PROXY_CLIENT_ID=\"of-the-environment\"\nexport OAUTH2_PROXY_COOKIE_NAME=_env\nOTHER=x\n";
    let imported = import(
        &[("a.cfg", FILE), ("b.env", env)],
        &["--client-id=of-the-flags", "--email-domain", "*", "--skip-provider-button"],
    )
    .unwrap();
    assert!(imported.yaml.contains("client_id: of-the-flags"), "{}", imported.yaml);
    assert!(
        imported.yaml.contains("session_cookie_name: _env") && !imported.yaml.contains("allowed_email"),
        "{}",
        imported.yaml
    );
    let row = |setting: &str| {
        imported.rows.iter().find(|row| row.setting == setting).unwrap_or_else(|| panic!("{setting}")).fate.clone()
    };
    assert_eq!(row("b.env: line 2: OAUTH2_PROXY_CLIENT_ID").why(), "flags: --client-id wins");
    assert_eq!(row("a.cfg: client_id").word(), "dropped");
    assert_eq!(row("b.env: line 4: OTHER").why(), "a variable for another program");
    assert_eq!(row("flags: --skip-provider-button").word(), "dropped");
}

#[test]
fn the_alpha_file_is_the_same_in_a_tree() {
    let alpha = "
providers:
  - id: corp
    provider: oidc
    clientID: wiki
    clientSecretFile: /etc/oauth2-proxy/secret
    oidcConfig: { issuerURL: https://login.example.com, emailClaim: email }
upstreamConfig:
  upstreams:
    - { id: app, path: /, uri: http://127.0.0.1:3000 }
injectRequestHeaders:
  - { name: X-Forwarded-User, values: [{ claimSource: { claim: user } }] }
server: { bindAddress: 0.0.0.0:4180 }
";
    let imported = import(&[("alpha.yaml", alpha), ("a.cfg", "email_domains = [\"*\"]\n")], &[]).unwrap();
    assert_eq!(imported.closed, [""; 0], "{}", imported.explanation());
    assert!(imported.yaml.contains("client_secret_file: /etc/oauth2-proxy/secret"), "{}", imported.yaml);
    let more = alpha.replace(
        "    - { id: app, path: /, uri: http://127.0.0.1:3000 }",
        "    - { id: app, path: /, uri: https://127.0.0.1:3000, insecureSkipTLSVerify: true }\n    - { id: ping, path: /ping, static: true, staticCode: 204 }\n    - { id: old, path: /old, uri: https://127.0.0.1:3001 }",
    );
    let imported = import(&[("alpha.yaml", &more), ("a.cfg", "email_domains = [\"*\"]\n")], &[]).unwrap();
    assert_eq!(imported.closed, [""; 0], "{}", imported.explanation());
    assert!(imported.yaml.contains("status_code: 204"), "{}", imported.yaml);
    assert_eq!(imported.yaml.matches("verify: false").count(), 1, "{}", imported.yaml);
    let unknown = alpha.replace("emailClaim", "gateOfTomorrow");
    let imported = import(&[("alpha.yaml", &unknown), ("a.cfg", "email_domains = [\"*\"]\n")], &[]).unwrap();
    assert_eq!(imported.closed.len(), 1, "{}", imported.yaml);
}

/// The rules of a result with the networks of their clients.
fn networks(imported: &Imported) -> Vec<&str> {
    imported.yaml.lines().filter_map(|line| line.trim().strip_prefix("- source_ip: ")).collect()
}

#[test]
fn clients_of_trusted_networks_come_in_where_their_address_is_the_same_as_before() {
    let tls = "tls_cert_file = \"a\"\ntls_key_file = \"b\"\n";
    let forwarded = "reverse_proxy = true\nreal_client_ip_header = \"X-Forwarded-For\"\n";
    let trusted = "trusted_ips = [\"192.0.2.0/24\", \"2001:db8::1\", \"127.0.0.1\"]\n";
    let bare = FILE.replace("reverse_proxy = true\n", "");
    let of = |more: &str| import(&[("a.cfg", &format!("{bare}{trusted}{more}"))], &[]).unwrap();
    let direct = of(tls);
    assert_eq!(networks(&direct), ["[\"192.0.2.0/24\", \"2001:db8::1/128\", \"127.0.0.1/32\"]"; 4], "{}", direct.yaml);
    let behind = of(forwarded);
    assert_eq!(networks(&behind), ["[\"192.0.2.0/24\", \"2001:db8::1/128\"]"; 4], "{}", behind.yaml);
    let open: Vec<_> = rules(&behind.yaml).into_iter().filter(|rule| rule.name.starts_with("trusted-")).collect();
    assert!(open.len() == 4 && open.iter().all(|rule| !rule.is_shut()), "{open:?}");
    // The address of a client is that of the proxy, or what the client says.
    for other in ["", "reverse_proxy = true\n", &format!("{tls}{forwarded}")] {
        let imported = of(other);
        assert!(networks(&imported).is_empty(), "{other}: {}", imported.yaml);
        let row = imported.rows.iter().find(|row| row.setting == "a.cfg: trusted_ips").unwrap();
        assert_eq!(row.fate.word(), "dropped");
    }
}

#[test]
fn bearer_tokens_are_carried_over_for_one_issuer() {
    let extra = "extra_jwt_issuers = [\"https://login.example.com/realms/staff=api\", \"https://other.example.com=x\"]";
    let imported = with(&format!("skip_jwt_bearer_tokens = true\noidc_extra_audiences = [\"cli\"]\n{extra}"));
    assert_eq!(imported.closed, [""; 0]);
    assert!(imported.yaml.contains("type: session-or-bearer"), "{}", imported.yaml);
    assert!(!imported.yaml.contains("type: authenticate-oidc"), "{}", imported.yaml);
    assert!(imported.yaml.contains("audience: [wiki, cli, api]"), "{}", imported.yaml);
    // Who may come in is asked of both.
    assert_eq!(imported.yaml.matches("session-or-bearer").count(), imported.yaml.matches("allowed_groups").count());
    let lost = imported.rows.iter().find(|row| row.setting.ends_with("extra_jwt_issuers")).unwrap();
    assert!(lost.fate.why().contains("https://other.example.com=x"), "{lost:?}");
    for off in [extra.to_owned(), format!("skip_jwt_bearer_tokens = false\n{extra}")] {
        assert!(!with(&off).yaml.contains("session-or-bearer"), "{off}");
    }
}

#[test]
fn a_directory_is_served_at_its_path() {
    let check = |upstream: &str, expected: &[&str]| {
        let imported = with_upstream(upstream);
        let rule = imported.yaml.split("name: upstream-").nth(1).unwrap_or(&imported.yaml);
        for line in expected {
            assert!(rule.contains(line), "{upstream}: {line}\n{rule}");
        }
    };
    check(
        "file:///var/www#/static/",
        &["path_pattern: [\"/static/*\"]", "directory: /var/www\n", "path_prefix: /static\n"],
    );
    // Without a fragment, the path of the site is that of the directory.
    check("file:///var/www/", &["path_pattern: [\"/var/www/*\"]", "directory: /var/www/\n", "path_prefix: /var/www\n"]);
    check("file:///srv/a%20b#/", &["directory: \"/srv/a b\"\n"]);
    let exact = with_upstream("file:///var/www#/page");
    assert!(exact.closed.iter().any(|why| why.contains("write it with a slash")), "{:?}", exact.closed);
}

#[track_caller]
fn with_upstream(upstream: &str) -> Imported {
    let begin = FILE.find("upstreams = [").unwrap();
    let end = begin + FILE[begin..].find('\n').unwrap();
    let file = format!("{}upstreams = [\"{upstream}\"]{}", &FILE[..begin], &FILE[end..]);
    import(&[("proxy.cfg", &file)], &[]).unwrap_or_else(|error| panic!("{upstream}: {error}"))
}

#[test]
fn a_regular_expression_becomes_patterns_that_take_no_more() {
    let check = |regex: &str, expected: Option<&[&str]>| {
        let found = open::patterns(regex).map(|(patterns, _)| patterns);
        assert_eq!(found, expected.map(|all| all.iter().map(|one| (*one).to_owned()).collect()), "{regex}");
    };
    check("^/health$", Some(&["/health"]));
    check("^/a/", Some(&["/a/*"]));
    check("^/a/.*$", Some(&["/a/*"]));
    check("^/a(/|$)", Some(&["/a", "/a/*"]));
    check("^/robots\\.txt$", Some(&["/robots.txt"]));
    for none in ["/health", "^/a|b", "^/[ab]$", "^/a+$", "^", "^a$", "^/a\\d", "^/a?b", "^/(a)$"] {
        check(none, None);
    }
}

#[test]
fn what_cannot_be_carried_over_as_a_whole_is_refused() {
    let refuses = |file: &str, flags: &[&str], expected: &str| {
        let error = import(&[("a.cfg", file)], flags).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    refuses("provider = \"github\"\n", &[], "no OpenID provider");
    refuses("provider = \"oidc\"\n", &[], "oidc_issuer_url");
    refuses("provider = [\n", &[], "a.cfg: ");
    refuses("", &["client-id"], "no flag");
    refuses(
        &format!("{FILE}tls_cert_file = \"a\"\ntls_key_file = \"b\"\nhttps_address = \"nowhere\"\n"),
        &[],
        "to listen on",
    );
}

/// oauth2-proxy refuses who has no address, or one that the provider calls unverified, also where every domain may come in.
#[test]
fn every_domain_still_needs_an_address() {
    let file = FILE.replace("[\"example.com\"]", "[\"*\"]");
    let of = |more: &str| import(&[("a.cfg", &format!("{file}{more}\n"))], &[]).unwrap();
    let gate = "- type: authorize not: claim: email domain: [nobody.invalid]";
    let text = |imported: &Imported| -> String {
        let lines = imported.yaml.lines().map(|line| line.split(" #").next().unwrap_or_default());
        lines
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(str::split_whitespace)
            .collect::<Vec<_>>()
            .join(" ")
    };
    // Whether an address that is not verified counts cannot be said, so it does not.
    for more in [
        "",
        "insecure_oidc_allow_unverified_email = true",
        "oidc_email_claim = \"email\"",
        "skip_jwt_bearer_tokens = true",
    ] {
        let imported = of(more);
        assert_eq!(imported.closed, [""; 0], "{more}");
        let yaml = text(&imported);
        let logins = yaml.matches("type: authenticate-oidc").count() + yaml.matches("type: session-or-bearer").count();
        assert_eq!((logins, yaml.matches(gate).count()), (logins.max(3), logins), "{more}: {yaml}");
        let row = imported.rows.iter().find(|row| row.setting == "a.cfg: email_domains").unwrap();
        assert_eq!(row.fate.word(), "changed", "{row:?}");
    }
    // Each user has a `sub`. Of another claim it cannot be said that it has to be there.
    assert_eq!(of("oidc_email_claim = \"sub\"").closed, [""; 0]);
    let imported = of("oidc_email_claim = \"upn\"");
    assert!(shut(&imported).iter().all(|rule| rule.is_closed) && !imported.closed.is_empty(), "{}", imported.yaml);
    assert!(!text(&with("")).contains("type: authorize"));
}

/// Who may come in may be said in a file that was not given.
#[test]
fn a_file_that_was_not_given_is_refused() {
    let refuses = |files: &[(&str, &str)], flags: &[&str], expected: &str| {
        let error = import(files, flags).map(|imported| imported.yaml).unwrap_err();
        assert!(error.contains(expected) && error.contains("was not given"), "{error}");
    };
    let env = "OAUTH2_PROXY_CONFIG=/etc/oauth2-proxy.cfg\n";
    let alpha = "alpha_config = \"/etc/alpha.yaml\"\n";
    refuses(&[("a.cfg", FILE)], &["--config=/etc/other.cfg"], "flags: --config: /etc/other.cfg");
    refuses(&[("a.cfg", FILE)], &["--config", "a.cfg", "--config", "b.cfg"], "b.cfg");
    refuses(&[("a.cfg", FILE), ("b.env", env)], &[], "b.env: line 1: OAUTH2_PROXY_CONFIG: /etc/oauth2-proxy.cfg");
    refuses(&[("a.cfg", &format!("{FILE}{alpha}"))], &[], "a.cfg: alpha_config: /etc/alpha.yaml");
    refuses(&[("a.cfg", FILE)], &["--alpha-config=/etc/alpha.yaml"], "/etc/alpha.yaml");
    let given = [("here/oauth2-proxy.cfg", FILE), ("b.env", env)];
    assert_eq!(import(&given, &["--config=/etc/oauth2-proxy.cfg"]).unwrap().closed, [""; 0]);
}
