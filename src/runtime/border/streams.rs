//! Standard streams and logs on their way out of a container.

use bytes::Bytes;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// A command to run in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecRequest {
    /// The container's name.
    pub container: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Give it a terminal.
    pub tty: bool,
}

/// The caller's ends of the streams. A `None` is a stream that was not asked for. With a terminal, standard error is
/// part of standard output.
#[derive(Debug)]
pub struct AttachIo {
    /// Bytes for standard input; its end closes standard input.
    pub stdin: Option<mpsc::Receiver<Bytes>>,
    /// Bytes from standard output.
    pub stdout: Option<mpsc::Sender<Bytes>>,
    /// Bytes from standard error.
    pub stderr: Option<mpsc::Sender<Bytes>>,
    /// New sizes of the terminal.
    pub resize: Option<mpsc::Receiver<TerminalSize>>,
}

/// Which part of a log, and how (`PodLogOptions`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on as the container writes, until it ends.
    pub follow: bool,
    /// The run before the newest.
    pub previous: bool,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// Only lines since this time.
    pub since: Option<SystemTime>,
    /// Only lines younger than this.
    pub since_seconds: Option<Duration>,
    /// At most so many bytes.
    pub limit_bytes: Option<u64>,
    /// Each line begins with its RFC 3339 time.
    pub timestamps: bool,
}
