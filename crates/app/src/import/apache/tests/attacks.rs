//! Nothing that Apache protects is open: configurations that look as if they were understood.

use super::*;

/// A host with TLS, a provider, and an application that is proxied.
pub(super) fn host(inside: &str) -> String {
    format!(
        "<VirtualHost *:443>\nServerName app.example.com\nSSLEngine on\nInclude oidc.conf\nOIDCRedirectURI /cb\nProxyPass / http://127.0.0.1:8080/\n{inside}</VirtualHost>\n"
    )
}

/// The rules that forward without a gate, by name.
pub(super) fn open(imported: &Imported) -> Vec<String> {
    let is_open = |rule: &Found| !rule.is_shut() && rule.actions.iter().any(|kind| kind == "forward");
    rules(&imported.yaml).into_iter().filter(is_open).map(|rule| rule.name).collect()
}

pub(super) const GATE: &str = "<Location />\nAuthType openid-connect\nRequire valid-user\n</Location>\n";

#[track_caller]
fn opens(inside: &str, expected: &[&str]) -> Imported {
    let imported = import(&host(inside)).unwrap_or_else(|error| panic!("{inside}: {error}"));
    assert_eq!(open(&imported), expected, "{inside}\n{}", imported.yaml);
    imported
}

#[track_caller]
fn closes(inside: &str) {
    let imported = opens(inside, &[]);
    assert!(!imported.closed.is_empty(), "{inside}\n{}", imported.yaml);
}

#[test]
fn the_sections_of_a_path_are_merged_as_apache_merges_them() {
    opens("", &["default"]);
    let gated = opens(GATE, &[]);
    assert!(gated.closed.is_empty(), "{:?}", gated.closed);
    opens(&format!("{GATE}<Location /public>\nRequire all granted\n</Location>\n"), &["public"]);
    // A later section wins, also over one that is about fewer paths.
    opens(&format!("<Location /public>\nRequire all granted\n</Location>\n{GATE}"), &[]);
    // What is not said stays as it is.
    opens(&format!("{GATE}<Location /a>\nOIDCUnAuthAction 401\n</Location>\n"), &[]);
    opens(&format!("{GATE}<Location /a>\nAuthType None\n</Location>\n"), &[]);
    opens("<Location /a>\nAuthType openid-connect\nRequire valid-user\n</Location>\n", &["default"]);
    // Sections outside of hosts are for all hosts, before their own.
    let outside = |inside: &str| format!("{GATE}{}", host(inside));
    assert_eq!(open(&import(&outside("")).unwrap()), [""; 0]);
    assert_eq!(open(&import(&outside("<Location />\nRequire all granted\n</Location>\n")).unwrap()), ["default"]);
    // `<Proxy *>` is for all targets, and sections about paths come after it.
    opens("<Proxy *>\nAuthType openid-connect\nRequire valid-user\n</Proxy>\n", &[]);
    opens("<Proxy *>\nRequire all denied\n</Proxy>\n<Location /a>\nRequire all granted\n</Location>\n", &["a"]);
    closes("<Proxy http://127.0.0.1:8080/*>\nRequire all denied\n</Proxy>\n");
}

#[test]
fn a_gate_that_cannot_be_carried_over_closes_its_paths() {
    for require in [
        "Require claims_expr '.groups | index(\"a\")'",
        "Require claim groups~^a",
        "Require claim groups~a|b",
        "Require claim groups",
        "Require claim :a",
        "Require user alice",
        "Require group staff",
        "Require ldap-group cn=a",
        "Require expr %{REMOTE_USER} == 'a'",
        "Require method GET",
        "Require host example.com",
        "Require ip 10.0.0.0/8\nRequire ip 192.0.2.1",
        "Require ip nowhere",
        "Require not claim a:b",
        "Require not valid-user",
        "<RequireNone>\nRequire valid-user\n</RequireNone>",
        "<RequireAll>\n</RequireAll>",
        "<RequireAll>\nRequire not claim a:b\n</RequireAll>",
        "<RequireAll>\nRequire not local\nRequire all granted\n</RequireAll>",
        "<RequireAny>\nRequire not claim a:b\nRequire valid-user\n</RequireAny>",
        "<RequireAll>\nRequire valid-user\nRequire not claim email~@example\\.com$\n</RequireAll>",
        "<RequireAll>\nRequire valid-user\nRequireMore tomorrow\n</RequireAll>",
        "Require valid-user\nSatisfy Any",
        "Require valid-user\nAuthMerging Or",
        "Require",
        "Require claim a:${UNKNOWN}",
    ] {
        closes(&format!("<Location />\nAuthType openid-connect\n{require}\n</Location>\n"));
    }
    for kind in ["Basic", "Digest", "mellon", "${KIND}", "openid-connect-2"] {
        closes(&format!("<Location />\nAuthType {kind}\nRequire valid-user\n</Location>\n"));
    }
    closes("<Location />\nRequire valid-user\n</Location>\n");
    closes("<Location />\nAuthType openid-connect\n</Location>\n");
    for old in ["Order allow,deny", "Order deny,allow\nDeny from all", "Allow from 10.0.0.0/8", "Deny from env=bad"] {
        closes(&format!("<Location />\n{old}\n</Location>\n"));
    }
    opens("<Location />\nOrder allow,deny\nAllow from all\n</Location>\n", &["default"]);
}

