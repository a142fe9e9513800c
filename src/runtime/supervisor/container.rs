//! One container as its supervisor sees it.

use crate::border::Exit;
use crate::cgroup::{self, Hierarchies};
use crate::supervisor::log::{self, Log, Stream};
use crate::supervisor::output::{Output, Piece};
use crate::supervisor::protocol::{CONTAINERS, MESSAGE_FILE, ProcessId, STATE_FILE, StartContainer, State};
use crate::supervisor::{complain, record};
use crate::sys::{self, PidFd};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// In a container's directory: how it was started.
pub(crate) const START_FILE: &str = "start.json";
/// libcontainer's own directory, in the pod's.
pub(crate) const RUNTIME_STATE: &str = "oci";
/// Output that comes this long after the end of the first process is not waited for any longer.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Pieces that are taken from a pipe at the end, whoever still writes.
const LAST_PIECES: usize = 4;
/// The agent has so long to tell how an adopted container ended.
const WORD_OF_AGENT: Duration = Duration::from_secs(2);
/// Most bytes of a termination message.
const LONGEST_MESSAGE: u64 = 4096;

/// Its first process has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    code: i32,
    signal: Option<i32>,
    at: SystemTime,
    /// Recorded by then, whatever is still open.
    pub deadline: Instant,
    /// The code is not a guess.
    known: bool,
}

/// Standard input, or a terminal's.
#[derive(Debug)]
pub(crate) struct Input {
    /// Our end; does not block.
    pub file: File,
    /// Not yet taken by the container.
    pub pending: Vec<u8>,
    /// Closed once nothing is pending.
    pub closing: bool,
}

/// One container that runs, or whose end is not recorded yet.
#[derive(Debug)]
pub(crate) struct Container {
    /// How it was started.
    pub start: StartContainer,
    /// Its directory.
    pub directory: PathBuf,
    /// What is recorded.
    pub state: State,
    /// Its log.
    pub log: Log,
    /// Open sources of output.
    pub outputs: Vec<Output>,
    /// Standard input.
    pub input: Option<Input>,
    /// A terminal's own side, for its size.
    pub terminal: Option<File>,
    /// Set for a container whose parent is not this process.
    pub adopted: Option<PidFd>,
    /// Its first process has ended.
    pub ended: Option<Ended>,
}

/// A container's directory.
pub(crate) fn directory_of(pod: &Path, id: &str) -> PathBuf {
    pod.join(CONTAINERS).join(id)
}

impl Container {
    /// Takes over a container that an earlier supervisor of this pod started.
    pub(crate) fn adopt(pod: &Path, id: &str) -> io::Result<Option<Self>> {
        let directory = directory_of(pod, id);
        let Some(start) = record::read::<StartContainer>(&directory.join(START_FILE))? else {
            return Ok(None);
        };
        let Some(state) = record::read::<State>(&directory.join(STATE_FILE))? else {
            return Ok(None);
        };
        if state.exit.is_some() {
            return Ok(None);
        }
        let same_boot = state.boot_id == record::boot_id();
        let adopted = state.process.filter(|_| same_boot).and_then(|it| PidFd::open(it.pid, it.start_time));
        let mut container = Self {
            // What an earlier boot has left may be there in part only.
            log: if same_boot { Log::resume(&directory, &start.log)? } else { Log::begin(&directory, &start.log)? },
            outputs: Vec::new(),
            input: None,
            terminal: None,
            start,
            directory,
            state,
            adopted,
            ended: None,
        };
        if !container.start.tty {
            container.outputs = Output::reopen(&container.directory);
        }
        if let Some((code, signal, at)) = container.state.ended {
            container.adopted = None;
            container.ended = Some(Ended { code, signal, at, deadline: Instant::now() + LAST_WORDS, known: true });
        } else if container.adopted.is_none() {
            container.lost();
        } else if container.state.started_at.is_none()
            && let Some(process) = &container.adopted
        {
            // Made but never let go: its maker died in between.
            process.kill(libc::SIGKILL);
        }
        Ok(Some(container))
    }

    /// Records what is true now.
    pub(crate) fn save(&self) -> io::Result<()> {
        record::write(&self.directory.join(STATE_FILE), &self.state)
    }

    /// Its first process.
    pub(crate) fn process(&self) -> Option<ProcessId> {
        self.state.process
    }

    /// Its first process has ended, and is about to be reaped by whoever says so: recorded, for after that nobody knows.
    pub(crate) fn end(&mut self, code: i32, signal: Option<i32>) {
        let at = SystemTime::now();
        self.state.ended = Some((code, signal, at));
        if let Err(error) = self.save() {
            complain(&format!("container {}: {error}\n", self.start.id));
        }
        self.ended = Some(Ended { code, signal, at, deadline: Instant::now() + LAST_WORDS, known: true });
    }

