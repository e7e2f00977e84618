//! Attributes of load balancers, listeners and target groups (ALB §9.4, §10.1, §10.7): pairs of a key and a text.

use std::time::Duration;

use crate::import::ledger::{At, Ledger, flag, number};
use crate::import::yaml::{Map, Yaml};

/// What attributes of the load balancer set at each listener, target group and `forward`.
#[derive(Debug, Default)]
pub(in crate::import) struct Common {
    pub(in crate::import) listener: Map,
    pub(in crate::import) limits: Map,
    pub(in crate::import) target_group: Map,
    pub(in crate::import) preserve_host_header: bool,
    /// `https` listeners tell targets about TLS.
    pub(in crate::import) has_tls_headers: bool,
    pub(in crate::import) has_access_log: bool,
}

/// An attribute: its key, and where its value is.
pub(in crate::import) struct Attribute<'v> {
    pub(in crate::import) key: String,
    pub(in crate::import) value: At<'v>,
    /// Where key and value are in the input.
    pub(in crate::import) path: String,
}

/// The `Key` and `Value` of the answers of AWS.
pub(in crate::import) fn pairs<'v>(items: &[At<'v>]) -> Vec<Attribute<'v>> {
    let pair = |item: &At<'v>| {
        Some(Attribute { key: item.text("Key")?.to_owned(), value: item.get("Value")?, path: item.path.clone() })
    };
    items.iter().filter_map(pair).collect()
}

pub(super) fn load_balancer(items: &[At<'_>], ledger: &mut Ledger) -> Common {
    let mut common = Common::default();
    for attribute in pairs(items) {
        load_balancer_attribute(&attribute, &mut common, ledger);
    }
    common
}

/// The access log of AWS, in a file.
pub(in crate::import) fn access_log() -> Map {
    Map::default().with("destination", "access.log").with("format", "alb")
}

/// Carries over an attribute of the load balancer (ALB §10.1).
pub(in crate::import) fn load_balancer_attribute(attribute: &Attribute<'_>, common: &mut Common, ledger: &mut Ledger) {
    let (path, value) = (&attribute.path, attribute.value.value);
    let (is_on, seconds) = (flag(value) == Some(true), number(value).map(Duration::from_secs));
    let text = value.as_str().unwrap_or_default();
    match (attribute.key.as_str(), seconds) {
        ("idle_timeout.timeout_seconds", Some(seconds)) => {
            common.limits.set("idle_timeout", seconds);
            common.target_group.set("response_timeout", seconds);
            ledger.kept(path, "limits.idle_timeout of the listeners, response_timeout of the target groups");
        }
        ("client_keep_alive.seconds", Some(seconds)) => {
            common.limits.set("keep_alive", seconds);
            ledger.kept(path, "limits.keep_alive of the listeners");
        }
        ("routing.http.xff_header_processing.mode", _) if matches!(text, "append" | "preserve" | "remove") => {
            common.listener.set("x_forwarded_for", text);
            ledger.kept(path, "x_forwarded_for of the listeners");
        }
        ("routing.http.preserve_host_header.enabled", _) => {
            common.preserve_host_header = is_on;
            ledger.kept(path, "preserve_host_header of forward");
        }
        ("routing.http2.enabled", _) if is_on => ledger.kept(path, "https listeners serve HTTP/2"),
        ("routing.http2.enabled", _) => ledger.dropped(path, "https listeners of Vestibule always offer HTTP/2"),
        ("routing.http.desync_mitigation_mode", _) if matches!(text, "monitor" | "defensive" | "strictest") => {
            common.listener.set("desync_mitigation", text);
            if text == "monitor" {
                ledger.changed(path, "desync_mitigation: as `defensive`, whose refusals Vestibule has in each mode");
            } else {
                ledger.kept(path, "desync_mitigation of the listeners");
            }
        }
        ("routing.http.drop_invalid_header_fields.enabled", _) if is_on => {
            ledger.kept(path, "always on: a name has letters, digits and `-` only");
        }
        ("routing.http.drop_invalid_header_fields.enabled", _) => {
            ledger.changed(
                path,
                "always on: headers whose names have other characters than letters, digits and `-` are removed",
            );
        }
        ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", _) => {
            common.has_tls_headers = is_on;
            ledger.kept(path, if is_on { "tls_headers of the https listeners" } else { "off" });
        }
        ("routing.http.xff_client_port.enabled", _) => {
            if is_on {
                common.listener.set("xff_client_port", true);
            }
            ledger.kept(path, if is_on { "xff_client_port of the listeners" } else { "off" });
        }
        ("waf.fail_open.enabled", _) => {
            ledger.dropped(path, "there is no web application firewall of AWS in front any more")
        }
        ("access_logs.s3.enabled", _) => {
            common.has_access_log = is_on;
            ledger.changed(
                path,
                if is_on { "access_log: the same lines, in a file" } else { "access_log: JSON on standard output" },
            );
        }
        (key, _) if key.starts_with("access_logs.") => {
            ledger.dropped(path, "the lines are in a file here: let a program ship it");
        }
        (key, _) if key.starts_with("connection_logs.") || key.starts_with("health_check_logs.") => {
            ledger
                .dropped(path, "failed handshakes and health checks are in the log of the process and in the metrics");
        }
        (
            "deletion_protection.enabled"
            | "zonal_shift.config.enabled"
            | "ipv6.deny_all_igw_traffic"
            | "load_balancing.cross_zone.enabled",
            _,
        ) => ledger.dropped(path, "a property of the load balancer of AWS; nothing to set"),
        _ => {}
    }
}

