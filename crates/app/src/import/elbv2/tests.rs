use serde_json::json;

use super::*;
use crate::import::tests::{Found, holds, misspelled, opens_nothing, rules, settings};
use crate::import::yaml::{self, Files};
use crate::import::{Imported, elbv2};

mod fixture;

use fixture::{LISTENER, documents, gates};

fn import(documents: &[(String, Value)]) -> Result<Imported, String> {
    let input = |(name, value): &(String, Value)| Input { name: name.clone(), text: value.to_string() };
    elbv2(&documents.iter().map(input).collect::<Vec<_>>()).map_err(|error| error.to_string())
}

/// The fixture with one more rule, of priority 77.
fn with_rule(rule: &Value) -> Vec<(String, Value)> {
    let mut documents = documents();
    let rules = documents.iter_mut().find(|(name, _)| name == "rules.json").map(|(_, value)| value).unwrap();
    let mut whole = json!({
        "RuleArn": format!("{}/77", LISTENER.replace(":listener/", ":listener-rule/")),
        "Priority": "77",
        "IsDefault": false,
        "Conditions": [{"Field": "path-pattern", "Values": ["/extra"]}],
        "Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    });
    whole.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
    rules["Rules"].as_array_mut().unwrap().push(whole);
    documents
}

#[track_caller]
fn extra(rule: &Value) -> (Found, Imported) {
    let imported = import(&with_rule(rule)).unwrap();
    let found = rules(&imported.yaml).into_iter().find(|rule| rule.name == "priority-77").expect("the rule");
    (found, imported)
}

#[test]
fn a_load_balancer_is_carried_over() {
    let documents = documents();
    let imported = import(&documents).unwrap();
    let all: Vec<String> = documents.iter().flat_map(|(file, value)| settings(file, value)).collect();
    holds(&imported, &all);
    assert_eq!(imported.closed, [""; 0]);
    insta::assert_snapshot!("elbv2_result", imported.yaml);
    insta::assert_snapshot!("elbv2_report", imported.report());
}

/// Whatever setting of a gate, a condition or a rule is unknown to us, nobody comes in who did not before.
#[test]
fn no_unknown_setting_opens_a_rule() {
    // Without a rehearsal, which only closes more.
    let drafted = |documents: &[(String, Value)]| {
        let input = |(name, value): &(String, Value)| Input { name: name.clone(), text: value.to_string() };
        read(&documents.iter().map(input).collect::<Vec<_>>()).map(|(draft, _)| draft)
    };
    let written = |draft: &Draft| rules(&yaml::write(&[], &draft.document(), Files::AsNamed));
    let before = written(&drafted(&documents()).unwrap());
    assert!(before.iter().filter(|rule| rule.is_shut()).count() >= 2, "{before:?}");
    let (mut refused, mut closed) = (0, 0);
    for file in ["rules.json", "listeners.json"] {
        let documents = documents();
        let index = documents.iter().position(|(name, _)| name == file).unwrap();
        for (place, changed) in misspelled(&documents[index].1) {
            let mut documents = documents.clone();
            documents[index].1 = changed;
            match drafted(&documents) {
                Err(_) => refused += 1,
                Ok(draft) => {
                    opens_nothing(&before, &written(&draft), &place);
                    closed += usize::from(!draft.closed().is_empty());
                }
            }
        }
    }
    assert!(refused > 10 && closed > 20, "{refused} refused, {closed} closed");
}

#[test]
fn a_rule_with_a_part_that_cannot_be_carried_over_is_closed() {
    let login = &gates()[0];
    let end = json!({"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}});
    let jwt = |config: Value| json!({"Actions": [{"Type": "jwt-validation", "JwtValidationConfig": config}, end]});
    let token = json!({"Type": "jwt-validation", "JwtValidationConfig": {"JwksEndpoint": "https://a.example/k", "Issuer": "i"}});
    let claim =
        |claim: Value| jwt(json!({"JwksEndpoint": "https://a.example/k", "Issuer": "i", "AdditionalClaims": claim}));
    let redirect = |config: Value| json!({"Actions": [{"Type": "redirect", "RedirectConfig": config}]});
    let cases = [
        json!({"Actions": [{"Type": "jwt-validation"}, end]}),
        json!({"Actions": [token, token, end]}),
        json!({"Actions": [token, login, end]}),
        json!({"Actions": [login, token, end]}),
        json!({"Actions": [token]}),
        jwt(json!({"Issuer": "i"})),
        jwt(json!({"JwksEndpoint": "https://a.example/k"})),
        jwt(json!({"JwksEndpoint": "https://a.example/k", "Issuer": "i", "Audience": "a"})),
        jwt(json!({"JwksEndpoint": "http://a.example/k", "Issuer": "i"})),
        claim(json!("admin")),
        claim(json!([{"Name": "a", "Format": "single-string"}])),
        claim(json!([{"Name": "a", "Format": "regex", "Values": ["b"]}])),
        claim(json!([{"Name": "a", "Format": "single-string", "Values": [7]}])),
        claim(json!([{"Name": "exp", "Format": "single-string", "Values": ["7"]}])),
        claim(json!([{"Name": "a", "Format": "single-string", "Values": ["b"], "Not": true}])),
        json!({"Actions": [login, login, end]}),
        json!({"Actions": [login]}),
        json!({"Actions": [end, login]}),
        json!({"Actions": []}),
        json!({"Actions": [{"Type": "authenticate-somehow"}, end]}),
        json!({"Actions": [{"Type": "forward", "TargetGroupArn": "arn:unknown"}]}),
        json!({"Actions": [{"Type": "forward"}]}),
        redirect(json!({"Protocol": "HTTP", "StatusCode": "HTTP_302"})),
        redirect(json!({"StatusCode": "HTTP_302"})),
        redirect(json!({"Path": "/a", "StatusCode": "HTTP_302", "Fragment": "x"})),
        json!({"Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "302"}}]}),
        json!({"Conditions": [{"Field": "path-pattern", "Values": ["/a"], "PathPatternConfig": {"Values": ["/b"]}}]}),
        json!({"Conditions": [{"Field": "path-pattern", "Values": ["/a//b"]}]}),
        json!({"Conditions": [{"Field": "path-pattern", "Values": ["/a//b"]}, {"Field": "host-header", "Values": ["a b"]}]}),
        json!({"Conditions": [{"Field": "moon-phase", "Values": ["full"]}]}),
        json!({"Conditions": [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x-forwarded-user", "Values": ["a"]}}]}),
        json!({"Conditions": [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b", "Not": true}]}}]}),
        json!({"Conditions": []}),
        json!({"Transforms": [{"Type": "url-rewrite"}]}),
    ];
    for rule in cases {
        let (found, imported) = extra(&rule);
        assert!(found.is_closed, "{rule}: {found:?}\n{}", imported.yaml);
        let [why] = imported.closed.as_slice() else { panic!("{rule}: {:?}", imported.closed) };
        assert!(why.starts_with("https-443 priority-77: "), "{why}");
        assert!(imported.yaml.contains("# NOT CARRIED OVER, answers 503: "), "{}", imported.yaml);
        let kept: Vec<_> = imported
            .rows
            .iter()
            .filter(|row| row.setting.contains("Rules[5].") && row.fate.word() != "dropped")
            .collect();
        assert!(kept.is_empty(), "{rule}: {kept:?}");
    }
}

#[test]
fn bearer_tokens_are_carried_over() {
    let end = json!({"Type": "fixed-response", "Order": 2, "FixedResponseConfig": {"StatusCode": "200"}});
    let claims = json!([{"Name": "scope", "Format": "space-separated-values", "Values": ["read", "write"]}]);
    let config =
        json!({"JwksEndpoint": "https://a.example/k", "Issuer": "https://a.example", "AdditionalClaims": claims});
    let token = json!({"Type": "jwt-validation", "Order": 1, "JwtValidationConfig": config});
    let (found, imported) = extra(&json!({"Actions": [end, token]}));
    assert_eq!(found.actions, ["jwt-validation", "fixed-response"], "{:?}", imported.closed);
    let section = imported.yaml.split("priority-77").nth(1).unwrap().split("actions:").nth(1).unwrap();
    let section: String = section.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "- type: jwt-validation issuer: \"https://a.example\" jwks_endpoint: \"https://a.example/k\" algorithms: [RS256] \
                    additional_claims: - name: scope format: space-separated-values values: [read, write]";
    assert!(
        section
            .replace("https://a.example/k", "K")
            .starts_with(&expected.replace("https://a.example/k", "K").replace('"', ""))
            || section.starts_with(expected),
        "{section}"
    );
    for row in imported.rows.iter().filter(|row| row.setting.contains("Rules[5].Actions")) {
        assert_eq!(row.fate.word(), "kept", "{row:?}");
    }
}

/// The fixture with client certificates, and with these documents about trust stores.
fn with_certificates(mutual: &Value, more: &[Value]) -> Vec<(String, Value)> {
    let mut documents = documents();
    let listeners = documents.iter_mut().find(|(name, _)| name == "listeners.json").map(|(_, value)| value).unwrap();
    listeners["Listeners"][0]["MutualAuthentication"] = mutual.clone();
    documents.extend(more.iter().enumerate().map(|(index, value)| (format!("trust-{index}.json"), value.clone())));
    documents
}

const STORE: &str = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:truststore/staff/9999aaaa";

fn store(revoked: u32) -> Value {
    json!({"TrustStores": [{"Name": "staff", "TrustStoreArn": STORE, "Status": "ACTIVE", "NumberOfCaCertificates": 2,
        "TotalRevokedEntries": revoked}]})
}

#[test]
fn client_certificates_and_their_trust_store_are_carried_over() {
    let verify = json!({"Mode": "verify", "TrustStoreArn": STORE, "IgnoreClientCertificateExpiry": true,
        "TrustStoreAssociationStatus": "active", "AdvertiseTrustStoreCaNames": "on"});
    let revocations = json!({"TrustStoreRevocations": [
        {"TrustStoreArn": STORE, "RevocationId": 1, "RevocationType": "CRL", "NumberOfRevokedEntries": 3},
        {"TrustStoreArn": STORE, "RevocationId": 2, "RevocationType": "CRL", "NumberOfRevokedEntries": 1},
        {"TrustStoreArn": "arn:other", "RevocationId": 7}]});
    let mut documents = with_certificates(&verify, &[store(4), revocations]);
    let names = json!({"Key": "routing.http.request.x_amzn_mtls_clientcert_subject.header_name", "Value": "X-Subject"});
    let attributes = documents.iter_mut().find(|(name, _)| name.starts_with("listener-attributes")).unwrap();
    attributes.1["Attributes"].as_array_mut().unwrap().push(names);
    let imported = import(&documents).unwrap();
    let all: Vec<String> = documents.iter().flat_map(|(file, value)| settings(file, value)).collect();
    holds(&imported, &all);
    assert_eq!(imported.closed, [""; 0]);
    let text: String = imported.yaml.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "mutual_authentication: mode: verify trust_store: staff ignore_client_certificate_expiry: true \
         advertise_trust_store_ca_names: \"on\" header_names: clientcert_subject: X-Subject",
        "trust_stores: staff: ca_files: [trust/staff.pem] crl_files: [trust/staff-revoked-1.pem, trust/staff-revoked-2.pem]",
        "certificates_without_crl: accept",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let report = imported.report();
    assert!(
        report.contains("trust/staff.pem: the certificates of the authorities (PEM): aws elbv2 get-trust-store-ca"),
        "{report}"
    );
    assert!(report.contains("trust/staff-revoked-2.pem: a list of revoked certificates"), "{report}");
    assert!(
        imported
            .rows
            .iter()
            .any(|row| row.setting.contains("TrustStoreRevocations[2]") && row.fate.word() == "dropped")
    );
    for mutual in [
        json!({"Mode": "passthrough", "IgnoreClientCertificateExpiry": false}),
        json!({"Mode": "verify", "TrustStoreArn": STORE}),
    ] {
        let imported = import(&with_certificates(&mutual, &[store(0)])).unwrap();
        assert!(imported.closed.is_empty() && !imported.yaml.contains("crl_files"), "{mutual}: {}", imported.yaml);
        assert!(imported.yaml.contains("mutual_authentication:"), "{}", imported.yaml);
    }
}

/// Without its trust store or its lists of revoked certificates, it is not known who came in.
#[test]
fn a_listener_whose_client_certificates_cannot_be_carried_over_is_closed() {
    let verify = json!({"Mode": "verify", "TrustStoreArn": STORE});
    let cases: [(Value, Vec<Value>); 7] = [
        (verify.clone(), vec![]),
        (verify.clone(), vec![store(4)]),
        (verify.clone(), vec![json!({"TrustStores": [{"Name": "staff", "TrustStoreArn": STORE}]})]),
        (json!({"Mode": "verify", "TrustStoreArn": "arn:other"}), vec![store(0)]),
        (json!({"Mode": "verify"}), vec![store(0)]),
        (json!({"Mode": "sometimes"}), vec![store(0)]),
        (json!({"Mode": "verify", "TrustStoreArn": STORE, "TrustStoreAssociationStatus": "removed"}), vec![store(0)]),
    ];
    for (mutual, more) in cases {
        let imported = import(&with_certificates(&mutual, &more)).unwrap();
        let found = rules(&imported.yaml);
        let of_listener: Vec<_> = found.iter().filter(|rule| rule.listener == "https-443").collect();
        assert!(of_listener.iter().all(|rule| rule.is_closed), "{mutual}: {of_listener:?}");
        let kept = imported.rows.iter().filter(|row| row.setting.contains("MutualAuthentication"));
        assert!(kept.clone().all(|row| row.fate.word() == "dropped"), "{mutual}");
    }
    let unknown = json!({"Mode": "verify", "TrustStoreArn": STORE, "RequiredNames": ["a"]});
    refuses(&with_certificates(&unknown, &[store(0)]), "does not know the setting");
}

/// ALB §10.1, §10.6, §10.7.
#[test]
fn attributes_that_vestibule_has_are_carried_over() {
    let mut documents = documents();
    let attributes = documents.iter_mut().find(|(name, _)| name == "load-balancer-attributes.json").unwrap();
    let pairs = attributes.1["Attributes"].as_array_mut().unwrap();
    for (key, value) in [
        ("routing.http.desync_mitigation_mode", "strictest"),
        ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "true"),
        ("routing.http.xff_client_port.enabled", "true"),
        ("access_logs.s3.enabled", "false"),
    ] {
        pairs.iter_mut().find(|pair| pair["Key"] == key).unwrap()["Value"] = json!(value);
    }
    let name = json!({"Key": "routing.http.request.x_amzn_tls_version.header_name", "Value": "X-Tls"});
    let attributes = documents.iter_mut().find(|(name, _)| name.starts_with("listener-attributes")).unwrap();
    attributes.1["Attributes"].as_array_mut().unwrap().push(name);
    let imported = import(&documents).unwrap();
    assert_eq!(imported.closed, [""; 0]);
    let text: String = imported.yaml.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(text.matches("desync_mitigation: strictest").count(), 2, "{text}");
    assert_eq!(text.matches("xff_client_port: true").count(), 2, "{text}");
    assert!(text.contains("tls_headers: version: X-Tls"), "{text}");
    // The http listener has none.
    assert_eq!(text.matches("tls_headers:").count(), 1, "{text}");
    assert!(!text.contains("access_log:"), "{text}");
}

#[track_caller]
fn refuses(documents: &[(String, Value)], expected: &str) {
    let error = import(documents).unwrap_err();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn files_that_are_incomplete_are_refused() {
    let without = |file: &str| documents().into_iter().filter(|(name, _)| name != file).collect::<Vec<_>>();
    let with = |file: &str, value: Value| documents().into_iter().chain([(file.to_owned(), value)]).collect::<Vec<_>>();
    refuses(&without("rules.json"), "describe-rules");
    refuses(&without("listeners.json"), "describe-listeners");
    refuses(&without("load-balancers.json"), "0 load balancers");
    refuses(&with("more.json", json!({"LoadBalancers": [{}]})), "2 load balancers");
    refuses(&with("more.json", json!({"Rules": [{"RuleArn": "arn:other", "Priority": "1"}]})), "none of the listeners");
    refuses(&with("more.json", json!({"Rules": [], "NextToken": "x"})), "one page of several");
    refuses(&with("more.json", json!({"Reservations": []})), "is not an answer of");
    refuses(&with("targets.json", json!({"TargetHealthDescriptions": []})), "which target group");
    refuses(&with("target-health-of-app.json", json!({"TargetHealthDescriptions": []})), "so has another file");
    let mut network = documents();
    network[0].1["LoadBalancers"][0]["Type"] = json!("network");
    refuses(&network, "`network`");
    let mut moved = documents();
    let (_, listeners) = moved.iter_mut().find(|(name, _)| name == "listeners.json").unwrap();
    listeners["Listeners"][0]["DefaultActions"] =
        json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]);
    refuses(&moved, "are different");
    let broken = [Input { name: "a.json".to_owned(), text: "{".to_owned() }];
    assert!(elbv2(&broken).unwrap_err().to_string().starts_with("a.json is not JSON"));
}

/// ALB §1.3.6: a cookie belongs to one provider.
#[test]
fn two_providers_have_two_cookies() {
    let other = json!({"Type": "authenticate-oidc", "AuthenticateOidcConfig": {
        "Issuer": "https://other.example.com", "AuthorizationEndpoint": "https://other.example.com/a",
        "TokenEndpoint": "https://other.example.com/t", "UserInfoEndpoint": "https://other.example.com/u", "ClientId": "x",
        "SessionCookieName": "AWSELBAuthSessionCookie", "Scope": "email",
    }});
    let end = json!({"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}});
    let (found, imported) = extra(&json!({"Actions": [other, end]}));
    assert!(!found.is_closed && found.is_shut(), "{found:?}");
    // The default actions come last.
    assert!(imported.yaml.contains("session_cookie_name: __Host-vestibule-login.example.com"), "{}", imported.yaml);
    assert!(imported.yaml.contains("scope: \"openid email\""), "{}", imported.yaml);
}

#[test]
fn several_target_groups_keep_their_shares() {
    let group = |name: &str, weight: u32| json!({"TargetGroupArn": fixture::group_arn(name), "Weight": weight});
    let entries = [group("app", 1), group("api", 9)];
    let sticky = json!({"Enabled": true, "DurationSeconds": 3600});
    let forward = |config: Value| json!({"Actions": [{"Type": "forward", "ForwardConfig": config}]});
    let (found, imported) = extra(&forward(json!({"TargetGroups": entries, "TargetGroupStickinessConfig": sticky})));
    assert_eq!(found.actions, ["forward"]);
    let section = imported.yaml.split("priority-77").nth(1).unwrap().split("actions:").nth(1).unwrap();
    let section: String = section.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "- type: forward target_groups: - target_group: app weight: 1 - target_group: api weight: 9 stickiness: duration: 1h";
    assert!(section.starts_with(expected), "{section}");
    assert!(imported.yaml.contains("keys/session"), "{}", imported.yaml);
    for row in imported.rows.iter().filter(|row| row.setting.contains("Rules[5].Actions[0].ForwardConfig")) {
        assert_eq!(row.fate.word(), "kept", "{row:?}");
    }
    for wrong in [
        // The group `app` has stickiness, which the forward must have, too.
        json!({"TargetGroups": entries}),
        json!({"TargetGroups": entries, "TargetGroupStickinessConfig": {"Enabled": true}}),
        json!({"TargetGroups": entries, "TargetGroupStickinessConfig": {"Enabled": true, "DurationSeconds": 604_801}}),
        json!({"TargetGroups": [group("app", 1), {"TargetGroupArn": fixture::group_arn("api"), "Weight": "much"}],
            "TargetGroupStickinessConfig": sticky}),
        json!({"TargetGroups": [group("app", 1), group("app", 1)], "TargetGroupStickinessConfig": sticky}),
    ] {
        assert!(extra(&forward(wrong.clone())).0.is_closed, "{wrong}");
    }
}

/// An expression that says what it is for is carried over. Another would take requests of other rules, or leave its own to them.
#[test]
fn regular_expressions_are_carried_over_if_they_are_for_the_whole_text() {
    let rule = |conditions: Value| json!({"Conditions": conditions});
    let header = |values: Value| json!({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Client", "RegexValues": values}});
    let (found, imported) = extra(&rule(json!([
        {"Field": "host-header", "HostHeaderConfig": {"RegexValues": [r"^app[0-9]+\.example\.com$"]}, "Values": []},
        {"Field": "path-pattern", "RegexValues": ["^/users/[0-9]+$", "^/v1/.*"], "PathPatternConfig": {"RegexValues": ["^/users/[0-9]+$", "^/v1/.*"]}},
        header(json!(["^robot.*$"])),
    ])));
    assert!(!found.is_closed, "{}", imported.yaml);
    let section = imported.yaml.split("priority-77").nth(1).unwrap().split("actions:").next().unwrap();
    let section: String = section.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        r#"- host_header: regex_values: ["^app[0-9]+\\.example\\.com$"]"#,
        r#"- path_pattern: regex_values: ["^/users/[0-9]+$", "^/v1/.*"]"#,
        r#"name: X-Client regex_values: ["^robot.*$"]"#,
    ] {
        assert!(section.contains(expected), "{expected}: {section}");
    }
    for row in imported.rows.iter().filter(|row| row.setting.contains("Rules[5].Conditions")) {
        assert_eq!(row.fate.word(), "kept", "{row:?}");
    }
    let path = |values: Value| json!({"Field": "path-pattern", "PathPatternConfig": {"RegexValues": values}});
    for wrong in [
        path(json!(["^/admin"])),
        path(json!(["/admin$"])),
        path(json!(["^/a$|/b$"])),
        path(json!(["^/a$", "/admin"])),
        path(json!(["^/a(?=b)$"])),
        path(json!([7])),
        header(json!(["robot"])),
        json!({"Field": "path-pattern", "Values": ["/a"], "PathPatternConfig": {"RegexValues": ["^/a$"]}}),
        json!({"Field": "path-pattern", "RegexValues": ["^/b$"], "PathPatternConfig": {"RegexValues": ["^/a$"]}}),
        json!({"Field": "query-string", "QueryStringConfig": {"RegexValues": ["^a$"]}}),
    ] {
        assert!(extra(&rule(json!([wrong]))).0.is_closed, "{wrong}");
    }
}

#[test]
fn transforms_are_carried_over() {
    let forward = json!([{"Type": "forward", "TargetGroupArn": fixture::group_arn("api")}]);
    let rewrite = |regex: &str, replace: &str| json!({"Rewrites": [{"Regex": regex, "Replace": replace}]});
    let url = |regex: &str, replace: &str| json!({"Type": "url-rewrite", "UrlRewriteConfig": rewrite(regex, replace)});
    let host = json!({"Type": "host-header-rewrite", "HostHeaderRewriteConfig": rewrite("^(.+)[.]example[.]com$", "$1.internal")});
    let with = |transforms: Value, actions: &Value| json!({"Transforms": transforms, "Actions": actions});
    let (found, imported) = extra(&with(json!([host, url("^/api/(.*)$", "/$1")]), &forward));
    assert!(!found.is_closed, "{}", imported.yaml);
    let section = imported.yaml.split("priority-77").nth(1).unwrap().split("conditions:").next().unwrap();
    let section: String = section.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "transforms: host_header_rewrite: regex: \"^(.+)[.]example[.]com$\" replace: \"$1.internal\" \
                    url_rewrite: regex: \"^/api/(.*)$\" replace: \"/$1\"";
    assert!(section.contains(expected), "{section}");
    for row in imported.rows.iter().filter(|row| row.setting.contains("Rules[5].Transforms")) {
        assert_eq!(row.fate.word(), "changed", "{row:?}");
    }
    let two = json!({"Rewrites": [{"Regex": "a", "Replace": "b"}, {"Regex": "c", "Replace": "d"}]});
    for wrong in [
        json!([{"Type": "scheme-rewrite"}]),
        json!([url("^/a", "/b"), url("^/c", "/d")]),
        json!([{"Type": "url-rewrite", "UrlRewriteConfig": two}]),
        json!([{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "a", "Replace": "b", "Flags": "i"}]}}]),
        json!([{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "a"}]}}]),
        // What `check` refuses.
        json!([url("^/a(?=b)", "/b")]),
        json!([url("^/a", "/$7")]),
        json!([url("^/a", "b")]),
    ] {
        let (found, imported) = extra(&with(wrong.clone(), &forward));
        assert!(found.is_closed, "{wrong}");
        assert!(!imported.yaml.contains("transforms:"), "{}", imported.yaml);
        let kept: Vec<_> = imported
            .rows
            .iter()
            .filter(|row| row.setting.contains("Rules[5].") && row.fate.word() != "dropped")
            .collect();
        assert!(kept.is_empty(), "{wrong}: {kept:?}");
    }
    let redirect =
        json!([{"Type": "redirect", "RedirectConfig": {"Host": "other.example.com", "StatusCode": "HTTP_302"}}]);
    let (found, imported) = extra(&with(json!([url("^/a", "/b")]), &redirect));
    assert!(!found.is_closed && !imported.yaml.contains("transforms:"), "{}", imported.yaml);
}