#[test]
fn a_host_inherits_whether_paths_are_rewritten() {
    let under = |engine: &str, inside: &str| import(&format!("{engine}\n{}", host(inside))).unwrap();
    let refusal = "RewriteRule ^/admin - [F]\n";
    let inherited = under("RewriteEngine On", refusal);
    assert!(open(&inherited).is_empty() && !inherited.closed.is_empty(), "{}", inherited.yaml);
    for (engine, inside) in [("RewriteEngine On", "RewriteEngine Off\n"), ("RewriteEngine Off", ""), ("", "")] {
        assert_eq!(open(&under(engine, &format!("{inside}{refusal}"))), ["default"], "{engine} {inside}");
    }
}

#[test]
fn a_firewall_that_may_refuse_requests_closes_its_host() {
    for rules in [
        "SecRule REMOTE_ADDR \"@ipMatch 10.0.0.0/8\" \"id:1,deny\"",
        "SecAction \"id:1,deny\"",
        "SecRuleScript /etc/rules.lua deny",
        "SecRemoteRules key https://rules.example.com/",
        "SecFilter /admin deny",
        "SecHashMethodRx HashHref \"admin\"",
    ] {
        closes(&format!("SecRuleEngine On\n{rules}\n"));
        closes(&format!("SecRuleEngine ${{ENGINE}}\n{rules}\n"));
        let global = format!("SecRuleEngine On\n{rules}\n{}", host(""));
        assert_eq!(open(&import(&global).unwrap()), [""; 0], "{rules}");
        let place = opens(&format!("<Location /a>\nSecRuleEngine On\n{rules}\n</Location>\n"), &["default"]);
        assert_eq!(place.closed.len(), 1, "{rules}");
    }
    let rule = "SecRule REQUEST_URI \"@contains admin\" \"id:1,deny\"\n";
    // A place turns on the engine for the rules of its host, and a rule for its request.
    closes(&format!("SecRuleEngine Off\n{rule}<Location /a>\nSecRuleEngine On\n</Location>\n"));
    closes(&format!("SecRuleEngine DetectionOnly\n{rule}SecAction \"id:2,pass,ctl:ruleEngine=On\"\n"));
    for engine in ["", "SecRuleEngine Off\n", "SecRuleEngine DetectionOnly\n"] {
        opens(&format!("{engine}{rule}SecAction \"id:2,deny\"\n"), &["default"]);
    }
}

