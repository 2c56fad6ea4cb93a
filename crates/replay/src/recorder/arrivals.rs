//! What other threads send, and what a recorder refuses of it.

use crate::bytes::put_number;
use crate::outcome::Outcome;
use crate::record::{Call, Method};
use crate::recording::Recording;
use crate::value::{put_addresses, put_error};
use ropewalk::backend::{Answered, ArrivalBackend, Incoming, SentKind};
use std::rc::Rc;

/// Records what the reactor takes from its queue.
pub(super) struct RecordedArrivals(Rc<Recording>);

impl RecordedArrivals {
    pub(super) fn new(recording: &Rc<Recording>) -> Self {
        Self(Rc::clone(recording))
    }

    fn refuse(&self, what: &str, remedy: &str) {
        self.0.refuse(&format!("another thread has sent {what}, which cannot be recorded{remedy}"));
    }
}

impl ArrivalBackend for RecordedArrivals {
    /// Closures that the reactor's own callbacks send are sent again in a replay.
    fn arrived(&self, arrival: &Incoming<'_>) {
        match &arrival.sent {
            SentKind::Answer(id, answered) => {
                let Some(number) = self.0.look_up_of(*id, answered) else {
                    // A resolver of the program has answered.
                    if !arrival.own {
                        self.refuse("the answer of the program's resolver", "");
                    }
                    return self.0.write(&sent(Method::Answered, 0, ""), &Outcome::Flag(true));
                };
                let encoded = encode_answer(answered);
                self.0.write(&sent(Method::Answered, number, ""), &Outcome::Bytes(&encoded));
            }
            SentKind::JobOver(number) => {
                let call = sent(Method::JobOver, *number as u32, "");
                self.0.write(&call, &Outcome::Done);
            }
            kind => {
                let (call, what) = described(kind);
                match (kind, arrival.own) {
                    (_, true) | (SentKind::Stop, _) => {}
                    (SentKind::Messages(_), _) => {
                        self.refuse(&what, " (open the channel by `Tape::channel`)");
                    }
                    _ => self.refuse(&what, " (send a message by `Tape::channel`)"),
                }
                self.0.write(&call, &Outcome::Flag(arrival.own));
            }
        }
    }

    fn may_follow(&self, may: bool) -> bool {
        self.0.write(&Call::plain(Method::MayFollow, 0), &Outcome::Flag(may));
        may
    }
}

fn sent(method: Method, number: u32, text: &str) -> Call<'_> {
    Call::Other { method, socket: number, text }
}

/// Returns the call in the record of what was sent, and its name in an error.
pub(crate) fn described<'a>(kind: &SentKind<'a>) -> (Call<'a>, String) {
    match *kind {
        SentKind::Call(name) => (sent(Method::Called, 0, name), format!("the call {name}")),
        SentKind::Messages(channel) => {
            let call = sent(Method::Messages, channel as u32, "");
            (call, format!("a message to channel {channel}"))
        }
        SentKind::Released => (sent(Method::Released, 0, ""), "the release of a hold".to_owned()),
        SentKind::Stop => (sent(Method::Stopped, 0, ""), "a stop".to_owned()),
        _ => (sent(Method::Called, 0, "?"), "something unknown".to_owned()),
    }
}

fn encode_answer(answered: &Answered) -> Vec<u8> {
    let mut out = Vec::new();
    match answered {
        Answered::Found(address) => {
            put_number(&mut out, 0);
            put_addresses(&mut out, &[*address]);
        }
        Answered::Ended(addresses) => {
            put_number(&mut out, 1);
            put_addresses(&mut out, addresses);
        }
        Answered::Failed(error) => {
            put_number(&mut out, 2);
            put_error(&mut out, error);
        }
    }
    out
}
