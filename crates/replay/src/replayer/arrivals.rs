//! What other threads have sent: sent again at the same place.

use crate::bytes::{Bytes, Malformed};
use crate::channel::ChannelTarget;
use crate::outcome::Outcome;
use crate::player::Player;
use crate::record::{Call, Method};
use crate::recorder::described;
use crate::value;
use ropewalk::Answer;
use ropewalk::backend::{Answered, ArrivalBackend, Incoming, SentKind, ThreadJob};
use std::rc::Rc;

/// Sends what the recording has, and compares what the reactor takes.
pub(super) struct ReplayedArrivals(Rc<Player>);

impl ReplayedArrivals {
    pub(super) fn new(player: &Rc<Player>) -> Self {
        Self(Rc::clone(player))
    }
}

impl ArrivalBackend for ReplayedArrivals {
    fn arrived(&self, arrival: &Incoming<'_>) {
        let (method, number) = match &arrival.sent {
            SentKind::Answer(id, answered) => {
                (Method::Answered, self.0.look_up_of(*id, answered).unwrap_or(0))
            }
            SentKind::JobOver(number) => (Method::JobOver, *number as u32),
            kind => {
                self.0.answer(&described(kind).0, &[], |_| Some(()));
                return;
            }
        };
        self.0.answer(&Call::plain(method, number), &[], |_| Some(()));
    }

    fn send_next(&self, stop: &mut dyn FnMut()) -> bool {
        match self.0.next_method() {
            Some(Method::Answered) => self.0.send_answer(),
            Some(Method::JobOver) => self.0.run_next_job(),
            Some(Method::Stopped) => {
                let foreign = |_: Call<'_>, outcome: Outcome<'_>| {
                    matches!(outcome, Outcome::Flag(false)).then(&mut *stop)
                };
                self.0.peek(foreign).is_some()
            }
            _ => false,
        }
    }

    fn may_follow(&self, _may: bool) -> bool {
        self.0.flag(&Call::plain(Method::MayFollow, 0))
    }
}

impl Player {
    pub(super) fn begin_look_up(&self, text: &str, answer: Answer) {
        let mut threads = self.threads.borrow_mut();
        threads.look_ups += 1;
        let number = threads.look_ups;
        drop(threads);
        let call = Call::Other { method: Method::BeginLookUp, socket: number, text };
        self.done(&call).unwrap_or(());
        // After the end, the answer is dropped, which fails the look-up.
        if !self.is_over() {
            let mut threads = self.threads.borrow_mut();
            threads.numbers.insert(answer.id(), number);
            threads.answers.insert(number, answer);
        }
    }

    fn look_up_of(&self, id: ropewalk::Id, answered: &Answered) -> Option<u32> {
        let numbers = &mut self.threads.borrow_mut().numbers;
        match answered {
            Answered::Found(_) => numbers.get(&id).copied(),
            _ => numbers.remove(&id),
        }
    }

    /// Answers the look-up of the next record, unless a resolver of the program does.
    fn send_answer(&self) -> bool {
        let next = self.peek(|call, outcome| match (call, outcome) {
            (Call::Other { socket, .. }, Outcome::Bytes(encoded)) => {
                Some((socket, answered(encoded).ok()?))
            }
            _ => None,
        });
        let Some((number, answered)) = next else { return false };
        let Some(mut answer) = self.threads.borrow_mut().answers.remove(&number) else {
            return false;
        };
        match answered {
            Answered::Found(address) => {
                answer.found(address);
                self.threads.borrow_mut().answers.insert(number, answer);
            }
            Answered::Ended(addresses) => answer.succeed(addresses),
            Answered::Failed(error) => answer.fail(error),
        }
        true
    }

    pub(super) fn keep_job(&self, job: ThreadJob) {
        if !self.is_over() {
            self.threads.borrow_mut().jobs.insert(job.number(), job);
        }
    }

    /// Runs the job of the next record.
    fn run_next_job(&self) -> bool {
        let number = self.peek(|call, _| match call {
            Call::Other { socket, .. } => Some(socket.into()),
            _ => None,
        });
        let job = number.and_then(|number| self.threads.borrow_mut().jobs.remove(&number));
        let Some(job) = job else { return false };
        if job.is_wanted() {
            job.run();
        }
        true
    }

    pub(crate) fn add_channel(&self, channel: impl ChannelTarget + 'static) {
        self.threads.borrow_mut().channels.push(Some(Box::new(channel)));
    }

    /// Sends the messages that were recorded before a wait.
    pub(super) fn send_messages(&self) {
        while let Some(method @ (Method::Message | Method::ChannelClosed)) = self.next_method() {
            let number = self.peek(|call, _| match call {
                Call::Other { socket, .. } => Some(socket),
                _ => None,
            });
            let Some(number) = number else { break };
            let mut threads = self.threads.borrow_mut();
            let channel = threads.channels.get_mut(number as usize);
            let sent = self.answer(&Call::plain(method, number), &[], |outcome| match outcome {
                Outcome::Bytes(message) => channel?.as_ref()?.send(message).then_some(()),
                Outcome::Done => channel?.take().map(drop),
                _ => None,
            });
            if sent.is_none() {
                break;
            }
        }
    }
}

fn answered(encoded: &[u8]) -> Result<Answered, Malformed> {
    let mut bytes = Bytes(encoded);
    Ok(match bytes.byte()? {
        0 => Answered::Found(value::socket_addr(&mut bytes)?),
        1 => Answered::Ended(value::addresses(bytes)?),
        2 => Answered::Failed(value::error(&mut bytes)?),
        _ => return Err(Malformed("an answer is unknown")),
    })
}
