//! `dev`: runs without a configuration file. It starts a local certificate authority, a user pool with one user, a
//! demo application that shows the request it received, and the proxy in front of it.

mod certificates;
mod demo_app;
mod demo_user;
mod loopback;
mod mails;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::app::{self, App, Signals};
use crate::cli::exit::WrongUse;
use crate::cli::files;
use crate::clock::Clock;
use crate::config;
use crate::config::document::source::Source;
use crate::config::{Attempt, Config, MissingKeys};
use crate::crypto::octets;
use crate::secret::Secret;
use crate::telemetry::logging;
use crate::user_pool::messages::courier::console::Console;
use crate::user_pool::messages::settings::{MailBy, Sms, SmsBy};

const TEMPLATE: &str = include_str!("../../../../config/dev.yaml");
const USERNAME: &str = "demo";
const PASSWORD_FILE: &str = "demo-password";

/// Has the pool print on the terminal what it would send, and keep it for the page.
fn print_messages(config: &mut Config) -> Console {
    let console = Console::default();
    for pool in &mut config.user_pools {
        let by = SmsBy::Console(console.clone());
        pool.settings.messages.mail = Some(MailBy::Console(console.clone()));
        pool.settings.messages.sms = Some(Sms { by, prefixes: Vec::new(), roots: Vec::new() });
    }
    console
}

