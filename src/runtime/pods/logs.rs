//! Reading a container's log, and following it.

use crate::border::{LogOptions, RuntimeError};
use crate::images::{blocking, disk};
use crate::pods::local::Inner;
use crate::pods::logview::{View, tail_start};
use crate::pods::status;
use crate::supervisor::log_older;
use crate::supervisor::protocol::{STATE_FILE, State};
use crate::supervisor::record;
use crate::sys::{self, Inotify};
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::Interest;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

/// Bytes per read.
const CHUNK: usize = 64 << 10;
/// Should an inotify event be lost, a follower looks this often.
const FALLBACK: Duration = Duration::from_secs(2);
/// More old files than this are never kept.
const MOST_OLD_FILES: u32 = 8;

type Sender = mpsc::Sender<Result<Bytes, RuntimeError>>;

/// A log as a stream of text.
pub(crate) async fn logs(
    inner: &Arc<Inner>,
    uid: &str,
    name: &str,
    options: LogOptions,
) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError> {
    let (worker, uid, name) = (inner.clone(), uid.to_owned(), name.to_owned());
    let reader = blocking(move || Reader::open(&worker, &uid, &name, &options)).await?;
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        if let Err(error) = reader.run(&sender).await {
            let _ = sender.send(Err(error)).await;
        }
    });
    Ok(ReceiverStream::new(receiver).boxed())
}

trait Boxed: Sized {
    fn boxed(self) -> BoxStream<'static, Result<Bytes, RuntimeError>>;
}

impl Boxed for ReceiverStream<Result<Bytes, RuntimeError>> {
    fn boxed(self) -> BoxStream<'static, Result<Bytes, RuntimeError>> {
        Box::pin(self.map(|item| item))
    }
}

struct Reader {
    /// The current file's path.
    path: PathBuf,
    /// The container's directory.
    container: PathBuf,
    /// Files to read, the oldest first.
    files: Vec<(File, u64)>,
    view: View,
    follow: bool,
    inotify: Option<Inotify>,
    /// The beginning of a line whose end is not read yet.
    open: Vec<u8>,
    about: String,
}

impl Reader {
    fn open(inner: &Inner, uid: &str, name: &str, options: &LogOptions) -> Result<Self, RuntimeError> {
        let paths = inner.config.pod(uid);
        status::record_of(&paths, uid)?;
        let mut runs = status::containers(&paths);
        runs.retain(|run| run.record.spec.name == name);
        runs.sort_by_key(|run| run.record.spec.attempt);
        let newest = runs.pop();
        let run = if options.previous { runs.pop() } else { newest };
        let run = run.ok_or_else(|| {
            let which = if options.previous { "previous terminated container" } else { "container" };
            RuntimeError::NotFound(format!("{which} \"{name}\" of pod {uid}"))
        })?;
        let path = paths.log(name, run.record.spec.attempt);
        let about = format!("log of container \"{name}\" of pod {uid}");
        let mut inotify = None;
        if options.follow {
            // Before the first read, so that nothing falls between.
            let watcher = Inotify::new().map_err(disk(&about))?;
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory).map_err(disk(&about))?;
                watcher.watch(directory).map_err(disk(&about))?;
            }
            watcher.watch(&run.directory).map_err(disk(&about))?;
            inotify = Some(watcher);
        }
        Ok(Self {
            files: files(&path, options.tail_lines).map_err(disk(&about))?,
            path,
            container: run.directory,
            view: View::new(options, SystemTime::now()),
            follow: options.follow,
            inotify,
            open: Vec::new(),
            about,
        })
    }

    async fn run(mut self, sender: &Sender) -> Result<(), RuntimeError> {
        let about = self.about.clone();
        let mut current = None;
        for (mut file, start) in std::mem::take(&mut self.files) {
            file.seek(SeekFrom::Start(start)).map_err(disk(&about))?;
            if !self.drain(&mut file, sender).await? {
                return Ok(());
            }
            current = Some(file);
        }
        let Some(inotify) = self.inotify.take().filter(|_| self.follow) else {
            return Ok(());
        };
        let inotify = sys::register(inotify, Interest::READABLE).map_err(disk(&about))?;
        loop {
            // Asked before reading: what was written before the end is read then.
            let over = has_ended(&self.container);
            if !self.catch_up(&mut current, sender).await? || over {
                return Ok(());
            }
            tokio::select! {
                ready = tokio::time::timeout(FALLBACK, inotify.readable()) => {
                    if let Ok(Ok(mut ready)) = ready {
                        let _ = ready.try_io(|inner| inner.get_ref().drain());
                    }
                }
                () = sender.closed() => return Ok(()),
            }
        }
    }

    /// Reads what was added, also over a rotation. `false`: the reader wants no more.
    async fn catch_up(&mut self, current: &mut Option<File>, sender: &Sender) -> Result<bool, RuntimeError> {
        loop {
            if let Some(file) = current
                && !self.drain(file, sender).await?
            {
                return Ok(false);
            }
            let open = current.as_ref().and_then(|file| file.metadata().ok()).map(|found| found.ino());
            let newest = fs::metadata(&self.path).ok().map(|found| found.ino());
            if newest.is_none() || open == newest {
                return Ok(true);
            }
            // Rotated: what the old file got last is read before the new one.
            if let Some(file) = current
                && !self.drain(file, sender).await?
            {
                return Ok(false);
            }
            *current = File::open(&self.path).ok();
            if current.is_none() {
                return Ok(true);
            }
        }
    }

    async fn drain(&mut self, file: &mut File, sender: &Sender) -> Result<bool, RuntimeError> {
        let mut buffer = vec![0u8; CHUNK];
        loop {
            let read = file.read(&mut buffer).map_err(disk(&self.about))?;
            if read == 0 {
                return Ok(true);
            }
            let mut out = Vec::new();
            for piece in buffer[..read].split_inclusive(|byte| *byte == b'\n') {
                self.open.extend_from_slice(piece);
                if self.open.last() == Some(&b'\n') {
                    self.open.pop();
                    self.view.put(&self.open, &mut out);
                    self.open.clear();
                }
            }
            if !out.is_empty() && sender.send(Ok(out.into())).await.is_err() {
                return Ok(false);
            }
            if self.view.is_full() {
                return Ok(false);
            }
        }
    }
}

/// The files of a log, the oldest first, each with where to begin.
fn files(path: &Path, tail: Option<u64>) -> io::Result<Vec<(File, u64)>> {
    let mut found = Vec::new();
    let mut wanted = tail;
    for n in 0..MOST_OLD_FILES {
        let name = if n == 0 { path.to_owned() } else { log_older(path, n) };
        let mut file = match File::open(name) {
            Ok(file) => file,
            // A run that has written nothing yet may have no file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        let mut start = 0;
        if let Some(lines) = wanted {
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            let (from, have) = tail_start(&content, lines);
            start = from as u64;
            wanted = Some(lines - have);
        }
        found.push((file, start));
        if wanted == Some(0) {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

fn has_ended(container: &Path) -> bool {
    let state: Option<State> = record::read(&container.join(STATE_FILE)).unwrap_or_default();
    match state {
        Some(state) => state.exit.is_some(),
        // Removed.
        None => !container.exists(),
    }
}
