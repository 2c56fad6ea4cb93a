//! The events of a trace, as JSON.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::time::Duration;

/// A track of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) process: u32,
    pub(super) track: u32,
}

/// Writes events.
pub(super) struct Events<'a, W: Write> {
    out: &'a mut W,
    /// The number of arrows so far.
    arrows: u64,
    is_first: bool,
}

impl<'a, W: Write> Events<'a, W> {
    pub(super) fn begin(out: &'a mut W) -> io::Result<Self> {
        write!(out, "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
        Ok(Self { out, arrows: 0, is_first: true })
    }

    pub(super) fn end(self) -> io::Result<()> {
        writeln!(self.out, "\n]}}")
    }

    pub(super) fn name_process(&mut self, process: u32, name: &str) -> io::Result<()> {
        let rest = format!("\"args\":{{\"name\":{}}}", Text(name));
        self.event("M", Place { process, track: 0 }, "process_name", None, &rest)
    }

    pub(super) fn name_track(&mut self, place: Place, name: &str) -> io::Result<()> {
        let rest = format!("\"args\":{{\"name\":{}}}", Text(name));
        self.event("M", place, "thread_name", None, &rest)
    }

    pub(super) fn slice(
        &mut self,
        place: Place,
        name: &str,
        at: Duration,
        took: Duration,
    ) -> io::Result<()> {
        self.event("X", place, name, Some(at), &format!("\"dur\":{}", Micros(took)))
    }

    pub(super) fn instant(&mut self, place: Place, name: &str, at: Duration) -> io::Result<()> {
        self.event("i", place, name, Some(at), "\"s\":\"t\"")
    }

    pub(super) fn counter(
        &mut self,
        place: Place,
        name: &str,
        at: Duration,
        value: u32,
    ) -> io::Result<()> {
        self.event("C", place, name, Some(at), &format!("\"args\":{{\"bytes\":{value}}}"))
    }

    /// Writes an arrow between two slices.
    pub(super) fn arrow(
        &mut self,
        from: (Place, Duration),
        to: (Place, Duration),
    ) -> io::Result<()> {
        self.arrows += 1;
        let rest = format!("\"cat\":\"bytes\",\"id\":{}", self.arrows);
        self.event("s", from.0, "bytes", Some(from.1), &rest)?;
        self.event("f", to.0, "bytes", Some(to.1), &format!("{rest},\"bp\":\"e\""))
    }

    fn event(
        &mut self,
        phase: &str,
        place: Place,
        name: &str,
        at: Option<Duration>,
        rest: &str,
    ) -> io::Result<()> {
        let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
        let Place { process, track } = place;
        write!(self.out, "{comma}\n{{\"ph\":\"{phase}\",\"pid\":{process},\"tid\":{track},")?;
        if let Some(at) = at {
            write!(self.out, "\"ts\":{},", Micros(at))?;
        }
        write!(self.out, "\"name\":{},{rest}}}", Text(name))
    }
}

/// A time in microseconds.
struct Micros(Duration);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        write!(f, "{}.{:03}", nanos / 1000, nanos % 1000)
    }
}

/// A string in JSON (RFC 8259, section 7).
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                control if control < ' ' => write!(f, "\\u{:04x}", u32::from(control))?,
                character => f.write_char(character)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(Text("a\"b\\c\n\u{1}é").to_string(), "\"a\\\"b\\\\c\\u000a\\u0001é\"");
    }
}