#[test]
fn what_may_be_a_gate_closes_what_it_is_in() {
    for line in [
        "AGateOfTomorrow on",
        "<If \"%{REMOTE_ADDR} != '10.0.0.1'\">\nRequire all denied\n</If>",
        "<IfDefine PRODUCTION>\n<Location />\nRequire all denied\n</Location>\n</IfDefine>",
        "<IfModule mod_tomorrow.c>\nGate on\n</IfModule>",
        // What the section has decides about what is outside of it.
        "RewriteRule ^/admin - [F]\n<IfDefine PRODUCTION>\nRewriteEngine On\n</IfDefine>",
        "SecRule REQUEST_URI \"@contains admin\" \"id:1,deny\"\n<IfDefine PRODUCTION>\nSecRuleEngine On\n</IfDefine>",
        "<IfVersion >= 2.4>\n<Location />\nRequire all denied\n</Location>\n</IfVersion>",
        "Include missing.conf",
        "IncludeOptional missing/*.conf",
        // Which host a request is for.
        "<IfDefine MORE>\nServerAlias *.example.com\n</IfDefine>",
        "<IfDefine MORE>\nAlias /a /srv/a\nServerAlias *.example.com\n</IfDefine>",
        "<IfDefine MORE>\nAliasMatch ^/a /srv/a\n</IfDefine>",
        "<IfDefine MORE>\nAlias ${A} /srv/a\n</IfDefine>",
        "Use Gate",
        "<Macro Gate>\nRequire all denied\n</Macro>",
        "RewriteEngine On\nRewriteRule ^/admin - [F]",
        "RewriteEngine On\nRewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R]",
        "SSLVerifyClient require",
        "RemoteIPHeader X-Real-IP\n<Location />\nRequire ip 10.0.0.1\n</Location>",
        "RemoteIPHeader X-Forwarded-For\n<Location />\nRequire ip 10.0.0.1\n</Location>",
        "RequestHeader unset Authorization",
        "OIDCFilterClaimsExpr '{sub}'",
        "ProxyPassInherit Off",
    ] {
        closes(&format!("{line}\n"));
    }
    for inside in [
        "SetHandler server-status",
        "RewriteRule ^ - [F]",
        "<Limit GET>\nRequire all denied\n</Limit>",
        "SSLRequire true",
        "SSLVerifyClient require",
        "<If true>\nRequire all denied\n</If>",
    ] {
        let imported = opens(&format!("<Location /a>\n{inside}\n</Location>\n"), &["default"]);
        assert_eq!(imported.closed.len(), 1, "{inside}: {:?}", imported.closed);
    }
    // Without effect on who comes in.
    for inside in [
        "<Directory /var/www>\nRequire all denied\n</Directory>",
        "<IfModule mod_other.c>\nLogLevel warn\nListen 8443\n</IfModule>",
        "LoadModule ssl_module m.so\n<IfModule !mod_ssl.c>\nAGate on\n</IfModule>",
        "SSLVerifyClient optional",
        "SecRuleEngine On",
    ] {
        opens(&format!("{inside}\n"), &["default"]);
    }
}

#[test]
fn paths_that_apache_and_we_could_read_differently_are_closed() {
    let deny = |section: &str| format!("{section}\nRequire all denied\n</Location>\n");
    for section in [
        "<Location /a/*/b>",
        "<Location \"/a?\">",
        "<Location /a;b>",
        "<Location /%61>",
        "<Location http://a/>",
        "<Location /../b>",
        "<Location ${WHERE}>",
        "<Location>",
    ] {
        closes(&deny(section).replace("/a/*/b", "/*/b"));
    }
    let expression = |regex: &str| format!("<LocationMatch \"{regex}\">\nRequire all denied\n</LocationMatch>\n");
    let names = |inside: &str| {
        let imported = import(&host(inside)).unwrap();
        rules(&imported.yaml)
            .into_iter()
            .map(|rule| (rule.name.clone(), rule.is_shut() || rule.actions == ["fixed-response"]))
            .collect::<Vec<_>>()
    };
    let is = |name: &str, is_shut: bool| (name.to_owned(), is_shut);
    assert_eq!(names(&expression("^/admin(/|$)")), [is("admin", true), is("default", false)]);
    // A part of the path is enough.
    let partial = import(&host(&expression("secret"))).unwrap();
    assert!(partial.yaml.contains("regex_values: [\".*(?:secret).*\"]"), "{}", partial.yaml);
    // Each alternative has its own anchors, and a dollar sign may be a letter.
    for regex in ["^/a.b$", "^/admin|[.]secret$", "[.]secret$|^/admin", "/a[$]"] {
        let imported = import(&host(&expression(regex))).unwrap();
        assert!(imported.yaml.contains(&format!("regex_values: [\".*(?:{regex}).*\"]")), "{}", imported.yaml);
    }
    // A sign that Apache takes for itself is no wildcard.
    for (regex, pattern) in [("^/\\*$", "/\\\\*"), ("^/f\\?x=1$", "/f\\\\?x=1")] {
        let imported = import(&host(&expression(regex))).unwrap();
        assert!(imported.yaml.contains(&format!("path_pattern: [\"{pattern}\"]")), "{}", imported.yaml);
    }
    // What both sections say of a path in both is not known to one rule.
    let both = format!(
        "{GATE}<Location /files>\nRequire all granted\n</Location>\n<LocationMatch \"\\.pdf$\">\nRequire claim groups:paid\n</LocationMatch>\n"
    );
    let imported = import(&host(&both)).unwrap();
    assert_eq!(open(&imported), ["files"]);
    let first = &rules(&imported.yaml)[0];
    assert!(first.is_closed && first.name.ends_with("expression"), "{first:?}");
    // The engine of Vestibule does not have it: everything that it could be about is closed.
    let imported = import(&host(&expression("^/(?!public).*$"))).unwrap();
    assert!(rules(&imported.yaml).iter().all(|rule| rule.is_closed), "{}", imported.yaml);
}

