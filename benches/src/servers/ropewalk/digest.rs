//! Digests of messages.

use crate::digest::Digester;
use ropewalk::{Protocol, Transport};

#[derive(Default)]
pub(super) struct Digest {
    digester: Digester,
    answers: Vec<u8>,
}

impl Protocol for Digest {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.digester.answer(data, &mut self.answers);
        transport.write(&self.answers);
        self.answers.clear();
    }
}
