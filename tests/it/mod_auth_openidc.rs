//! Applications behind Apache with mod_auth_openidc, which nobody here wrote: a user signs in to them at a pool.
//!
//! One Apache serves three applications, as clients of the pool that differ: `basic`, `post` and `public`, by how they prove themselves.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, thread};

use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::harness::app::{Proxy, folder, free_port, wait_until};
use crate::harness::browser::{Answer, Browser, Protocol};
use crate::harness::certificates;
use crate::harness::process::{self, Process};
use crate::harness::server::{Received, Server};
use crate::harness::target;
use crate::user_pool::{PASSWORD, form, hash, submit_at};

const MODULES: &str = "/usr/lib/apache2/modules";
const CALLBACK: &str = "/oidc/callback";
/// The host of each client, all at one port.
const CLIENTS: [(&str, &str); 3] = [("basic", "app.test"), ("post", "other.test"), ("public", "a.app.test")];

/// Apache in a folder of its own. It ends with this value.
struct Apache {
    process: Process,
    folder: PathBuf,
    /// Where it listens with TLS, and without for the pool.
    ports: Ports,
}

#[derive(Clone, Copy)]
struct Ports {
    secure: u16,
    back: u16,
}

impl Apache {
    fn start(ports: Ports, issuer: &str, target: &Server) -> Self {
        let folder = folder();
        certificates::write_to(&folder);
        // Its workers are another user if the tests run as root.
        let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
        allow(&folder.join("ca.pem"), 0o644);
        for (client, _) in CLIENTS {
            fs::create_dir(folder.join(client)).expect("a folder");
            allow(&folder.join(client), 0o777);
        }
        fs::write(folder.join("httpd.conf"), configuration(&folder, ports, issuer, target)).expect("written");
        let mut command = Command::new(process::needed_on_path("apache2"));
        command.arg("-f").arg(folder.join("httpd.conf")).arg("-DFOREGROUND");
        let apache = Self { process: Process::start(command), folder, ports };
        for port in [ports.secure, ports.back] {
            wait_until("Apache listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        }
        apache
    }

    /// A browser that finds the applications here, and the pool at `pool`.
    fn browser(&self, pool: SocketAddr) -> Browser {
        let here = SocketAddr::from(([127, 0, 0, 1], self.ports.secure));
        Browser::new(Protocol::Http1, here).with_host("localhost", pool)
    }
}

impl Drop for Apache {
    #[expect(clippy::print_stderr, reason = "what Apache has said tells why a test fails")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.folder.join("error.log")).unwrap_or_default());
        }
        self.process.signal("TERM");
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn configuration(folder: &Path, Ports { secure, back }: Ports, issuer: &str, target: &Server) -> String {
    let here = folder.display();
    let loaded = [
        ("mpm_event", "mpm_event"),
        ("authn_core", "authn_core"),
        ("authz_core", "authz_core"),
        ("authz_user", "authz_user"),
        ("proxy", "proxy"),
        ("proxy_http", "proxy_http"),
        ("ssl", "ssl"),
        ("auth_openidc", "auth_openidc"),
    ];
    let modules = loaded.map(|(name, file)| format!("LoadModule {name}_module {MODULES}/mod_{file}.so\n")).concat();
    let tls = format!("SSLEngine On\nSSLCertificateFile {here}/cert.pem\nSSLCertificateKeyFile {here}/key.pem");
    // A logout token names a session of the pool, of which each client has its own: so each has its own cache, too.
    let basic = format!(
        "OIDCCacheDir {here}/basic\nOIDCClientID basic\nOIDCClientSecret a-secret:of+Apache\nOIDCProviderTokenEndpointAuth client_secret_basic"
    );
    let post = format!(
        "OIDCCacheDir {here}/post\nOIDCClientID post\nOIDCClientSecret another-secret\nOIDCProviderTokenEndpointAuth client_secret_post\n\
         OIDCIDTokenSignedResponseAlg ES256\nOIDCResponseMode form_post"
    );
    let public = format!("OIDCCacheDir {here}/public\nOIDCClientID public\nOIDCProviderTokenEndpointAuth none");
    let [(_, host_of_basic), (_, host_of_post), (_, host_of_public)] = CLIENTS;
    format!(
        "ServerRoot {here}
ServerName localhost
DefaultRuntimeDir {here}
PidFile httpd.pid
Mutex pthread
ErrorLog error.log
User www-data
Group www-data
Listen 127.0.0.1:{secure}
Listen 127.0.0.1:{back}
{modules}
StartServers 1
ThreadsPerChild 8
MinSpareThreads 1
MaxSpareThreads 8
MaxRequestWorkers 8

OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCSSLValidateServer On
OIDCCABundlePath {here}/ca.pem
OIDCRedirectURI {CALLBACK}
OIDCCryptoPassphrase a-passphrase-of-the-tests
OIDCScope \"openid email profile\"
OIDCPKCEMethod S256
OIDCCacheType file
OIDCPassRefreshToken On
OIDCInfoHook id_token userinfo access_token
<Location />
  AuthType openid-connect
  Require claim email:alice@example.com
</Location>
<Location /staff>
  Require claim cognito:groups:staff
</Location>
<Location /managers>
  Require claim cognito:groups:managers
</Location>
<Location /bye>
  AuthType None
  Require all granted
</Location>
<Location /api>
  AuthType oauth20
  Require claim client_id:basic
</Location>
ProxyPass /oidc/ !
ProxyPass / http://{}/

<VirtualHost 127.0.0.1:{secure}>
ServerName {host_of_basic}
{tls}
{basic}
OIDCOAuthServerMetadataURL {issuer}/.well-known/openid-configuration
OIDCOAuthClientID basic
OIDCOAuthClientSecret a-secret:of+Apache
OIDCOAuthIntrospectionEndpointAuth client_secret_basic
OIDCOAuthTokenIntrospectionInterval -1
</VirtualHost>
<VirtualHost 127.0.0.1:{secure}>
ServerName {host_of_post}
{tls}
{post}
OIDCOAuthVerifyJwksUri {issuer}/.well-known/jwks.json
</VirtualHost>
<VirtualHost 127.0.0.1:{secure}>
ServerName {host_of_public}
{tls}
{public}
</VirtualHost>
# For logout tokens: the pool sends them by plain HTTP to loopback addresses only.
<VirtualHost 127.0.0.1:{back}>
{basic}
</VirtualHost>
",
        target.address()
    )
}

/// A pool, the applications behind Apache, and a browser.
struct Place {
    proxy: Proxy,
    apache: Apache,
    target: Server,
    issuer: String,
    browser: Browser,
}

impl Place {
    fn start() -> Self {
        let (port, target) = (free_port(), target::echo());
        let (issuer, ports) = (format!("https://localhost:{port}"), Ports { secure: free_port(), back: free_port() });
        let proxy = Proxy::start_in(folder(), &pool(port, ports), Clock::system().now());
        let apache = Apache::start(ports, &issuer, &target);
        let browser = apache.browser(proxy.address());
        Self { proxy, apache, target, issuer, browser }
    }

    /// An address of the application of this client.
    fn at(&self, client: &str, path: &str) -> String {
        let (_, host) = CLIENTS.iter().find(|(name, _)| *name == client).expect("a client");
        format!("https://{host}:{}{path}", self.apache.ports.secure)
    }

    /// Opens an address of an application, with all redirects. Returns the page at the end, and where it is.
    fn open(&mut self, address: &str) -> (String, Answer) {
        self.browser.follow(address, "nowhere:")
    }

    /// Types the password, and arrives at the application: returns what it was told of the user.
    #[track_caller]
    fn sign_in(&mut self, address: &str) -> Received {
        let (_, page) = self.open(address);
        let back = submit_at(&self.issuer, &mut self.browser, &page, "alice", PASSWORD);
        assert_eq!(back.status, 303, "{}", back.text());
        self.arrives(back.location(), address)
    }

    #[track_caller]
    fn arrives(&mut self, from: &str, address: &str) -> Received {
        let (at, page) = self.open(from);
        assert_eq!((at.as_str(), page.status), (address, 200), "{}", page.text());
        self.target.last()
    }

    /// Whether an application still knows the user.
    fn is_signed_in(&mut self, client: &str) -> bool {
        let address = self.at(client, "/");
        self.browser.get(&address).status == 200
    }

    /// Of Apache about the session of the browser.
    #[track_caller]
    fn info(&mut self, client: &str) -> Value {
        let address = self.at(client, &format!("{CALLBACK}?info=json"));
        self.browser.get(&address).json()
    }

    /// A request to an API behind Apache, with an access token. Returns the status.
    fn ask_api(&self, client: &str, token: &str) -> u16 {
        let mut caller = self.apache.browser(self.proxy.address());
        let token = format!("Bearer {token}");
        caller.send("GET", &self.at(client, "/api/orders"), &[("authorization", &token)], b"").status
    }
}

fn pool(port: u16, Ports { secure, back }: Ports) -> String {
    let addresses = |host: &str| {
        format!(
            "redirect_uris: ['https://{host}:{secure}{CALLBACK}'], post_logout_redirect_uris: ['https://{host}:{secure}/bye']"
        )
    };
    let [(_, host_of_basic), (_, host_of_post), (_, host_of_public)] = CLIENTS;
    format!(
        "
listeners:
  - name: public
    address: 127.0.0.1:{port}
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
    default_actions: [{{ type: fixed-response, status_code: 404 }}]
user_pools:
  people:
    issuer: https://localhost:{port}
    store: {{ sqlite: people.db, key_files: [store-key] }}
    users:
      - {{ username: alice, password_hash: '{}', subject: user-1, email: alice@example.com, name: Alice A., groups: [staff] }}
    clients:
      - {{ client_id: basic, client_secret: 'a-secret:of+Apache', introspection: true, {},
          backchannel_logout_uri: 'http://127.0.0.1:{back}{CALLBACK}?logout=backchannel' }}
      - {{ client_id: post, client_secret: another-secret, id_token_signed_response_alg: ES256, {} }}
      - {{ client_id: public, {} }}
session: {{ key_files: [session-key] }}
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
",
        hash(),
        addresses(host_of_basic),
        addresses(host_of_post),
        addresses(host_of_public),
    )
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[test]
fn a_user_signs_in_and_gets_new_tokens() {
    let mut place = Place::start();
    let page = place.at("basic", "/reports?year=2026");
    let received = place.sign_in(&page);
    assert_eq!(received.target(), "/reports?year=2026");
    let claims = ["sub", "email", "aud", "cognito-groups", "acr"];
    let told = claims.map(|name| received.header(&format!("oidc_claim_{name}")).unwrap_or_default());
    assert_eq!(told, ["user-1", "alice@example.com", "basic", "staff", "urn:cognito:loa:1"]);
    let info = place.info("basic");
    let userinfo =
        json!({"sub": "user-1", "preferred_username": "alice", "name": "Alice A.", "email": "alice@example.com"});
    assert_eq!((&info["userinfo"], &info["id_token"]["iss"]), (&userinfo, &json!(place.issuer)));
    for (path, status) in [("/managers/", 401), ("/staff/", 200)] {
        let address = place.at("basic", path);
        assert_eq!(place.browser.get(&address).status, status, "a rule of Apache with a claim of the pool: {path}");
    }

    // Twice, so that the refresh token which came in the place of the first one counts.
    for _ in 0..2 {
        let told = place.target.last();
        let said = |name| told.header(name).expect("a token").to_owned();
        let (token, refresh_token) = (said("oidc_access_token"), said("oidc_refresh_token"));
        let query = encoded(&[("refresh", &page), ("access_token", &token)]);
        let address = place.at("basic", &format!("{CALLBACK}?{query}"));
        let received = place.arrives(&address, &page);
        assert_ne!(received.header("oidc_access_token").expect("a token"), token);
        assert_ne!(received.header("oidc_refresh_token").expect("a token"), refresh_token);
    }
    assert_eq!(place.proxy.metric(r#"vestibule_pool_reuse_detected_total{pool="people"}"#), 0);
}

#[test]
fn clients_prove_themselves_in_each_way_and_one_sign_out_ends_the_sessions_of_all() {
    let mut place = Place::start();
    let first = place.at("basic", "/");
    let received = place.sign_in(&first);
    let token = received.header("oidc_access_token").expect("a token").to_owned();

    // Signed in at the pool, the user is not asked again. The answer comes by a form here.
    let second = place.at("post", "/there");
    let (_, page) = place.open(&second);
    let (callback, hidden) = form(&page);
    assert_eq!(callback, place.at("post", CALLBACK));
    let fields: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let back = place.browser.post_form(&callback, &fields);
    let received = place.arrives(back.location(), &second);
    assert_eq!((received.header("oidc_claim_aud"), received.header("oidc_claim_sub")), (Some("post"), Some("user-1")));
    let third = place.at("public", "/");
    let received = place.arrives(&third, &third);
    assert_eq!(
        (received.header("oidc_claim_aud"), received.header("oidc_claim_sub")),
        (Some("public"), Some("user-1"))
    );

    // Signing out of one ends the session at the pool, which tells the one that wants to be told.
    assert!(place.is_signed_in("basic") && place.is_signed_in("post"));
    assert_eq!(place.ask_api("basic", &token), 200);
    let bye = place.at("post", "/bye");
    let query = encoded(&[("logout", &bye)]);
    let address = place.at("post", &format!("{CALLBACK}?{query}"));
    place.arrives(&address, &bye);
    assert!(!place.is_signed_in("post"));
    wait_until("the back channel ends the session of the other", || (!place.is_signed_in("basic")).then_some(()));
    assert_eq!(place.ask_api("basic", &token), 401, "the pool says at once that the token has ended");
    let (at, page) = place.open(&first);
    assert!(at.starts_with(&place.issuer) && page.text().contains("name=\"password\""), "{at} {}", page.text());
}

#[test]
fn an_api_takes_access_tokens_by_introspection_and_by_the_keys() {
    let mut place = Place::start();
    let page = place.at("basic", "/");
    let received = place.sign_in(&page);
    let token = received.header("oidc_access_token").expect("a token").to_owned();
    let (_, signature) = token.rsplit_once('.').expect("a signature");
    let forged = token.replacen(signature, &signature.chars().rev().collect::<String>(), 1);
    for client in ["basic", "post"] {
        assert_eq!(place.ask_api(client, &token), 200, "{client}");
        assert_eq!(place.target.last().header("oidc_claim_sub"), Some("user-1"), "{client}");
        assert_eq!(place.ask_api(client, &forged), 401, "{client}");
    }
}
