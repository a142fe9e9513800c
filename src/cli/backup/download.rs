//! The answer of a master, read by a thread that may block.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use kube::client::Body;
use std::io::{self, Read};
use std::time::Duration;
use tokio::sync::mpsc;

/// Without a byte for so long the master counts as gone.
const SILENCE: Duration = Duration::from_secs(30);

/// Reads what [`pump`] passes on.
pub(super) struct Download {
    pieces: mpsc::Receiver<Result<Bytes, String>>,
    rest: Bytes,
    ended: bool,
}

/// Passes a body on, until its end or until nobody reads.
pub(super) fn pump(mut body: Body) -> Download {
    let (sender, pieces) = mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            let piece = match tokio::time::timeout(SILENCE, body.frame()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Ok(data),
                    Err(_) => continue,
                },
                Ok(Some(Err(error))) => Err(error.to_string()),
                Err(_) => Err(format!("the master sends nothing for {} s", SILENCE.as_secs())),
            };
            let last = piece.is_err();
            if sender.send(piece).await.is_err() || last {
                break;
            }
        }
    });
    Download { pieces, rest: Bytes::new(), ended: false }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => self.ended = true,
            }
        }
        let length = buffer.len().min(self.rest.len());
        buffer[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}
