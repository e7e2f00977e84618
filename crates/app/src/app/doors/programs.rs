//! For `check`: clients of user pools with which programs cannot sign in, as `vestibule login` does.

use url::Url;

use crate::action::settings::{AuthenticateKind, BearerSettings, GateSettings};
use crate::config::{Config, ListenerConfig};

/// The redirect URI of `vestibule login`.
const LOOPBACK: &str = "http://127.0.0.1/callback";

/// Warnings about each rule of a listener.
pub(super) fn warnings(listener: &ListenerConfig, config: &Config, found: &mut Vec<String>) {
    for (name, chain) in listener.named_chains() {
        let bearers = chain.gates.iter().filter_map(GateSettings::bearer);
        for (fault, help) in bearers.filter_map(|bearer| fault(bearer, config)) {
            found.push(format!("listener `{}`: {name}: {fault}\n  help: {help}", listener.settings.name));
        }
    }
}

/// Why programs cannot sign in with `public_client_id` at a user pool, and what helps.
fn fault(bearer: &BearerSettings, config: &Config) -> Option<(String, String)> {
    let (id, [AuthenticateKind::UserPool(pool)]) = (bearer.public_client_id.as_ref()?, bearer.issuers.as_slice())
    else {
        return None;
    };
    let pool = &config.user_pools.iter().find(|known| known.settings.name == *pool)?.settings;
    let say =
        |why: &str, help: String| Some((format!("programs cannot sign in with `public_client_id: {id}`: {why}"), help));
    let Some(client) = pool.clients.iter().find(|client| client.client_id == *id) else {
        let why = format!("the user pool `{}` has no such client", pool.name);
        return say(&why, format!("add the client to `user_pools.{}.clients`", pool.name));
    };
    if client.client_secret.is_some() {
        return say("the client has a secret", "use a client without one".to_owned());
    }
    if !client.redirect_uris.iter().any(|uri| uri.as_str() == LOOPBACK) {
        let why = "the client does not come back to the machine of the program";
        return say(why, format!("add `{LOOPBACK}` to its `redirect_uris`"));
    }
    let is_audience =
        |resource: &Url| bearer.wanted.audiences.iter().any(|wanted| bare(wanted) == bare(resource.as_str()));
    if bearer.wanted.audiences.is_empty() || client.resources.iter().any(is_audience) {
        return None;
    }
    let help = "write the address of the application into both: `resources: [https://app.example.com]` and `audience`";
    say("`resources` of the client has none of `audience`", help.to_owned())
}

/// An address, with a slash at its end or without.
fn bare(text: &str) -> &str {
    text.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use crate::app::doors::warnings;
    use crate::clock::Clock;
    use crate::config::tests::{SOUND, files, load_in};

    /// What is said of a rule with this `public_client_id`, for a client with these settings.
    fn told(name: &str, id: &str, client: &str) -> String {
        let pool = format!(
            "user_pools:\n  people:\n    issuer: https://login.example.com:8443\n    signing_key_file: pool-key\n    clients: [{{ client_id: \
             cli, id_token_signed_response_alg: ES256, {client} }}]\n"
        );
        let rule = format!(
            "\n      - priority: 1\n        conditions: [{{ path_pattern: [/x] }}]\n        actions:\n          - {{ type: jwt-validation, \
             user_pool: people, audience: ['https://app.example.com'], public_client_id: {id} }}\n          - {{ type: forward, target_group: app }}\n"
        );
        let text = pool + &SOUND.replace("    rules:\n", &format!("    rules:{rule}"));
        let config = load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}\n{text}"));
        let found = warnings(&config, Clock::system().now());
        let found = found.iter().filter_map(|text| text.strip_prefix("listener `public`: rule `priority-1`: "));
        found.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_client_with_which_no_program_can_sign_in_is_named() {
        let loopback = "redirect_uris: ['http://127.0.0.1/callback']";
        let sound = format!("{loopback}, resources: ['https://app.example.com/']");
        assert_eq!(told("programs-sound", "cli", &sound), "");
        for (name, id, client, expected) in [
            ("programs-absent", "tool", sound.clone(), "has no such client"),
            ("programs-secret", "cli", format!("{sound}, client_secret: a-secret-of-some-length"), "has a secret"),
            (
                "programs-web",
                "cli",
                "redirect_uris: ['https://wiki.example.com/cb']".to_owned(),
                "add `http://127.0.0.1/callback`",
            ),
            (
                "programs-resource",
                "cli",
                format!("{loopback}, resources: ['https://api.example.com']"),
                "none of `audience`",
            ),
        ] {
            let said = told(name, id, &client);
            assert!(said.contains(expected) && said.contains("\n  help: "), "{name}: {said}");
        }
    }
}
