//! Stickiness of a target group: a cookie keeps the requests of one browser at one target (ALB §9.4, §9.5).
//!
//! Knows no balancer and no connection. [`binding`] is the content of the cookie, [`names`] its name, [`lines`] the `Set-Cookie` lines.
//! Start at [`sticky::Sticky`], the part of one worker. [`targets::StickyTargets`] finds a target by what a cookie calls it.
//! [`groups::StickyGroups`] does the same for the groups of a weighted `forward` (ALB §7.3).

mod binding;
mod cookies;
pub mod groups;
mod lines;
pub(crate) mod names;
pub mod settings;
pub(super) mod sticky;
pub(super) mod targets;
