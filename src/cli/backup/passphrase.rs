//! Where a passphrase comes from: a file, the environment, or the person at the terminal.

use anyhow::{Context, bail};
use clap::Args;
use raftsman_backup::Passphrase;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// The variable that may hold it.
pub const VARIABLE: &str = "RAFTSMAN_PASSPHRASE";

/// How a passphrase is given; without these it is asked for.
#[derive(Debug, Clone, Default, Args)]
pub struct PassphraseOptions {
    /// The file that holds the passphrase; else the variable RAFTSMAN_PASSPHRASE, else it is asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseOptions {
    /// One was given by file or environment.
    pub fn given(&self) -> anyhow::Result<Option<Passphrase>> {
        if let Some(path) = &self.passphrase_file {
            return from_file(path).map(Some);
        }
        match std::env::var_os(VARIABLE) {
            Some(text) => {
                let text = std::os::unix::ffi::OsStringExt::into_vec(text);
                Ok(Some(Passphrase::new(text).with_context(|| format!("variable {VARIABLE}"))?))
            }
            None => Ok(None),
        }
    }

    /// For a file that exists.
    pub fn known(&self) -> anyhow::Result<Passphrase> {
        match self.given()? {
            Some(passphrase) => Ok(passphrase),
            None => ask("Passphrase of the backup: "),
        }
    }

    /// For a new file: a person types it twice.
    pub fn new_one(&self) -> anyhow::Result<Passphrase> {
        if let Some(passphrase) = self.given()? {
            return Ok(passphrase);
        }
        let first = ask("Passphrase for the backup: ")?;
        if ask("The same again: ")? != first {
            bail!("the two passphrases differ; nothing was written");
        }
        Ok(first)
    }
}

/// The first line of a file.
fn from_file(path: &Path) -> anyhow::Result<Passphrase> {
    let text = std::fs::read(path).with_context(|| format!("passphrase file {}", path.display()))?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Passphrase::new(line).with_context(|| format!("passphrase file {}", path.display()))
}

fn ask(prompt: &str) -> anyhow::Result<Passphrase> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!(
            "a passphrase is needed: --passphrase-file FILE or the variable {VARIABLE} (there is no terminal to ask at)"
        );
    }
    let mut err = std::io::stderr();
    write!(err, "{prompt}").and_then(|()| err.flush()).context("ask for the passphrase")?;
    let silence = Silence::begin()?;
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    drop(silence);
    // The line end that was typed was not shown.
    let _ = writeln!(err);
    read.context("read the passphrase")?;
    Ok(Passphrase::new(line)?)
}

/// The terminal does not show what is typed, until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> anyhow::Result<Self> {
        let input = std::io::stdin();
        let before = tcgetattr(&input).context("terminal settings")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Flush, &silent).context("terminal settings")?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
