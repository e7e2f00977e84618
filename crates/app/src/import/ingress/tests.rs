use super::*;
use crate::import::tests::{holds, opens_nothing, rules, settings};
use crate::import::yaml::{self, Files};
use crate::import::{Imported, ingress};

const FIXTURE: &str = include_str!("tests/shop.yaml");

fn input(text: &str) -> [Input; 1] {
    [Input { name: "shop.yaml".to_owned(), text: text.to_owned() }]
}

fn import(text: &str) -> Result<Imported, String> {
    ingress(&input(text)).map_err(|error| error.to_string())
}

/// The result without a rehearsal, which only closes more.
fn drafted(text: &str) -> Result<String, String> {
    read(&input(text)).map(|(draft, _)| yaml::write(&[], &draft.document(), Files::AsNamed))
}

#[test]
fn an_ingress_is_carried_over() {
    let imported = import(FIXTURE).unwrap();
    let documents = objects::documents(&input(FIXTURE)).unwrap();
    let all: Vec<String> = documents.iter().flat_map(|(file, value)| settings(file, value)).collect();
    holds(&imported, &all);
    assert!(all.len() > 60, "{}", all.len());
    // One setting for each annotation, at least: what was written as text has been taken apart.
    let written = FIXTURE.lines().filter_map(|line| line.trim().strip_prefix("alb.ingress.kubernetes.io/"));
    for name in written.filter_map(|line| line.split(':').next()) {
        assert!(imported.rows.iter().any(|row| row.setting.contains(&format!("/{name}]"))), "{name}");
    }
    assert_eq!(imported.closed, [""; 0]);
    insta::assert_snapshot!("ingress_result", imported.yaml);
    insta::assert_snapshot!("ingress_report", imported.report());
}

/// Every key of the file misspelled, one after the other: annotations, what is in them, and the objects themselves.
#[test]
fn no_unknown_setting_opens_a_rule() {
    let before = rules(&drafted(FIXTURE).unwrap());
    assert!(before.iter().filter(|rule| rule.is_shut()).count() >= 2, "{before:?}");
    let is_key = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    let mut tried = 0;
    for (at, _) in FIXTURE.match_indices(':').filter(|(at, _)| !FIXTURE[at + 1..].starts_with("//")) {
        let head = &FIXTURE[..at];
        let word = head.trim_end_matches('"').rsplit([' ', '\n', '"', '{', ',', '\'']).next().unwrap();
        if !is_key(word) {
            continue;
        }
        let end = head.trim_end_matches('"').len();
        let changed = format!("{}Misspelled{}", &FIXTURE[..end], &FIXTURE[end..]);
        tried += 1;
        match drafted(&changed) {
            Err(_) => {}
            Ok(after) => {
                let after = rules(&after);
                // An object that is none any more has no rules; the others are as they were.
                let same = before.iter().filter(|rule| {
                    after.iter().any(|other| other.listener == rule.listener && other.name == rule.name)
                });
                let same: Vec<_> = same.cloned().collect();
                assert!(!same.is_empty() || after.is_empty() || word == "name", "{word}: {after:?}");
                opens_nothing(&same, &after, word);
            }
        }
    }
    assert!(tried > 60, "{tried}");
}

#[track_caller]
fn with(annotation: &str) -> Imported {
    let text = FIXTURE.replace(
        "    alb.ingress.kubernetes.io/scheme: internal\n",
        &format!("    alb.ingress.kubernetes.io/{annotation}\n"),
    );
    assert_ne!(text, FIXTURE);
    import(&text).unwrap_or_else(|error| panic!("{annotation}: {error}"))
}

