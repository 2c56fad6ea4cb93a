//! The service that the five servers offer: the answer to a line.

use std::net::SocketAddr;

/// How often the line is hashed. It takes some 10 microseconds, as a small piece of real work does.
const ROUNDS: u32 = 1000;

/// The longest line, in bytes.
pub const LONGEST: usize = 1000;

/// Returns the answer to a line: its hash (FNV-1a), many times over.
pub fn answer(line: &str) -> String {
    let hash = (0..ROUNDS).fold(0xcbf2_9ce4_8422_2325_u64, |hash, _| {
        line.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    });
    format!("{hash:016x}\n")
}

/// Prints the address of a server, for the program that has started it.
pub fn announce(address: SocketAddr) {
    println!("{address}");
}
