//! A provider, a target that echoes, and a proxy between a browser and both: what most tests of signing in begin with.

use std::time::Duration;

use super::app::{Proxy, Setup};
use super::browser::{Browser, Protocol};
use super::provider::Provider;
use super::server::Server;
use super::target;

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
