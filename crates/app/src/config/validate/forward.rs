//! `forward`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::action::settings::{ForwardSettings, GroupStickiness};
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw;
use crate::config::raw::action::Action;
use crate::config::raw::forward::{Forward, GROUPS_MAX, GroupStickiness as RawStickiness, WeightedGroup};
use crate::config::raw::stickiness::DURATION_BOUNDS;
use crate::config::raw::value::List;
use crate::config::validate::context::Context;
use crate::config::validate::{every_action, stickiness, value};

const EXAMPLE: &str =
    "the name of an entry in `target_groups`; or `target_groups: [{ target_group: NAME, weight: 1 }]`";

pub(super) fn forward(raw: &Forward, at: &Path, context: &mut Context<'_>) -> Result<ForwardSettings, Reported> {
    let groups = match (&raw.target_group, &raw.target_groups) {
        (Some(name), None) => context
            .refer(name, "target_groups", "target group", &at.key("target_group"))
            .map(|()| vec![(Arc::from(name.as_str()), 1)]),
        (None, Some(groups)) => weighted(groups, &at.key("target_groups"), context),
        (Some(_), Some(_)) => {
            let message = "both `target_group` and `target_groups` are set";
            let problem = context.found.problem(&at.key("target_groups"), message);
            problem.label(&at.key("target_group"), "the other one").hint("put all groups into `target_groups`").fail()
        }
        // A misspelled key, or another kind of value, has been reported.
        (None, None) => match concern(at, context) {
            Some(reported) => Err(reported),
            None => {
                let problem = context.found.problem(at, "`target_group` is missing");
                problem.hint(EXAMPLE).fail()
            }
        },
    };
    let stickiness = raw.stickiness.as_ref().map(|raw| sticky(raw, &at.key("stickiness"), context)).transpose();
    let (groups, stickiness) = (groups?, stickiness?);
    if stickiness.is_some() && groups.len() == 1 {
        let warning = context
            .found
            .warning(&at.key("stickiness"), "`stickiness` of a `forward` to one target group has no effect");
        warning.hint("remove it; `stickiness` of the target group keeps a browser at one target");
    }
    // A cookie for the only group would say nothing.
    let stickiness = stickiness.filter(|_| groups.len() > 1);
    Ok(ForwardSettings { groups, stickiness, transforms: None, preserve_host: raw.preserve_host_header })
}

/// What has been reported about the groups of a `forward`.
fn concern(at: &Path, context: &Context<'_>) -> Option<Reported> {
    let of = |key: &str| context.found.concern(&at.key(key));
    context.found.concern_keys_of(at).or_else(|| of("target_group")).or_else(|| of("target_groups"))
}

fn weighted(raw: &List<WeightedGroup>, at: &Path, context: &mut Context<'_>) -> Result<Vec<(Arc<str>, u16)>, Reported> {
    if raw.is_empty() || raw.len() > GROUPS_MAX {
        let message = format!("a `forward` has 1 to {GROUPS_MAX} target groups; this one has {}", raw.len());
        return context.found.problem(at, message).fail();
    }
    let mut seen = BTreeMap::new();
    let groups = context.each_item(raw, at, |group, at, context| {
        let at = at.key("target_group");
        context.refer(&group.target_group, "target_groups", "target group", &at)?;
        if let Some(first) = seen.insert(group.target_group.clone(), at.clone()) {
            let problem =
                context.found.problem(&at, format!("the target group `{}` is there twice", group.target_group));
            return problem.label(&first, "first used here").hint("write it once, with the sum of the weights").fail();
        }
        Ok((Arc::from(group.target_group.as_str()), group.weight))
    })?;
    if groups.iter().all(|(_, weight)| *weight == 0) {
        let problem = context.found.problem(at, "every weight is 0, so no group would get a request");
        return problem.hint("give one group a weight of at least 1; `fixed-response` answers without a target").fail();
    }
    Ok(groups)
}

fn sticky(raw: &RawStickiness, at: &Path, context: &mut Context<'_>) -> Result<GroupStickiness, Reported> {
    let duration = value::period(&raw.duration, DURATION_BOUNDS, &at.key("duration"), &mut context.found)?;
    Ok(GroupStickiness { duration, format: stickiness::format(raw.format) })
}

/// The names of the groups of a `forward`, each with its place.
pub(super) fn groups<'f>(raw: &'f Forward, at: &Path) -> Vec<(&'f str, Path)> {
    let one = raw.target_group.iter().map(|name| (name.as_str(), at.key("target_group")));
    let several =
        raw.target_groups.iter().flat_map(List::iter).map(|(index, group)| {
            (group.target_group.as_str(), at.key("target_groups").index(index).key("target_group"))
        });
    one.chain(several).collect()
}

/// Every `forward` of the file, with its place.
pub(super) fn all(raw: &raw::File) -> impl Iterator<Item = (&Forward, Path)> {
    every_action::of_file(raw).filter_map(|(action, at)| match action {
        Action::Forward(forward) => Some((forward, at)),
        _ => None,
    })
}

/// Checks that the groups of each `forward` fit together.
pub(super) fn together(raw: &raw::File, context: &mut Context<'_>) {
    for (forward, at) in all(raw) {
        let groups = groups(forward, &at);
        let known = |name: &str| raw.target_groups.get(name);
        let Some((first, first_at)) = groups.first() else { continue };
        let Some(version) = known(first).map(|group| group.protocol_version) else { continue };
        for (name, at) in &groups[1..] {
            if known(name).is_some_and(|group| group.protocol_version != version) {
                let message = format!("`{name}` has another `protocol_version` than `{first}`");
                let problem = context.found.problem(at, message).label(first_at, "the other group");
                problem.hint("set the same `protocol_version` at all of these groups: a client that can use one of them must be able to use all");
            }
        }
        let sticky = groups.iter().find(|(name, _)| known(name).is_some_and(|group| group.stickiness.is_some()));
        if let (Some((name, at)), None, true) = (sticky, &forward.stickiness, groups.len() > 1) {
            let message = format!("`{name}` has `stickiness`, and this `forward` to several groups has none");
            let problem = context.found.problem(at, message);
            problem.hint("a browser that is sent to another group loses its target: add `stickiness: { duration: 1h }` to the `forward`");
        }
    }
}
