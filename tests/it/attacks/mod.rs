//! What strangers send, and what must happen. Each test is named by the id of its attack.
//!
//! The ids are those of the project's catalogue of attacks, which was collected from the advisories of proxies, identity
//! gateways and OpenID libraries. Letters are families; here is where each is:
//!
//! | Family | Where |
//! |---|---|
//! | P, paths and rules | [`paths`]; each spelling of a path in `message::uri`, patterns in `rule` |
//! | H, identity headers | [`headers`]; folding in `message::header`, claim values in `claims::encode` |
//! | F, forwarded headers | [`forwarded`]; the walk over addresses in `message::forwarded` |
//! | R, redirects | [`redirects`] |
//! | G, framing | [`framing`]; the PROXY protocol in [`proxy_protocol`]; fields of a connection, in both directions, in [`fields`] |
//! | D, denial of service | [`denial`], what costs little to try; [`frames`], the modules `http2` and `limits`; sizes of provider documents in `oidc` |
//! | C, the login | [`callback`]; the gate's own tests in `action::authenticate` |
//! | J, ID tokens | [`id_token`]; `oidc` and `jose` |
//! | S, the session's cookie | [`session_cookie`]; `session` and `crypto::aead` |
//! | X, pages | [`cors`]; the headers of our pages in `page` |
//! | B, bearer tokens | the module `bearer`; [`gates`] |
//! | W, WebSocket | the modules `websocket` and `websocket_http2`; [`gates`] |
//! | all of B, D, F, W and X on each gate | [`gates`]; [`catalogue`] has the test and the protocols of each attack |
//! | V, refresh and sign-out | the modules `refresh` and `logout`; `action::authenticate` |
//!
//! Not here, or not applicable in this version, because the thing that is attacked does not exist:
//!
//! - F-07 and F-10 to F-12, the answers to another proxy: they stand in the module `forward_auth`.
//! - P-05's `encoded_slash: keep` is tested with both values. P-07's opt-out and P-13's case-insensitive paths are not settings; paths are compared by case.
//! - H-07's error-page subrequests and HTTP/3: nothing here sends or speaks them. H-08's `authorization` is B-07.
//! - there is no list of allowed redirects. R-18's and R-19's parameters are not read at all.
//! - G-15 is a target's attack and stands with the tests of targets.
//!
//! Two answers differ from the catalogue, on purpose or because the HTTP library has decided before we are asked:
//!
//! - P-03: a `#` in the target of an HTTP/2 request is cut off with what follows, not refused (on HTTP/1.1 it is). The rule
//!   and the target see the same rest.
//! - G-01: a request with `Content-Length` and `Transfer-Encoding` is read by its chunks alone, as RFC 9112 §6.1 allows,
//!   and no `Content-Length` is forwarded.

mod callback;
mod catalogue;
mod cors;
mod denial;
mod desync;
mod fields;
mod forwarded;
mod frames;
mod framing;
mod gates;
mod headers;
mod id_token;
mod paths;
mod proxy_protocol;
mod redirects;
mod session_cookie;

use crate::harness::app::{ATTACK_RULES, Proxy, Setup};
use crate::harness::browser::{Browser, Protocol};
use crate::harness::provider::Provider;
use crate::harness::server::Server;
use crate::harness::{raw, target};

/// The listener that strangers meet: [`ATTACK_RULES`], claims mapped to headers, one target that tells what it received.
struct Fixture {
    provider: Provider,
    target: Server,
    proxy: Proxy,
}

/// What stands at the top of the configuration.
const REST: &str = "
claims:
  signer: 'arn:vestibule:test'
  signing_key_file: claims-key.pem
  headers:
    x-forwarded-user: sub
    x-forwarded-email: email
    x-forwarded-groups: groups
    x-name: name
    remote-role: role
session: { key_files: [session-key] }
";

impl Fixture {
    #[track_caller]
    fn start() -> Self {
        Self::with(|setup| setup)
    }

    #[track_caller]
    fn with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let (provider, target) = (Provider::start(), target::echo());
        let proxy = change(Setup::new(&provider, &target).rules(ATTACK_RULES).rest(REST)).start();
        Self { provider, target, proxy }
    }

    fn browser(&self, protocol: Protocol) -> Browser {
        self.proxy.browser(protocol)
    }

    #[track_caller]
    fn signed_in(&self, protocol: Protocol) -> Browser {
        self.proxy.signed_in(protocol, &self.provider)
    }

    /// Sends bytes on a connection of their own; answers all that comes until the proxy closes.
    fn bytes(&self, bytes: impl AsRef<[u8]>) -> String {
        raw::exchange(self.proxy.address(), "app.test", bytes)
    }

    /// Runs what must not reach the target.
    #[track_caller]
    fn untouched<T>(&self, what: &str, act: impl FnOnce() -> T) -> T {
        let before = self.target.count();
        let done = act();
        let line = self.target.received().pop().map(|request| request.line);
        assert_eq!(self.target.count(), before, "{what:?} never reaches the target: {line:?}");
        done
    }
}

/// How many responses are in what came on a connection.
fn responses(bytes: &str) -> usize {
    bytes.matches("HTTP/1.1 ").count() + bytes.matches("HTTP/1.0 ").count()
}
