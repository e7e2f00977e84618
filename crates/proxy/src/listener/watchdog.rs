//! Finds idle connections, incomplete heads, and connections past `keep_alive`. Needs one timer per connection, and
//! does not read the clock for each request.
//!
//! The connection counts reads, writes and requests in [`Activity`]. [`Watchdog`] checks the counts at a fixed interval
//! (the beat). So a timeout takes effect late by at most one interval.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::listener::activity::{Activity, Counts};
use crate::listener::settings::Limits;

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Close: the connection was idle for too long, or a head was incomplete for too long.
    Close,
    /// The connection has reached `keep_alive`: finish the requests in progress, then close.
    Retire,
    /// Close: the client was told that the connection ends, or it sent nothing during [`LAST_CALL`]. On HTTP/2 only if no request is in
    /// progress.
    Shut,
    /// Rest: the connection is idle, so memory that only a request needs can be freed.
    Rest,
}

/// How the watchdog handles heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heads {
    /// HTTP/1.1: bytes outside a request are the next head, which has a timeout.
    Timed,
    /// HTTP/2: bytes outside a request may be frames of any type. `h2` limits heads itself.
    Untimed,
}

/// Check interval of an active HTTP/1.1 connection, which rests after one or two intervals. A timer that fires more
/// often than requests arrive would cost more than the memory that is saved.
const REST_BEAT: Duration = Duration::from_secs(1);

/// How long an idle connection that has to end is still read. A request that is already on the way, or that arrives within
/// this time, gets a response, on HTTP/1.1 with `Connection: close`. Closing at once would lose the request (RFC 9112
/// §9.6, RFC 9113 §6.8: at least one round trip). An HTTP/2 connection ends earlier if the client answers the PING that
/// follows GOAWAY. One that does not answer must not hold the process up.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Checks one connection at a fixed interval.
#[derive(Debug)]
pub(crate) struct Watchdog {
    activity: Arc<Activity>,
    heads: Heads,
    beat: Interval,
    /// Check interval of a resting connection, and of HTTP/2 connections, which never rest.
    slow_beat: Duration,
    idle_timeout: Duration,
    head_timeout: Duration,
    retires_at: Option<Instant>,
    /// The time after which the connection is closed if it is idle. Set by [`Watchdog::call_last`].
    shuts_at: Option<Instant>,
    /// When activity was last seen.
    moved_at: Instant,
    /// When the current incomplete head was first seen.
    head_seen_at: Option<Instant>,
    seen: (u64, u64),
    is_resting: bool,
}

impl Watchdog {
    /// Creates a watchdog. Counts the creation as activity.
    pub(crate) fn new(activity: Arc<Activity>, limits: &Limits, heads: Heads) -> Self {
        let now = Instant::now();
        let shortest = limits.idle_timeout.min(limits.head_timeout).min(limits.keep_alive);
        let slow_beat = (shortest / 2).max(Duration::from_millis(10));
        let period = match heads {
            Heads::Timed => slow_beat.min(REST_BEAT),
            Heads::Untimed => slow_beat,
        };
        let mut beat = tokio::time::interval_at(now + period, period);
        // After the machine was suspended, one check is enough.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            activity,
            heads,
            beat,
            slow_beat,
            idle_timeout: limits.idle_timeout,
            head_timeout: limits.head_timeout,
            retires_at: Some(now + limits.keep_alive),
            shuts_at: None,
            moved_at: now,
            head_seen_at: None,
            seen: (0, 0),
            is_resting: false,
        }
    }

    /// Waits until something has to be done. Cancel-safe.
    pub(crate) async fn verdict(&mut self) -> Verdict {
        loop {
            let now = self.beat.tick().await;
            if self.is_resting && self.shuts_at.is_none() {
                self.beat.reset_after(self.slow_beat);
            }
            if let Some(verdict) = self.look(now) {
                return verdict;
            }
        }
    }

    /// Call it when the connection rests. [`Verdict::Rest`] is not returned again until [`Watchdog::wake`].
    pub(crate) fn rest(&mut self) {
        self.is_resting = true;
        self.beat.reset_after(self.slow_beat);
    }

    /// Call it when the connection has to end. Its next response is its last, and the connection is closed when it has
    /// been idle for [`LAST_CALL`]. Returns false on HTTP/2, which must be told by GOAWAY.
    pub(crate) fn call_last(&mut self) -> bool {
        self.shuts_at = Some(Instant::now() + LAST_CALL);
        self.beat.reset_after(LAST_CALL);
        if self.heads == Heads::Untimed {
            return false;
        }
        self.activity.finish();
        true
    }

    /// Call it when the connection no longer rests.
    pub(crate) fn wake(&mut self) {
        self.is_resting = false;
        self.beat.reset();
    }

    fn look(&mut self, now: Instant) -> Option<Verdict> {
        let Counts { moves, progress, requests, head_begun, is_waiting, has_websocket } = self.activity.counts();
        let moves = match self.heads {
            Heads::Timed => moves,
            Heads::Untimed => progress.wrapping_add(requests),
        };
        let head_begun = self.heads == Heads::Timed && head_begun;
        let has_moved = moves != self.seen.0;
        // A WebSocket that is quiet ends by the timeout of its target group, as on HTTP/1.1. A client that does not read what waits for it
        // loses the stream (`http2/answer.rs`).
        if has_moved || is_waiting || has_websocket {
            self.moved_at = now;
        }
        let head_seen_at = self.head_seen_at.filter(|_| requests == self.seen.1).unwrap_or(now);
        self.head_seen_at = head_begun.then_some(head_seen_at);
        self.seen = (moves, requests);
        if now - self.moved_at >= self.idle_timeout || now - head_seen_at >= self.head_timeout && head_begun {
            return Some(Verdict::Close);
        }
        if self.shuts_at.is_some_and(|at| now >= at) {
            match self.heads {
                Heads::Timed if self.activity.is_idle() => return Some(Verdict::Shut),
                Heads::Timed => {}
                // Only the connection knows whether it is idle. It is asked again if it is not.
                Heads::Untimed => {
                    self.beat.reset_after(LAST_CALL);
                    return Some(Verdict::Shut);
                }
            }
        }
        if self.retires_at.is_some_and(|at| now >= at) {
            self.retires_at = None;
            return Some(Verdict::Retire);
        }
        let may_rest = self.heads == Heads::Timed && !self.is_resting && !has_moved;
        (may_rest && self.activity.is_between_requests()).then_some(Verdict::Rest)
    }
}
