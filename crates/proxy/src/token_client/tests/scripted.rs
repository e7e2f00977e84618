//! Servers in memory, and a browser that is a socket.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use url::Url;

use crate::backchannel::call::{self, Backchannel};
use crate::message::{WholeRequest, WholeResponse};
use crate::token_client::address::Place;
use crate::token_client::calls::Calls;
use crate::token_client::error::Error;
use crate::token_client::loopback::Redirect;
use crate::token_client::screen::Screen;
use crate::token_client::sign_in::{self, Flow, SignedIn, Wish};

pub(super) const APP: &str = "https://app.test";
pub(super) const ISSUER: &str = "https://login.test";
pub(super) const METADATA: &str = "https://app.test/.well-known/oauth-protected-resource";
pub(super) const DISCOVERY: &str = "https://login.test/.well-known/openid-configuration";
pub(super) const TOKEN: &str = "https://login.test/token";
pub(super) const DEVICE: &str = "https://login.test/device";

/// Servers that answer what they are told, and remember what they were asked.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// By address. Of several answers, the first goes, except the last.
    answers: Mutex<BTreeMap<String, Vec<Result<WholeResponse, ()>>>>,
    asked: Mutex<Vec<(String, String)>>,
}

impl Backchannel for Servers {
    fn call(
        &self,
        request: WholeRequest,
    ) -> Pin<Box<dyn Future<Output = Result<WholeResponse, call::Error>> + Send + '_>> {
        let url = request.uri().to_string();
        let body = String::from_utf8(request.body().to_vec()).expect("text");
        self.asked.lock().expect("sound").push((url.clone(), body));
        let mut answers = self.answers.lock().expect("sound");
        let answer = match answers.get_mut(&url) {
            Some(several) if several.len() > 1 => several.remove(0),
            Some(one) => one[0].clone(),
            None => Ok(answer(404, &[], json!(null))),
        };
        Box::pin(async move { answer.map_err(|()| call::Error::Timeout) })
    }
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: Value) -> WholeResponse {
    let mut response = http::Response::builder().status(StatusCode::from_u16(status).expect("a status"));
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    response.body(body).expect("a response")
}

