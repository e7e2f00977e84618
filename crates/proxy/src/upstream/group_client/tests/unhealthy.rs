//! Health checks, as far as a request notices them.

use super::*;
use crate::upstream::health::check::Outcome;
use crate::upstream::health::settings as health;
use crate::upstream::health::state::Cause;

/// The healthy address refuses the connection. The other one would accept, but is not healthy.
#[tokio::test]
async fn an_address_that_is_not_healthy_is_not_raced() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let port = played.listener.local_addr().expect("bound").port();
        let ips = ["127.0.0.1", "::1"].map(|ip| ip.parse().expect("an address"));
        let is_well = |place: &Place| matches!(place, Place::Address { address, .. } if address.is_ipv6());
        let checker = Checker::played(
            || 0.0,
            move |_, place| {
                let is_well = is_well(&place);
                async move { if is_well { Outcome::Success } else { Outcome::Failure(Cause::Timeout, String::new()) } }
            },
        );
        let table = Arc::new(TargetTable::new(Clock::system(), Resolver::played(move |_| Ok(ips.into())), checker));
        let played = Played { table, ..played };
        let mut settings = Settings::new("app".into(), vec![at(Place::new("app.test", port))]);
        settings.health = Some(health::Settings::played());
        settings.retries.percent = 0;
        settings.retries.per_second_min = 0;
        let client = played.client(settings, &connections);
        while client.members().targets.len() != 2 || client.members().shared.are_all_usable() {
            tokio::task::yield_now().await;
        }
        let error = get(&client).await.expect_err("the healthy one refuses").error;
        assert!(matches!(error, Error::Connect(_)), "{error}");
    };
    LocalSet::new().run_until(test).await;
}
