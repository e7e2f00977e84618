//! `import`, as a user runs it: import, provide what it asks for, check, serve, sign in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::app::{Proxy, START, folder};
use crate::harness::browser::{Browser, Protocol};
use crate::harness::certificates::certificates;
use crate::harness::process::{self, Finished, Process};
use crate::harness::provider::Provider;
use crate::harness::server::{Received, Reply, Server};
use crate::harness::target;

/// What is imported, and where the result is.
struct Import {
    folder: PathBuf,
    provider: Provider,
    target: Server,
}

impl Import {
    fn new() -> Self {
        Self { folder: folder(), provider: Provider::start(), target: target::echo() }
    }

    /// Writes an input file, below the folder. `ISSUER` and `TARGET` stand for the provider and the address of the target.
    fn input(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        let text = text.replace("ISSUER", &self.provider.issuer());
        let text = text.replace("TARGET_PORT", &self.target.address().port().to_string());
        std::fs::write(&path, text.replace("TARGET", &self.target.address().to_string())).expect("written");
        path.to_str().expect("text").to_owned()
    }

    fn output(&self) -> String {
        self.folder.join("vestibule.yaml").to_str().expect("text").to_owned()
    }

    /// Runs the importer, and `check` on its result once everything is there that it asked for.
    #[track_caller]
    fn run(&self, arguments: &[&str], expected: i32) -> Finished {
        let output = self.output();
        let arguments: Vec<&str> =
            ["import"].into_iter().chain(arguments.iter().copied()).chain(["--output", &output]).collect();
        let imported = run(&arguments);
        assert_eq!(imported.code, Some(expected), "{}", imported.errors);
        assert_eq!(imported.output, "");
        let before = run(&["check", "--config", &output]);
        assert_eq!(before.code, Some(1), "something has to be provided: {}", before.output);
        self.provide(&imported.errors);
        let checked = run(&["check", "--config", &output]);
        assert_eq!(checked.code, Some(0), "{}\n{}", checked.errors, self.yaml());
        imported
    }

    /// Does what the report asks for.
    fn provide(&self, report: &str) {
        let mut lines = report.lines().skip_while(|line| !line.starts_with("vestibule check accepts"));
        lines.next().expect("it asks for something");
        for line in lines.map_while(|line| line.strip_prefix("  ")) {
            let (name, what) = line.split_once(": ").expect("a name and what it is");
            let path = self.folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            if let Some(command) = what.strip_prefix("run `vestibule ").and_then(|rest| rest.strip_suffix('`')) {
                let words: Vec<&str> = command.split(' ').collect();
                let out = path.to_str().expect("text");
                let words: Vec<&str> = words.iter().map(|word| if *word == name { out } else { *word }).collect();
                assert_eq!(run(&words).code, Some(0), "{command}");
            } else if what.contains("certificate chain") {
                secret(&path, &certificates().chain);
            } else if what.contains("private key") {
                secret(&path, &certificates().key);
            } else if what.contains("the directory") {
                std::fs::create_dir_all(&path).expect("created");
            } else if what.contains("client secret") {
                secret(&path, "a-client-secret-of-some-length");
            } else {
                panic!("what is {line}?");
            }
        }
    }

    fn yaml(&self) -> String {
        std::fs::read_to_string(self.output()).expect("a result")
    }

    /// Serves the result. Only its ports are other ones.
    fn serve(&self) -> Proxy {
        let mut yaml = self.yaml();
        for address in ["\"0.0.0.0:443\"", "\"0.0.0.0:80\"", "\"[::]:443\"", "\"[::]:80\"", "\"0.0.0.0:4180\""] {
            yaml = yaml.replace(&format!("address: {address}"), "address: 127.0.0.1:0");
        }
        yaml.push_str("admin: { address: 127.0.0.1:0 }\naccess_log: { destination: access.log }\nworkers: 1\n");
        Proxy::start_in(self.folder.clone(), &yaml, START)
    }

