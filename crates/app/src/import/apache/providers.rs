//! The providers of a host: the one that its directives describe, or those of the folder of `OIDCMetadataDir`.

use std::time::Duration;

use crate::import::apache::client::{Secret, authentication};
use crate::import::apache::metadata::{self, Metadata};
use crate::import::apache::scope::Host;
use crate::import::draft::{Draft, Need};
use crate::import::elbv2::login::{host_of, provider};
use crate::import::ledger::Ledger;
use crate::import::yaml::{Map, Yaml};

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// The names of the providers of a sign-in.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) first: String,
    /// Users choose one of them and the first.
    pub(super) others: Vec<String>,
    /// In place of `OIDCScope`.
    pub(super) scope: Option<String>,
    /// Sessions are no longer than this.
    pub(super) session: Option<Duration>,
}

/// Providers that were made, by their settings without the secret.
#[derive(Debug)]
pub(super) struct Providers {
    made: Vec<(Map, String)>,
    metadata: Metadata,
}

impl Providers {
    /// With the folders of metadata of all hosts.
    pub(super) fn new(metadata: Metadata) -> Self {
        Self { made: Vec::new(), metadata }
    }

    /// The providers at which users of a host sign in.
    ///
    /// # Errors
    ///
    /// In a sentence: nobody can sign in.
    pub(super) fn of(&mut self, host: &Host<'_>, draft: &mut Draft, ledger: &mut Ledger) -> Result<Chosen, String> {
        if let Some(pkce) = host.last("oidcpkcemethod") {
            match pkce.word(0) {
                "S256" => ledger.kept(&pkce.path, "PKCE with S256 is always used"),
                _ => ledger.changed(&pkce.path, "PKCE with S256: if the provider does not know it, set pkce: off"),
            }
        }
        let callback = callback(host, ledger)?;
        // With it, Apache does not look at the directives about one provider.
        if let Some(directory) = host.last("oidcmetadatadir") {
            let issuers = self.metadata.issuers(directory, ledger)?.to_vec();
            let mut names = Vec::new();
            for (index, issuer) in issuers.iter().enumerate() {
                let mut settings = issuer.settings.clone();
                // Two issuers need two (RFC 9700 §4.4.2).
                let path = if index == 0 { callback.clone() } else { format!("{callback}/{}", index + 1) };
                settings.set("callback_path", path);
                calls(host, &mut settings, draft, ledger);
                names.push(self.named(&host_of(&issuer.issuer), settings, issuer.secret, draft));
            }
            let mut names = names.into_iter();
            let first = names.next().ok_or("there is no provider")?;
            let scope = Some(metadata::scopes(&issuers, host.text("oidcscope").unwrap_or("openid")));
            return Ok(Chosen { first, others: names.collect(), scope, session: metadata::session(&issuers) });
        }
        let mut settings = endpoints(host, ledger)?;
        settings.set("callback_path", callback);
        let secret = client(host, &mut settings, ledger)?;
        calls(host, &mut settings, draft, ledger);
        let issuer = match settings.get("issuer") {
            Some(Yaml::Text(issuer)) => host_of(issuer),
            _ => "provider".to_owned(),
        };
        let first = self.named(&issuer, settings, secret, draft);
        Ok(Chosen { first, others: Vec::new(), scope: None, session: None })
    }

    /// The name of a provider with these settings.
    pub(super) fn named(&mut self, wanted: &str, settings: Map, secret: Secret, draft: &mut Draft) -> String {
        if let Some((_, name)) = self.made.iter().find(|(known, _)| *known == settings) {
            return name.clone();
        }
        let name = match secret {
            Secret::None => draft.provider(wanted, settings.clone()),
            Secret::File => provider(draft, wanted, settings.clone()),
        };
        self.made.push((settings, name.clone()));
        name
    }
}

