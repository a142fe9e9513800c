//! Kubernetes' channels over a WebSocket (`v4.channel.k8s.io`, `v5.channel.k8s.io`): the first byte of a message is its
//! channel.

use bytes::{Bytes, BytesMut};
use raftsman_proto::v1::stream_input::Input;
use raftsman_proto::v1::stream_output::Output;
use raftsman_proto::v1::{Size, StreamInput, StreamOutput};
use serde_json::{Value, json};

const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
/// `v5` only: the channel that the next byte names has ended.
const CLOSE: u8 = 255;

/// A message on a channel.
pub(super) fn message(channel: u8, data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + 1);
    out.extend_from_slice(&[channel]);
    out.extend_from_slice(data);
    out.freeze()
}

/// What a client's message means for the node; `None` for what carries nothing.
pub(super) fn input(message: &Bytes) -> Option<StreamInput> {
    let (channel, data) = (*message.first()?, message.slice(1..));
    let input = match channel {
        STDIN if !data.is_empty() => Input::Stdin(data),
        CLOSE if data.first() == Some(&STDIN) => Input::StdinClosed(true),
        RESIZE => {
            let size: Value = serde_json::from_slice(&data).ok()?;
            let side = |name: &str| size.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
            Input::Resize(Size { width: side("Width")?, height: side("Height")? })
        }
        _ => return None,
    };
    Some(StreamInput { input: Some(input) })
}

/// What the node's message is for the client, and whether it is the last.
pub(super) fn output(message: StreamOutput) -> Option<(Bytes, bool)> {
    Some(match message.output? {
        Output::Stdout(data) => (self::message(STDOUT, &data), false),
        Output::Stderr(data) => (self::message(STDERR, &data), false),
        Output::ExitCode(code) => (exited(code), true),
    })
}

/// The status of an ended command.
pub(super) fn exited(code: i32) -> Bytes {
    let status = if code == 0 {
        json!({ "metadata": {}, "status": "Success" })
    } else {
        json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
        })
    };
    message(STATUS, status.to_string().as_bytes())
}

/// The status of a stream that broke.
pub(super) fn broken(why: &str) -> Bytes {
    let status = json!({
        "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500, "message": why,
    });
    message(STATUS, status.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn channels_both_ways() {
        let of = |bytes: &'static [u8]| input(&Bytes::from_static(bytes)).and_then(|input| input.input);
        assert_eq!(of(b"\0ls"), Some(Input::Stdin(Bytes::from_static(b"ls"))));
        assert_eq!(of(b"\xff\0"), Some(Input::StdinClosed(true)));
        assert_eq!(of(b"\x04{\"Width\":80,\"Height\":24}"), Some(Input::Resize(Size { width: 80, height: 24 })));
        for nothing in [b"".as_slice(), b"\0", b"\x04x", b"\x09x"] {
            assert_eq!(input(&Bytes::from_static(nothing)), None);
        }
        let (message, last) = output(StreamOutput { output: Some(Output::ExitCode(3)) }).unwrap();
        assert!(last && message[0] == STATUS);
        let status: Value = serde_json::from_slice(&message[1..]).unwrap();
        assert_eq!(status["details"]["causes"][0], json!({ "reason": "ExitCode", "message": "3" }));
    }
}