    /// A browser signs in and reaches the target; another without a session does not.
    #[track_caller]
    fn signs_in(&self, proxy: &Proxy, listener: &str, url: &str) -> Browser {
        let mut browser = Browser::new(Protocol::Http2, proxy.address_of(listener));
        let page = self.provider.sign_in(&mut browser, url);
        assert_eq!(page.status, 200, "{}", page.text());
        let requests = self.requests();
        let [request] = &requests[..] else { panic!("only the request of the user: {requests:?}") };
        assert_eq!(request.header("x-amzn-oidc-identity"), Some("alice"));
        browser
    }

    /// What the target has received, without the checks of its health, which come at any time.
    fn requests(&self) -> Vec<Received> {
        let is_check = |request: &Received| {
            request.header("user-agent").is_some_and(|agent| agent.starts_with("Vestibule-HealthChecker/"))
        };
        self.target.received().into_iter().filter(|request| !is_check(request)).collect()
    }
}

fn secret(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is ours");
}

#[track_caller]
fn run(arguments: &[&str]) -> Finished {
    Process::start(process::vestibule(arguments)).finish()
}

const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/shop/0a1b2c3d/1111aaaa";

fn elbv2(import: &Import, more: &[Value]) -> String {
    let rule = |priority: &str, conditions: Value, actions: &Value| {
        json!({"RuleArn": format!("{}/{priority}", LISTENER.replace(":listener/", ":listener-rule/")), "Priority": priority,
            "IsDefault": priority == "default", "Conditions": conditions, "Actions": actions})
    };
    let login = json!({"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {
        "Issuer": "ISSUER", "AuthorizationEndpoint": "ISSUER/authorize", "TokenEndpoint": "ISSUER/token",
        "UserInfoEndpoint": "ISSUER/userinfo", "ClientId": "dashboard", "SessionCookieName": "AWSELBAuthSessionCookie",
        "Scope": "openid", "SessionTimeout": 3600, "OnUnauthenticatedRequest": "authenticate"}});
    let actions = json!([login, {"Type": "forward", "Order": 2, "TargetGroupArn": "arn:tg/app/1"}]);
    let ping = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "pong"}}]);
    let mut rules = vec![
        rule("10", json!([{"Field": "path-pattern", "Values": ["/ping"]}]), &ping),
        rule("default", json!([]), &actions),
    ];
    rules.extend(
        more.iter().map(|actions| rule("20", json!([{"Field": "path-pattern", "Values": ["/more/*"]}]), actions)),
    );
    let documents = [
        (
            "lb",
            json!({"LoadBalancers": [{"LoadBalancerArn": "arn:lb", "LoadBalancerName": "shop", "Type": "application",
            "IpAddressType": "ipv4"}]}),
        ),
        (
            "listeners",
            json!({"Listeners": [{"ListenerArn": LISTENER, "Port": 443, "Protocol": "HTTPS",
            "Certificates": [{"CertificateArn": "arn:aws:acm:eu-central-1:111122223333:certificate/c1"}],
            "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "DefaultActions": actions}]}),
        ),
        ("rules", json!({"Rules": rules})),
        (
            "groups",
            json!({"TargetGroups": [{"TargetGroupArn": "arn:tg/app/1", "TargetGroupName": "app", "Protocol": "HTTP",
            "Port": 80, "TargetType": "ip"}]}),
        ),
    ];
    for (name, document) in documents {
        import.input(&format!("aws/{name}.json"), &document.to_string());
    }
    import.input(
        "aws/target-health.json",
        r#"{"TargetHealthDescriptions": [{"Target": {"Id": "127.0.0.1", "Port": TARGET_PORT}, "TargetHealth": {"State": "healthy"}}]}"#,
    );
    import.folder.join("aws").to_str().expect("text").to_owned()
}

#[test]
fn a_load_balancer_moves_and_its_users_sign_in() {
    let import = Import::new();
    let input = elbv2(&import, &[]);
    let imported = import.run(&["elbv2", &input, "--explain"], 0);
    assert!(
        imported.errors.contains("rules.json: Rules[0].Priority"),
        "every setting is in the table: {}",
        imported.errors
    );
    let proxy = import.serve();
    let mut browser = import.signs_in(&proxy, "https-443", "https://app.test/orders?year=2026");
    assert_eq!(import.target.last().line, "GET /orders?year=2026 HTTP/1.1");
    assert_eq!(browser.get("https://app.test/ping").text(), "pong");
    // Once more: nothing is overwritten.
    let output = import.output();
    let again = run(&["import", "elbv2", &input, "--output", &output]);
    assert_eq!(again.code, Some(2), "{}", again.errors);
    assert!(again.errors.contains("--force"), "{}", again.errors);
    assert_eq!(run(&["import", "elbv2", &input, "--output", &output, "--force"]).code, Some(0));
}

#[test]
fn what_cannot_be_carried_over_answers_503_and_the_exit_code_says_so() {
    let import = Import::new();
    let jwt = json!([{"Type": "authenticate-tomorrow"}, {"Type": "forward", "TargetGroupArn": "arn:tg/app/1"}]);
    let input = elbv2(&import, &[jwt]);
    let imported = import.run(&["elbv2", &input], 3);
    assert!(imported.errors.contains("answers 503: https-443 priority-20: "), "{}", imported.errors);
    let proxy = import.serve();
    let mut browser = Browser::new(Protocol::Http2, proxy.address_of("https-443"));
    assert_eq!(browser.get("https://app.test/more/x").status, 503);
    assert_eq!(import.requests().len(), 0);
    let nothing = import.input("empty.json", "{}");
    let refused = run(&["import", "elbv2", &nothing]);
    assert_eq!((refused.code, refused.output.as_str()), (Some(1), ""), "{}", refused.errors);
}

const INGRESS: &str = r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: store
  annotations:
    alb.ingress.kubernetes.io/listen-ports: '[{"HTTP": 80}, {"HTTPS": 443}]'
    alb.ingress.kubernetes.io/ssl-redirect: '443'
    alb.ingress.kubernetes.io/auth-type: oidc
    alb.ingress.kubernetes.io/auth-idp-oidc: '{"issuer": "ISSUER", "authorizationEndpoint": "ISSUER/authorize", "tokenEndpoint":
      "ISSUER/token", "userInfoEndpoint": "ISSUER/userinfo", "secretName": "shop-oidc"}'
spec:
  rules:
    - host: app.test
      http:
        paths:
          - { path: /, pathType: Prefix, backend: { service: { name: shop, port: { number: 80 } } } }
          - { path: /open, pathType: Exact, backend: { service: { name: open, port: { number: 80 } } } }
---
kind: Service
metadata: { name: open, namespace: store, annotations: { alb.ingress.kubernetes.io/auth-type: none } }
---
kind: Secret
metadata: { name: shop-oidc, namespace: store }
stringData: { clientID: dashboard, clientSecret: not-for-a-file }
"#;

#[test]
fn an_ingress_moves_and_its_users_sign_in() {
    let import = Import::new();
    let input = import.input("shop.yaml", INGRESS);
    let imported = import.run(&["ingress", &input, "--explain"], 0);
    assert!(
        !imported.errors.contains("not-for-a-file") && !import.yaml().contains("not-for-a-file"),
        "a secret stays where it is"
    );
    // The cluster has a DNS that is not here.
    let target = import.target.address().to_string();
    let yaml = import.yaml().replace("shop.store.svc.cluster.local:80", &target);
    std::fs::write(import.output(), yaml.replace("open.store.svc.cluster.local:80", &target)).expect("written");
    let proxy = import.serve();
    import.signs_in(&proxy, "https-443", "https://app.test/orders?year=2026");
    let mut stranger = Browser::new(Protocol::Http1, proxy.address_of("https-443"));
    assert_eq!(stranger.get("https://app.test/open/er").status, 302, "only the path of the Service is open");
    assert_eq!(stranger.get("https://app.test/open").status, 200);
    assert_eq!(stranger.get("https://other.test/open").status, 404);
}

const OAUTH2_PROXY: &str = r#"
provider = "oidc"
oidc_issuer_url = "ISSUER"
client_id = "dashboard"
client_secret = "not-for-a-file"
cookie_secret = "not-for-a-file-either"
email_domains = ["*"]
upstreams = ["http://TARGET/"]
https_address = ":443"
tls_cert_file = "tls/cert.pem"
tls_key_file = "tls/key.pem"
skip_auth_routes = ["GET=^/open$"]
"#;

#[test]
fn an_oauth2_proxy_moves_and_its_users_sign_in() {
    let import = Import::new();
    let input = import.input("oauth2-proxy.cfg", OAUTH2_PROXY);
    let output = import.output();
    let flags = ["oauth2-proxy", &input, "--explain"];
    let imported = import.run(&flags, 0);
    assert!(
        !imported.errors.contains("not-for-a-file") && !import.yaml().contains("not-for-a-file"),
        "a secret stays where it is"
    );
    // Once more with a flag, which restricts who comes in.
    let again = run(&["import", "oauth2-proxy", &input, "--output", &output, "--force", "--", "--allowed-group=staff"]);
    assert_eq!(again.code, Some(0), "{}", again.errors);
    let proxy = import.serve();
    let mut nobody = Browser::new(Protocol::Http1, proxy.address_of("https"));
    let refused = import.provider.sign_in(&mut nobody, "https://app.test/orders");
    assert_eq!(refused.status, 403, "an address that the provider does not call verified");
    import.provider.say(|script| script.userinfo.as_mut().expect("claims")["email_verified"] = json!(true));
    import.signs_in(&proxy, "https", "https://app.test/orders?year=2026");
    let request = import.requests().pop().expect("the request of the user");
    assert_eq!(request.header("x-forwarded-email"), Some("alice@example.com"));
    let mut stranger = Browser::new(Protocol::Http1, proxy.address_of("https"));
    assert_eq!(stranger.get("https://app.test/open").status, 200);
    assert_eq!(stranger.get("https://app.test/open/er").status, 302);
    let sent = stranger.get("https://app.test/");
    assert!(sent.location().contains("oauth2%2Fcallback"), "the registered redirect URI stays: {}", sent.location());
    import.provider.say(|script| script.userinfo.as_mut().expect("claims")["groups"] = json!(["others"]));
    let back = import.provider.callback_of(sent.location());
    let back = stranger.get(&back);
    assert_eq!(stranger.get(&crate::harness::browser::join("https://app.test/", back.location())).status, 403);
}

const ASKED: &str = r#"
provider = "oidc"
oidc_issuer_url = "ISSUER"
client_id = "dashboard"
client_secret = "not-for-a-file"
email_domains = ["*"]
upstreams = ["static://202"]
https_address = ":443"
tls_cert_file = "tls/cert.pem"
tls_key_file = "tls/key.pem"
reverse_proxy = true
set_xauthrequest = true
skip_auth_routes = ["^/open/[0-9]+$", "POST=^/hook$"]
"#;

#[test]
fn an_oauth2_proxy_that_traefik_asks_moves() {
    let import = Import::new();
    let input = import.input("oauth2-proxy.cfg", ASKED);
    let imported = import.run(&["oauth2-proxy", &input, "--asked-by", "traefik"], 0);
    assert!(imported.errors.contains("dynamic.yaml of docs/FORWARD_AUTH.md"), "{}", imported.errors);
    let proxy = import.serve();
    import.provider.say(|script| script.userinfo.as_mut().expect("claims")["email_verified"] = json!(true));
    let mut browser = Browser::new(Protocol::Http1, proxy.address_of("https"));
    let ask = |browser: &mut Browser, method: &str, uri: &str| {
        let question = [
            ("x-forwarded-method", method),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.test"),
            ("x-forwarded-uri", uri),
            ("x-forwarded-for", "192.0.2.7"),
            ("accept", "text/html"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        browser.send("GET", "https://app.test/auth", &question, b"")
    };
    assert_eq!(ask(&mut browser, "GET", "/open/1").status, 200);
    for (method, uri) in [("GET", "/open/x"), ("GET", "/open/1/x"), ("POST", "/hook"), ("GET", "/hook")] {
        assert_ne!(ask(&mut browser, method, uri).status, 200, "{method} {uri}");
    }
    let begun = ask(&mut browser, "GET", "/page?a=1");
    assert_eq!(begun.status, 302, "{begun:?}");
    let callback = import.provider.callback_of(begun.location());
    assert!(callback.starts_with("https://app.test/oauth2/callback?"), "{callback}");
    let back = browser.get(&callback);
    assert_eq!((back.status, back.location()), (302, "/page?a=1"), "{back:?}");
    let allowed = ask(&mut browser, "GET", "/page?a=1");
    assert_eq!(allowed.status, 200, "{allowed:?}");
    for (name, value) in [
        ("x-auth-request-user", "alice"),
        ("x-auth-request-email", "alice@example.com"),
        ("x-amzn-oidc-identity", "alice"),
    ] {
        assert_eq!(allowed.header(name), Some(value), "{allowed:?}");
    }
}

const ALPHA: &str = r#"
providers:
  - id: corp
    name: The Company
    provider: oidc
    clientID: dashboard
    clientSecret: not-for-a-file
    allowedGroups: [staff]
    oidcConfig: { issuerURL: "ISSUER" }
  - id: partner
    name: Partners
    provider: oidc
    clientID: dashboard
    clientSecret: not-for-a-file-either
    allowedGroups: [guests]
    oidcConfig: { issuerURL: "PARTNER" }
upstreamConfig:
  upstreams: [{ id: app, path: /, uri: "http://TARGET" }]
server:
  secureBindAddress: ":443"
  tls: { key: { fromFile: tls/key.pem }, cert: { fromFile: tls/cert.pem } }
"#;

/// oauth2-proxy has one provider, whatever its file says. Who asks for more gets the groups of each for its own users only.
#[test]
fn users_of_several_providers_come_in_if_that_is_asked_for() {
    let (import, partner) = (Import::new(), Provider::start());
    let main = import.input("oauth2-proxy.cfg", "email_domains = [\"*\"]\n");
    let alpha = import.input("alpha.yaml", &ALPHA.replace("PARTNER", &partner.issuer()));
    import.run(&["oauth2-proxy", &main, &alpha, "--every-provider"], 0);
    let proxy = import.serve();
    let groups = |provider: &Provider, groups: &[&str]| {
        provider.say(|script| {
            let claims = script.userinfo.as_mut().expect("claims");
            (claims["email_verified"], claims["groups"]) = (json!(true), json!(groups));
        });
    };
    let mut browser = Browser::new(Protocol::Http2, proxy.address_of("https"));
    let (_, page) = browser.follow("https://app.test/orders", "https://none.test/");
    assert!(page.text().contains("The Company") && page.text().contains("Partners"), "{}", page.text());
    let status = |provider: &Provider, name: &str| {
        let mut browser = Browser::new(Protocol::Http2, proxy.address_of("https"));
        provider.sign_in(&mut browser, &format!("https://app.test/orders?idp={name}")).status
    };
    for (corp, at_partner, expected) in [(["staff"], ["guests"], (200, 200)), (["guests"], ["staff"], (403, 403))] {
        groups(&import.provider, &corp);
        groups(&partner, &at_partner);
        assert_eq!((status(&import.provider, "corp"), status(&partner, "partner")), expected, "{corp:?}");
    }
    // Once more as oauth2-proxy has it: nobody is asked to choose.
    let output = import.output();
    let again = run(&["import", "oauth2-proxy", &main, &alpha, "--output", &output, "--force"]);
    assert_eq!(again.code, Some(0), "{}", again.errors);
    assert!(!import.yaml().contains(&partner.issuer()), "{}", import.yaml());
}

const SITE: &str = r#"
Listen 443
<VirtualHost *:443>
    ServerName app.test
    SSLEngine on
    SSLCertificateFile tls/cert.pem
    SSLCertificateKeyFile tls/key.pem
    IncludeOptional conf.d/*.conf
    OIDCRedirectURI https://app.test/private/redirect_uri
    ProxyPreserveHost On
    RequestHeader unset X-Internal
    ProxyPass /moved/ http://TARGET/other/
    ProxyPass / http://TARGET/
    <Location />
        AuthType openid-connect
        Require valid-user
    </Location>
    <Location /open>
        Require all granted
    </Location>
    <Location /board>
        <RequireAll>
            Require claim groups:board
            Require not claim suspended:true
        </RequireAll>
    </Location>
    <Location /strange>
        Require claims_expr '.groups'
    </Location>
</VirtualHost>
"#;

const OIDC: &str = r#"
OIDCProviderMetadataURL ISSUER/.well-known/openid-configuration
OIDCClientID dashboard
OIDCClientSecret not-for-a-file
OIDCCryptoPassphrase not-for-a-file-either
OIDCScope "openid email"
OIDCClaimPrefix OIDC_CLAIM_
"#;

#[test]
fn an_apache_moves_and_its_users_sign_in() {
    let import = Import::new();
    import.input("conf.d/oidc.conf", OIDC);
    let input = import.input("site.conf", SITE);
    let imported = import.run(&["mod-auth-openidc", &input, "--explain"], 3);
    assert!(imported.errors.contains("oidc.conf: line 2: OIDCProviderMetadataURL"), "{}", imported.errors);
    assert!(imported.errors.contains("answers 503: https-443 strange: "), "{}", imported.errors);
    assert!(
        !imported.errors.contains("not-for-a-file") && !import.yaml().contains("not-for-a-file"),
        "a secret stays where it is"
    );
    let proxy = import.serve();
    let mut browser = import.signs_in(&proxy, "https-443", "https://app.test/orders?year=2026");
    assert_eq!(import.target.last().header("oidc-claim-email"), Some("alice@example.com"));
    assert_eq!(browser.get("https://app.test/moved/a?b=c").status, 200);
    assert_eq!(import.target.last().line, "GET /other/a?b=c HTTP/1.1");
    assert_eq!(browser.get("https://app.test/board").status, 403);
    assert_eq!(browser.get("https://app.test/strange/a").status, 503);
    let mut stranger = Browser::new(Protocol::Http1, proxy.address_of("https-443"));
    let sent = stranger.get("https://app.test/openly");
    assert!(
        sent.location().contains("private%2Fredirect_uri"),
        "the registered redirect URI stays: {}",
        sent.location()
    );
    for path in ["/", "/board", "/moved/a", "/open/../board", "//board", "/OPEN"] {
        assert_ne!(stranger.get(&format!("https://app.test{path}")).status, 200, "{path}");
    }
    assert_eq!(stranger.get("https://app.test/open/er").status, 200);
    assert_eq!(import.target.last().header("x-internal"), None);
}

/// The first file of a server, with files and a server that is asked about tokens.
const SERVER: &str = r#"
LoadModule mpm_event_module modules/mod_mpm_event.so
Listen 443
<Directory />
    Options FollowSymLinks
    AllowOverride None
    Require all denied
</Directory>
<FilesMatch "^\.ht">
    Require all denied
</FilesMatch>
<VirtualHost *:443>
    ServerName app.test
    SSLEngine on
    SSLCertificateFile tls/cert.pem
    SSLCertificateKeyFile tls/key.pem
    Include conf.d/oidc.conf
    OIDCOAuthIntrospectionEndpoint ISSUER/introspect
    OIDCOAuthClientID api
    OIDCOAuthClientSecret not-for-a-file-at-all
    OIDCRedirectURI https://app.test/redirect_uri
    DocumentRoot FOLDER/site
    <Location />
        AuthType openid-connect
        Require valid-user
    </Location>
    <Location /open>
        Require all granted
    </Location>
    <Directory FOLDER/site/private>
        Require all granted
    </Directory>
    <Location /board>
        Require claim groups:board
    </Location>
    <Location /api>
        AuthType oauth20
        Require claim scope~^read$
        ProxyPass http://TARGET/api
    </Location>
</VirtualHost>
"#;

#[test]
fn the_files_and_the_token_clients_of_an_apache_move() {
    let import = Import::new();
    import.input("conf.d/oidc.conf", OIDC);
    for name in ["index.html", "private/a.txt", "open/b.txt", "board/c.txt", ".htaccess", "open/.git/config"] {
        import.input(&format!("site/{name}"), &format!("this is {name}"));
    }
    let server = SERVER.replace("FOLDER", import.folder.to_str().expect("text"));
    let input = import.input("httpd.conf", &server);
    let imported = import.run(&["mod-auth-openidc", &input, "--explain"], 0);
    assert!(
        !imported.errors.contains("not-for-a-file") && !import.yaml().contains("not-for-a-file"),
        "a secret stays where it is"
    );
    let issuer = import.provider.issuer();
    import.provider.say(|script| {
        script.metadata = json!({"introspection_endpoint": format!("{issuer}/introspect")});
        script.instead = Some(Arc::new(move |request| {
            let is_asked = request.target() == "/introspect";
            let is_known = String::from_utf8_lossy(&request.body).contains("token=opaque&");
            is_asked.then(|| {
                Reply::json(&json!({"active": is_known, "token_type": "Bearer", "sub": "ci", "scope": "read"}))
            })
        }));
    });
    let proxy = import.serve();
    let mut stranger = Browser::new(Protocol::Http1, proxy.address_of("https-443"));
    for path in [
        "/",
        "/index.html",
        "/private/a.txt",
        "/open/../private/a.txt",
        "/open/%2e%2e/index.html",
        "//index.html",
        "/board/c.txt",
    ] {
        assert_ne!(stranger.get(&format!("https://app.test{path}")).status, 200, "{path}");
    }
    let open = stranger.get("https://app.test/open/b.txt");
    assert_eq!((open.status, open.text()), (200, "this is open/b.txt"));
    for path in ["/open/.git/config", "/open/", "/open/.htaccess"] {
        assert_eq!(stranger.get(&format!("https://app.test{path}")).status, 404, "{path}");
    }
    let mut browser = Browser::new(Protocol::Http2, proxy.address_of("https-443"));
    let page = import.provider.sign_in(&mut browser, "https://app.test/");
    assert_eq!((page.status, page.text()), (200, "this is index.html"));
    assert_eq!(browser.get("https://app.test/private/a.txt").text(), "this is private/a.txt");
    assert_eq!(browser.get("https://app.test/board/c.txt").status, 403);
    assert_eq!(browser.get("https://app.test/.htaccess").status, 404);
    assert_eq!(browser.get("https://app.test/api").status, 401, "a session is no token");
    let mut client = Browser::new(Protocol::Http1, proxy.address_of("https-443")).scripted();
    let mut with = |token: &str| client.send("GET", "https://app.test/api", &[("authorization", token)], b"").status;
    assert_eq!((with("Bearer opaque"), with("Bearer other"), with("Bearer")), (200, 401, 400));
}
