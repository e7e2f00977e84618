//! A load balancer with everything that AWS says of one.

use serde_json::{Value, json};

const PREFIX: &str = "arn:aws:elasticloadbalancing:eu-central-1:111122223333";
pub(super) const LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/shop/0a1b2c3d4e5f6071/1111aaaa2222bbbb";
const PLAIN: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/shop/0a1b2c3d4e5f6071/3333cccc4444dddd";

pub(super) fn group_arn(name: &str) -> String {
    format!("{PREFIX}:targetgroup/{name}/{}", if name == "app" { "5555eeee6666ffff" } else { "777700008888aaaa" })
}

fn certificate(id: &str) -> String {
    format!("arn:aws:acm:eu-central-1:111122223333:certificate/{id}")
}

/// `authenticate-oidc` and `authenticate-cognito`.
pub(super) fn gates() -> [Value; 2] {
    let oidc = json!({"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {
        "Issuer": "https://login.example.com", "AuthorizationEndpoint": "https://login.example.com/authorize",
        "TokenEndpoint": "https://login.example.com/token", "UserInfoEndpoint": "https://login.example.com/userinfo",
        "ClientId": "shop", "SessionCookieName": "AWSELBAuthSessionCookie", "Scope": "openid email", "SessionTimeout": 28800,
        "AuthenticationRequestExtraParams": {"prompt": "login", "display": "page"}, "OnUnauthenticatedRequest": "authenticate",
    }});
    let cognito = json!({"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": {
        "UserPoolArn": "arn:aws:cognito-idp:eu-central-1:111122223333:userpool/eu-central-1_AbCdEf", "UserPoolClientId": "3abc",
        "UserPoolDomain": "shop-staff", "SessionCookieName": "staff", "Scope": "openid", "SessionTimeout": 900_000,
        "OnUnauthenticatedRequest": "deny",
    }});
    [oidc, cognito]
}

fn forward(group: &str, order: u32) -> Value {
    json!({"Type": "forward", "Order": order, "TargetGroupArn": group_arn(group), "ForwardConfig": {
        "TargetGroups": [{"TargetGroupArn": group_arn(group), "Weight": 1}],
        "TargetGroupStickinessConfig": {"Enabled": false},
    }})
}

fn rule(listener: &str, id: &str, priority: &str, conditions: Value, actions: Value) -> Value {
    json!({
        "RuleArn": format!("{}/{id}", listener.replace(":listener/", ":listener-rule/")),
        "Priority": priority, "Conditions": conditions, "Actions": actions, "IsDefault": priority == "default", "Transforms": [],
    })
}

fn rules() -> Value {
    let [oidc, cognito] = gates();
    let to_https = json!([{"Type": "redirect", "Order": 1, "RedirectConfig": {
        "Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}", "StatusCode": "HTTP_301"}}]);
    json!({"Rules": [
        rule(LISTENER, "r1", "10", json!([
            {"Field": "host-header", "Values": ["shop.example.com", "*.shop.example.com"],
             "HostHeaderConfig": {"Values": ["shop.example.com", "*.shop.example.com"]}},
            {"Field": "path-pattern", "Values": ["/staff/*"], "PathPatternConfig": {"Values": ["/staff/*"]}},
        ]), json!([cognito, forward("app", 2)])),
        rule(LISTENER, "r2", "20", json!([
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Client", "Values": ["robot*"]}},
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "version", "Value": "2"}, {"Value": "beta"}]}},
            {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24", "2001:db8::/32"]}},
        ]), json!([forward("api", 1)])),
        rule(LISTENER, "r3", "30", json!([
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET", "HEAD"]}},
            {"Field": "path-pattern", "Values": ["/ping"], "PathPatternConfig": {"Values": ["/ping"]}},
        ]), json!([{"Type": "fixed-response", "Order": 1, "FixedResponseConfig":
            {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "it says \"pong\": #1"}}])),
        rule(LISTENER, "r4", "default", json!([]), json!([oidc, forward("app", 2)])),
        rule(PLAIN, "r5", "default", json!([]), to_https),
    ]})
}

fn listeners() -> Value {
    let rules = rules();
    let actions = |index: usize| rules["Rules"][index]["Actions"].clone();
    json!({"Listeners": [
        {"ListenerArn": LISTENER, "LoadBalancerArn": format!("{PREFIX}:loadbalancer/app/shop/0a1b2c3d4e5f6071"), "Port": 443,
         "Protocol": "HTTPS", "Certificates": [{"CertificateArn": certificate("c1")}], "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
         "DefaultActions": actions(3), "MutualAuthentication": {"Mode": "off"}},
        {"ListenerArn": PLAIN, "LoadBalancerArn": format!("{PREFIX}:loadbalancer/app/shop/0a1b2c3d4e5f6071"), "Port": 80,
         "Protocol": "HTTP", "DefaultActions": actions(4)},
    ]})
}

