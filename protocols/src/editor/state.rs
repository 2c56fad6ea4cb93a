//! What the protocol and the screen share.

use crate::editor::input::Input;
use crate::editor::output::Output;
use ropewalk::{Context, Id, TimerId};

/// The state of one editor.
#[derive(Debug)]
pub(super) struct State {
    pub(super) input: Input,
    pub(super) output: Output,
    /// The connection: `None` before it is made and after its end.
    pub(super) id: Option<Id>,
    /// True while more is queued than the terminal takes: the row is not drawn.
    pub(super) is_blocked: bool,
    /// True if the user of the screen has paused the input.
    pub(super) is_paused: bool,
    /// The deadline for the terminal's report of its cursor.
    pub(super) report_timer: Option<TimerId>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            input: Input::default(),
            output: Output::new(),
            id: None,
            is_blocked: false,
            is_paused: false,
            report_timer: None,
        }
    }

    /// Draws the row if it has changed, and writes all output.
    pub(super) fn flush(&mut self, context: &mut Context) {
        let Self { input, output, .. } = self;
        if !self.is_blocked {
            output.draw(input.is_asking(), |columns| input.draft().view(columns));
        }
        let bytes = output.take();
        if let Some(id) = self.id
            && !bytes.is_empty()
        {
            context.transport(id).write(bytes.as_bytes());
        }
    }

    /// Pauses or resumes reading.
    pub(super) fn set_reading(&self, context: &mut Context) {
        let Some(id) = self.id else { return };
        let mut transport = context.transport(id);
        match self.is_blocked || self.is_paused {
            true => transport.pause(),
            false if transport.is_paused() => transport.resume(),
            false => {}
        }
    }

    /// Notes the end of the connection. What is printed later is dropped.
    pub(super) fn end(&mut self) {
        self.id = None;
        self.output.abandon();
    }
}
