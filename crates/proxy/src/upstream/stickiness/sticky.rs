//! Reads and writes the stickiness cookies of one group, for one worker.

use std::rc::Rc;

use http::{HeaderMap, HeaderValue, header};

use crate::clock::Timestamp;
use crate::message::uri::Scheme;
use crate::message::{caching, cookie};
use crate::upstream::stickiness::binding::{Seal, Tag};
use crate::upstream::stickiness::cookies::binding_in;
use crate::upstream::stickiness::lines::{self, Medium};
use crate::upstream::stickiness::names::Names;
use crate::upstream::stickiness::settings::{Kind, Settings};
use crate::upstream::stickiness::targets::StickyTargets;

/// The stickiness of one group.
#[derive(Debug)]
pub(crate) struct Sticky {
    settings: Settings,
    seal: Seal,
    names: Names,
}

/// What a request says about stickiness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The target that the browser is bound to. The group may no longer have it.
    pub(crate) bound_to: Option<Tag>,
    medium: Medium,
}

impl Sticky {
    pub(crate) fn new(settings: &Settings, group: &str) -> Self {
        Self {
            seal: Seal::new(settings.sealer.clone(), group),
            names: Names::new(settings.format, &settings.kind, group),
            settings: settings.clone(),
        }
    }

    /// Reads the cookie of a request that came over `scheme`. A cookie that cannot be decrypted or is over counts as none.
    pub(crate) fn read(&self, headers: &HeaderMap, scheme: Scheme, now: Timestamp) -> Asked {
        let medium = Medium::of(headers, scheme);
        Asked { bound_to: binding_in(headers, &self.names, medium, &self.seal, now), medium }
    }

    /// The `Set-Cookie` lines for an answer of the member `index`. `headers` are the target's.
    pub(crate) fn lines(
        &self,
        asked: &Asked,
        (targets, index): (&StickyTargets, usize),
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<Rc<[HeaderValue]>> {
        let tag = targets.tag(index)?;
        if !self.is_due(asked, targets, tag, headers) {
            return None;
        }
        let Settings { format, duration, .. } = self.settings;
        Some(targets.recent.lines((index, asked.medium), now, duration, || {
            lines::write(&self.names, format, asked.medium, &self.seal.seal(tag, now + duration), now)
        }))
    }

    /// Whether an answer of the target `tag` sets the cookie.
    fn is_due(&self, asked: &Asked, targets: &StickyTargets, tag: Tag, headers: &HeaderMap) -> bool {
        let is_moved = asked.bound_to.is_some_and(|bound_to| bound_to != tag);
        // The target of the browser may be an address that is not looked up yet: then the browser keeps its cookie.
        let is_lost = || asked.bound_to.is_some_and(|bound_to| targets.find(bound_to).is_none());
        let may_come_back = || is_moved && !targets.is_complete() && is_lost();
        // An answer with a cookie of ours is made private. An answer that a target wants shared caches to store stays as it is: such an
        // answer begins no session.
        let is_shared = || caching::is_for_shared_caches(headers);
        match &self.settings.kind {
            Kind::LbCookie => !may_come_back() && !is_shared(),
            Kind::AppCookie(name) => sets(headers, name) || (is_moved && !may_come_back() && !is_shared()),
        }
    }
}

/// Whether an answer sets a cookie of that name. Its value does not matter (ALB §9.5).
fn sets(headers: &HeaderMap, name: &str) -> bool {
    let mut lines = headers.get_all(header::SET_COOKIE).iter();
    lines.any(|line| cookie::names_set_by(line.as_bytes()).next() == Some(name.as_bytes()))
}

#[cfg(test)]
mod tests;