fn target_group(name: &str, more: &Value) -> Value {
    let mut group = json!({
        "TargetGroupArn": group_arn(name), "TargetGroupName": name, "Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-1",
        "HealthCheckProtocol": "HTTP", "HealthCheckPort": "traffic-port", "HealthCheckEnabled": true, "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5, "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2, "HealthCheckPath": "/health",
        "Matcher": {"HttpCode": "200-299"}, "LoadBalancerArns": [format!("{PREFIX}:loadbalancer/app/shop/0a1b2c3d4e5f6071")],
        "TargetType": "ip", "ProtocolVersion": "HTTP1", "IpAddressType": "ipv4",
    });
    group.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    group
}

fn attributes(pairs: &[(&str, &str)]) -> Value {
    let pairs: Vec<Value> = pairs.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({"Attributes": pairs})
}

fn target(id: &str, state: &str) -> Value {
    json!({"Target": {"Id": id, "Port": 8080, "AvailabilityZone": "eu-central-1a"}, "HealthCheckPort": "8080", "TargetHealth": {"State": state}})
}

/// File names and contents.
pub(super) fn documents() -> Vec<(String, Value)> {
    let balancer = json!({"LoadBalancers": [{
        "LoadBalancerArn": format!("{PREFIX}:loadbalancer/app/shop/0a1b2c3d4e5f6071"), "DNSName": "shop-1.eu-central-1.elb.amazonaws.com",
        "CanonicalHostedZoneId": "Z1", "CreatedTime": "2024-05-01T10:00:00.000Z", "LoadBalancerName": "shop", "Scheme": "internet-facing",
        "VpcId": "vpc-1", "State": {"Code": "active"}, "Type": "application",
        "AvailabilityZones": [{"ZoneName": "eu-central-1a", "SubnetId": "subnet-1", "LoadBalancerAddresses": []}],
        "SecurityGroups": ["sg-1"], "IpAddressType": "ipv4",
    }]});
    let of_balancer = attributes(&[
        ("access_logs.s3.enabled", "true"),
        ("access_logs.s3.bucket", "logs"),
        ("idle_timeout.timeout_seconds", "120"),
        ("client_keep_alive.seconds", "3600"),
        ("deletion_protection.enabled", "true"),
        ("routing.http.desync_mitigation_mode", "defensive"),
        ("routing.http.drop_invalid_header_fields.enabled", "true"),
        ("routing.http.preserve_host_header.enabled", "true"),
        ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"),
        ("routing.http.xff_client_port.enabled", "false"),
        ("routing.http.xff_header_processing.mode", "append"),
        ("routing.http2.enabled", "true"),
        ("waf.fail_open.enabled", "false"),
        ("zonal_shift.config.enabled", "false"),
        ("connection_logs.s3.enabled", "false"),
        ("an.attribute.of.tomorrow", "true"),
    ]);
    let of_group = attributes(&[
        ("stickiness.enabled", "true"),
        ("stickiness.type", "app_cookie"),
        ("stickiness.app_cookie.cookie_name", "JSESSIONID"),
        ("stickiness.app_cookie.duration_seconds", "3600"),
        ("stickiness.lb_cookie.duration_seconds", "86400"),
        ("deregistration_delay.timeout_seconds", "60"),
        ("slow_start.duration_seconds", "30"),
        ("load_balancing.algorithm.type", "round_robin"),
        ("load_balancing.algorithm.anomaly_mitigation", "off"),
        ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
        ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "2"),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
    ]);
    let of_listener = attributes(&[
        ("routing.http.response.server.enabled", "true"),
        ("routing.http.response.x_frame_options.header_value", "DENY"),
        ("routing.http.response.access_control_allow_methods.header_value", "GET, HEAD"),
    ]);
    let groups = json!({"TargetGroups": [
        target_group("app", &json!({})),
        target_group("api", &json!({"Protocol": "HTTPS", "Port": 8443, "TargetType": "instance", "HealthCheckEnabled": false})),
    ]});
    let more = json!({"Certificates": [{"CertificateArn": certificate("c1"), "IsDefault": true}, {"CertificateArn": certificate("c2"), "IsDefault": false}]});
    let named = |name: &str, value: Value| (name.to_owned(), value);
    vec![
        named("load-balancers.json", balancer),
        named("load-balancer-attributes.json", of_balancer),
        named("listeners.json", listeners()),
        named("rules.json", rules()),
        named("target-groups.json", groups),
        named("target-group-attributes-5555eeee6666ffff.json", of_group),
        named(
            "target-health-app.json",
            json!({"TargetHealthDescriptions": [target("10.0.1.7", "healthy"), target("10.0.1.8", "draining")]}),
        ),
        named(
            "target-health-api.json",
            json!({"TargetHealthDescriptions": [target("i-0123456789abcdef0", "unhealthy")]}),
        ),
        named("listener-attributes-1111aaaa2222bbbb.json", of_listener),
        named("listener-certificates-1111aaaa2222bbbb.json", more),
    ]
}
