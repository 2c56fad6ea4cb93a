//! Shared helpers: protocols that record their callbacks, clients, and reactors that a test turns.

#![allow(dead_code, unused_imports)] // No test program uses all of it.

mod child;
mod clients;
mod pattern;
mod ports;
mod record;
mod status;
#[cfg(unix)]
mod terminal;
mod turning;

pub(crate) use child::*;
pub(crate) use clients::*;
pub(crate) use pattern::pattern;
pub(crate) use ports::dead;
pub(crate) use record::*;
pub(crate) use status::memory_of;
use std::time::Duration;
#[cfg(unix)]
pub(crate) use terminal::*;
pub(crate) use turning::*;

/// The time after which a test fails rather than hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
