//! The connection, as the handler of a line editor sees it.

use crate::editor::Screen;
use ropewalk::Transport;
use std::ops::{Deref, DerefMut};

/// The connection of an [`EditorHandler`](crate::EditorHandler) during a callback: a [`Transport`] with methods for the
/// screen. What the transport itself writes is not separated from the line being typed.
#[derive(Debug)]
pub struct EditorTransport<'a> {
    transport: Transport<'a>,
    screen: &'a Screen,
}

impl<'a> EditorTransport<'a> {
    pub(super) fn new(transport: Transport<'a>, screen: &'a Screen) -> Self {
        Self { transport, screen }
    }

    /// Returns the screen.
    pub fn screen(&self) -> &'a Screen {
        self.screen
    }

    /// Prints `text` above the line being typed: see [`Screen::print`].
    pub fn print(&mut self, text: &str) {
        self.screen.print(self.transport.context(), text);
    }

    /// Ends in order: see [`Screen::close`].
    pub fn close(&mut self) {
        self.screen.close(self.transport.context());
    }
}

impl<'a> Deref for EditorTransport<'a> {
    type Target = Transport<'a>;

    fn deref(&self) -> &Self::Target {
        &self.transport
    }
}

impl DerefMut for EditorTransport<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.transport
    }
}
