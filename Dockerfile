# syntax=docker/dockerfile:1

# The version is the one in rust-toolchain.toml (a test in tests/it compares them). The C compiler that aws-lc needs comes with
# the image.
FROM rust:1.95.0-bookworm AS build
WORKDIR /build
COPY . .
# The caches stay on the builder: dependencies are compiled again only when Cargo.lock changes. A cache mount is no part of
# the image, so the binary is copied out of it in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --release --locked --bin vestibule \
    && cp target/release/vestibule /vestibule

# glibc, libgcc, the public certificate authorities and nothing else: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /vestibule /usr/local/bin/vestibule
COPY LICENSE /usr/share/doc/vestibule/LICENSE
# A number, not a name: Kubernetes' runAsNonRoot cannot look names up. Nothing is ever written below /, so the root file
# system may be read-only; `serve` writes only to standard output.
USER 10001:10001
# Where the kernel gives huge pages to everyone, each thread's first kilobytes would take 2 MiB.
ENV MIMALLOC_ALLOW_THP=0
WORKDIR /etc/vestibule
# HTTPS, and plain HTTP for redirects: ports that need no privilege. The admin listener stays on the container's loopback.
EXPOSE 8443 8080
# Asks the admin listener whether we live. A container's orchestrator may ask /livez and /readyz itself instead.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/usr/local/bin/vestibule", "healthcheck", "--config", "/etc/vestibule/vestibule.yaml"]
# SIGTERM drains: Kubernetes and `docker stop` send it.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/vestibule"]
CMD ["serve", "--config", "/etc/vestibule/vestibule.yaml"]
