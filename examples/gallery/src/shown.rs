//! What a run has shown: lines of a journal, marks, and a verdict.

use std::fmt;

/// Up to this number of lines all are printed.
const SHORT: usize = 18;
/// Of more lines, this many of the first and of the last marked ones are printed, each with the lines before and after it.
const FIRST: usize = 4;
const LAST: usize = 2;
/// And this many lines from the beginning.
const BEGIN: usize = 3;

/// A line of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line, as the journal prints it.
    pub text: String,
    /// True if the line reveals the fault, or the cure.
    pub is_decisive: bool,
}

/// What a run has shown. It prints as lines and a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// All lines.
    pub lines: Vec<Line>,
    /// True if the fault has done its harm in this run: it was measured, not assumed.
    pub is_faulty: bool,
    /// What has happened, in one sentence.
    pub verdict: String,
}

impl Shown {
    pub(crate) fn new(lines: Vec<String>) -> Self {
        let lines = lines.into_iter().map(|text| Line { text, is_decisive: false }).collect();
        Self { lines, is_faulty: false, verdict: String::new() }
    }

    /// Marks the lines that contain these words.
    pub(crate) fn mark(mut self, words: &str) -> Self {
        for line in &mut self.lines {
            line.is_decisive |= line.text.contains(words);
        }
        self
    }

    /// Sets the verdict, and whether the fault has done harm.
    pub(crate) fn judge(self, is_faulty: bool, verdict: String) -> Self {
        Self { is_faulty, verdict, ..self }
    }

    /// Marks the lines that contain these words and follow the first one with `start`.
    pub(crate) fn mark_after(mut self, start: &str, words: &str) -> Self {
        let lines = self.lines.iter_mut().skip_while(|line| !line.text.contains(start));
        for line in lines {
            line.is_decisive |= line.text.contains(words);
        }
        self
    }

    /// Returns the numbers of the marked lines that are printed, if there are too many lines for all.
    fn printed_marks(&self) -> Vec<usize> {
        let lines = self.lines.iter().enumerate();
        let marked: Vec<_> =
            lines.filter(|(_, line)| line.is_decisive).map(|(number, _)| number).collect();
        let last = marked.len().saturating_sub(LAST).max(FIRST.min(marked.len()));
        [&marked[..FIRST.min(marked.len())], &marked[last..]].concat()
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks = self.printed_marks();
        let is_near = |number: usize| marks.iter().any(|mark| mark.abs_diff(number) <= 1);
        let mut left_out = 0;
        for (number, line) in self.lines.iter().enumerate() {
            if self.lines.len() > SHORT && number >= BEGIN && !is_near(number) {
                left_out += 1;
                continue;
            }
            note_left_out(f, &mut left_out)?;
            writeln!(f, "{} {}", if line.is_decisive { '>' } else { ' ' }, line.text)?;
        }
        note_left_out(f, &mut left_out)?;
        let outcome = if self.is_faulty { "the fault is there" } else { "no fault" };
        write!(f, "  {outcome}: {}", self.verdict)
    }
}

/// Prints how many lines were left out since the last one.
fn note_left_out(f: &mut fmt::Formatter<'_>, left_out: &mut usize) -> fmt::Result {
    match std::mem::take(left_out) {
        0 => Ok(()),
        1 => writeln!(f, "      ... 1 line"),
        count => writeln!(f, "      ... {count} lines"),
    }
}
