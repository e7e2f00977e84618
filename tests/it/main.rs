//! Every integration test, in one binary. A capability is a module; a reader learns the product by reading this list.
#![expect(
    clippy::disallowed_methods,
    reason = "tests drive the product from outside: they have threads, tasks and deadlines of their own"
)]
#![expect(clippy::type_complexity, reason = "tables of cases are read as tables")]
#![expect(unreachable_pub, reason = "`pub` says what a test may use of the harness")]

mod harness;

/// One record for each exchange, and no secret in any.
mod access_log;
/// What users of a pool see and change of themselves.
mod account_pages;
/// Certificates by ACME: obtained, kept, renewed, and never taken away.
mod acme;
/// The operator's endpoint and the metrics.
mod admin;
/// The access log as the ALB writes it.
mod alb_log;
/// The page about the ALB has a verdict and a test for each row.
mod alb_page;
/// Rows of that page that no other module shows.
mod alb_rows;
/// What targets answer, byte by byte, and what becomes of the connection that it came on.
mod answers;
/// What strangers send, and that it does nothing: one test for each attack, by its id.
mod attacks;
/// Who may come in, by claims.
mod authorize;
/// A proxy in front that ends TLS, and what it may say.
mod bearer;
mod behind_a_proxy;
/// The look of the pages of a pool, and its own domain.
mod branding;
/// What a person sees in a real browser.
mod browser;
/// What comments and documents name is there.
mod choice;
mod choice_sessions;
mod citations;
/// What the target is told of a user, and that others can verify it.
mod claims_headers;
/// Certificates of clients: who is let in, what targets are told, and what a reload changes.
mod client_certificates;
/// What the commands do, as processes: `dev`, `serve`, `check`, `healthcheck`, `keys`, `users`.
mod commands;
/// What `deploy/` and the README print works as printed.
mod deploy;
/// Stopping without losing a request.
mod drain;
/// What does not end in time when the process stops or a listener is removed.
mod drain_timeout;
/// Uploads that are answered before they have been read: the answer arrives.
mod early_answers;
/// What a person or a program reads when a request is refused.
mod endings;
mod error_pages;
/// `check --request` and serving, asked about the same requests.
mod explained;
/// Users who sign in to a pool at another provider.
mod federated;
/// Answers of our own.
mod fixed_response;
/// Requests to targets and answers from them: streams, failures, turns.
mod forward;
/// Vestibule as the door of nginx, Caddy and Envoy.
mod forward_auth;
/// Claims that change while a user is signed in.
mod fresh_claims;
/// HTTP/2 on the clients' side: early answers, windows, memory, and frames that do nothing.
mod grpc;
/// Health checks of targets.
mod health;
mod http2;
mod http2_targets;
/// `import` from other systems: the result is checked, served and signed in to.
mod import;
/// Opaque bearer tokens, of which the provider is asked.
mod introspection;
/// Every limit on a connection.
mod limits;
/// What a listener tells targets of the client and its connection.
mod listener_attributes;
/// The main job: signing in.
mod login;
/// Signing out, here and at the provider.
mod logout;
/// The Model Context Protocol, by its own client and server.
mod mcp;
/// Mails to users of a pool, through a mail server that nobody here wrote.
mod messages;
/// What the metrics count.
mod metrics;
/// Applications behind Apache that sign in at a pool.
mod mod_auth_openidc;
/// Relying parties that nobody here wrote, at a user pool.
mod oauth_clients;
/// One person and everything that a user pool does.
mod one_person;
/// What a team chooses about other sites.
mod other_sites;
/// Our cookies, the application's, and caches.
mod our_cookies;
/// A sign-in page of the operator's own.
mod own_login_page;
/// Passwords of users in a database.
mod passwords;
/// `vestibule test`, and `check --request` about users, tokens and headers.
mod policy_tests;
/// The provider goes away and comes back.
mod provider_down;
/// Providers that are another way than most.
mod providers;
/// Signing in with providers that nobody here wrote.
mod real_providers;
/// Redirects, and the step from plain HTTP to HTTPS.
mod redirect;
/// New tokens for a session: once, whoever asks.
mod refresh;
/// Another configuration while the process runs.
mod reload;
/// What makes a process reload: files, signals, the endpoint, the command.
mod reload_files;
/// What two files say about the same thing is the same.
mod repository;
/// The paths of the sign-in, and the hosts where they are.
mod reserved_paths;
/// Who issues tokens for an address, for clients that know only that.
mod resource_metadata;
/// Headers that listeners and rules set in responses.
mod response_headers;
/// What a connection gives back between two requests.
mod rest;
/// Which room may use which: the architecture, as a table.
mod room_graph;
/// Where the rooms are, for the tests that read them.
mod rooms;
/// Which rule takes a request: conditions, priority, default.
mod rules;
/// A second factor beside the password.
mod second_factors;
/// What the service manager is told.
mod service_manager;
/// What becomes of a request with a session, without one, and with one that is over.
mod session;
/// Listening sockets of the service manager.
#[cfg(target_os = "linux")]
mod sign_up;
mod socket_activation;
/// Files of a directory behind a sign-in.
mod static_files;
/// Sign-ins that are too old or too weak for a rule.
mod step_up;
/// A browser stays at the target that first answered it.
mod stickiness;
/// The access log as syslog messages.
mod stored_users;
mod syslog;
/// A new process takes the place of the one that serves.
mod takeover;
/// Certificates by name, versions, resumption, and what is not TLS.
mod tls;
/// TLS as the file says: the choice of a certificate, versions, OCSP, tickets that replicas share.
mod tls_settings;
/// `vestibule login`: a program gets a token, and the rule takes it.
mod token_login;
/// Traces at a collector of OpenTelemetry.
mod traces;
/// A process in trouble: nobody reads its logs, no descriptor is left, something hangs while it stops.
mod transforms;
mod trouble;
/// Requests that the HTTP library does not read.
mod unread;
/// The operator's day with the users of a database.
mod user_commands;
mod user_operations;
/// The provider in the same process: a whole login, and other relying parties.
mod user_pool;
/// What the application is told, verified by libraries that nobody here wrote.
mod verifiers;
/// WebSockets through the proxy.
mod websocket;
/// WebSockets over HTTP/2: opened by whom HTTP/1.1 would let open one, and bounded as other streams are.
mod websocket_http2;
mod weighted;
