//! Journals that are written, dumped and read.

mod chapter;
mod chrome;
mod dumps;
mod explanation;
mod malformed;
mod pcapng;
mod statistics;
mod support;
mod text;
mod writing;