/// Says what helps where the port is taken. The configuration is not the user's, so its words are of no help here.
fn used_port(error: app::Error, port: u16) -> anyhow::Error {
    match error {
        app::Error::Bind { address, source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => anyhow!(
            "cannot listen on {address}: another process uses port {port}, perhaps another `vestibule dev`; choose another port \
             with `--port 9443`, or a free one with `--port 0`"
        ),
        error => error.into(),
    }
}

/// Runs a complete local setup without a configuration file: proxy, sign-in, a demo user and a demo application.
#[derive(Debug, clap::Args)]
pub(crate) struct Dev {
    /// Protect this application instead of the demo application, for example http://127.0.0.1:3000.
    #[arg(long, value_name = "URL", value_parser = upstream_url)]
    upstream: Option<Url>,
    /// Accept any certificate of an https upstream, for example a self-signed one.
    #[arg(long, requires = "upstream")]
    insecure_upstream: bool,
    /// The port to listen on; 0 selects a free port.
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// The folder for the certificate authority, the keys and the demo user's password.
    #[arg(long, value_name = "FOLDER", default_value = ".vestibule")]
    state: PathBuf,
}

impl Dev {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let clock = Clock::system();
        files::folder(&self.state, "--state")?;
        ignore(&self.state)?;
        certificates::ensure(&self.state, &clock)?;
        let password = demo_password(&self.state)?;
        let (protocol, upstream) = self.upstream()?;
        let port = if self.port == 0 { free_port()? } else { self.port };
        let (origin, issuer) = (format!("https://127.0.0.1:{port}"), format!("https://localhost:{port}"));
        let source = Source::text("config/dev.yaml", &self.state, &self.template()?).with_environment([
            ("LISTEN", format!("127.0.0.1:{port}").as_str()),
            ("ORIGIN", &origin),
            ("ISSUER", &issuer),
            // A webhook needs one, though nothing is sent to it.
            ("SMS_SECRET", &format!("whsec_{}", STANDARD.encode(octets::random::<32>()))),
            // Browsers send cookies to every port of a host (RFC 6265 §8.5). With one cookie name, two `dev`
            // processes would sign each other out.
            ("SESSION_COOKIE", &format!("__Host-vestibule-{port}")),
            ("UPSTREAM_PROTOCOL", protocol),
            ("UPSTREAM", &upstream),
            ("ADMIN", "127.0.0.1:0"),
        ]);
        let mut config = match config::load(&source, MissingKeys::Make) {
            Ok(config) => config,
            Err(diagnostics) => bail!("{diagnostics}"),
        };
        let mails = mails::start(print_messages(&mut config)).context("the page for messages failed to start")?;
        let password = demo_user::ensure(&config, USERNAME, &password, &clock)?;
        logging::start(&config.log);
        let signals = Signals::hear(&config)?;
        let load = Box::new(|| Attempt::impossible("vestibule dev", "`dev` makes its configuration when it starts"));
        let app = App::start(config, load, clock).map_err(|error| used_port(error, port))?;
        self.tell(&app, (&origin, &issuer), &password, &mails)?;
        Ok(if app.run(signals) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The configuration, with the changes for `--insecure-upstream`.
    fn template(&self) -> anyhow::Result<String> {
        if !self.insecure_upstream {
            return Ok(TEMPLATE.to_owned());
        }
        if self.upstream.as_ref().is_none_or(|url| url.scheme() != "https") {
            bail!(WrongUse("--insecure-upstream needs an https upstream: --upstream https://...".to_owned()));
        }
        let targets = "    targets: [\"${UPSTREAM}\"]\n";
        Ok(TEMPLATE.replace(targets, &format!("{targets}    verify: false\n")))
    }

    /// Protocol and `host:port` of the upstream.
    fn upstream(&self) -> anyhow::Result<(&'static str, String)> {
        let Some(url) = &self.upstream else {
            return Ok(("http", demo_app::start().context("the demo application failed to start")?.to_string()));
        };
        let protocol = match url.scheme() {
            "http" => "http",
            "https" => "https",
            other => {
                bail!(WrongUse(format!("--upstream {url}: the protocol `{other}` is not supported; use http or https")))
            }
        };
        if url.path() != "/" || url.query().is_some() {
            bail!(WrongUse(format!(
                "--upstream {url}: remove the path and query, for example http://127.0.0.1:3000; request paths are forwarded unchanged"
            )));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            bail!(WrongUse(format!("--upstream {url}: the URL has no host")));
        };
        Ok((protocol, format!("{host}:{port}")))
    }

    fn tell(&self, app: &App, (origin, issuer): (&str, &str), password: &str, mails: &Url) -> anyhow::Result<()> {
        let state = self.state.canonicalize()?;
        let authority = state.join(certificates::CA_FILE);
        println!("\nVestibule is running.\n");
        println!("  Open        {origin}");
        println!("  User name   {USERNAME}");
        println!("  Password    {password}");
        println!("  Account     {issuer}/account");
        println!("  Messages    {mails}");
        println!();
        match &self.upstream {
            Some(url) => println!("  Upstream    {url}"),
            None => {
                println!(
                    "  Upstream    demo application (for your own: vestibule dev --upstream http://127.0.0.1:3000)"
                )
            }
        }
        println!("  Token       vestibule login --ca-file {} {origin}", quoted(&authority.display().to_string()));
        println!("  Metrics     http://{}/metrics", app.admin_address());
        println!("  Access log  {}", state.join("access.log").display());
        println!();
        println!(
            "Your browser will show two certificate warnings: for 127.0.0.1, and for the sign-in page on localhost."
        );
        println!("To avoid them, trust the local certificate authority. It is valid only for this machine:\n");
        for (place, command) in trust_commands(&authority.display().to_string()) {
            println!("  {place:<18}{command}");
        }
        println!("\nPress Ctrl-C to stop. The next start uses the same keys and password.");
        Ok(())
    }
}

/// Parses `--upstream`. The error for `host:port` suggests the full URL.
fn upstream_url(text: &str) -> Result<Url, String> {
    let hint =
        || format!("write a URL, for example http://{}", if text.contains(':') { text } else { "127.0.0.1:3000" });
    Url::parse(text).ok().filter(Url::has_host).ok_or_else(hint)
}

/// Prevents `git add .` from committing the keys.
fn ignore(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(".gitignore");
    if path.exists() { Ok(()) } else { files::write(&path, b"*\n") }
}

/// The text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The commands that trust the certificate authority in `path`, each with the programs it is for.
fn trust_commands(path: &str) -> Vec<(&'static str, String)> {
    let quoted = quoted(path);
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

/// The demo user's password, made at the first start.
fn demo_password(folder: &Path) -> anyhow::Result<Secret<String>> {
    let path = folder.join(PASSWORD_FILE);
    if !path.exists() {
        let password = Secret::new(octets::token()[..16].to_owned());
        files::write_secret(&path, password.expose().as_bytes())?;
    }
    let text = files::read_secret(&path)?;
    Ok(Secret::new(text.trim_end().to_owned()))
}

/// A port that is free now. If another process takes it first, binding fails with an error.
fn free_port() -> anyhow::Result<u16> {
    let socket = std::net::TcpListener::bind(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 0))?;
    Ok(socket.local_addr()?.port())
}
