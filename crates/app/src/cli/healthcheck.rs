//! `healthcheck`: requests `/livez` of a running process, for containers without another HTTP client.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;

use crate::cli::admin_client::Process;

/// Timeout of connecting, sending and each read. Container engines give up after 30 s.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Checks whether a running process is alive: requests /livez at its admin address.
///
/// Exit code 0 if the response is 200, otherwise 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Healthcheck {
    #[command(flatten)]
    process: Process,
}

impl Healthcheck {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let endpoint = self.process.endpoint("/livez")?;
        let answer = endpoint.ask("GET", TIMEOUT)?;
        if answer.status != 200 {
            bail!("{} answered {}", endpoint.url(), answer.status);
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::SocketAddr;

    use super::*;

    fn check(url: &str) -> Healthcheck {
        Healthcheck { process: Process { url: url.parse().ok(), config: None } }
    }

    /// Answers one connection with `answer`, and says what was asked.
    fn answering(answer: &'static str) -> (SocketAddr, std::thread::JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (address, thread)
    }

    #[test]
    fn asks_what_the_url_says_and_reads_the_status() {
        let (address, asked) = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        check(&format!("http://{address}/livez?x=1")).run().unwrap();
        assert!(asked.join().unwrap().starts_with(&format!("GET /livez?x=1 HTTP/1.1\r\nhost: {address}\r\n")));
    }

    #[test]
    fn anything_but_200_is_a_failure() {
        for answer in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 ", ""] {
            let (address, _) = answering(answer);
            assert!(check(&format!("http://{address}/livez")).run().is_err(), "{answer:?}");
        }
    }

    #[test]
    fn nobody_there_and_tls_are_failures() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for url in [format!("http://{closed}/livez"), format!("https://{closed}/livez")] {
            assert!(check(&url).run().is_err(), "{url}");
        }
    }
}
