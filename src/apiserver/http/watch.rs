//! Watches: a cursor, woken by the store's revisions.

use super::answer::Answer;
use super::body::pieces;
use super::front::Front;
use super::params::Params;
use super::render::{self, Form};
use crate::read::{Cursor, Event, EventKind, Filter, wait_for};
use crate::write::{Api, Target, store_error};
use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use raftsman_api::status::{Cause, Status};
use raftsman_state::View;
use raftsman_store::border::Health;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Between bookmarks.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// A watch without `timeoutSeconds` lives between one and two of these, so that not all end at once.
const LIFE: Duration = Duration::from_secs(1800);
/// Most that `timeoutSeconds` may ask for: a year, which no connection lasts.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How a watch begins.
enum Start {
    /// With what is there.
    Initial(View),
    /// After a revision.
    After(u64),
}

struct Options {
    bookmarks: bool,
    initial_end: bool,
    life: Duration,
}

struct Watch {
    target: Target,
    form: Form,
    options: Options,
    cursor: Cursor,
    columns: bool,
    /// Everything up to the cursor is on its way to the client.
    level: bool,
    api: Arc<Api>,
    revisions: watch::Receiver<u64>,
    health: watch::Receiver<Health>,
    shutdown: CancellationToken,
    lines: mpsc::Sender<Bytes>,
}

/// Answers a watch.
///
/// # Errors
/// 400 and 422 for a query that contradicts itself, 504 above this master's revision.
pub(super) async fn watch(
    front: &Arc<Front>,
    target: &Target,
    params: &Params,
    filter: Filter,
    form: Form,
) -> Result<Answer, Status> {
    let api = front.api.clone();
    let store = api.store.clone();
    let initial_events = params.flag("sendInitialEvents")?;
    let start = start(&api, params, initial_events).await?;
    let life = match params.number("timeoutSeconds")? {
        Some(seconds) if seconds > 0 => Duration::from_secs(seconds.unsigned_abs()).min(LONGEST),
        _ => LIFE + Duration::from_secs(rand::random_range(0..LIFE.as_secs())),
    };
    let options = Options {
        bookmarks: params.flag("allowWatchBookmarks")?.unwrap_or(false),
        initial_end: initial_events == Some(true),
        life,
    };
    // Small on purpose: history is the queue.
    let (lines, receiver) = mpsc::channel(4);
    let watch = Watch {
        target: target.clone(),
        form,
        options,
        cursor: Cursor::new(target, filter, 0),
        columns: true,
        level: false,
        revisions: store.revisions(),
        health: store.health(),
        shutdown: front.shutdown.clone(),
        api,
        lines,
    };
    let counted = front.clone();
    tokio::spawn(async move {
        let _held = counted.metrics.watching();
        watch.run(start).await;
    });
    Ok(streaming(ReceiverStream::new(receiver)))
}

fn streaming(stream: impl Stream<Item = Bytes> + Send + 'static) -> Answer {
    let mut answer = Response::new(pieces(stream));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    answer
}

