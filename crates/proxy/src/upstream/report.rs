//! The targets of the process, for operators.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::upstream::group::TargetGroup;
use crate::upstream::target::Target;
use crate::upstream::target_table::TargetTable;

/// What `GET /targets` answers.
#[derive(Debug, Serialize)]
struct Report<'r> {
    target_groups: Vec<GroupLine<'r>>,
    targets: Vec<TargetLine<'r>>,
}

#[derive(Debug, Serialize)]
struct GroupLine<'r> {
    target_group: &'r str,
    /// Whether requests go to all targets although some are not healthy.
    fail_open: bool,
}

#[derive(Debug, Serialize)]
struct TargetLine<'r> {
    target_group: &'r str,
    target: &'r str,
    state: &'static str,
    reason: Option<&'static str>,
    since: Option<String>,
    in_flight: usize,
    skipped: bool,
    /// Why the last check failed.
    last_failure: Option<String>,
}

/// The state of a target in words.
struct State {
    state: &'static str,
    reason: Option<&'static str>,
    since: Option<Timestamp>,
    last_failure: Option<String>,
}

/// The targets of `groups`, and those that left the configuration while requests are under way, as JSON. States and reasons are those
/// of the load balancer (ALB §9.3).
pub fn report(groups: &[Arc<TargetGroup>], table: &TargetTable) -> String {
    let now = table.now();
    let members: Vec<_> = groups.iter().map(|group| (group, group.members())).collect();
    let leaving = leaving(groups, table);
    let mut target_groups = Vec::new();
    let mut targets = Vec::new();
    for (group, members) in &members {
        let health = members.health.as_ref();
        let fail_open = health.is_some_and(|health| health.fails_open());
        target_groups.push(GroupLine { target_group: &group.settings.name, fail_open });
        let of_group = members.list.iter().map(|member| line(&member.target, state(group, &member.target, table), now));
        targets.extend(of_group);
    }
    targets.extend(leaving.iter().map(|target| line(target, draining(target, table), now)));
    let report = Report { target_groups, targets };
    serde_json::to_string_pretty(&report).expect("texts and numbers can be written as JSON") + "\n"
}

/// The state of a target that the group has.
fn state(group: &TargetGroup, target: &Target, table: &TargetTable) -> State {
    let without = |state, reason| State { state, reason: Some(reason), since: None, last_failure: None };
    if target.is_leaving() {
        return draining(target, table);
    }
    if !group.settings.is_used {
        return without("unused", "Target.NotInUse");
    }
    if group.settings.health.is_none() {
        return without("unavailable", "Target.HealthCheckDisabled");
    }
    let (health, failure) = (target.health.read(), target.health.failure());
    State {
        state: health.verdict.state(),
        reason: health.verdict.reason(),
        since: Some(health.since),
        last_failure: (!failure.is_empty()).then_some(failure),
    }
}

fn draining(target: &Target, table: &TargetTable) -> State {
    let since = target.leaving_for(table.now()).map(|leaving| table.calendar() - leaving);
    State { state: "draining", reason: Some("Target.DeregistrationInProgress"), since, last_failure: None }
}

/// Targets that no group has any more, with requests under way. In the order of their names.
fn leaving(groups: &[Arc<TargetGroup>], table: &TargetTable) -> Vec<Arc<Target>> {
    let members: Vec<_> = groups.iter().map(|group| group.members()).collect();
    let is_member = |target: &Arc<Target>| {
        members.iter().flat_map(|members| &members.list).any(|member| Arc::ptr_eq(&member.target, target))
    };
    let mut leaving = table.alive();
    leaving.retain(|target| target.in_flight() > 0 && !is_member(target));
    leaving.sort_by(|one, other| (&one.id.group, &one.name).cmp(&(&other.id.group, &other.name)));
    leaving
}

fn line<'r>(target: &'r Target, state: State, now: Instant) -> TargetLine<'r> {
    TargetLine {
        target_group: &target.id.group,
        target: &target.name,
        state: state.state,
        reason: state.reason,
        since: state.since.map(Timestamp::to_text),
        in_flight: target.in_flight(),
        skipped: target.skipped_until(now).is_some(),
        last_failure: state.last_failure,
    }
}