/// Attributes `routing.http.response.NAME.header_value`, whose names `response_headers` has, too.
const RESPONSE_HEADERS: [&str; 10] = [
    "strict_transport_security",
    "content_security_policy",
    "x_content_type_options",
    "x_frame_options",
    "access_control_allow_origin",
    "access_control_allow_methods",
    "access_control_allow_headers",
    "access_control_expose_headers",
    "access_control_allow_credentials",
    "access_control_max_age",
];

/// What attributes of a listener set.
#[derive(Debug, Default)]
pub(in crate::import) struct OfListener {
    pub(in crate::import) response_headers: Map,
    /// Names in `tls_headers`.
    tls: Map,
    /// Names in `header_names` of `mutual_authentication`.
    pub(in crate::import) certificate: Map,
}

impl OfListener {
    /// Carries over the attributes of a listener (ALB §10.7).
    pub(in crate::import) fn read(attributes: &[Attribute<'_>], ledger: &mut Ledger) -> Self {
        let mut of_listener = Self::default();
        for attribute in attributes {
            let text = attribute.value.value.as_str().unwrap_or_default().trim();
            if text.is_empty() {
                ledger.kept(&attribute.path, "not set, as before");
            } else if attribute.key.starts_with("routing.http.request.") {
                of_listener.request_header(attribute, text, ledger);
            } else {
                listener_attribute(attribute, text, &mut of_listener.response_headers, ledger);
            }
        }
        of_listener
    }

    /// `routing.http.request.NAME.header_name`: another name for a header that targets get.
    fn request_header(&mut self, attribute: &Attribute<'_>, text: &str, ledger: &mut Ledger) {
        let name = attribute.key.strip_prefix("routing.http.request.x_amzn_");
        match name.and_then(|name| name.strip_suffix(".header_name")) {
            Some("tls_version") => self.tls.set("version", text),
            Some("tls_cipher_suite") => self.tls.set("cipher_suite", text),
            Some(
                name @ ("mtls_clientcert"
                | "mtls_clientcert_serial_number"
                | "mtls_clientcert_issuer"
                | "mtls_clientcert_subject"
                | "mtls_clientcert_validity"
                | "mtls_clientcert_leaf"),
            ) => self.certificate.set(&name["mtls_".len()..], text),
            _ => return,
        };
        ledger.kept(&attribute.path, "tls_headers or header_names of the listener, if it sends the header");
    }

    /// What targets are told about TLS by an `https` listener, if anything.
    pub(in crate::import) fn tls_headers(&self, common: &Common) -> Option<Map> {
        common.has_tls_headers.then(|| self.tls.clone())
    }
}

fn listener_attribute(attribute: &Attribute<'_>, text: &str, headers: &mut Map, ledger: &mut Ledger) {
    let (path, key) = (&attribute.path, attribute.key.as_str());
    if key == "routing.http.response.server.enabled" {
        if flag(attribute.value.value) == Some(false) {
            headers.set("server", false);
        }
        return ledger.kept(path, "response_headers.server");
    }
    let name = key.strip_prefix("routing.http.response.").and_then(|rest| rest.strip_suffix(".header_value"));
    let Some(name) = name.filter(|name| RESPONSE_HEADERS.contains(name)) else { return };
    match response_header(name, text) {
        Some(value) => {
            headers.set(name, value);
            ledger.kept(path, &format!("response_headers.{name}"));
        }
        None => ledger.dropped(path, "response_headers does not accept the value"),
    }
}

fn response_header(name: &str, text: &str) -> Option<Yaml> {
    let list = || text.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>();
    match name {
        "x_content_type_options" => text.eq_ignore_ascii_case("nosniff").then(|| Yaml::from("nosniff")),
        "x_frame_options" => {
            let upper = text.to_ascii_uppercase();
            matches!(&*upper, "DENY" | "SAMEORIGIN").then(|| Yaml::from(upper))
        }
        "access_control_allow_methods" | "access_control_allow_headers" | "access_control_expose_headers" => {
            Some(Yaml::from(&list()[..]))
        }
        "access_control_allow_credentials" => text.to_ascii_lowercase().parse::<bool>().ok().map(Yaml::from),
        "access_control_max_age" => text.parse::<u64>().ok().map(Yaml::from),
        _ => Some(Yaml::from(text)),
    }
}

/// Carries over an attribute of a target group (ALB §9.4).
pub(in crate::import) fn target_group_attribute(
    attribute: &Attribute<'_>,
    group: &mut Map,
    stickiness: &mut Stickiness,
    health: &mut Map,
    ledger: &mut Ledger,
) {
    let (path, value) = (&attribute.path, attribute.value.value);
    let (text, seconds) = (value.as_str().unwrap_or_default(), number(value).map(Duration::from_secs));
    let is_on = flag(value) == Some(true);
    match (attribute.key.as_str(), seconds) {
        ("load_balancing.algorithm.type", _)
            if matches!(text, "round_robin" | "least_outstanding_requests" | "weighted_random") =>
        {
            group.set("algorithm", text);
            ledger.kept(path, "algorithm");
        }
        ("load_balancing.algorithm.anomaly_mitigation", _) => {
            if text == "on" {
                group.set("anomaly_mitigation", true);
            }
            ledger.kept(path, "anomaly_mitigation");
        }
        ("slow_start.duration_seconds", Some(seconds)) => {
            if !seconds.is_zero() {
                group.set("slow_start", seconds);
            }
            ledger.kept(path, "slow_start");
        }
        ("deregistration_delay.timeout_seconds", Some(seconds)) => {
            group.set("deregistration_delay", seconds);
            ledger.kept(path, "deregistration_delay");
        }
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", Some(count)) => {
            let targets = group.get("targets").map_or(0, Yaml::len) as u64;
            if count.as_secs() <= targets {
                health.set("minimum_healthy_count", count.as_secs());
                ledger.kept(path, "health_check.minimum_healthy_count");
            } else {
                ledger.changed(path, "1: the group has fewer targets, and with more than that all get requests always");
            }
        }
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", Some(percentage)) => {
            health.set("minimum_healthy_percentage", percentage.as_secs());
            ledger.kept(path, "health_check.minimum_healthy_percentage");
        }
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", None) if text == "off" => {
            ledger.kept(path, "off by default");
        }
        (key, _) if key.starts_with("stickiness.") => stickiness.add(key, text, is_on, seconds, path, ledger),
        (key, _) if key.starts_with("target_group_health.dns_failover.") => {
            ledger.dropped(path, "about the DNS of the load balancer; nothing to set");
        }
        ("load_balancing.cross_zone.enabled", _) => {
            ledger.dropped(path, "about the zones of the load balancer; nothing to set");
        }
        (key, _) if key.starts_with("lambda.") => ledger.dropped(path, "Vestibule calls no Lambda functions"),
        _ => {}
    }
}