async fn start(api: &Api, params: &Params, initial_events: Option<bool>) -> Result<Start, Status> {
    let invalid = |cause: Cause| Err(Status::invalid("meta.k8s.io", "ListOptions", "", vec![cause]));
    let matching = params.text("resourceVersionMatch");
    match initial_events {
        Some(_) if matching != "NotOlderThan" => {
            return invalid(Cause::forbidden(
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        None if !matching.is_empty() => {
            return invalid(Cause::forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        _ => {}
    }
    let read = async || api.store.read().await.map_err(|error| store_error(&error));
    let asked = params.text("resourceVersion");
    match (asked, initial_events) {
        ("", Some(false)) => Ok(Start::After(read().await?.revision())),
        ("", _) => Ok(Start::Initial(read().await?)),
        ("0", Some(false)) => Ok(Start::After(api.store.view().revision())),
        ("0", _) => Ok(Start::Initial(api.store.view())),
        (text, initial) => {
            let revision = text
                .parse()
                .map_err(|_| Status::bad_request(format!("invalid resource version {text:?}: it must be a number")))?;
            let view = wait_for(&*api.store, revision).await?;
            Ok(if initial == Some(true) { Start::Initial(view) } else { Start::After(revision) })
        }
    }
}

impl Watch {
    /// Follows until the watch's end. A client that has stopped reading does not put that off: it is waited for only
    /// beside the reasons to end.
    async fn run(mut self, start: Start) {
        let end = tokio::time::sleep_until(Instant::now() + self.options.life);
        let (shutdown, mut health, lines) = (self.shutdown.clone(), self.health.clone(), self.lines.clone());
        tokio::select! {
            _ = self.follow(start) => {}
            () = end => self.last_bookmark(),
            () = shutdown.cancelled() => {}
            () = unhealthy(&mut health) => {}
            () = lines.closed() => {}
        }
    }

    /// Sends what there is and what comes; `None` when there is no more.
    async fn follow(&mut self, start: Start) -> Option<()> {
        self.begin(start).await?;
        let mut bookmarks = tokio::time::interval_at(Instant::now() + BOOKMARKS, BOOKMARKS);
        bookmarks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Marked as seen before the view is taken, so that no change falls between.
            self.revisions.borrow_and_update();
            self.catch_up().await?;
            tokio::select! {
                changed = self.revisions.changed() => changed.ok()?,
                _ = bookmarks.tick() => self.bookmark(false).await?,
            }
        }
    }

    /// Says how far the watch came, to a client that has read so far.
    fn last_bookmark(&self) {
        if self.level && self.options.bookmarks {
            let line = render::bookmark(self.target.kind, self.cursor.revision(), false, self.form);
            let _ = self.lines.try_send(line);
        }
    }

    /// Sends what a watch begins with.
    async fn begin(&mut self, start: Start) -> Option<()> {
        match start {
            Start::After(revision) => {
                self.cursor.moved_to(revision);
                self.level = true;
            }
            Start::Initial(view) => {
                let objects = self.cursor.initial(&view);
                let events = objects.into_iter().map(|object| Event { kind: EventKind::Added, object });
                self.send(events.collect()).await?;
                if self.options.initial_end {
                    self.bookmark(true).await?;
                }
            }
        }
        Some(())
    }

    /// Sends what happened since; `None` when the watch has ended.
    async fn catch_up(&mut self) -> Option<()> {
        loop {
            let view = self.api.store.view();
            match self.cursor.advance(&view) {
                Ok(events) if events.is_empty() => return Some(()),
                Ok(events) => self.send(events.into()).await?,
                Err(compacted) => {
                    let status =
                        Status::expired(format!("too old resource version: {} ({})", compacted.asked, compacted.floor));
                    let object = status.to_json().to_string();
                    let _ = self.lines.send(render::line("ERROR", object.as_bytes())).await;
                    return None;
                }
            }
        }
    }

    /// Sends events, several in one piece.
    async fn send(&mut self, mut events: VecDeque<Event>) -> Option<()> {
        let now = Api::moment().now;
        self.level = false;
        while !events.is_empty() {
            let mut piece = BytesMut::new();
            while piece.len() < 32 * 1024 {
                let Some(event) = events.pop_front() else {
                    break;
                };
                let columns = std::mem::take(&mut self.columns);
                piece.extend_from_slice(&render::event_line(self.target.kind, &event, self.form, &now, columns));
            }
            self.lines.send(piece.freeze()).await.ok()?;
        }
        self.level = true;
        Some(())
    }

    async fn bookmark(&mut self, initial_end: bool) -> Option<()> {
        if !self.options.bookmarks && !initial_end {
            return Some(());
        }
        let line = render::bookmark(self.target.kind, self.cursor.revision(), initial_end, self.form);
        self.lines.send(line).await.ok()
    }
}

/// Waits until linearizable answers are no longer possible here.
async fn unhealthy(health: &mut watch::Receiver<Health>) {
    // An error: the store is gone, which is as good a reason to end.
    let _ = health.wait_for(|health| !health.ready).await;
}
