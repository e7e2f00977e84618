"""Envoy with its `oauth2` and `jwt_authn` filters: signed in with a user pool of a Vestibule that is the issuer only.

As its documentation has it for an edge proxy (buffers of 32 KiB, windows of HTTP/2, `use_remote_address`), tokens in
encrypted cookies (the filter's default), the ID token verified on every request with the issuer's key set, which is fetched.
Its runtime keeps the defaults, but for the size of headers.
"""

import json

from harness.process import LOOPBACK, Process, write
from harness.tools import tool

CLIENT_ID = "envoy"
CALLBACK = "/oauth2/callback"
BUFFER_BYTES = 32_768
TYPE = "type.googleapis.com/"
EXTENSIONS = f"{TYPE}envoy.extensions."


def proxy(directory, name, certificate, target_port, issuer_port, port, secret, hmac_secret, *, workers=2, jwt_cache=False):
    """Not started. The issuer is at `login.localhost:issuer_port` and has the client `envoy` with that secret.

    `secret` and `hmac_secret` are paths of `secret_file`s. `jwt_cache` remembers tokens that were verified (off by default).
    """
    connections = {
        "@type": f"{EXTENSIONS}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "public",
        "codec_type": "AUTO",
        "use_remote_address": True,
        "stream_idle_timeout": "300s",
        "common_http_protocol_options": {"idle_timeout": "600s", "headers_with_underscores_action": "REJECT_REQUEST"},
        "http2_protocol_options": {
            "max_concurrent_streams": 100, "initial_stream_window_size": 65_536, "initial_connection_window_size": 1_048_576,
        },
        "access_log": [{"name": "file", "typed_config": {
            "@type": f"{EXTENSIONS}access_loggers.file.v3.FileAccessLog", "path": f"{directory}/{name}-access.log"}}],
        "http_filters": [
            {"name": "oauth2", "typed_config": oauth2(issuer_port, port, secret, hmac_secret)},
            {"name": "jwt", "typed_config": jwt_authn(issuer_port, jwt_cache)},
            {"name": "router", "typed_config": {"@type": f"{EXTENSIONS}filters.http.router.v3.Router"}},
        ],
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "target"}}]}]},
    }
    settings = {
        "node": {"id": "bench", "cluster": "bench"},
        "static_resources": {
            "listeners": [{
                "name": "public",
                "address": address(port),
                "per_connection_buffer_limit_bytes": BUFFER_BYTES,
                "tcp_backlog_size": 4096,
                "filter_chains": [{
                    "transport_socket": server_tls(certificate),
                    "filters": [{"name": "http", "typed_config": connections}],
                }],
            }],
            "clusters": [
                cluster("target", target_port),
                {**cluster("issuer", issuer_port), "transport_socket": {"name": "tls", "typed_config": {
                    "@type": f"{EXTENSIONS}transport_sockets.tls.v3.UpstreamTlsContext",
                    "sni": "login.localhost",
                    "common_tls_context": {"validation_context": {
                        "trusted_ca": {"filename": certificate.chain},
                        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "login.localhost"}}],
                    }},
                }}},
            ],
        },
    }
    path = write(directory, f"{name}.json", json.dumps(settings, indent=2))
    command = [tool("envoy"), "-c", path, "--concurrency", str(workers), "--log-level", "error", "--disable-hot-restart"]
    return Process(command, directory, name, port)


def oauth2(issuer_port, port, secret, hmac_secret):
    issuer = f"https://login.localhost:{issuer_port}"
    return {
        "@type": f"{EXTENSIONS}filters.http.oauth2.v3.OAuth2",
        "config": {
            "token_endpoint": {"cluster": "issuer", "uri": f"{issuer}/oauth2/token", "timeout": "5s"},
            "authorization_endpoint": f"{issuer}/oauth2/authorize",
            "redirect_uri": f"https://localhost:{port}{CALLBACK}",
            "redirect_path_matcher": {"path": {"exact": CALLBACK}},
            "signout_path": {"path": {"exact": "/oauth2/sign_out"}},
            "forward_bearer_token": True,
            "auth_scopes": ["openid", "profile", "email"],
            "credentials": {
                "client_id": CLIENT_ID,
                "token_secret": inline_secret("token", secret),
                "hmac_secret": inline_secret("hmac", hmac_secret),
            },
        },
    }


def inline_secret(name, value):
    """A secret that is read from a file, as the filter wants it."""
    return {"name": name, "sds_config": {"path_config_source": {"path": value}}}


def secret_file(directory, proxy_name, name, value):
    """Writes a secret in the form that `inline_secret` names; returns its path."""
    return write(directory, f"{proxy_name}-{name}.json", json.dumps({"resources": [{
        "@type": f"{EXTENSIONS}transport_sockets.tls.v3.Secret",
        "name": name,
        "generic_secret": {"secret": {"inline_string": value}},
    }]}))


def jwt_authn(issuer_port, has_cache):
    issuer = f"https://login.localhost:{issuer_port}"
    return {
        "@type": f"{EXTENSIONS}filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"pool": {
            "issuer": issuer,
            "audiences": [CLIENT_ID],
            "from_cookies": ["IdToken"],
            "payload_in_metadata": "claims",
            "remote_jwks": {
                "http_uri": {"uri": f"{issuer}/oauth2/jwks", "cluster": "issuer", "timeout": "5s"},
                "cache_duration": "600s",
                "async_fetch": {},
            },
            **({"jwt_cache_config": {"jwt_cache_size": 1000}} if has_cache else {}),
        }},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "pool"}}],
    }


def server_tls(certificate):
    return {"name": "tls", "typed_config": {
        "@type": f"{EXTENSIONS}transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "tls_certificates": [{
                "certificate_chain": {"filename": certificate.chain}, "private_key": {"filename": certificate.key}}],
        },
    }}


def cluster(name, port):
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}]},
    }


def address(port):
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}