    /// Its first process is gone and somebody else reaped it.
    pub(crate) fn lost(&mut self) {
        if self.ended.is_none() {
            self.ended = Some(Ended {
                code: 128 + libc::SIGKILL,
                signal: None,
                at: SystemTime::now(),
                deadline: Instant::now() + WORD_OF_AGENT,
                known: false,
            });
        }
        self.adopted = None;
    }

    /// Takes one piece of output into the log. Gives whose, and how many bytes.
    pub(crate) fn pump(&mut self, which: usize, buffer: &mut [u8]) -> Option<(Stream, usize)> {
        let output = self.outputs.get_mut(which)?;
        let piece = match self.log.take(output, buffer) {
            Ok(piece) => {
                if std::mem::take(&mut output.stalled) {
                    let lost = std::mem::take(&mut self.log.lost);
                    complain(&format!(
                        "container {}: the log can be written again; {lost} bytes lost\n",
                        self.start.id
                    ));
                }
                piece
            }
            Err(error) => {
                if !std::mem::replace(&mut output.stalled, true) {
                    complain(&format!("container {}: log: {error}\n", self.start.id));
                }
                // It waits in the pipe, as long as its writer need not.
                if output.is_pressing() {
                    let _ = self.log.discard(output, buffer);
                }
                return None;
            }
        };
        output.ended = piece == Piece::End;
        match piece {
            Piece::Bytes(taken) => Some((output.stream, taken)),
            Piece::Nothing | Piece::End => None,
        }
    }

    /// Takes what the pipes still hold, although somebody may still write.
    fn drain(&mut self, buffer: &mut [u8]) {
        for which in 0..self.outputs.len() {
            // A pipe takes 64 KiB; who writes on and on is not waited for.
            for _ in 0..LAST_PIECES {
                if self.pump(which, buffer).is_none() {
                    break;
                }
            }
        }
    }

    /// Its end may be recorded.
    pub(crate) fn is_over(&self) -> bool {
        self.ended
            .as_ref()
            .is_some_and(|ended| (ended.known && self.outputs.is_empty()) || Instant::now() >= ended.deadline)
    }

    /// Records its end.
    pub(crate) fn finish(&mut self, hierarchies: &Hierarchies) -> i32 {
        let mut buffer = vec![0; log::BUFFER];
        self.drain(&mut buffer);
        let Some(ended) = &self.ended else { return 0 };
        if let Err(error) = self.log.close(&mut buffer) {
            complain(&format!("container {}: log: {error}\n", self.start.id));
        }
        let oom_killed = ended.code != 0 && cgroup::oom_kills(hierarchies, &self.start.cgroup) > 0;
        let exit = Exit {
            code: ended.code,
            signal: ended.signal,
            oom_killed,
            finished_at: ended.at,
            message: self.message(ended.code),
        };
        let code = exit.code;
        self.state.exit = Some(exit);
        if let Err(error) = self.save().and_then(|()| log::forget(&self.directory)) {
            complain(&format!("container {}: {error}\n", self.start.id));
        }
        code
    }

    /// What it wrote as its termination message, or the end of its log if that is asked for and it failed silently.
    fn message(&self, code: i32) -> String {
        let written = message(&self.directory);
        let from_log = self.start.message_from_log && written.is_empty() && code != 0;
        if from_log { log::last_words(&self.start.log) } else { written }
    }

    /// Kills what its first process has left behind in a pid namespace that is not its own.
    pub(crate) fn kill_rest(&self, hierarchies: &Hierarchies) {
        if self.start.kill_rest {
            for pid in cgroup::processes(hierarchies, &self.start.cgroup) {
                sys::kill_pid(pid, libc::SIGKILL);
            }
        }
    }

    /// Gives pending input to the container, as far as it takes it.
    pub(crate) fn feed(&mut self) {
        let Some(input) = &mut self.input else { return };
        let gone = match input.file.write(&input.pending) {
            Ok(taken) => {
                input.pending.drain(..taken);
                input.pending.is_empty() && input.closing
            }
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        };
        if gone {
            self.input = None;
        }
    }
}

fn message(directory: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(directory.join(MESSAGE_FILE)) {
        let _ = file.take(LONGEST_MESSAGE).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Removes what an ended container has left in this mount namespace and in libcontainer's directory.
pub(crate) fn remove(pod: &Path, id: &str, group: &str, hierarchies: &Hierarchies) -> io::Result<()> {
    sys::detach(&directory_of(pod, id).join("rootfs"))?;
    let state = pod.join(RUNTIME_STATE).join(id);
    if state.exists() {
        fs::remove_dir_all(state)?;
    }
    cgroup::kill_all(hierarchies, group, Duration::from_secs(2))?;
    cgroup::remove(hierarchies, group)
}
