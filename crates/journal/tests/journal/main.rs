//! Journals that are written, dumped and read.

mod dumps;
mod malformed;
mod support;
mod text;
mod writing;
