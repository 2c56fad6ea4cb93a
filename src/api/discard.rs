//! Discarded values: what methods of the context have to drop. A drop may run the user's code, which these
//! methods never do, so the values are kept until the running callback has returned.

use crate::api::context::{Context, Pending};
use crate::api::timer::Call;
use std::any::{Any, type_name};

/// A user's value that is to be dropped.
pub(crate) enum Discarded {
    Call(Box<dyn Call>),
    /// With the name of its type.
    Other(Box<dyn Any>, &'static str),
}

impl Context {
    /// Returns the result of a request, together with the value that the user gave for it; after an error, it
    /// discards that value.
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

    /// Has a value dropped once the running callback has returned.
    pub(super) fn discard(&mut self, value: Discarded) {
        if self.discarded.is_empty() {
            self.pending.push_back(Pending::Discard);
        }
        self.discarded.push(value);
    }
}
