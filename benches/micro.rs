//! What single steps of a request cost: `cargo bench --bench micro`, or with a word to choose from them.
//!
//! For instructions instead of time, run one of them under callgrind (`cargo bench --bench micro --profile profiling
//! --no-run`, then `valgrind --tool=callgrind <the binary> --bench --profile-time 1 <name>`).

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue};
use vestibule::bench_door::{Asked, IdentityHeaders, Rules, SessionCookie, write_access_record};

criterion_group!(micro, cookie, rules, headers, access_log);
criterion_main!(micro);

fn cookie(criterion: &mut Criterion) {
    for (name, access_token_bytes) in [("one shard", 1000), ("two shards", 4000)] {
        let mut group = criterion.benchmark_group(format!("cookie, {name}"));
        let mut cookie = SessionCookie::new(access_token_bytes);
        group.bench_function("parse", |bench| bench.iter(|| black_box(&cookie).parse()));
        group.bench_function("open", |bench| bench.iter(|| black_box(&cookie).open()));
        group.bench_function("open again", |bench| bench.iter(|| black_box(&mut cookie).open_again()));
        group.finish();
    }
}

/// How hosts and paths are spread over rules.
type Spread = fn(usize) -> (String, String);

fn rules(criterion: &mut Criterion) {
    let spreads: [(&str, Spread); 4] = [
        ("by path", |n| (HOST.to_owned(), format!("/service{n}/*"))),
        ("by host", |n| (format!("tenant{n}.example.com"), "/*".to_owned())),
        ("by both", |n| (format!("tenant{}.example.com", n / 10), format!("/service{}/*", n % 10))),
        ("by wildcard host", |n| (format!("*.tenant{n}.example.com"), "/*".to_owned())),
    ];
    for (name, spread) in spreads {
        for count in [10, 1000] {
            let rules = Rules::new((0..count).map(spread));
            let mut group = criterion.benchmark_group(format!("rules {name}, {count}"));
            for (which, place) in [("first", 0), ("last", count - 1), ("default", count)] {
                let (host, path) = spread(if place == count { 100_000 } else { place });
                let asked = Asked::new(&host.replace('*', "www"), &path.replace('*', "v1/orders/1234567?page=2"));
                assert_eq!(rules.find(&asked), place);
                group.bench_function(which, |bench| bench.iter(|| rules.find(black_box(&asked))));
            }
            group.finish();
        }
    }
}

fn headers(criterion: &mut Criterion) {
    let mut identity = IdentityHeaders::new();
    let clean = client_headers(&[]);
    let hostile = client_headers(&[("x-amzn-oidc-identity", "admin"), ("x-forwarded-user", "admin"), ("x_a", "b")]);
    let mut group = criterion.benchmark_group("headers");
    for (name, headers) in [("strip nothing", &clean), ("strip three", &hostile)] {
        group.bench_function(name, |bench| {
            let strip = |headers: &mut HeaderMap| identity.strip(headers);
            bench.iter_batched_ref(|| headers.clone(), strip, BatchSize::SmallInput);
        });
    }
    group.bench_function("inject", |bench| {
        let inject = |headers: &mut HeaderMap| identity.inject(headers);
        bench.iter_batched_ref(|| clean.clone(), inject, BatchSize::SmallInput);
    });
    group.bench_function("sign (ES256) and inject", |bench| {
        let sign = |headers: &mut HeaderMap| identity.sign_and_inject(headers);
        bench.iter_batched_ref(|| clean.clone(), sign, BatchSize::SmallInput);
    });
    group.finish();
}

fn access_log(criterion: &mut Criterion) {
    let mut out = Vec::with_capacity(4096);
    criterion.bench_function("access record", |bench| {
        bench.iter(|| {
            out.clear();
            write_access_record(black_box(&mut out));
            out.len()
        });
    });
}

const HOST: &str = "app.example.com";

/// What a browser sends, but for the cookie; and `more`.
fn client_headers(more: &[(&'static str, &'static str)]) -> HeaderMap {
    let sent = [
        ("host", HOST),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "en-US,en;q=0.5"),
        ("cache-control", "no-cache"),
        ("referer", "https://app.example.com/api/v1/orders"),
        ("sec-ch-ua-platform", "\"Linux\""),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "same-origin"),
        ("upgrade-insecure-requests", "1"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-request-id", "3f1c9a0e5b7d"),
    ];
    let sent = sent.iter().chain(more);
    sent.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}