/// The attributes `stickiness.*`, which mean something together only.
#[derive(Debug, Default)]
pub(in crate::import) struct Stickiness {
    is_on: bool,
    is_app_cookie: bool,
    lb_duration: Option<Duration>,
    app_duration: Option<Duration>,
    cookie_name: String,
}

impl Stickiness {
    fn add(&mut self, key: &str, text: &str, is_on: bool, seconds: Option<Duration>, path: &str, ledger: &mut Ledger) {
        match key {
            "stickiness.enabled" => self.is_on = is_on,
            "stickiness.type" => self.is_app_cookie = text == "app_cookie",
            "stickiness.lb_cookie.duration_seconds" => self.lb_duration = seconds,
            "stickiness.app_cookie.duration_seconds" => self.app_duration = seconds,
            "stickiness.app_cookie.cookie_name" => text.clone_into(&mut self.cookie_name),
            _ => return,
        }
        ledger.kept(path, "stickiness, if it is on");
    }

    /// The setting, if it is on.
    pub(in crate::import) fn setting(&self) -> Option<Map> {
        if !self.is_on {
            return None;
        }
        let (kind, duration) = match self.is_app_cookie {
            true => ("app_cookie", self.app_duration),
            false => ("lb_cookie", self.lb_duration),
        };
        let mut map = Map::default().with("type", kind);
        if self.is_app_cookie {
            map.set("cookie_name", self.cookie_name.as_str());
        }
        if let Some(duration) = duration {
            map.set("duration", duration);
        }
        Some(map)
    }
}
