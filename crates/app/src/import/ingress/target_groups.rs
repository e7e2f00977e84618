//! A target group for each port of a Service.

use serde_json::{Value, json};

use crate::import::draft::Draft;
use crate::import::elbv2::attributes::Common;
use crate::import::elbv2::target_groups;
use crate::import::ingress::objects::{annotation, text};
use crate::import::ledger::{At, Ledger};
use crate::import::yaml::Yaml;

/// Annotations of target groups, their names in the answers of AWS, and the default of the controller.
const SETTINGS: [(&str, &str, &str); 10] = [
    ("backend-protocol", "Protocol", "HTTP"),
    ("backend-protocol-version", "ProtocolVersion", "HTTP1"),
    ("healthcheck-protocol", "HealthCheckProtocol", ""),
    ("healthcheck-port", "HealthCheckPort", "traffic-port"),
    ("healthcheck-path", "HealthCheckPath", "/"),
    ("healthcheck-interval-seconds", "HealthCheckIntervalSeconds", "15"),
    ("healthcheck-timeout-seconds", "HealthCheckTimeoutSeconds", "5"),
    ("healthy-threshold-count", "HealthyThresholdCount", "2"),
    ("unhealthy-threshold-count", "UnhealthyThresholdCount", "2"),
    ("success-codes", "HttpCode", "200"),
];

/// The group of a port of a Service. Its annotations come before those of the Ingress.
pub(super) fn group(
    sources: &[&At<'_>],
    (namespace, service): (&str, &str),
    port: u64,
    common: &Common,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> String {
    let name = crate::import::draft::name_like(&format!("{namespace}-{service}-{port}"));
    let find = |name: &str| sources.iter().find_map(|source| annotation(source, name));
    let mut settings = json!({"TargetType": "ip"});
    for (name, key, default) in SETTINGS {
        let value = find(name).map_or_else(|| default.to_owned(), |at| text(at.value));
        if key == "HttpCode" {
            settings["Matcher"] = json!({ key: value });
        } else if !value.is_empty() {
            settings[key] = Value::from(value);
        }
    }
    if settings["ProtocolVersion"] == "GRPC" && find("healthcheck-path").is_none() {
        settings["HealthCheckPath"] = Value::from("/AWS.ALB/healthcheck");
        settings["Matcher"] =
            json!({"GrpcCode": find("success-codes").map_or_else(|| "12".to_owned(), |at| text(at.value))});
    }
    let attributes = find("target-group-attributes").map(|at| at.items()).unwrap_or_default();
    let (at, mut scratch) = (At::root("annotations", &settings), Ledger::default());
    let mut group = target_groups::group(&at, Some(&[]), common, &mut scratch);
    group.replace("targets", Yaml::List(vec![Yaml::from(format!("{service}.{namespace}.svc.cluster.local:{port}"))]));
    group.comment("targets", "Found where the DNS of the cluster is. A headless Service has an address for each Pod.");
    target_groups::add_attributes(&attributes, &mut group, ledger);
    for source in sources {
        for (name, ..) in SETTINGS {
            annotation(source, name).into_iter().for_each(|at| ledger.kept(&at.path, "target_groups"));
        }
        if let Some(at) = annotation(source, "target-group-attributes") {
            ledger.dropped(&at.path, "this importer does not know the attribute, or the Service has its own");
        }
    }
    if !draft.target_groups.iter().any(|(known, _)| *known == name) {
        draft.target_groups.push((name.clone(), group));
    }
    name
}
