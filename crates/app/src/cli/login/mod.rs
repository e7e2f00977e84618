//! `login` and `logout`: an access token for curl and other programs, for an application behind a gate that takes tokens.
//!
//! The token is the only thing on standard output. Everything else is for the user, on standard error.

mod json;
mod screen;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use url::Url;

use crate::backchannel::network::{self, Network};
use crate::cli::exit::WrongUse;
use crate::cli::terminal::print;
use crate::clock::{Clock, Timestamp};
use crate::token_client::address::{self, Place};
use crate::token_client::calls::Calls;
use crate::token_client::error::Error;
use crate::token_client::loopback::Redirect;
use crate::token_client::sign_in::{self, Flow, Wish};
use crate::token_client::token::{self, Held, Revoked};
use screen::Terminal;
use store::{Entry, Store};

/// A stored token that expires sooner is not used any more: the request that it is for takes time, too.
const FRESH_MIN: Duration = Duration::from_secs(60);
/// How long a token is used of which the issuer does not say when it expires.
const UNKNOWN_LIFETIME: u64 = 300;

/// Signs in for an application, and prints an access token for it.
///
/// Who issues tokens is found out from the application. It must be behind a rule with `jwt-validation` or `session-or-bearer`, or another server with
/// protected resource metadata (RFC 9728).
///
/// curl "$URL" -H "Authorization: Bearer $(vestibule login --store "$URL")"
///
/// vestibule login --store --header "$URL" | curl -H @- "$URL" shows the token to no other user of the machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// The address of the application, for example `https://app.example.com`.
    #[arg(value_name = "URL")]
    url: Url,
    /// The client to sign in with. Default: the one that the application names, otherwise a new one, if the issuer lets programs register.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The issuer to sign in at. The application must name it. Its pages to sign in on may be on another server. Default: the first that the application
    /// names.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The scopes to ask for, separated by spaces. Default: those that the application suggests.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// How to sign in. `device`: on any device, with a code. `browser`: in a browser on this machine. `auto`: by `device` if the issuer has it.
    #[arg(long, value_name = "FLOW", default_value = "auto", value_parser = flow)]
    flow: Flow,
    /// The registered redirect URI of the client, on this machine. Without a port, a free one is used.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1/callback", value_parser = redirect)]
    redirect_uri: Redirect,
    /// Do not tell the issuer which application the token is for, if it does not know the parameter `resource` (RFC 8707).
    #[arg(long)]
    no_resource: bool,
    /// Do not open a browser. The address is printed in any case.
    #[arg(long)]
    no_browser: bool,
    /// Trust these certificate authorities as well (PEM).
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How long to wait for the sign-in, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Keep the token, in $XDG_STATE_HOME/vestibule or ~/.local/state/vestibule, and use the kept one until shortly before it expires.
    #[arg(long)]
    store: bool,
    /// Print a header: `Authorization: Bearer` and the token.
    #[arg(long, conflicts_with = "json")]
    header: bool,
    /// Print the token, its expiry, scope, application and issuer as JSON.
    #[arg(long)]
    json: bool,
}

/// Removes what `login --store` has kept for an application, and tells the issuer that the token is not used any more.
#[derive(Debug, clap::Args)]
pub(crate) struct Logout {
    /// The address of the application.
    #[arg(value_name = "URL")]
    url: Url,
    /// Trust these certificate authorities as well (PEM).
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

fn flow(text: &str) -> Result<Flow, &'static str> {
    match text {
        "auto" => Ok(Flow::Either),
        "browser" => Ok(Flow::Browser),
        "device" => Ok(Flow::Device),
        _ => Err("write auto, browser or device"),
    }
}

fn redirect(text: &str) -> Result<Redirect, &'static str> {
    text.parse()
}

