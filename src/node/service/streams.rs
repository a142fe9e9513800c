//! Standard streams between a gRPC stream and the runtime.

use super::agent::status;
use bytes::Bytes;
use futures::Stream;
use raftsman_proto::v1::stream_input::Input;
use raftsman_proto::v1::stream_output::Output;
use raftsman_proto::v1::{StreamInput, StreamOutput, StreamStart};
use raftsman_runtime::border::{AttachIo, RuntimeError, TerminalSize};
use std::pin::Pin;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, Streaming};

pub(super) type Outputs = Pin<Box<dyn Stream<Item = Result<StreamOutput, Status>> + Send>>;

const QUEUE: usize = 32;

/// Our ends of the streams.
pub(super) struct Wires {
    stdin: Option<mpsc::Sender<Bytes>>,
    stdout: Option<mpsc::Receiver<Bytes>>,
    stderr: Option<mpsc::Receiver<Bytes>>,
    resize: Option<mpsc::Sender<TerminalSize>>,
}

/// The first message.
pub(super) async fn start(mut inputs: Streaming<StreamInput>) -> Result<(StreamStart, Streaming<StreamInput>), Status> {
    match inputs.message().await?.and_then(|message| message.input) {
        Some(Input::Start(start)) => Ok((start, inputs)),
        _ => Err(Status::invalid_argument("the first message must say what to start")),
    }
}

/// Both ends of the streams that are asked for.
pub(super) fn wires(start: &StreamStart) -> (AttachIo, Wires) {
    fn pair<T>(wanted: bool) -> (Option<mpsc::Sender<T>>, Option<mpsc::Receiver<T>>) {
        match wanted {
            true => {
                let (sender, receiver) = mpsc::channel(QUEUE);
                (Some(sender), Some(receiver))
            }
            false => (None, None),
        }
    }
    let (stdin, stdin_end) = pair(start.stdin);
    let (stdout_end, stdout) = pair(start.stdout);
    let (stderr_end, stderr) = pair(start.stderr && !start.tty);
    let (resize, resize_end) = pair(start.tty);
    let io = AttachIo { stdin: stdin_end, stdout: stdout_end, stderr: stderr_end, resize: resize_end };
    (io, Wires { stdin, stdout, stderr, resize })
}

async fn feed(
    mut inputs: Streaming<StreamInput>,
    mut stdin: Option<mpsc::Sender<Bytes>>,
    resize: Option<mpsc::Sender<TerminalSize>>,
) {
    while let Ok(Some(message)) = inputs.message().await {
        match message.input {
            Some(Input::Stdin(data)) => {
                if let Some(sender) = &stdin
                    && sender.send(data).await.is_err()
                {
                    stdin = None;
                }
            }
            Some(Input::StdinClosed(true)) => stdin = None,
            Some(Input::Resize(size)) => {
                let part = |part: u32| u16::try_from(part).unwrap_or(u16::MAX);
                if let Some(resize) = &resize {
                    // A size that comes too fast is replaced by the next one.
                    let _ = resize.try_send(TerminalSize { width: part(size.width), height: part(size.height) });
                }
            }
            Some(Input::StdinClosed(false) | Input::Start(_)) | None => {}
        }
    }
}

async fn pump(
    source: Option<mpsc::Receiver<Bytes>>,
    wrap: fn(Bytes) -> Output,
    sink: &mpsc::Sender<Result<StreamOutput, Status>>,
) {
    let Some(mut source) = source else { return };
    while let Some(data) = source.recv().await {
        if sink.send(Ok(StreamOutput { output: Some(wrap(data)) })).await.is_err() {
            return;
        }
    }
}

/// Runs `work` between the two; its exit code, if it has one, is the last message. When the caller goes away, it ends.
pub(super) fn run(
    inputs: Streaming<StreamInput>,
    wires: Wires,
    work: impl Future<Output = Result<Option<i32>, RuntimeError>> + Send + 'static,
) -> Outputs {
    let (sink, outputs) = mpsc::channel(QUEUE);
    let feeder = AbortOnDropHandle::new(tokio::spawn(feed(inputs, wires.stdin, wires.resize)));
    tokio::spawn(async move {
        let done = async {
            let ((), (), result) = tokio::join!(
                pump(wires.stdout, Output::Stdout, &sink),
                pump(wires.stderr, Output::Stderr, &sink),
                work
            );
            result
        };
        let result = tokio::select! {
            result = done => result,
            () = sink.closed() => return,
        };
        drop(feeder);
        let last = match result {
            Ok(Some(code)) => Some(Ok(StreamOutput { output: Some(Output::ExitCode(code)) })),
            Ok(None) => None,
            Err(error) => Some(Err(status(&error))),
        };
        if let Some(last) = last {
            let _ = sink.send(last).await;
        }
    });
    Box::pin(ReceiverStream::new(outputs))
}
