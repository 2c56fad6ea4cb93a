//! The panic guard.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a user's code.
///
/// What the code had borrowed is sound after a panic as far as the reactor is concerned: no method
/// of the context leaves off in the middle. The user's own object may not be; it is dropped soon.
#[inline]
pub(super) fn guarded<T>(code: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| Panic(Some(payload)))
}

/// Returns a user's name for a type of its own. To give it is a user's code as well.
pub(super) fn name_of(name: impl FnOnce() -> &'static str) -> &'static str {
    guarded(name).unwrap_or("a type whose type_name() panics")
}

/// What a user's code has panicked with; `None` once it is being dropped.
#[must_use]
pub(super) struct Panic(Option<Box<dyn Any + Send>>);

impl Panic {
    pub(super) fn message(&self) -> &str {
        let text = self.0.as_ref().and_then(|payload| {
            let text = payload.downcast_ref::<&str>().copied();
            text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        });
        text.unwrap_or("no message")
    }
}

/// The payload may panic when it is dropped. Then the payload of that panic is leaked: it might do the
/// same.
impl Drop for Panic {
    fn drop(&mut self) {
        let payload = self.0.take();
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(second);
        }
    }
}
