//! What `up` says while it works: one line per step, rewritten in place where a terminal is attached.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// Lines of progress on standard error.
pub struct Progress {
    terminal: bool,
    start: Instant,
    step: Option<String>,
}

impl Progress {
    /// Starts the clock.
    pub fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), start: Instant::now(), step: None }
    }

    /// A step begins.
    pub fn begin(&mut self, what: &str) {
        self.step = Some(what.to_owned());
        self.draw("", false);
    }

    /// How it stands.
    pub fn update(&self, state: &str) {
        if self.terminal {
            self.draw(state, false);
        }
    }

    /// It is done.
    pub fn done(&mut self, state: &str) {
        self.draw(state, true);
        self.step = None;
    }

    /// A line of its own.
    pub fn note(&self, text: &str) {
        eprintln!("      {text}");
    }

    fn draw(&self, state: &str, end: bool) {
        let Some(step) = &self.step else { return };
        let seconds = self.start.elapsed().as_secs_f32();
        let between = if state.is_empty() { "" } else { ": " };
        let mark = match (self.terminal, end) {
            (true, true) => "\x1b[32m✓\x1b[0m",
            (false, true) => "ok",
            _ => "..",
        };
        let mut out = std::io::stderr().lock();
        // Nobody reads it any more: nothing is lost.
        let _ = if self.terminal {
            write!(out, "\r\x1b[K{seconds:5.1} {mark} {step}{between}{state}{}", if end { "\n" } else { "" })
        } else if end {
            writeln!(out, "{seconds:5.1} {mark} {step}{between}{state}")
        } else {
            Ok(())
        };
        let _ = out.flush();
    }
}
