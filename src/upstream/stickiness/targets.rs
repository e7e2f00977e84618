//! The targets of a sticky group, as one worker finds them by their tags.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::HeaderValue;

use crate::clock::Timestamp;
use crate::upstream::members::Members;
use crate::upstream::stickiness::binding::Tag;
use crate::upstream::stickiness::lines::Medium;

/// The members of a group at one time, by their tags, and the cookies that were last made for them.
#[derive(Debug)]
pub(crate) struct StickyTargets {
    /// In the order of the members. `None` for a DNS name without a known address.
    tags: Box<[Option<Tag>]>,
    /// Sorted, to find a member by its tag.
    by_tag: Box<[(Tag, usize)]>,
    /// In the order of the members.
    made: RefCell<Box<[[Option<Made>; Medium::COUNT]]>>,
}

#[derive(Clone, Debug)]
struct Made {
    at: Timestamp,
    lines: Rc<[HeaderValue]>,
}

impl StickyTargets {
    pub(crate) fn new(members: &Members) -> Self {
        let tags: Box<[_]> = members.list.iter().map(|member| Tag::of(&member.target.id)).collect();
        let mut by_tag: Box<[_]> = tags.iter().enumerate().filter_map(|(index, tag)| Some(((*tag)?, index))).collect();
        by_tag.sort_unstable();
        let made = RefCell::new(tags.iter().map(|_| Default::default()).collect());
        Self { tags, by_tag, made }
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

    /// The lines that bind a browser to a member, made within `fresh` before `now`, or else by `make`. A value says nothing of the
    /// browser, so all browsers get the same for a while: encryption is not done for each answer.
    pub(super) fn lines(
        &self,
        (index, medium): (usize, Medium),
        now: Timestamp,
        fresh: Duration,
        make: impl FnOnce() -> Rc<[HeaderValue]>,
    ) -> Rc<[HeaderValue]> {
        let mut made = self.made.borrow_mut();
        let Some(known) = made.get_mut(index).map(|made| &mut made[medium.index()]) else { return make() };
        match known {
            // A clock that was set back makes a new one.
            Some(Made { at, lines }) if *at <= now && now.since(*at) < fresh => Rc::clone(lines),
            _ => {
                let lines = make();
                *known = Some(Made { at: now, lines: Rc::clone(&lines) });
                lines
            }
        }
    }
}
