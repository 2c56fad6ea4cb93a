//! The panic guard.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a user's code.
///
/// After a panic the state of the reactor that the code has borrowed is consistent: no method of the context runs a
/// user's code, so none was interrupted. The user's object may be inconsistent; it is dropped soon.
#[inline]
pub(crate) fn guarded<T>(code: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| Panic(Some(payload)))
}

/// Returns the name of a user's type. The method that returns it is a user's code as well.
pub(crate) fn name_of(name: impl FnOnce() -> &'static str) -> &'static str {
    guarded(name).unwrap_or("a type whose type_name() panics")
}

/// The payload of a panic in a user's code; `None` once it is being dropped.
#[must_use]
pub(crate) struct Panic(Option<Box<dyn Any + Send>>);

impl Panic {
    pub(crate) fn message(&self) -> &str {
        let text = self.0.as_ref().and_then(|payload| {
            let text = payload.downcast_ref::<&str>().copied();
            text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        });
        text.unwrap_or("no message")
    }
}

/// The payload may panic when it is dropped. Then the payload of that second panic is leaked, since its drop might
/// panic as well.
impl Drop for Panic {
    fn drop(&mut self) {
        let payload = self.0.take();
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(second);
        }
    }
}