#[test]
fn targets_get_no_header_from_a_client_that_apache_removed() {
    let imported = opens(
        "RequestHeader unset X-Internal\nRequestHeader set X-Level 3\nRequestHeader edit X-Who a b\nRequestHeader unset Accept-Encoding\n",
        &["default"],
    );
    for name in ["x-internal", "x-level", "x-who"] {
        assert!(imported.yaml.contains(&format!("{name}: nobody-has-this-claim")), "{name}: {}", imported.yaml);
    }
    let imported = opens(&format!("{GATE}RequestHeader set X-User %{{REMOTE_USER}}s\nOIDCRemoteUserClaim upn\n"), &[]);
    assert!(imported.yaml.contains("x-user: upn"), "{}", imported.yaml);
    for name in ["oidc-claim-name", "oidc-claim-groups", "oidc-claim-upn", "oidc-userinfo-json"] {
        assert!(imported.yaml.contains(&format!("    {name}: ")), "{name}: {}", imported.yaml);
    }
    closes(&format!("{GATE}RequestHeader unset Cookie\n"));
    closes(&format!(
        "{GATE}OIDCRemoteUserClaim upn\nRequestHeader set X-User %{{REMOTE_USER}}s\nRequestHeader set X-User %{{OIDC_CLAIM_email}}e\n"
    ));
    closes(&format!("{}OIDCClaimPrefix \"\"\n", GATE));
}

#[test]
fn tokens_and_providers_that_cannot_be_carried_over_let_nobody_in() {
    let token = |more: &str| {
        format!(
            "<VirtualHost *:443>\nSSLEngine on\nProxyPass / http://127.0.0.1:8080/\n{more}<Location />\nAuthType oauth20\nRequire valid-user\n</Location>\n</VirtualHost>\n"
        )
    };
    let jwks = "OIDCOAuthVerifyJwksUri https://a.example.com/k\n";
    for more in [
        "",
        jwks,
        "OIDCOAuthVerifyIssuer https://a.example.com\n",
        "OIDCOAuthIntrospectionEndpoint https://a.example.com/i\n",
        "OIDCOAuthVerifySharedKeys plain##x\n",
        &format!("{jwks}OIDCOAuthVerifyIssuer https://a.example.com\nOIDCOAuthVerifyCertFiles /a\n"),
        // The metadata may name an introspection endpoint, and Apache then asks it about each token.
        &format!("{jwks}OIDCOAuthServerMetadataURL https://a.example.com/.well-known/openid-configuration\n"),
        &format!(
            "{jwks}OIDCOAuthVerifyIssuer https://a.example.com\nOIDCOAuthServerMetadataURL https://a.example.com/m\n"
        ),
    ] {
        let imported = import(&token(more)).unwrap();
        assert_eq!((open(&imported).len(), imported.closed.len()), (0, 1), "{more}: {}", imported.yaml);
    }
    let imported = import(&token(&format!("{jwks}OIDCOAuthVerifyIssuer https://a.example.com\n"))).unwrap();
    assert_eq!(imported.closed, [""; 0]);
    assert!(imported.yaml.contains("type: jwt-validation"), "{}", imported.yaml);
    // Without settings for tokens, no token came in.
    let plain = OIDC.lines().filter(|line| !line.starts_with("OIDCOAuth")).collect::<Vec<_>>().join("\n");
    let site = host("<Location />\nAuthType auth-openidc\nRequire valid-user\n</Location>\n");
    let yaml = drafted(&site, &plain).unwrap();
    assert!(yaml.contains("type: authenticate-oidc") && !yaml.contains("bearer"), "{yaml}");
    let provider = |oidc: &str| drafted(&host(GATE), oidc).map(|yaml| rules(&yaml)).unwrap();
    for line in [
        "OIDCClientID wiki",
        "OIDCProviderMetadataURL https://login.example.com/realms/staff/.well-known/openid-configuration",
    ] {
        assert!(provider(&OIDC.replace(line, "")).iter().all(|rule| rule.is_closed), "{line}");
    }
    for line in [
        "OIDCMetadataDir /var/oidc",
        "OIDCProviderTokenEndpointAuth private_key_jwt",
        "OIDCUnAuthAction pass \"true\"",
        "OIDCWhiteListedClaims sub\n",
    ] {
        let gate = GATE.replace("valid-user", "claim groups:a");
        let imported = import(&host(&format!("{line}\n{gate}"))).unwrap();
        assert_eq!((open(&imported).len(), imported.closed.len()), (0, 1), "{line}: {}", imported.yaml);
    }
    // Who passes without a user meets no claim.
    let pass = |require: &str| opens(&format!("OIDCUnAuthAction pass\n{}", GATE.replace("valid-user", require)), &[]);
    assert!(pass("valid-user").yaml.contains("on_unauthenticated_request: allow"));
    assert!(pass("claim groups:a").yaml.contains("on_unauthenticated_request: deny"));
}