#[test]
fn what_may_be_a_gate_and_is_not_known_closes_the_rules() {
    for annotation in [
        "a-gate-of-tomorrow: 'true'",
        // It has auth-type, too.
        "jwt-validation: '{\"jwksEndpoint\": \"https://a.example/k\", \"issuer\": \"i\"}'",
        "jwt-validation: 'none'",
        "mutual-authentication: '[{\"port\": 443, \"mode\": \"verify\", \"trustStore\": \"staff\"}]'",
        "mutual-authentication: '[{\"port\": 443, \"mode\": \"passthrough\", \"gateOfTomorrow\": true}]'",
        "mutual-authentication: '[{\"mode\": \"passthrough\"}]'",
        "mutual-authentication: 'verify'",
        "transforms.shop: '[{\"type\": \"url-rewrite\"}]'",
    ] {
        let imported = with(annotation);
        let found = rules(&imported.yaml);
        let shop: Vec<_> = found.iter().filter(|rule| rule.listener == "https-443" && rule.name == "shop-2").collect();
        assert!(!shop.is_empty() && shop.iter().all(|rule| rule.is_closed), "{annotation}: {found:?}");
    }
}

#[test]
fn client_certificates_and_attributes_of_listeners_are_carried_over() {
    let passthrough = with("mutual-authentication: '[{\"port\": 443, \"mode\": \"passthrough\"}]'");
    assert!(passthrough.closed.is_empty() && passthrough.yaml.contains("mode: passthrough"), "{}", passthrough.yaml);
    let store =
        "{\"TrustStores\": [{\"Name\": \"staff\", \"TrustStoreArn\": \"arn:staff\", \"TotalRevokedEntries\": 0}]}";
    let text = FIXTURE.replace(
        "    alb.ingress.kubernetes.io/scheme: internal\n",
        "    alb.ingress.kubernetes.io/mutual-authentication: '[{\"port\": 443, \"mode\": \"verify\", \"trustStore\": \"staff\"}]'\n    \
             alb.ingress.kubernetes.io/listener-attributes.HTTPS-443: routing.http.response.server.enabled=false,routing.http.request.x_amzn_mtls_clientcert_leaf.header_name=X-Leaf\n",
    );
    let imported = import(&format!("{text}---\n{store}\n")).unwrap();
    assert_eq!(imported.closed, [""; 0]);
    let text: String = imported.yaml.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("mode: verify trust_store: staff header_names: clientcert_leaf: X-Leaf"), "{text}");
    assert!(text.contains("response_headers: server: false"), "{text}");
    assert!(imported.report().contains("trust/staff.pem"), "{}", imported.report());
}

#[test]
fn bearer_tokens_and_regular_expressions_are_carried_over() {
    let jwt = "    alb.ingress.kubernetes.io/jwt-validation: '{\"jwksEndpoint\": \"https://a.example/k\", \"issuer\": \"https://a.example\"}'\n";
    // On a Service without a sign-in.
    let text = FIXTURE.replace(
        "    alb.ingress.kubernetes.io/auth-type: none\n",
        &format!("    alb.ingress.kubernetes.io/auth-type: none\n{jwt}"),
    );
    let imported = import(&text).unwrap();
    let found = rules(&imported.yaml);
    let files = found.iter().find(|rule| rule.listener == "https-443" && rule.name == "shop-3").unwrap();
    assert_eq!(files.actions, ["jwt-validation", "forward"], "{}", imported.yaml);
    let regex = |path: &str| {
        let text = FIXTURE.replace("path: /files*", &format!("path: \"{path}\""));
        let text = text.replace(
            "    alb.ingress.kubernetes.io/scheme: internal\n",
            "    alb.ingress.kubernetes.io/use-regex-path-match: 'true'\n",
        );
        import(&text).unwrap()
    };
    let imported = regex("/^/files/[0-9]+$");
    assert!(
        imported.closed.is_empty() && imported.yaml.contains("regex_values: [\"^/files/[0-9]+$\"]"),
        "{}",
        imported.yaml
    );
    for partial in ["/files/[0-9]+", "/^/files", "/^/files/(?=a)$"] {
        assert_eq!(regex(partial).closed.len(), 1, "{partial}");
    }
}

/// The controller leaves the sign-in out over plain HTTP.
#[test]
fn a_rule_with_a_sign_in_is_closed_over_plain_http() {
    let text = FIXTURE.replace("    alb.ingress.kubernetes.io/ssl-redirect: '443'\n", "");
    let imported = import(&text).unwrap();
    let plain: Vec<_> = rules(&imported.yaml).into_iter().filter(|rule| rule.listener == "http-80").collect();
    assert!(plain.iter().any(|rule| rule.is_closed && rule.name == "shop-2"), "{plain:?}");
}

