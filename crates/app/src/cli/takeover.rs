//! `serve --takeover`: takes the listening sockets over from the process that serves, and offers them to the next one.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::app::{App, Signals};
use crate::handover::{Claim, Error, Place};
use crate::socket::inherited::Inherited;

/// The socket below `$RUNTIME_DIRECTORY`, which systemd sets for `RuntimeDirectory=`. Others may enter that directory.
const DEFAULT: &str = "takeover/socket";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Take over from the process that serves: get its listening sockets, start to serve, and let it finish its requests and exit. If no
    /// process offers its sockets at SOCKET, start as usual. Default: the socket where this process offers them itself.
    #[arg(long, value_name = "SOCKET", num_args = 0..=1)]
    takeover: Option<Option<PathBuf>>,
    /// Offer the listening sockets at SOCKET, so that another process can take over. The directory of SOCKET must belong to the user of this
    /// process, and nobody else may enter it; it is created if there is none. Default: the SOCKET of --takeover, then
    /// $RUNTIME_DIRECTORY/takeover/socket. Without any of them, nothing is offered.
    #[arg(long, value_name = "SOCKET")]
    takeover_socket: Option<PathBuf>,
}

/// A takeover that has begun, if there is a process to take over from.
#[derive(Debug)]
pub(super) struct Takeover {
    claim: Option<Claim>,
    offer_at: Option<Place>,
}

impl Arguments {
    /// Gets the sockets of the process that serves, if one is to be taken over from and there is one.
    pub(super) fn begin(&self) -> anyhow::Result<(Takeover, Inherited)> {
        let named = self.takeover.as_ref().and_then(Option::as_ref);
        let offer_at = match self.takeover_socket.as_ref().or(named) {
            Some(path) => Some(Place::open(path)?),
            None => self.default_place()?,
        };
        let Some(takeover) = &self.takeover else {
            return Ok((Takeover { claim: None, offer_at: offer_at.filter(is_free) }, Inherited::default()));
        };
        let other = takeover.as_ref().map(|path| Place::open(path)).transpose()?;
        let place = other.as_ref().or(offer_at.as_ref()).context(
            "--takeover needs a SOCKET: systemd has not set $RUNTIME_DIRECTORY, and there is no --takeover-socket",
        )?;
        let claim = Claim::new(place).context("cannot take over")?;
        let Some(claim) = claim else {
            tracing::info!(socket = %place.path().display(), "no process to take over from; starting as usual");
            return Ok((Takeover { claim: None, offer_at }, Inherited::default()));
        };
        let taken = claim.take().with_context(|| format!("cannot take over from process {}", claim.process))?;
        tracing::info!(process.pid = claim.process, sockets = taken.len(), "taking over from another process");
        let inherited = Inherited::new(taken.into_iter().map(|passed| (passed.key, passed.socket)))
            .with_context(|| format!("cannot use the sockets of process {}", claim.process))?;
        Ok((Takeover { claim: Some(claim), offer_at }, inherited))
    }

    /// The place below `$RUNTIME_DIRECTORY`. The process serves without it if nobody asks for a takeover.
    fn default_place(&self) -> anyhow::Result<Option<Place>> {
        let Some(directories) = std::env::var_os("RUNTIME_DIRECTORY").filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let Some(first) = std::env::split_paths(&directories).next() else { return Ok(None) };
        match Place::open(&first.join(DEFAULT)) {
            Ok(place) => Ok(Some(place)),
            Err(error) if self.takeover.is_none() => {
                tracing::warn!(error = %error, "no other process can take over from this one");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether no other process offers its sockets there.
fn is_free(place: &Place) -> bool {
    match Claim::new(place) {
        Ok(None) => true,
        Ok(Some(Claim { process, .. })) => {
            tracing::warn!(
                socket = %place.path().display(),
                process.pid = process,
                "another process offers its sockets here (was --takeover forgotten?); no process can take over from this one"
            );
            false
        }
        Err(error) => {
            tracing::warn!(error = %error, "no other process can take over from this one");
            false
        }
    }
}

impl Takeover {
    /// Says that `app` serves, so that the other process stops, and offers its sockets to the next process. Also returns whether there was
    /// another process.
    pub(super) fn finish(self, mut app: App, signals: &Signals) -> anyhow::Result<(App, bool)> {
        let is_successor = self.claim.is_some();
        if let Some(claim) = self.claim {
            let ready = app.serves().map_err(Error::Refused).and_then(|()| claim.ready());
            if let Err(error) = ready {
                // Connections that this process has accepted are served to their end.
                app.shutdown();
                return Err(error).with_context(|| format!("cannot take over from process {}", claim.process));
            }
            tracing::info!(process.pid = claim.process, "this process has taken over");
        }
        if let Some(place) = self.offer_at
            && let Err(error) = app.offer(&place, signals)
        {
            tracing::error!(socket = %place.path().display(), error = %error, "no other process can take over from this one");
        }
        Ok((app, is_successor))
    }
}
