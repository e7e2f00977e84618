//! What every test drives: the real [`App`](app::Proxy) on free ports, a browser-like client, a scripted provider and
//! scripted targets. All traffic stays on loopback; names are told to the client, not asked of a DNS.

pub mod app;
pub mod browser;
pub mod certificates;
pub mod connection;
pub mod dev;
pub mod process;
pub mod provider;
pub mod raw;
pub mod server;
pub mod target;
pub mod tls_target;
pub mod wire;

use std::sync::OnceLock;

/// The runtime that clients use; the proxies and servers of a test have their own.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    })
}
