//! Tables of results, as plain text or as Markdown.

use std::fmt::{self, Display, Formatter};

/// Rows of figures under one heading.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Notes that the reader needs to interpret the figures.
    pub(crate) notes: Vec<String>,
}

impl Table {
    /// Returns a table without rows.
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Returns it as aligned text, with the first column left-aligned and figures right-aligned.
    pub(crate) fn plain(&self) -> Plain<'_> {
        Plain(self)
    }

    /// Returns it as Markdown, for a README.
    pub(crate) fn markdown(&self) -> Markdown<'_> {
        Markdown(self)
    }

    /// Returns the width of each column.
    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.chain(self.columns.get(column)).map(|cell| cell.chars().count()).max()
        };
        (0..self.columns.len()).map(|column| width(column).unwrap_or(0)).collect()
    }
}

/// A [`Table`] that displays as aligned text.
#[derive(Debug)]
pub(crate) struct Plain<'a>(&'a Table);

impl Display for Plain<'_> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let widths = self.0.widths();
        writeln!(to, "{}", self.0.title)?;
        for row in std::iter::once(&self.0.columns).chain(&self.0.rows) {
            let mut line = String::new();
            for (place, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                line += &match place {
                    0 => format!("  {cell:<width$}"),
                    _ => format!("  {cell:>width$}"),
                };
            }
            writeln!(to, "{}", line.trim_end())?;
        }
        for note in &self.0.notes {
            writeln!(to, "  * {note}")?;
        }
        Ok(())
    }
}

/// A [`Table`] that displays as Markdown.
#[derive(Debug)]
pub(crate) struct Markdown<'a>(&'a Table);

impl Display for Markdown<'_> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        writeln!(to, "**{}**\n", self.0.title)?;
        writeln!(to, "| {} |", self.0.columns.join(" | "))?;
        writeln!(to, "|---|{}", "---:|".repeat(self.0.columns.len().saturating_sub(1)))?;
        for row in &self.0.rows {
            writeln!(to, "| {} |", row.join(" | "))?;
        }
        if !self.0.notes.is_empty() {
            writeln!(to)?;
        }
        for note in &self.0.notes {
            writeln!(to, "- {note}")?;
        }
        Ok(())
    }
}

/// Formats `1234567.8` as `1,234,568`.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("Echo", &["server", "messages/s"]);
        table.rows.push(vec!["ours".into(), grouped(1_234_567.8)]);
        table.rows.push(vec!["another".into(), grouped(999.0)]);
        table.notes.push("both on one processor".into());
        table
    }

    #[test]
    fn plain_columns_are_aligned() {
        let expected = "Echo\n  server   messages/s\n  ours      1,234,568\n  another         999\n  \
                        * both on one processor\n";
        assert_eq!(table().plain().to_string(), expected);
    }

    #[test]
    fn markdown_has_a_separator_row() {
        let expected = "**Echo**\n\n| server | messages/s |\n|---|---:|\n| ours | 1,234,568 |\n\
                        | another | 999 |\n\n- both on one processor\n";
        assert_eq!(table().markdown().to_string(), expected);
    }
}
