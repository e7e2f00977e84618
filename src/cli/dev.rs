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
        prepare(&self.state)?;
        certificates::ensure(&self.state, &clock)?;
        let (password, hash) = credentials(&self.state)?;
        let (protocol, upstream) = self.upstream()?;
        let port = if self.port == 0 { free_port()? } else { self.port };
        let (origin, issuer) = (format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}"));
        let source = Source::text("config/dev.yaml", &self.state, TEMPLATE).with_environment([
            ("LISTEN", format!("127.0.0.1:{port}").as_str()),
            ("ORIGIN", &origin),
            ("ISSUER", &issuer),
            ("PASSWORD_HASH", &hash),
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
        println!("Your browser will warn about the certificate, which was made for this machine. To trust it, import");
        println!("{}", authority.display());
        println!("\nCtrl-C stops it. Started again, it uses the same keys and password.");
        Ok(())
    }
}

/// Reads `--upstream`, and says what is missing where it is only a host and a port.
fn upstream_url(text: &str) -> Result<Url, String> {
    let hint = || format!("write a URL, as in http://{}", if text.contains(':') { text } else { "127.0.0.1:3000" });
    Url::parse(text).ok().filter(Url::has_host).ok_or_else(hint)
}

/// Makes the state folder, for its owner only.
fn prepare(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// The demo user's password, made the first time, and its hash.
fn credentials(folder: &Path) -> anyhow::Result<(Secret<String>, String)> {
    let path = folder.join(PASSWORD_FILE);
    if !path.exists() {
        let password = Secret::new(random::token()[..16].to_owned());
        files::write_secret(&path, password.expose().as_bytes())?;
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let password = Secret::new(text.trim_end().to_owned());
    let hash = password::hash(&password);
    Ok((password, hash.expose().clone()))
}

/// A port that is free now. Somebody may take it before we do; then binding says so.
fn free_port() -> anyhow::Result<u16> {
    let socket = std::net::TcpListener::bind(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 0))?;
    Ok(socket.local_addr()?.port())
}
