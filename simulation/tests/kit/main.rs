//! The testing kit.

mod clients;
mod connections;
mod pairs;
mod splits;
mod support;