impl Login {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let url = application(&self.url)?;
        let calls = calls(&url, self.ca_file.as_ref())?;
        let entry = runtime()?.block_on(async {
            if self.store { self.stored(&calls, &url).await } else { Ok(self.sign_in(&calls, &url).await?) }
        });
        let entry = entry.map_err(screen::with_advice)?;
        let token = entry.access_token.expose();
        print(&match (self.header, self.json) {
            (true, _) => format!("Authorization: Bearer {token}\n"),
            (_, true) => json::text(&entry)?,
            _ => format!("{token}\n"),
        })?;
        Ok(ExitCode::SUCCESS)
    }

    async fn sign_in(&self, calls: &Calls, url: &Url) -> Result<Entry, Error> {
        let wish = Wish {
            client_id: self.client_id.clone(),
            issuer: self.issuer.clone(),
            scope: self.scope.clone(),
            is_kept: self.store,
            names_resource: !self.no_resource,
            redirect: self.redirect_uri.clone(),
            flow: self.flow,
            patience: Duration::from_secs(self.timeout),
        };
        let signed_in = sign_in::sign_in(calls, url, &wish, &Terminal { opens_browser: !self.no_browser }).await?;
        let mut entry = Entry {
            resource: signed_in.resource,
            issuer: signed_in.issuer,
            client_id: signed_in.client_id,
            asked_scope: self.scope.clone(),
            names_resource: !self.no_resource,
            scope: None,
            access_token: signed_in.token.access.clone(),
            expires_at: 0,
            refresh_token: None,
        };
        renew(&mut entry, signed_in.token, Clock::system().now());
        Ok(entry)
    }

    /// A token that was kept, if it is still good, or can be refreshed. Otherwise a new one, which is kept.
    async fn stored(&self, calls: &Calls, url: &Url) -> anyhow::Result<Entry> {
        let store = Store::of(url)?;
        let fresh = |entries: &[Entry]| self.chosen(entries, url).filter(|entry| is_fresh(entry)).cloned();
        if let Some(entry) = fresh(&store.read()?) {
            return Ok(entry);
        }
        // One process at a time: a refresh token that is used twice may end the sign-in, and one browser window is enough.
        let lock = store.lock(|| eprintln!("Waiting for another `vestibule login` for this address."))?;
        let mut entries = store.read()?;
        if let Some(entry) = fresh(&entries) {
            return Ok(entry);
        }
        let entry = match self.refreshed(calls, &entries, url).await? {
            Some(entry) => entry,
            None => self.sign_in(calls, url).await?,
        };
        entries.retain(|other| !other.is_same_grant(&entry));
        entries.push(entry.clone());
        lock.write(&entries)?;
        Ok(entry)
    }

    /// The kept grant with a new token. `None` if there is none, or the issuer has ended it.
    async fn refreshed(&self, calls: &Calls, entries: &[Entry], url: &Url) -> anyhow::Result<Option<Entry>> {
        let Some(entry) = self.chosen(entries, url) else { return Ok(None) };
        let Some(refresh_token) = &entry.refresh_token else { return Ok(None) };
        match token::refresh(calls, held(entry), refresh_token).await {
            Ok(token) => {
                let mut entry = entry.clone();
                renew(&mut entry, token, Clock::system().now());
                Ok(Some(entry))
            }
            Err(error @ Error::Refused { .. }) => {
                eprintln!("The stored sign-in is over. {error}");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The entry for the address, with what the command line asks for. Of several, the one with the longest path.
    fn chosen<'e>(&self, entries: &'e [Entry], url: &Url) -> Option<&'e Entry> {
        let is_wanted = |entry: &&Entry| {
            entry.is_for(url)
                && self.client_id.as_ref().is_none_or(|id| *id == entry.client_id)
                && self.issuer.as_ref().is_none_or(|issuer| *issuer == entry.issuer)
                && self.scope.as_ref().is_none_or(|scope| entry.asked_scope.as_ref() == Some(scope))
        };
        entries.iter().filter(is_wanted).max_by_key(|entry| entry.resource.len())
    }
}

impl Logout {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let url = application(&self.url)?;
        let calls = calls(&url, self.ca_file.as_ref())?;
        let store = Store::of(&url)?;
        let lock = store.lock(|| eprintln!("Waiting for a `vestibule login` for this address."))?;
        let (removed, kept): (Vec<_>, Vec<_>) = store.read()?.into_iter().partition(|entry| entry.is_for(&url));
        lock.write(&kept)?;
        if removed.is_empty() {
            eprintln!("Nothing is stored for {url}.");
        }
        let mut is_done = true;
        for entry in &removed {
            let (token, hint) = match &entry.refresh_token {
                Some(token) => (token, "refresh_token"),
                None => (&entry.access_token, "access_token"),
            };
            match runtime()?.block_on(token::revoke(&calls, held(entry), token, hint)) {
                Ok(Revoked::Yes) => eprintln!("Signed out of {}, also at {}.", entry.resource, entry.issuer),
                Ok(Revoked::Impossible) => eprintln!(
                    "Removed the token for {}. {} takes no tokens back: a copy of it is good until it expires.",
                    entry.resource, entry.issuer
                ),
                Err(error) => {
                    is_done = false;
                    let error = screen::with_advice(error.into());
                    eprintln!("Removed the token for {}. The issuer could not be told: {error:#}", entry.resource);
                }
            }
        }
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The address of an application on the command line.
fn application(url: &Url) -> anyhow::Result<Url> {
    let mut url = url.clone();
    url.set_fragment(None);
    address::check(&url, Place::of(&url)).map_err(|why| WrongUse(format!("{url} {why}: write https://…")))?;
    Ok(url)
}

fn calls(url: &Url, ca_file: Option<&PathBuf>) -> anyhow::Result<Calls> {
    let roots = match ca_file {
        None => Vec::new(),
        Some(file) => CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("cannot read certificates from {}", file.display()))?,
    };
    let place = Place::of(url);
    let settings =
        network::Settings { roots, allow_http_loopback: place == Place::Here, ..network::Settings::default() };
    Ok(Calls::new(Arc::new(Network::new(&settings)?), place))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn held(entry: &Entry) -> Held<'_> {
    let resource = Some(entry.resource.as_str()).filter(|_| entry.names_resource);
    Held { issuer: &entry.issuer, client_id: &entry.client_id, resource }
}

/// Puts a new token in the place of the former one.
fn renew(entry: &mut Entry, token: token::Token, now: Timestamp) {
    entry.expires_at = now.seconds().saturating_add(token.expires_in.unwrap_or(UNKNOWN_LIFETIME));
    entry.access_token = token.access;
    entry.scope = token.scope.or(entry.scope.take());
    // RFC 6749 §6: without a new refresh token, the former one stays.
    entry.refresh_token = token.refresh.or(entry.refresh_token.take());
}

fn is_fresh(entry: &Entry) -> bool {
    Clock::system().now() + FRESH_MIN < Timestamp::from_seconds(entry.expires_at)
}
