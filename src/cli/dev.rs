//! `dev`: everything with no configuration. A local authority and certificate, a user pool with one user, an application
//! that shows what it was sent, and the proxy in front of it.

mod certificates;
mod demo_app;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use url::Url;

use crate::app::{App, Signals};
use crate::cli::files;
use crate::clock::Clock;
use crate::config;
use crate::config::source::{MissingKeys, Source};
use crate::crypto::random;
use crate::secret::Secret;
use crate::telemetry::logging;
use crate::user_pool::credential::password;

const TEMPLATE: &str = include_str!("../../config/dev.yaml");
const USERNAME: &str = "demo";
const PASSWORD_FILE: &str = "demo-password";

/// Runs everything on this machine with no configuration: proxy, sign-in, a demo user and a demo application.
#[derive(Debug, clap::Args)]
pub(crate) struct Dev {
    /// Put the sign-in in front of this application instead of the demo, for example http://127.0.0.1:3000.
    #[arg(long, value_name = "URL", value_parser = upstream_url)]
    upstream: Option<Url>,
    /// Accept any certificate of an https upstream, such as one that it made for itself.
    #[arg(long, requires = "upstream")]
    insecure_upstream: bool,
    /// The port to serve on; 0 takes a free one.
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// Where the local authority, keys and the demo user's password are kept.
    #[arg(long, value_name = "FOLDER", default_value = ".vestibule")]
    state: PathBuf,
}

impl Dev {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let clock = Clock::system();
        files::folder(&self.state)?;
        ignore(&self.state)?;
        certificates::ensure(&self.state, &clock)?;
        let (password, hash) = credentials(&self.state)?;
        let (protocol, upstream) = self.upstream()?;
        let port = if self.port == 0 { free_port()? } else { self.port };
        let (origin, issuer) = (format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}"));
        let source = Source::text("config/dev.yaml", &self.state, &self.template()?).with_environment([
            ("LISTEN", format!("127.0.0.1:{port}").as_str()),
            ("ORIGIN", &origin),
            ("ISSUER", &issuer),
            ("PASSWORD_HASH", &hash),
            // Browsers send the cookies of one port to every other of the same host (RFC 6265 §8.5): with one name for all, two
            // `dev` would sign each other out.
            ("SESSION_COOKIE", &format!("__Host-vestibule-{port}")),
            ("UPSTREAM_PROTOCOL", protocol),
            ("UPSTREAM", &upstream),
            ("ADMIN", "127.0.0.1:0"),
        ]);
        let config = match config::load(&source, MissingKeys::Make) {
            Ok(config) => config,
            Err(diagnostics) => bail!("{diagnostics}"),
        };
        logging::start(&config.log);
        let signals = Signals::hear(&config)?;
        let app = App::start(config, clock)?;
        self.tell(&app, &origin, &password)?;
        Ok(if app.run(signals) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The configuration, with what `--insecure-upstream` adds.
    fn template(&self) -> anyhow::Result<String> {
        if !self.insecure_upstream {
            return Ok(TEMPLATE.to_owned());
        }
        if self.upstream.as_ref().is_none_or(|url| url.scheme() != "https") {
            bail!("--insecure-upstream: only an https upstream has a certificate; write --upstream https://...");
        }
        let targets = "    targets: [\"${UPSTREAM}\"]\n";
        Ok(TEMPLATE.replace(targets, &format!("{targets}    verify: false\n")))
    }

    /// Protocol and `host:port` of what is behind the proxy.
    fn upstream(&self) -> anyhow::Result<(&'static str, String)> {
        let Some(url) = &self.upstream else {
            return Ok(("http", demo_app::start().context("the demo application does not start")?.to_string()));
        };
        let protocol = match url.scheme() {
            "http" => "http",
            "https" => "https",
            other => bail!(
                "--upstream {url}: `{other}` is not a protocol to speak to an application with; use http or https"
            ),
        };
        if url.path() != "/" || url.query().is_some() {
            bail!("--upstream {url}: name only the server, as in http://127.0.0.1:3000; paths pass unchanged");
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            bail!("--upstream {url}: there is no host in it");
        };
        Ok((protocol, format!("{host}:{port}")))
    }

    fn tell(&self, app: &App, origin: &str, password: &Secret<String>) -> anyhow::Result<()> {
        let state = self.state.canonicalize()?;
        let authority = state.join(certificates::CA_FILE);
        println!("\nVestibule is running.\n");
        println!("  Open        {origin}");
        println!("  User name   {USERNAME}");
        println!("  Password    {}", password.expose());
        println!();
        match &self.upstream {
            Some(url) => println!("  In front of {url}"),
            None => {
                println!("  In front of a demo application; your own:  vestibule dev --upstream http://127.0.0.1:3000")
            }
        }
        println!("  Metrics     http://{}/metrics", app.admin_address());
        println!("  Access log  {}", state.join("access.log").display());
        println!();
        println!(
            "Your browser will warn twice, for localhost and for the sign-in page on 127.0.0.1: their certificate was made"
        );
        println!("on this machine. To trust the authority that signed it, which can sign for this machine only:\n");
        for (place, command) in trust_commands(&authority.display().to_string()) {
            println!("  {place:<18}{command}");
        }
        println!("\nCtrl-C stops it. Started again, it uses the same keys and password.");
        Ok(())
    }
}

/// Reads `--upstream`, and says what is missing where it is only a host and a port.
fn upstream_url(text: &str) -> Result<Url, String> {
    let hint = || format!("write a URL, as in http://{}", if text.contains(':') { text } else { "127.0.0.1:3000" });
    Url::parse(text).ok().filter(Url::has_host).ok_or_else(hint)
}

/// Keeps `git add .` from committing the keys.
fn ignore(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(".gitignore");
    if path.exists() { Ok(()) } else { files::write(&path, b"*\n") }
}

/// Where to trust the authority in `path`, and how.
fn trust_commands(path: &str) -> Vec<(&'static str, String)> {
    let quoted = format!("'{}'", path.replace('\'', r"'\''"));
    let firefox = "Settings > Privacy & Security > Certificates > View Certificates > Authorities > Import".to_owned();
    if cfg!(target_os = "macos") {
        let keychain = "~/Library/Keychains/login.keychain-db";
        let system = format!("security add-trusted-cert -r trustRoot -k {keychain} {quoted}");
        return vec![("Safari, Chrome", system), ("Firefox", firefox)];
    }
    vec![
        ("Chrome", format!("certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n vestibule-dev -i {quoted}")),
        ("Firefox", firefox),
        (
            "Debian, Ubuntu",
            format!(
                "sudo cp {quoted} /usr/local/share/ca-certificates/vestibule-dev.crt && sudo update-ca-certificates"
            ),
        ),
        ("Fedora, Arch", format!("sudo trust anchor {quoted}")),
    ]
}

/// The demo user's password, made the first time, and its hash.
fn credentials(folder: &Path) -> anyhow::Result<(Secret<String>, String)> {
    let path = folder.join(PASSWORD_FILE);
    if !path.exists() {
        let password = Secret::new(random::token()[..16].to_owned());
        files::write_secret(&path, password.expose().as_bytes())?;
    }
    let text = files::read_secret(&path)?;
    let password = Secret::new(text.trim_end().to_owned());
    let hash = password::hash(&password);
    Ok((password, hash.expose().clone()))
}

/// A port that is free now. Somebody may take it before we do; then binding says so.
fn free_port() -> anyhow::Result<u16> {
    let socket = std::net::TcpListener::bind(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 0))?;
    Ok(socket.local_addr()?.port())
}
