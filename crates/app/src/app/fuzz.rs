//! For `fuzz/`: the decision of a listener with some rules, as `serve` makes it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderValue, Uri, Version, header};
use tokio::runtime::Builder;

use crate::app::generation::Generation;
use crate::app::process::Process;
use crate::clock::Clock;
use crate::config::MissingKeys;
use crate::config::document::source::Source;
use crate::config::load;
use crate::drain::{self, Control};
use crate::exchange::Exchange;
use crate::exchange::connection::Connection;
use crate::exchange::rejection::Reason;
use crate::message::Request;
use crate::message::body::Body;
use crate::proxy::decide::{Decision, decide};
use crate::proxy::snapshot::Snapshot;
use crate::telemetry::metrics::Registry;

/// Which rule takes `GET` of `uri`, and the path and query that a target of that rule receives.
///
/// # Errors
///
/// The reason why the request is refused.
pub(crate) fn decided(snapshot: &Snapshot, uri: Uri) -> Result<(Arc<str>, String), Reason> {
    let clock = Clock::system();
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let connection = Connection::new(peer, Arc::from("fuzz"), Arc::default(), None);
    let mut exchange = Exchange::begin(Rc::new(connection), clock.instant(), clock.now());
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("app.test"));
    let decided = decide(snapshot, &mut exchange, &mut request).map_err(|rejection| rejection.reason)?;
    match decided.decision {
        Decision::Rule(rule) => Ok((Arc::clone(&rule.name), decided.request.target.to_string())),
        Decision::Ours(_) => unreachable!("no rule authenticates, and there is no pool"),
    }
}

/// What the only listener of a configuration serves with.
pub(crate) fn snapshot(configuration: &str) -> Arc<Snapshot> {
    let source = Source::text("fuzz.yaml", Path::new("/dev/null"), configuration);
    let config = load(&source, MissingKeys::Refuse).unwrap_or_else(|report| panic!("{report}"));
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let _entered = runtime.enter();
    let (_drain, draining) = drain::channel();
    let control = Control::new(runtime.handle().clone(), draining.spawner());
    let process = Process::new(Clock::system(), Registry::default(), control, config.shutdown);
    let generation = Generation::new(config, &process).expect("it is assembled");
    Arc::clone(&generation.listeners[0].snapshot)
}
