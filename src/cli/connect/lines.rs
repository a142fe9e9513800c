//! A long answer, read line by line, that notices when its master is gone without a word.

use crate::connect::masters::{MASTER, Masters, ServedBy};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderValue, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use std::sync::Arc;
use std::time::Duration;

/// After so long without a byte we ask whether the master still answers.
const SILENCE: Duration = Duration::from_secs(3);

/// Lines of a watch or of a log.
pub struct Lines {
    body: Body,
    buffer: BytesMut,
    scanned: usize,
    ended: bool,
    masters: Arc<Masters>,
    served: ServedBy,
    /// Who that was, should its address move to another.
    who: Option<HeaderValue>,
}

impl Lines {
    pub(super) fn new(answer: Response<Body>, masters: Arc<Masters>) -> Self {
        let served = answer.extensions().get::<ServedBy>().copied().unwrap_or(ServedBy(0));
        let who = answer.headers().get(MASTER).cloned();
        Self { body: answer.into_body(), buffer: BytesMut::new(), scanned: 0, ended: false, masters, served, who }
    }

    /// The next line, with its end if it has one; `None` at the end of the answer.
    ///
    /// # Errors
    /// The connection broke, or the master no longer answers: the next request goes to another one.
    pub async fn next(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            if let Some(at) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.scanned + at + 1).freeze();
                self.scanned = 0;
                return Ok(Some(line));
            }
            self.scanned = self.buffer.len();
            if self.ended {
                self.scanned = 0;
                let rest = self.buffer.copy_to_bytes(self.buffer.len());
                return Ok((!rest.is_empty()).then_some(rest));
            }
            // Who the masters are changes while we read.
            self.masters.learn(self.served.0);
            match tokio::time::timeout(SILENCE, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Ok(Some(Err(error))) => return Err(self.lost(&error.to_string())),
                Ok(None) => self.ended = true,
                Err(_) if self.masters.probe(self.served.0, self.who.as_ref()).await => {}
                Err(_) => return Err(self.lost("it no longer answers")),
            }
        }
    }

    fn lost(&self, reason: &str) -> String {
        self.masters.avoid(self.served.0);
        format!("{}: {reason}", self.masters.name(self.served.0))
    }
}