/// The issuer and its endpoints.
fn endpoints(host: &Host<'_>, ledger: &mut Ledger) -> Result<Map, String> {
    let metadata = host.text("oidcprovidermetadataurl");
    let issuer = host.text("oidcproviderissuer").or(metadata.and_then(|url| url.strip_suffix(WELL_KNOWN)));
    let issuer = issuer.ok_or("the issuer is not known: set OIDCProviderIssuer")?;
    let mut settings = Map::default().with("issuer", issuer);
    if let Some(directive) = host.last("oidcprovidermetadataurl") {
        if metadata.is_some_and(|url| url != format!("{issuer}{WELL_KNOWN}")) {
            settings.set("discovery_url", directive.word(0));
            ledger.kept(&directive.path, "identity_providers[].discovery_url");
        } else {
            let what = "identity_providers[].issuer: it has to be exactly the issuer in the metadata, with a slash at its end if there is one";
            ledger.changed(&directive.path, what);
        }
    }
    for (directive, key) in [
        ("oidcproviderissuer", "issuer"),
        ("oidcproviderauthorizationendpoint", "authorization_endpoint"),
        ("oidcprovidertokenendpoint", "token_endpoint"),
        ("oidcprovideruserinfoendpoint", "userinfo_endpoint"),
        ("oidcproviderjwksuri", "jwks_uri"),
        ("oidcproviderendsessionendpoint", "end_session_endpoint"),
    ] {
        let Some(directive) = host.last(directive) else { continue };
        settings.set(key, directive.word(0));
        ledger.kept(&directive.path, &format!("identity_providers[].{key}"));
    }
    Ok(settings)
}

/// The redirect URI that is registered with the provider.
fn callback(host: &Host<'_>, ledger: &mut Ledger) -> Result<String, String> {
    let directive = host.last("oidcredirecturi").ok_or("there is no OIDCRedirectURI")?;
    let text = directive.word(0);
    let (path, other) = match url::Url::parse(text) {
        Ok(url) => (url.path().to_owned(), url.host_str().map(str::to_owned)),
        Err(_) => (text.to_owned(), None),
    };
    if !path.starts_with('/') || path.len() < 2 {
        return Err("the path of OIDCRedirectURI is not known".to_owned());
    }
    match other.filter(|other| host.text("servername").is_some_and(|name| name != other)) {
        Some(other) => {
            let what = format!("callback_path, on every host: not only on {other}. Register it for each host");
            ledger.changed(&directive.path, &what);
        }
        None => {
            ledger.kept(&directive.path, "callback_path; ?logout and ?info are /oauth2/sign_out and /oauth2/userinfo")
        }
    }
    Ok(path)
}

/// The client of the provider.
fn client(host: &Host<'_>, settings: &mut Map, ledger: &mut Ledger) -> Result<Secret, String> {
    let id = host.last("oidcclientid").ok_or("there is no OIDCClientID")?;
    settings.set("client_id", id.word(0));
    ledger.kept(&id.path, "identity_providers[].client_id");
    let method = host.last("oidcprovidertokenendpointauth");
    let secret = authentication(method.map(|method| method.word(0)), host.last("oidcclientsecret").is_some(), settings);
    if let Some(method) = method {
        match &secret {
            Ok(_) => ledger.kept(&method.path, "identity_providers[].token_endpoint_auth_method"),
            Err(why) => ledger.dropped(&method.path, why),
        }
    }
    if let Some(secret) = host.last("oidcclientsecret") {
        ledger.changed(&secret.path, "a file, which you have to write");
    }
    secret
}

/// What holds for the calls to each provider of a host.
pub(super) fn calls(host: &Host<'_>, settings: &mut Map, draft: &mut Draft, ledger: &mut Ledger) {
    if let Some(bundle) = host.last("oidccabundlepath") {
        let file = bundle.word(0).to_owned();
        settings.set("ca_file", Yaml::File(file.clone()));
        draft.needs(&file, Need::Authorities { lists: Vec::new(), what: "those of OIDCCABundlePath".to_owned() });
        ledger.kept(&bundle.path, "identity_providers[].ca_file");
    }
}
