//! What methods of the context have to drop. A user's code may run then, and these never call it: what is
//! to be dropped is kept until the running callback has returned.

use crate::api::context::{Context, Pending};
use crate::api::timer::Call;
use std::any::{Any, type_name};

/// A value of a user's that is to be dropped.
pub(crate) enum Discarded {
    Call(Box<dyn Call>),
    /// With the name of its type.
    Other(Box<dyn Any>, &'static str),
}

impl Context {
    /// What was asked for, and with it what the user gave for it; or the error, and then what the user
    /// gave is discarded.
    pub(super) fn or_discard<T, E, U: 'static>(
        &mut self,
        outcome: Result<T, E>,
        given: U,
    ) -> Result<(T, U), E> {
        match outcome {
            Ok(value) => Ok((value, given)),
            Err(error) => {
                self.discard(Discarded::Other(Box::new(given), type_name::<U>()));
                Err(error)
            }
        }
    }

    /// Has something dropped once the running callback has returned.
    pub(super) fn discard(&mut self, value: Discarded) {
        if self.discarded.is_empty() {
            self.pending.push_back(Pending::Discard);
        }
        self.discarded.push(value);
    }
}
