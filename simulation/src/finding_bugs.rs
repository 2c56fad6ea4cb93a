//! A chapter: what the simulation finds, and what a check does not see.
//!
//! The program `finding_bugs` plants five common mistakes in a small key-value store, one at a time, and
//! searches for each:
//!
//! ```text
//! cargo run --release --example finding_bugs
//! ```
//!
//! The store has a primary and a backup. Three clients send `put` and `add` requests. The primary numbers the
//! requests, sends them to the backup over a link, and answers a request when the backup has acknowledged
//! it. After a connection was lost, a client sends again what was not answered, and the primary what was not
//! acknowledged. The code is in `examples/simulated/finding_bugs/store/`. It uses the line protocol, and knows nothing
//! of the simulation.
//!
//! # What is found
//!
//! Each seed plays 30 s of requests with up to 12 faults of 11 kinds, and 200 s in which everything comes to rest.
//! A seed takes 2 to 3 ms. The table has the first seed from which a check fails.
//!
//! | Planted mistake | full check | blind check |
//! |---|---|---|
//! | The servers take what one read returns for whole lines. | seed 77 | seed 77 |
//! | The primary answers before the backup has the request. | seed 0 | not in 3,000 seeds |
//! | The primary counts a request twice that a client sends again. | seed 5 | seed 12 |
//! | The backup lets a write from a stale link overwrite a later one. | seed 12 | seed 12 |
//! | The primary does not send again what was lost with a link. | seed 8 | seed 175 |
//!
//! Without a mistake no check fails in 3,000 seeds.
//!
//! Then the faults are [shrunk](crate::shrink()). The stale write needs one of them: the backup
//! cannot be reached for 19 seconds. The early answer needs none.
//!
//! # How a check is blind
//!
//! The full check looks at every answer when it arrives: does the backup have the request by now? In the end
//! both nodes have to hold what all requests come to. The blind check looks at the end only, and at the keys that
//! were put, as many tests do.
//!
//! - **It looks too late.** The backup receives the request a moment after the early answer. The mistake
//!   loses data only if the primary's disk is lost in that moment, and no seed takes a disk away. The full check
//!   needs no such accident, since it compares the answer with the promise.
//! - **It looks at what is overwritten.** A `put` that was lost shows only until the same key is put again. With
//!   few keys and many requests that hides the mistake for 175 seeds; the sum that `add` keeps shows it at once,
//!   since no later request makes up for a lost one. Count, or keep a history, rather than compare last values.
//! - **It looks too early.** The system repeats the data of a link that was given up for up to a minute, and a
//!   stale line arrives as late. A run that ends with the last request never sees it. Let the world run on until
//!   nothing can be on its way any more.
//!
//! # What makes a mistake findable
//!
//! - **A write from a stale link** takes three things: a link that is given up while its data is still under way,
//!   so the primary must give it up before the system does; a new link that overtakes it; and no later write to the same
//!   key. If the busiest keys are written until the run ends, the stale value is overwritten before it is seen.
//! - **A recovery hides its cause.** A line that is cut in two is refused, which ends the connection, and the request
//!   is sent again in one piece. Only a number that is cut in two is taken for another number. It is
//!   found from seed 77 with 11 kinds of faults, and from seed 45 with [`ShortIo`](crate::FaultKind::ShortIo) alone.
//!   Play the faults that a piece of code is for by themselves, and count the recoveries.
//! - **Look at all nodes at once.** A check may read the state of each node directly, at any moment, since the
//!   world is one program. No test over sockets can do so.
