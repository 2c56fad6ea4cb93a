//! A monitor of a process: it is started again whenever it ends, after pauses that grow while it fails.
//!
//! | File | Contents |
//! |---|---|
//! | `options.rs` | pauses and limits, and the action that starts a monitor |
//! | `handler.rs` | the trait that users implement |
//! | `process_monitor.rs` | the monitor, as its holders use it; its state |
//! | `run.rs` | the protocol of one run, around the user's |

mod handler;
mod options;
mod process_monitor;
mod run;

pub use handler::{MonitorHandler, NextRun};
pub use options::MonitorOptions;
pub use process_monitor::{MonitorState, ProcessMonitor};
