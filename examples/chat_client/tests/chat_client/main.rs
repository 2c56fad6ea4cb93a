//! The program in an emulated terminal, and with files and pipes.

#![cfg(unix)]

mod files;
mod reading;
mod restoring;
mod scene;
#[allow(dead_code)] // The test of a panic needs a part of it.
#[path = "../../terminal.rs"]
mod terminal;
mod typing;