#[test]
fn hosts_are_chosen_as_apache_chooses_them() {
    let vhost = |names: &str, gate: &str| {
        format!(
            "<VirtualHost *:443>\n{names}SSLEngine on\nInclude oidc.conf\nOIDCRedirectURI /cb\nProxyPass / http://127.0.0.1:8080/\n{gate}</VirtualHost>\n"
        )
    };
    // The first has all names that no other has.
    let two = format!(
        "{}{}",
        vhost("ServerName a.example.com\n", GATE),
        vhost("ServerName b.example.com\nServerAlias *.b.example.com\n", "")
    );
    let imported = import(&two).unwrap();
    assert_eq!(open(&imported), ["b.example.com"]);
    assert!(imported.yaml.contains("host_header: [b.example.com, \"*.b.example.com\"]"), "{}", imported.yaml);
    assert!(rules(&imported.yaml).iter().find(|rule| rule.name == "default").unwrap().is_shut());
    // A pattern of the first comes before the names of the second.
    let two = format!(
        "{}{}",
        vhost("ServerName a.example.com\nServerAlias *.example.com\n", GATE),
        vhost("ServerName b.example.com\n", "")
    );
    let names: Vec<String> = rules(&import(&two).unwrap().yaml).into_iter().map(|rule| rule.name).collect();
    assert_eq!(names, ["a.example.com", "b.example.com", "default"]);
    // A pattern of the second does not take the name of the first, nor does the same name or no name.
    for names in ["ServerName b.example.com\nServerAlias *.example.com\n", "ServerName A.example.com\n", ""] {
        let two = format!("{}{}", vhost("ServerName a.example.com\n", GATE), vhost(names, ""));
        let found = rules(&import(&two).unwrap().yaml);
        assert!(found[0].is_shut() && found.last().unwrap().is_shut(), "{names}: {found:?}");
        assert_eq!(found.len(), if names.contains('*') { 3 } else { 1 }, "{names}: {found:?}");
    }
    // One name of a header for two claims would tell a target of another user.
    let user = |host: &str, claim: &str| {
        vhost(&format!("ServerName {host}\nOIDCRemoteUserClaim {claim}\nOIDCAuthNHeader X-User\n"), GATE)
    };
    let two = format!("{}{}", user("a.example.com", "upn"), user("b.example.com", "email"));
    assert_eq!(rules(&import(&two).unwrap().yaml).iter().filter(|rule| rule.is_closed).count(), 1);
    // Over plain HTTP, nobody signs in.
    let plain = vhost("", GATE).replace("*:443", "*:80").replace("SSLEngine on\n", "");
    assert!(rules(&import(&plain).unwrap().yaml).iter().all(|rule| rule.is_closed));
    let behind = plain.replace("OIDCRedirectURI /cb", "OIDCRedirectURI https://a.example.com/cb");
    assert!(import(&behind).unwrap().yaml.contains("trusted_proxies"));
    let networks = behind.replace("Require valid-user", "Require ip 10.0.0.1");
    assert!(
        rules(&import(&networks).unwrap().yaml).iter().all(|rule| rule.is_closed),
        "the address is that of the proxy"
    );
    let remote =
        networks.replace("ProxyPass /", "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 192.0.2.1\nProxyPass /");
    assert_eq!(open(&import(&remote).unwrap()).len(), 1);
}
