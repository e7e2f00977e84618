//! A provider, a target that echoes, and a proxy between a browser and both: what most tests of signing in begin with.

use std::time::Duration;

use serde_json::{Value, json};

use super::app::{Proxy, Setup};
use super::browser::{Browser, Protocol};
use super::provider::Provider;
use super::server::Server;
use super::target;

/// A page of the application.
pub const PAGE: &str = "https://app.test/page?a=1";

/// The provider's user is Alice. A test may change what the provider and the target say. What only one file asks of a scenario is in an
/// `impl` there.
pub struct Scenario {
    pub provider: Provider,
    pub target: Server,
    pub proxy: Proxy,
}

impl Scenario {
    /// Starts all three. `change` makes the configuration of the proxy from the default of [`Setup`].
    #[track_caller]
    pub fn start(change: impl FnOnce(Setup) -> Setup) -> Self {
        let (provider, target) = (Provider::start(), target::echo());
        let proxy = change(Setup::new(&provider, &target)).start();
        Self { provider, target, proxy }
    }

    /// A browser that has signed in as the provider's current user, now.
    #[track_caller]
    pub fn signed_in(&self, protocol: Protocol) -> Browser {
        self.set_provider_clock();
        self.proxy.signed_in(protocol, &self.provider)
    }

    /// From now on the provider says these claims of Alice, in userinfo.
    #[track_caller]
    pub fn set_claims(&self, claims: &Value) {
        let mut all = json!({"sub": "alice"});
        all.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
        self.provider.say(|script| script.userinfo = Some(all));
    }

    /// A browser that has signed in as Alice with these claims, wherever that led.
    #[track_caller]
    pub fn signed_in_as(&self, protocol: Protocol, claims: &Value) -> Browser {
        self.set_claims(claims);
        let mut browser = self.proxy.browser(protocol);
        self.provider.try_sign_in(&mut browser, PAGE);
        browser
    }

    /// Moves the clocks of the proxy and the provider.
    pub fn advance(&self, by: Duration) {
        self.proxy.clock.advance(by);
        self.set_provider_clock();
    }

    /// Sets the clock of the provider to that of the proxy.
    pub fn set_provider_clock(&self) {
        self.provider.say(|script| script.now = self.proxy.clock.now().seconds());
    }
}

/// The value of a parameter of an address, which has it at most once.
#[track_caller]
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).expect("a URL");
    let mut found = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let first = found.next();
    assert!(found.next().is_none(), "{name} comes once in {url}");
    first
}
