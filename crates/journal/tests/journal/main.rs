//! Journals that are written, dumped and read.

mod dumps;
mod explanation;
mod malformed;
mod statistics;
mod support;
mod text;
mod writing;
