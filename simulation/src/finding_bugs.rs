//! A chapter on what the simulation finds, and what a check misses.
//!
//! The program `finding_bugs` plants five common mistakes in a small key-value store, one at a time, and
//! searches for each:
//!
//! ```text
//! cargo run --release --example finding_bugs
//! ```
//!
//! The store has a primary and a backup. Three clients send `put` and `add` requests. The primary numbers the
//! requests, sends them to the backup over a link, and answers a request when the backup has acknowledged it.
//! After a lost connection, a client sends unanswered requests again, and the primary sends unacknowledged ones
//! again. The code is in `examples/simulated/finding_bugs/store/`. It uses the line protocol and does not depend on the
//! simulation.
//!
//! # What is found
//!
//! Each seed runs 30 s of requests with up to 12 faults of 11 kinds, and then 200 s until no work is left. A seed
//! takes 2 to 3 ms. The table has the first seed from which a check fails.
//!
//! | Planted mistake | full check | blind check |
//! |---|---|---|
//! | The servers treat the data of one read as complete lines. | seed 77 | seed 77 |
//! | The primary answers before the backup has the request. | seed 0 | not in 3,000 seeds |
//! | The primary counts a request twice if a client sends it again. | seed 5 | seed 12 |
//! | The backup lets a write from a stale link overwrite a later one. | seed 12 | seed 12 |
//! | The primary does not resend what was lost with a link. | seed 8 | seed 175 |
//!
//! Without a mistake no check fails in 3,000 seeds.
//!
//! The faults are then [shrunk](crate::shrink()). The stale write needs one fault: the backup is unreachable for
//! 19 seconds. The early answer needs none.
//!
//! # Why a check is blind
//!
//! The full check examines each answer when it arrives: has the backup received the request? In the end both nodes
//! have to hold the result of all requests. The blind check examines the end only, and only the keys that were
//! `put`, as many tests do.
//!
//! - **It checks too late.** The backup receives the request a moment after the early answer. The mistake loses
//!   data only if the primary's disk is lost in that moment, and no seed removes a disk. The full check needs no
//!   such failure, since it compares the answer with the promise.
//! - **It checks overwritten data.** A lost `put` is visible only until the same key is put again. With few keys
//!   and many requests this hides the mistake for 175 seeds. The sum that `add` keeps shows it immediately, since
//!   no later request replaces a lost one. Count, or keep a history, in place of comparing last values.
//! - **It checks too early.** The system retransmits the data of an abandoned link for up to a minute, and a stale
//!   line arrives as late. A run that ends with the last request never sees it. Run the world until no segment can
//!   be in flight any more.
//!
//! # What makes a mistake findable
//!
//! - **A write from a stale link** requires three things: a link that is abandoned while its data is in flight, so
//!   the primary must abandon it before the system does; a new link that overtakes it; and no later write to the
//!   same key. If the busiest keys are written until the run ends, the stale value is overwritten before it is
//!   seen.
//! - **A recovery hides its cause.** A line that is cut in two is refused, which ends the connection, and the
//!   request is sent again in one piece. Only a number that is cut in two is taken for another number. It is found
//!   from seed 77 with 11 kinds of faults, and from seed 45 with [`ShortIo`](crate::FaultKind::ShortIo) alone. Run
//!   the relevant faults for a piece of code by themselves, and count the recoveries.
//! - **Check all nodes at once.** A check may read the state of each node directly, at any moment, since the world
//!   is one program. A test over sockets cannot.
