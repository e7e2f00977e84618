//! The targets of a sticky group, as one worker finds them by their tags.

use crate::upstream::members::Members;
use crate::upstream::stickiness::binding::Tag;
use crate::upstream::stickiness::lines::Recent;

/// The members of a group at one time, by their tags, and the cookies that were last made for them.
#[derive(Debug)]
pub(crate) struct StickyTargets {
    /// In the order of the members. `None` for a DNS name without a known address.
    tags: Box<[Option<Tag>]>,
    /// Sorted, to find a member by its tag.
    by_tag: Box<[(Tag, usize)]>,
    /// In the order of the members.
    pub(super) recent: Recent,
}

impl StickyTargets {
    pub(crate) fn new(members: &Members) -> Self {
        let tags: Box<[_]> = members.list.iter().map(|member| Tag::of(&member.target.id)).collect();
        let mut by_tag: Box<[_]> = tags.iter().enumerate().filter_map(|(index, tag)| Some(((*tag)?, index))).collect();
        by_tag.sort_unstable();
        let recent = Recent::new(tags.len());
        Self { tags, by_tag, recent }
    }

    /// The index of the member with that tag.
    pub(crate) fn find(&self, tag: Tag) -> Option<usize> {
        let place = self.by_tag.binary_search_by_key(&tag, |(known, _)| *known).ok()?;
        self.by_tag.get(place).map(|(_, index)| *index)
    }

    /// The tag of a member.
    pub(crate) fn tag(&self, index: usize) -> Option<Tag> {
        self.tags.get(index).copied().flatten()
    }

    /// Whether every address is known, so that a target that is not found has left the group.
    pub(super) fn is_complete(&self) -> bool {
        self.by_tag.len() == self.tags.len()
    }
}
