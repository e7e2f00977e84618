//! Keeps a browser at one target group of a `forward` to several.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::clock::Timestamp;
use crate::crypto::aead::Key;
use crate::crypto::sealed::Sealer;
use crate::message::caching;
use crate::message::uri::Scheme;
use crate::upstream::stickiness::binding::{Seal, Tag};
use crate::upstream::stickiness::cookies::binding_in;
use crate::upstream::stickiness::lines::{self, Medium, Recent};
use crate::upstream::stickiness::names::Names;
use crate::upstream::stickiness::settings::Format;

/// The settings of group stickiness.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a cookie binds a browser, counted from the answer that set it (ALB §7.3).
    pub duration: Duration,
    pub format: Format,
    /// The keys of sessions. The first encrypts; every key can decrypt.
    pub sealer: Sealer,
}

impl Settings {
    /// `keys` are those of sessions.
    pub fn new(duration: Duration, format: Format, keys: Arc<[Key]>) -> Self {
        Self { duration, format, sealer: Sealer::new(keys) }
    }
}

/// The group stickiness of one `forward`, for one worker.
#[derive(Debug)]
pub(crate) struct StickyGroups {
    seal: Seal,
    names: Names,
    format: Format,
    duration: Duration,
    /// In the order of the groups.
    tags: Box<[Tag]>,
    recent: Recent,
}

/// What a request says about group stickiness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The index of the group that the browser is bound to.
    pub(crate) bound_to: Option<usize>,
    medium: Medium,
}

impl StickyGroups {
    /// `groups` are the names of the groups in the order of the `forward`. There is at least one.
    pub(crate) fn new(settings: &Settings, groups: &[&str]) -> Self {
        let first = groups.first().copied().unwrap_or_default();
        Self {
            seal: Seal::of_groups(settings.sealer.clone(), first),
            names: Names::of_groups(settings.format, first),
            format: settings.format,
            duration: settings.duration,
            tags: groups.iter().map(|name| Tag::of_group(name)).collect(),
            recent: Recent::new(groups.len()),
        }
    }

    /// Reads the cookie of a request that came over `scheme`. A cookie for a group that the `forward` does not have counts as none.
    pub(crate) fn read(&self, headers: &HeaderMap, scheme: Scheme, now: Timestamp) -> Asked {
        let medium = Medium::of(headers, scheme);
        let tag = binding_in(headers, &self.names, medium, &self.seal, now);
        Asked { bound_to: tag.and_then(|tag| self.tags.iter().position(|own| *own == tag)), medium }
    }

    /// The `Set-Cookie` lines for an answer of the group `index`. `headers` are the target's. `None` if shared caches may store the answer:
    /// they would bind all their users to one group.
    pub(crate) fn lines(
        &self,
        asked: Asked,
        index: usize,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<Rc<[HeaderValue]>> {
        if caching::is_for_shared_caches(headers) {
            return None;
        }
        let tag = *self.tags.get(index)?;
        Some(self.recent.lines((index, asked.medium), now, self.duration, || {
            lines::write(&self.names, self.format, asked.medium, &self.seal.seal(tag, now + self.duration), now)
        }))
    }
}

#[cfg(test)]
mod tests;