#[test]
fn networks_of_the_load_balancer_are_kept() {
    let imported = with("inbound-cidrs: 192.0.2.0/24, 198.51.100.0/24");
    let found = rules(&imported.yaml);
    assert_eq!(
        imported.yaml.matches("source_ip: [\"192.0.2.0/24\", \"198.51.100.0/24\"]").count(),
        found.len() - 2,
        "{}",
        imported.yaml
    );
    assert!(imported.yaml.contains("status_code: 403"), "{}", imported.yaml);
    assert!(found.iter().filter(|rule| rule.name == "default").all(|rule| rule.actions == ["fixed-response"]));
}

/// Two Ingress objects of a group, with ports of their own.
fn group(first: &str, second: &str) -> String {
    let ingress = |name: &str, annotations: &str| {
        format!(
            "kind: Ingress\nmetadata:\n  name: {name}\n  annotations:\n    alb.ingress.kubernetes.io/group.name: g\n{annotations}spec:\n  rules:\n    - host: {name}.example.com\n      http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: app, port: {{ number: 80 }} }} }} }}] }}\n---\n"
        )
    };
    format!("{}{}kind: Service\nmetadata: {{ name: app }}\n", ingress("a", first), ingress("b", second))
}

#[test]
fn networks_of_an_ingress_are_those_of_its_ports() {
    let ports = |ports: &str| format!("    alb.ingress.kubernetes.io/listen-ports: '{ports}'\n");
    let cidrs = |cidrs: &str| format!("    alb.ingress.kubernetes.io/inbound-cidrs: {cidrs}\n");
    // The part of a result about the listener of a port.
    let part = |yaml: &str, port: u16| {
        let begin = yaml.find(&format!("name: http-{port}\n")).unwrap_or_else(|| panic!("{port}: {yaml}"));
        let part = &yaml[begin..];
        part[..part.find("\n  - name: ").or(part.find("\ntarget_groups:")).unwrap_or(part.len())].to_owned()
    };
    let (one, two) = (ports("[{\"HTTP\": 8080}]"), ports("[{\"HTTP\": 8081}]"));
    for (first, second) in [("10.0.0.0/8", "192.0.2.0/24"), ("10.0.0.0/8", "0.0.0.0/0")] {
        let imported = import(&group(&format!("{one}{}", cidrs(first)), &format!("{two}{}", cidrs(second)))).unwrap();
        assert_eq!(imported.closed, [""; 0]);
        let (of_first, of_second) = (part(&imported.yaml, 8080), part(&imported.yaml, 8081));
        assert!(of_first.contains(&format!("source_ip: [\"{first}\"]")) && !of_first.contains(second), "{of_first}");
        assert!(!of_second.contains(first), "{of_second}");
        assert_eq!(of_second.contains("source_ip"), second != "0.0.0.0/0", "{of_second}");
    }
    // Who says nothing has the networks of the others of the port, and other ports have none.
    let imported =
        import(&group(&format!("{one}{}", cidrs("10.0.0.0/8")), &ports("[{\"HTTP\": 8080}, {\"HTTP\": 8081}]")))
            .unwrap();
    assert_eq!(part(&imported.yaml, 8080).matches("source_ip: [\"10.0.0.0/8\"]").count(), 3, "{}", imported.yaml);
    assert!(!part(&imported.yaml, 8081).contains("source_ip"), "{}", imported.yaml);
    // The same in another order; and two that differ, with which the controller does nothing.
    let both = |first: &str, second: &str| {
        import(&group(&format!("{one}{}", cidrs(first)), &format!("{one}{}", cidrs(second))))
    };
    assert!(both("10.0.0.0/8, 192.0.2.0/24", "192.0.2.0/24,10.0.0.0/8").is_ok());
    for other in ["192.0.2.0/24", "0.0.0.0/0"] {
        let error = both("10.0.0.0/8", other).map(|imported| imported.yaml).unwrap_err();
        assert!(error.contains("inbound-cidrs"), "{error}");
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let refuses = |text: &str, expected: &str| {
        let error = import(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    refuses("kind: Service\nmetadata: { name: a }\n", "no Ingress");
    refuses("kind: Ingress\nmetadata: { name: a }\n---\nkind: Ingress\nmetadata: { name: b }\n", "two load balancers");
    refuses(
        "kind: Ingress\nmetadata: { name: a }\n---\nkind: IngressClassParams\nmetadata: { name: b }\n",
        "IngressClassParams",
    );
    refuses("kind: [\n", "line");
}

#[test]
fn objects_of_another_controller_are_refused() {
    let ingress = |annotations: &str, class: &str| {
        format!("kind: Ingress\nmetadata: {{ name: a, annotations: {{ {annotations} }} }}\nspec: {{ {class} }}\n")
    };
    for (annotations, class, expected) in [
        (
            "nginx.ingress.kubernetes.io/auth-url: https://x",
            "",
            "`nginx.ingress.kubernetes.io/auth-url` is for another controller",
        ),
        (
            "alb.ingress.kubernetes.io/scheme: internal, traefik.ingress.kubernetes.io/router.middlewares: m",
            "ingressClassName: alb",
            "`traefik.ingress.kubernetes.io/router.middlewares` is for another controller",
        ),
        ("haproxy.org/allow-list: 10.0.0.0/8", "ingressClassName: haproxy", "the class is `haproxy`"),
        ("kubernetes.io/ingress.class: kong", "", "the class is `kong`"),
    ] {
        let error = import(&ingress(annotations, class)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    for (annotations, class) in [
        ("alb.ingress.kubernetes.io/scheme: internal", "ingressClassName: internal"),
        ("example.com/owner: me", "ingressClassName: alb-public"),
        ("kubernetes.io/ingress.class: alb", ""),
        ("", ""),
    ] {
        assert!(import(&ingress(annotations, class)).is_ok(), "{annotations} {class}");
    }
}

#[test]
fn all_addresses_of_version_4_are_not_all_addresses() {
    for (cidrs, expected) in [
        ("0.0.0.0/0, 2001:db8::/32", Some("[\"0.0.0.0/0\", \"2001:db8::/32\"]")),
        ("0.0.0.0/0\n    alb.ingress.kubernetes.io/ip-address-type: dualstack", Some("[\"0.0.0.0/0\"]")),
        ("\"::/0\"", Some("[\"::/0\"]")),
        ("0.0.0.0/0, ::/0", None),
        ("0.0.0.0/0", None),
    ] {
        let imported = with(&format!("inbound-cidrs: {cidrs}"));
        let of_networks = imported.yaml.lines().find(|line| line.contains("source_ip: "));
        let expected = expected.map(|networks| format!("- source_ip: {networks}"));
        assert_eq!(of_networks.map(str::trim), expected.as_deref(), "{cidrs}: {}", imported.yaml);
    }
}

/// A value of the input must neither clear a terminal nor add a line to the report.
#[test]
fn the_report_shows_what_a_terminal_would_obey() {
    let text = "kind: Ingress\nmetadata:\n  name: a\n  annotations:\n    alb.ingress.kubernetes.io/auth-type: \"x\\e[2J\\nkept: all\"\n    \"alb.ingress.kubernetes.io/x\\n  evil: 1\": y\nspec:\n  rules:\n    - host: \"www\\nevil2: 1\"\n      http: { paths: [{ path: \"/\\u202e\\u2028\\u0085\", pathType: Prefix, backend: { service: { name: s, port: { number: 80 } } } }] }\n---\nkind: Service\nmetadata: { name: s }\n";
    match import(text) {
        Ok(imported) => {
            for shown in [imported.report(), imported.explanation()] {
                let is_obeyed =
                    |letter: char| letter != '\n' && letter.is_control() || ('\u{2028}'..='\u{202e}').contains(&letter);
                assert!(!shown.contains(is_obeyed), "{shown:?}");
                assert!(
                    !shown.lines().any(|line| line.trim_start().starts_with("evil") || line.starts_with("kept: all")),
                    "{shown}"
                );
            }
            assert!(imported.explanation().contains("\\n"), "{}", imported.explanation());
            assert!(!imported.yaml.contains(['\u{1b}', '\u{2028}', '\u{85}']), "{:?}", imported.yaml);
        }
        Err(error) => panic!("{error}"),
    }
}
