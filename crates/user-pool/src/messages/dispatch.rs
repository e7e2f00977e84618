//! The task that sends what is in the outbox.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};

use crate::clock::Clock;
use crate::crypto::octets;
use crate::database::{self, Database};
use crate::drain::Draining;
use crate::message::causes::with_causes;
use crate::messages::courier::Undelivered;
use crate::messages::metrics::Metrics;
use crate::messages::queue::{Due, Failure, Queue};
use crate::messages::way::Way;

/// Messages that are sent at the same time.
const AT_ONCE_MAX: usize = 8;
/// How often the task looks into an outbox in which something waits for another try.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// And into an empty one: a command may have written something.
const LOOK_IDLY: Duration = Duration::from_secs(5);
/// How long a new message waits, at least and at most. Otherwise the request that comes next would wait for the database while the outbox is read, and
/// tell by its time that a message is sent (attacks U-01). A random time in between is hard to look for.
pub(crate) const REST: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(1000)];

/// How messages of a pool are sent, as one configuration says.
#[derive(Debug)]
pub struct Dispatch {
    pub(crate) pool: Arc<str>,
    pub(crate) database: Arc<Database>,
    pub(crate) queue: Queue,
    pub(crate) way: Way,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

/// Sends messages until the process ends, always as the newest configuration says. `added` wakes it, `rest` later: [`REST`]. While there is no configuration with the pool, it
/// waits. If the future is dropped, what was being sent is tried again later.
pub(crate) async fn run(
    mut newest: watch::Receiver<Option<Arc<Dispatch>>>,
    (added, rest): (Arc<Notify>, [Duration; 2]),
    draining: &mut Draining,
) {
    let mut under_way = FuturesUnordered::new();
    while !draining.is_stopping() {
        let dispatch = newest.borrow_and_update().clone();
        let room = AT_ONCE_MAX - under_way.len();
        let mut wait = LOOK_IDLY;
        if let Some(dispatch) = dispatch {
            match dispatch.claim(room).await {
                Ok((due, waiting)) => {
                    if waiting > 0 {
                        wait = LOOK_AGAIN;
                    }
                    under_way.extend(due.into_iter().map(|due| Arc::clone(&dispatch).deliver(due)));
                }
                Err(error) => dispatch.report(&error),
            }
        }
        // Each arm only waits: nothing is lost when another one is first.
        tokio::select! {
            () = draining.stopping() => {}
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            () = rested(&added, rest) => {}
            changed = newest.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(wait) => {}
        }
    }
    // What has begun may be in the hands of a server already: its answer is awaited, as long as there is time.
    tokio::select! {
        () = draining.cut() => {}
        () = under_way.for_each(|()| std::future::ready(())) => {}
    }
}

/// Waits for a message, and a while longer: a random time of this range.
async fn rested(added: &Notify, [least, most]: [Duration; 2]) {
    added.notified().await;
    let part = u32::from(u16::from_ne_bytes(octets::random()));
    tokio::time::sleep(least + (most - least) * part / u32::from(u16::MAX)).await;
}

impl Dispatch {
    /// Takes what is to be sent now, `room` messages at most. Returns how many messages wait besides.
    async fn claim(&self, room: usize) -> Result<(Vec<Due>, u64), database::Error> {
        let (queue, now) = (self.queue.clone(), self.clock.now());
        // A transaction that writes comes after the one that has woken us, which has perhaps not committed yet.
        let claimed = self.database.write(move |on| Ok((queue.claim(on, room, now)?, queue.contents(on)?)));
        let (claimed, contents) = claimed.await?;
        self.metrics.useless.add(claimed.useless.try_into().unwrap_or(0));
        self.metrics.failed.add(claimed.unreadable.try_into().unwrap_or(0));
        self.metrics.given_up.add(claimed.given_up.try_into().unwrap_or(0));
        if claimed.unreadable > 0 {
            tracing::warn!(pool = %self.pool, messages = claimed.unreadable, "messages of the outbox cannot be decrypted now and are tried again later");
        }
        if claimed.given_up > 0 {
            tracing::error!(pool = %self.pool, messages = claimed.given_up, "messages of the outbox cannot be decrypted and are given up");
        }
        self.metrics.show(contents, now);
        #[cfg(test)]
        self.metrics.changed.notify_one();
        Ok((claimed.due, contents.waiting))
    }

    /// Sends one message and writes down what became of it.
    async fn deliver(self: Arc<Self>, due: Due) {
        let outcome = self.way.send(&due).await;
        let (queue, now) = (self.queue.clone(), self.clock.now());
        let (id, kind) = (due.id.clone(), due.kind.as_str());
        let written = match outcome {
            Ok(_) => {
                self.metrics.sent.increment();
                self.database.write(move |on| queue.sent(on, &due).map(|()| None)).await
            }
            Err(Undelivered::Never(cause)) => {
                self.gives_up(&id, kind, &cause);
                self.database.write(move |on| queue.give_up(on, &due, &cause, now).map(|()| None)).await
            }
            Err(Undelivered::Later(cause)) => {
                self.metrics.failed.increment();
                let written = cause.clone();
                let failure = self.database.write(move |on| queue.failed(on, &due, &written, now).map(Some)).await;
                match &failure {
                    Ok(Some(Failure::GivenUp)) => self.gives_up(&id, kind, &cause),
                    Ok(_) => {
                        tracing::warn!(pool = %self.pool, message = id, kind, cause, "a message cannot be sent now")
                    }
                    Err(_) => {}
                }
                failure
            }
        };
        if let Err(error) = written {
            self.report(&error);
        }
        #[cfg(test)]
        self.metrics.changed.notify_one();
    }

    fn gives_up(&self, id: &str, kind: &str, cause: &str) {
        self.metrics.given_up.increment();
        tracing::error!(pool = %self.pool, message = id, kind, cause, "a message is given up");
    }

    fn report(&self, error: &database::Error) {
        tracing::error!(pool = %self.pool, error = with_causes(error), "the outbox of the user pool cannot be read or written");
    }
}

#[cfg(test)]
mod tests;
