//! `stickiness` of a target group.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::stickiness::{self as written, DURATION_BOUNDS, Stickiness};
use crate::config::settled::{ListenerConfig, RuleConfig};
use crate::config::validate::context::Context;
use crate::config::validate::shared_session::{hosts, may_meet};
use crate::config::validate::{session, value};
use crate::crypto::aead::Key;
use crate::crypto::sealed::Sealer;
use crate::message::cookie::NamePattern;
use crate::rule::condition::Condition;
use crate::session::names::OurCookies;
use crate::upstream;
use crate::upstream::stickiness::settings::{Format, Kind, Settings};

/// Names of the AWS load balancer begin like this (ALB §9.4).
const OF_AWS: NamePattern = NamePattern::BeginsWith("AWSALB");

/// `keys` are those of sessions, or why there are none.
pub(super) fn stickiness(
    raw: &Stickiness,
    keys: Result<Arc<[Key]>, Reported>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Settings, Reported> {
    let duration = value::period(&raw.duration, DURATION_BOUNDS, &at.key("duration"), &mut context.found);
    let kind = kind(raw, at, context);
    Ok(Settings { kind: kind?, duration: duration?, format: format(raw.format), sealer: Sealer::new(keys?) })
}

pub(super) fn format(written: written::Format) -> Format {
    match written {
        written::Format::Vestibule => Format::Vestibule,
        written::Format::Alb => Format::Alb,
    }
}

fn kind(raw: &Stickiness, at: &Path, context: &mut Context<'_>) -> Result<Kind, Reported> {
    let name_at = at.key("cookie_name");
    let name = match (raw.kind, &raw.cookie_name) {
        (written::Kind::LbCookie, None) => return Ok(Kind::LbCookie),
        (written::Kind::LbCookie, Some(_)) => {
            let problem = context.found.problem(&name_at, "`cookie_name` is not allowed with `type: lb_cookie`");
            return problem.hint("set `type: app_cookie` to follow a cookie of the application, or remove it").fail();
        }
        (written::Kind::AppCookie, None) => {
            let problem = context.found.problem(at, "`type: app_cookie` needs `cookie_name`");
            return problem
                .lacks(&name_at)
                .hint("set it to the cookie of the application's sessions, such as `JSESSIONID`")
                .fail();
        }
        (written::Kind::AppCookie, Some(name)) => name,
    };
    let name = session::any_cookie_name(name, &name_at, &mut context.found)?;
    if OF_AWS.matches(name.as_bytes()) {
        let problem = context.found.problem(&name_at, format!("`{name}` is a cookie of the load balancer"));
        return problem.hint(OF_THE_APPLICATION).fail();
    }
    Ok(Kind::AppCookie(name))
}

const OF_THE_APPLICATION: &str = "name a cookie that the application itself sets, such as `JSESSIONID`";

/// Checks that the cookies of sessions, of stickiness and of the applications do not meet.
pub(super) fn together(
    groups: &[upstream::settings::Settings],
    listeners: &[ListenerConfig],
    context: &mut Context<'_>,
) {
    let gates = listeners.iter().flat_map(ListenerConfig::chains).flat_map(|chain| &chain.gates);
    let bases: Vec<Arc<str>> =
        gates.filter_map(|gate| Some(Arc::clone(&gate.authenticate()?.session_cookie_name))).collect();
    let sticky = || groups.iter().filter_map(|group| Some((&group.name, group.stickiness.as_ref()?)));
    let reserved = sticky().flat_map(|(_, settings)| settings.format.reserved()).copied();
    let forwards = listeners.iter().flat_map(ListenerConfig::chains).filter_map(|chain| chain.terminal.forward());
    let of_groups = forwards.filter_map(|forward| forward.stickiness).flat_map(|settings| settings.format.reserved());
    let ours = OurCookies::new(bases.iter().cloned(), true).and(reserved).and(of_groups.copied());
    for (group, settings) in sticky() {
        let at = Path::default().key("target_groups").key(group).key("stickiness");
        if let Kind::AppCookie(name) = &settings.kind
            && ours.contains(name.as_bytes())
        {
            let problem = context.found.problem(&at.key("cookie_name"), format!("`{name}` is a cookie of Vestibule"));
            problem.hint(OF_THE_APPLICATION);
        }
        let takes = |base: &&Arc<str>| {
            let shard = format!("{base}-0");
            settings.format.reserved().iter().any(|pattern| pattern.matches(shard.as_bytes()))
        };
        if let Some(base) = bases.iter().find(takes) {
            let message = format!("`format: alb` uses the names of the session cookie `{base}`");
            context.found.problem(&at.key("format"), message).hint("choose another name for the session cookie");
        }
    }
    for listener in listeners {
        shared_names(groups, listener, context);
    }
}

/// Warns about groups on one host whose cookies have the same name: each answer of one would replace the cookie of the other.
fn shared_names(groups: &[upstream::settings::Settings], listener: &ListenerConfig, context: &mut Context<'_>) {
    let mut rules: Vec<&RuleConfig> = listener.rules.iter().collect();
    rules.sort_by_key(|rule| rule.priority);
    let chains = rules.iter().map(|rule| (Some(*rule), &rule.chain)).chain([(None, &listener.default)]);
    let uses: Vec<(Option<&RuleConfig>, &upstream::settings::Settings)> = chains
        .filter_map(|(rule, chain)| Some((rule, chain.terminal.forward()?)))
        .flat_map(|(rule, forward)| forward.groups.iter().map(move |(name, _)| (rule, name)))
        .filter_map(|(rule, name)| {
            let group = groups.iter().find(|group| group.name == *name)?;
            group.stickiness.as_ref().is_some_and(|settings| settings.format == Format::Alb).then_some((rule, group))
        })
        .collect();
    let mut told = BTreeSet::new();
    for (index, (later, group)) in uses.iter().enumerate() {
        let meets = |earlier: &Option<&RuleConfig>| {
            let Some(earlier) = earlier else { return false };
            // A rule with no other condition takes all requests to its hosts.
            let takes_all = earlier.conditions.iter().all(|condition| matches!(condition, Condition::HostHeader(_)));
            let may_meet = match (hosts(earlier), later.and_then(hosts)) {
                (Some(ours), Some(theirs)) => {
                    ours.iter().any(|ours| theirs.iter().any(|theirs| may_meet(ours, theirs)))
                }
                _ => true,
            };
            !takes_all && may_meet
        };
        let other = uses[..index]
            .iter()
            .find(|(earlier, other)| other.name != group.name && has_same_kind(other, group) && meets(earlier));
        let Some((_, other)) = other.filter(|(_, other)| told.insert((&other.name, &group.name))) else { continue };
        let at = |name: &str| Path::default().key("target_groups").key(name).key("stickiness").key("format");
        let message = format!("the target group `{}` has a cookie of the same name on the same host", other.name);
        let warning = context.found.warning(&at(&group.name), message);
        warning.hint("use `format: vestibule`, which has a name for each group, or different hosts");
    }
}

fn has_same_kind(one: &upstream::settings::Settings, other: &upstream::settings::Settings) -> bool {
    let follows = |group: &upstream::settings::Settings| {
        group.stickiness.as_ref().map(|settings| matches!(settings.kind, Kind::AppCookie(_)))
    };
    follows(one) == follows(other)
}
