//! What every test drives: the real [`App`](app::Proxy) on free ports, a browser-like client, a scripted provider and
//! scripted targets. All traffic stays on loopback; names are told to the client, not asked of a DNS.

pub mod acme;
pub mod app;
pub mod authorities;
pub mod browser;
pub mod certificates;
pub mod connection;
pub mod dev;
pub mod http2;
#[expect(dead_code, reason = "the unit tests use more of it")]
#[path = "../../../crates/proxy/src/certificate/ocsp/made.rs"]
pub mod ocsp;
pub mod process;
pub mod provider;
pub mod raw;
pub mod scenario;
pub mod server;
pub mod target;
pub mod tls_target;
pub mod websocket;
pub mod wire;

use std::sync::OnceLock;

/// The runtime that clients use; the proxies and servers of a test have their own.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    })
}

/// Text that does not compress: the same at each call.
pub fn noise(length: usize) -> String {
    let mut noise = String::new();
    for block in 0_u64.. {
        if noise.len() >= length {
            break;
        }
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &block.to_be_bytes());
        base64::Engine::encode_string(&base64::engine::general_purpose::URL_SAFE_NO_PAD, hash.as_ref(), &mut noise);
    }
    noise.truncate(length);
    noise
}