impl Servers {
    /// An application, and an issuer with these members of metadata besides the usual ones.
    pub(super) fn new(more: Value) -> Arc<Self> {
        let servers = Arc::new(Self::default());
        let challenge = format!("Bearer realm=\"vestibule\", resource_metadata=\"{METADATA}\"");
        servers.says(&format!("{APP}/x"), answer(401, &[("www-authenticate", &challenge)], json!({})));
        let metadata = json!({"resource": APP, "authorization_servers": [ISSUER], "scopes_supported": ["openid", "groups"], "vestibule_client_id": "cli"});
        servers.says(METADATA, answer(200, &[], metadata));
        let mut discovery = json!({
            "issuer": ISSUER, "token_endpoint": TOKEN, "authorization_endpoint": "https://login.test/authorize",
            "authorization_response_iss_parameter_supported": true, "scopes_supported": ["openid", "offline_access"],
        });
        discovery.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        servers.says(DISCOVERY, answer(200, &[], discovery));
        let token = json!({"access_token": "abc.def", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r-1", "scope": "openid"});
        servers.says(TOKEN, answer(200, &[], token));
        servers
    }

    pub(super) fn says(&self, url: &str, answer: WholeResponse) {
        self.answers.lock().expect("sound").insert(url.to_owned(), vec![Ok(answer)]);
    }

    pub(super) fn says_json(&self, url: &str, body: Value) {
        self.says(url, answer(200, &[], body));
    }

    pub(super) fn says_first(&self, url: &str, first: Vec<Result<WholeResponse, ()>>) {
        let mut answers = self.answers.lock().expect("sound");
        let last = answers.remove(url).unwrap_or_default();
        answers.insert(url.to_owned(), first.into_iter().chain(last).collect());
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("sound").iter().map(|(url, _)| url.clone()).collect()
    }

    /// The last body that was sent to an address.
    pub(super) fn sent(&self, url: &str) -> String {
        let asked = self.asked.lock().expect("sound");
        asked.iter().rfind(|(asked, _)| asked == url).unwrap_or_else(|| panic!("{url} in {asked:?}")).1.clone()
    }

    pub(super) fn calls(self: &Arc<Self>) -> Calls {
        Calls::new(Arc::clone(self) as Arc<dyn Backchannel>, Place::Elsewhere)
    }
}

/// Hands on what is shown.
pub(super) struct Shown(pub(super) mpsc::UnboundedSender<String>);

impl Screen for Shown {
    fn begin(&self, issuer: &str, resource: &str, client_id: &str, scope: Option<&str>) {
        let _ = self.0.send(format!("{issuer} {resource} {client_id} {scope:?}"));
    }

    fn show_address(&self, address: &Url) {
        let _ = self.0.send(address.to_string());
    }

    fn show_code(&self, address: &Url, code: &str, whole: Option<&Url>) {
        let _ = self.0.send(format!("{address} {code} {}", whole.map(Url::as_str).unwrap_or_default()));
    }
}

pub(super) fn wish() -> Wish {
    Wish {
        client_id: None,
        issuer: None,
        scope: None,
        is_kept: false,
        names_resource: true,
        redirect: Redirect::default(),
        flow: Flow::Either,
        patience: Duration::from_secs(300),
    }
}

pub(super) fn asked() -> Url {
    Url::parse(&format!("{APP}/x")).expect("a URL")
}

/// A sign-in that must fail before the user sees anything but its beginning.
pub(super) async fn refused(servers: &Arc<Servers>, wish: &Wish) -> Error {
    let (shown, _shows) = mpsc::unbounded_channel();
    let result = sign_in::sign_in(&servers.calls(), &asked(), wish, &Shown(shown)).await;
    result.map(|signed_in| panic!("{signed_in:?}")).unwrap_err()
}

/// What a browser gets at an address on this machine.
pub(super) async fn visit(url: &Url, host: &str, method: &str) -> String {
    visit_at(Ipv4Addr::LOCALHOST.into(), url, host, method).await
}

/// The same, of a browser that takes the name in the address for this one.
pub(super) async fn visit_at(ip: IpAddr, url: &Url, host: &str, method: &str) -> String {
    let port = url.port().expect("a port");
    let mut stream = tokio::net::TcpStream::connect((ip, port)).await.expect("somebody listens");
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\naccept-language: de\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("text");
    text
}

pub(super) fn parameter(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("{name} in {url}")).1.into_owned()
}

/// The address that the issuer would send the browser to, with its answer.
pub(super) fn callback(authorization: &str, answer: &[(&str, &str)]) -> Url {
    let authorization = Url::parse(authorization).expect("a URL");
    let mut url = Url::parse(&parameter(&authorization, "redirect_uri")).expect("a URL");
    url.query_pairs_mut().append_pair("state", &parameter(&authorization, "state")).extend_pairs(answer);
    url
}

/// Signs in by a browser that does this with the address that it is shown.
pub(super) async fn by_browser(
    servers: &Arc<Servers>,
    wish: &Wish,
    browse: impl AsyncFnOnce(String),
) -> Result<SignedIn, Error> {
    let (shown, mut shows) = mpsc::unbounded_channel();
    let (calls, asked, shown) = (servers.calls(), asked(), Shown(shown));
    let person = async {
        let address = loop {
            let text = shows.recv().await.expect("something is shown");
            if text.starts_with("https://login.test/authorize?") {
                break text;
            }
        };
        browse(address).await;
    };
    tokio::join!(sign_in::sign_in(&calls, &asked, wish, &shown), person).0
}

/// What the device flow begins with.
pub(super) fn begun() -> Value {
    json!({"device_code": "d-1", "user_code": "WDJB\u{1b}[2J-MJHT", "verification_uri": "https://login.test/activate", "verification_uri_complete": "https://login.test/activate?code=WDJB", "expires_in": 600, "interval": 5})
}
