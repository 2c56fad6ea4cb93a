//! The trait that users of the line editor implement.

use crate::editor::EditorTransport;
use ropewalk::{Reason, TimerId};

/// What happens to the lines that a user enters. [`LineEditor`](crate::LineEditor) makes a protocol of it.
#[allow(unused_variables)] // The names are the documentation.
pub trait EditorHandler: 'static {
    /// The connection is made, and the row for typing appears.
    fn connection_made(&mut self, editor: &mut EditorTransport<'_>) {}

    /// The user has entered `line`, which may be empty. It is on the screen already.
    fn line_received(&mut self, editor: &mut EditorTransport<'_>, line: &str);

    /// The user wants the word before the cursor to be completed, by the tab key. Returns the texts that can replace
    /// it. `word` reaches back to a space or to the begin of the line, and `before` is the line before it. Default:
    /// none.
    ///
    /// One text replaces the word. Of several, what all begin with replaces a shorter word; if that adds
    /// nothing, they are printed.
    ///
    /// ```
    /// use ropewalk_protocols::{EditorHandler, EditorTransport};
    ///
    /// struct Commands;
    ///
    /// impl EditorHandler for Commands {
    ///     fn line_received(&mut self, editor: &mut EditorTransport<'_>, line: &str) {}
    ///
    ///     fn complete(&mut self, before: &str, word: &str) -> Vec<String> {
    ///         let commands = ["/help ", "/join ", "/quit "].into_iter();
    ///         let matching = commands.filter(|it| before.is_empty() && it.starts_with(word));
    ///         matching.map(str::to_owned).collect()
    ///     }
    /// }
    /// ```
    fn complete(&mut self, before: &str, word: &str) -> Vec<String> {
        Vec::new()
    }

    /// The input has ended: Ctrl-D on an empty line, or the terminal was closed. Default: closes the connection.
    fn input_ended(&mut self, editor: &mut EditorTransport<'_>) {
        editor.close();
    }

    /// The terminal takes less than is printed: see
    /// [`Protocol::pause_writing`](ropewalk::Protocol::pause_writing). Pause what causes the output. The editor
    /// itself stops reading the keyboard.
    fn pause_writing(&mut self, editor: &mut EditorTransport<'_>) {}

    /// The terminal has caught up after [`pause_writing`](Self::pause_writing).
    fn resume_writing(&mut self, editor: &mut EditorTransport<'_>) {}

    /// A timer of this handler, which [`Transport::set_timer`](ropewalk::Transport::set_timer) has set, has fired.
    fn timer_fired(&mut self, editor: &mut EditorTransport<'_>, timer: TimerId) {}

    /// The connection has ended.
    fn connection_lost(&mut self, editor: &mut EditorTransport<'_>, reason: Reason) {}
}
