use super::*;
use crate::import::tests::{Found, opens_nothing, rules};
use crate::import::yaml::{self, Files};
use crate::import::{Imported, mod_auth_openidc};

mod attacks;
mod client_certificates;
mod files;
mod introspection;
mod metadata;
mod readings;
mod sockets;
mod users;

const SITE: &str = include_str!("tests/site.conf");
const OIDC: &str = include_str!("tests/oidc.conf");

fn input(name: &str, text: &str) -> Input {
    Input { name: name.to_owned(), text: text.to_owned() }
}

/// `oidc.conf` is there; nothing else is.
fn include<'t>(oidc: &'t str) -> impl Fn(&str, Option<&str>) -> Result<Vec<Input>, String> + 't {
    move |pattern, _| match pattern {
        "oidc.conf" => Ok(vec![input("oidc.conf", oidc)]),
        other => Err(format!("the file {other} is not there")),
    }
}

fn import(site: &str) -> Result<Imported, String> {
    mod_auth_openidc(&[input("site.conf", site)], &[], &include(OIDC)).map_err(|error| error.to_string())
}

/// The result without a rehearsal, which only closes more.
fn drafted(site: &str, oidc: &str) -> Result<String, String> {
    let read = read(&[input("site.conf", site)], &[], &include(oidc));
    read.map(|(draft, _)| yaml::write(&[], &draft.document(), Files::AsNamed))
}

/// The text of a result from this word on, on one line.
fn from(imported: &Imported, word: &str) -> String {
    let text: String = imported.yaml.split_whitespace().collect::<Vec<_>>().join(" ");
    text[text.find(word).unwrap_or_else(|| panic!("{word}: {text}"))..].to_owned()
}

#[test]
fn a_site_is_carried_over() {
    let imported = import(SITE).unwrap();
    assert_eq!(imported.closed, [""; 0], "{}", imported.explanation());
    // One row for each directive and each section, found by a count of its own.
    let is_directive = |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.starts_with("</");
    let lines = |text: &'static str| text.lines().map(str::trim).filter(is_directive).count();
    // Two lines are parts of the one before them.
    assert_eq!(imported.rows.len(), lines(SITE) + lines(OIDC) - 2, "{}", imported.explanation());
    assert!(imported.rows.iter().all(|row| !row.fate.why().is_empty()));
    assert!(!imported.yaml.contains("not-for-a-file") && !imported.explanation().contains("not-for-a-file"));
    insta::assert_snapshot!("apache_result", imported.yaml);
    insta::assert_snapshot!("apache_report", imported.explanation());
}

/// A directive that nobody knows may be a gate.
#[test]
fn no_unknown_directive_opens_a_rule() {
    let before = rules(&drafted(SITE, OIDC).unwrap());
    assert!(before.iter().filter(|rule| rule.is_shut()).count() >= 5, "{before:?}");
    let (mut tried, mut closed) = (0, 0);
    for (text, is_site) in [(SITE, true), (OIDC, false)] {
        for (at, line) in text.lines().enumerate() {
            let word = line.split_whitespace().next().unwrap_or_default();
            if word.is_empty() || word.starts_with('#') || word.starts_with("</") || line.trim().contains("=5") {
                continue;
            }
            let name = word.trim_start_matches('<').trim_end_matches('>');
            let changed = text.lines().enumerate().map(|(index, other)| {
                if index == at { line.replacen(name, &format!("{name}Misspelled"), 1) } else { other.to_owned() }
            });
            let mut changed: String = changed.collect::<Vec<_>>().join("\n");
            // The line that closes it.
            if word.starts_with('<') {
                let begin = changed.lines().take(at + 1).map(|line| line.len() + 1).sum::<usize>();
                let end = begin + changed[begin..].find(&format!("</{name}>")).unwrap();
                changed.replace_range(end..end + name.len() + 2, &format!("</{name}Misspelled"));
            }
            let result = if is_site { drafted(&changed, OIDC) } else { drafted(SITE, &changed) };
            tried += 1;
            let Ok(yaml) = result else { continue };
            let after = rules(&yaml);
            let same =
                |rule: &&Found| after.iter().any(|other| other.listener == rule.listener && other.name == rule.name);
            // Without its section, a path has the rule of the paths around it: shut, too.
            let known: Vec<Found> = before.iter().filter(same).cloned().collect();
            opens_nothing(&known, &after, line);
            for listener in ["http-80", "https-443"] {
                let default = after.iter().find(|rule| rule.listener == listener && rule.name == "default");
                let was = before.iter().find(|rule| rule.listener == listener && rule.name == "default").unwrap();
                assert!(default.is_none_or(|rule| rule.is_shut() || !was.is_shut()), "{line}: {default:?}");
            }
            closed += usize::from(after.iter().any(|rule| rule.is_closed));
        }
    }
    assert!(tried > 80 && closed > 60, "{tried} tried, {closed} closed");
}

