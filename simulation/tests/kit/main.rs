//! The testing kit.

mod clients;
mod connections;
