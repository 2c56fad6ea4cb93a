//! What the scenarios share: a protocol that records what it hears, and a reactor turned by hand.

#![allow(dead_code, unused_imports)] // No scenario needs all of it.

mod child;
mod clients;
mod ports;
mod record;
mod turning;

pub(crate) use child::*;
pub(crate) use clients::*;
pub(crate) use ports::dead;
pub(crate) use record::*;
use std::time::Duration;
pub(crate) use turning::*;

/// How long anything may take before a scenario is given up: a fail-safe, not a measure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