#[test]
fn conditions_become_requirements() {
    let imported = import(SITE).unwrap();
    let admin = from(&imported, "- name: admin");
    let expected = "actions: - type: authenticate-oidc provider: login.example.com scope: \"openid email profile\" session_timeout: 8h \
        session_cookie_same_site: strict authentication_request_extra_params: prompt: login session_cookie_name: __Host-wiki - type: authorize \
        all: - any: - claim: realm_access.roles contains: [admin] - claim: [https://example.com/level] contains: [\"3\", 3] \
        - claim: email domain: [example.com] - not: claim: suspended contains: [\"true\", true] - type: forward";
    assert!(admin.contains(expected), "{admin}");
    // One rule for the clients of the networks, and one for the others.
    let networks = from(&imported, "- name: reports ");
    assert!(networks.contains("source_ip: [\"10.0.0.0/8\", \"192.0.2.0/24\"] actions: - type: forward"), "{networks}");
    let others = from(&imported, "- name: reports-2");
    assert!(others.contains("claim: groups contains: [audit, board] - type: forward"), "{others}");
    let closed = from(&imported, "- name: closed");
    assert!(closed.contains("actions: - type: fixed-response status_code: 403"), "{closed}");
    let api = from(&imported, "- name: api");
    let expected = "type: session-or-bearer provider: login.example.com bearer: issuer: \"https://login.example.com/realms/staff\" \
        jwks_endpoint: \"https://login.example.com/realms/staff/certs\" audience: [api]";
    assert!(api.replace('"', "").contains(&expected.replace('"', "")), "{api}");
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let refuses = |text: &str, expected: &str| {
        let error = import(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    };
    refuses("<Location /a>\n", "the section is not closed");
    refuses("</Location>\n", "closes nothing");
    refuses("<Location /a>\n</VirtualHost>\n", "closes nothing");
    refuses("<Location /a\n", "no `>`");
    refuses("A \\\\\n", "two backslashes");
    refuses("<VirtualHost app.example.com:443>\n</VirtualHost>\n", "no address");
    refuses(
        "<VirtualHost *:80>\nSSLEngine on\n</VirtualHost>\n<VirtualHost *:80>\nSSLEngine off\n</VirtualHost>\n",
        "with TLS and without",
    );
    refuses("<VirtualHost *:80>\n</VirtualHost>\n<VirtualHost 10.0.0.1:80>\n</VirtualHost>\n", "one by one");
    refuses("Listen nowhere\n", "no port");
    refuses(&"<If true>\n".repeat(40), "inside each other");
    let itself = |_: &str, _: Option<&str>| Ok(vec![input("again.conf", "Include again.conf\n")]);
    let error = mod_auth_openidc(&[input("a.conf", "Include again.conf\n")], &[], &itself).unwrap_err().to_string();
    assert!(error.contains("inside each other"), "{error}");
    refuses(&"A b\n".repeat(100_001), "too many directives");
}

/// What is put in is not looked at again, so a value cannot grow without a bound.
#[test]
fn variables_are_put_in_within_bounds() {
    let doubled: String = (1..60).fold("Define V0 xxxxxxxx\n".to_owned(), |text, index| {
        let before = index - 1;
        format!("{text}Define V{index} ${{V{before}}}${{V{before}}}\n")
    });
    let site = |define: &str, name: &str| {
        format!("{define}<VirtualHost *:80>\nServerName ${{{name}}}.example.com\n{ANSWER}</VirtualHost>\n")
    };
    const ANSWER: &str = "Redirect / https://other.example.com/\n";
    let imported = import(&site(&doubled, "V59")).unwrap();
    assert!(imported.yaml.len() < 10_000 && imported.closed.len() == 1, "{}", imported.yaml.len());
    let known =
        mod_auth_openidc(&[input("a.conf", &site("", "NAME"))], &["NAME=app".to_owned()], &include("")).unwrap();
    assert_eq!(known.closed, [""; 0]);
    assert_eq!(import(&site("", "NAME")).unwrap().closed.len(), 1, "a name that is not known");
    assert_eq!(import(&site("Define NAME app\n", "NAME")).unwrap().closed, [""; 0]);
}
