//! Records: a call of the reactor to its backend, and what came back.
//!
//! A record is a byte with the call, the arguments of the call, and the outcome. The calls of an echo have tags and
//! fields of their own; all others have a socket and a text. [`Codec`] has what a record leaves out because it is the
//! same as before: the time, and the room in the buffer of a read.

use crate::bytes::{Bytes, Malformed, put_bytes, put_number};
use crate::outcome::Outcome;

/// Makes the list of the calls without a tag of their own.
macro_rules! methods {
    ($($method:ident = $tag:literal, $name:literal;)*) => {
        /// A call that is rare, or has no arguments.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Method { $($method),* }

        impl Method {
            /// The byte in a record.
            const fn tag(self) -> u8 {
                match self { $(Self::$method => $tag),* }
            }

            fn from_tag(tag: u8) -> Option<Self> {
                match tag { $($tag => Some(Self::$method),)* _ => None }
            }

            /// The name of the method in the traits of `ropewalk::backend`, as far as it is one.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$method => $name),* }
            }

        }
    };
}

methods! {
    // The end of the recording. The text is the reason, if it was not the end of the reactor.
    End = 0, "the end of the recording";
    // A message for a channel, or the end of a channel. The number of the channel stands for the socket.
    Message = 16, "message";
    ChannelClosed = 17, "the end of the channel";
    // What another thread, or the reactor itself, has sent to the reactor.
    Answered = 18, "answer of a look-up";
    Called = 19, "call";
    JobOver = 20, "end of a job";
    Messages = 21, "messages of a channel";
    Released = 22, "release of a hold";
    Stopped = 23, "stop";
    MayFollow = 24, "may_follow";
    // The backend.
    LookUp = 32, "look_up";
    BeginLookUp = 33, "begin_look_up";
    ServicePort = 34, "service_port";
    HostName = 35, "host_name";
    RunJob = 36, "run_job";
    EndJobs = 37, "end_jobs";
    Listen = 38, "listen";
    Connect = 39, "connect";
    BindDatagram = 40, "bind_datagram";
    ConnectDatagram = 41, "connect_datagram";
    OpenRaw = 42, "open_raw";
    OpenPing = 43, "open_ping";
    AdoptListener = 44, "adopt_listener";
    AdoptConnection = 45, "adopt_connection";
    AdoptDatagram = 46, "adopt_datagram";
    AdoptPipes = 47, "adopt_pipes";
    StandardIo = 48, "standard_io";
    Panicked = 49, "panicked";
    Returned = 50, "called";
    SpawnProcess = 51, "spawn_process";
    // All sockets.
    Register = 64, "register";
    Deregister = 65, "deregister";
    LocalAddress = 66, "local_address";
    TakeError = 67, "take_error";
    SetOption = 68, "set_option";
    Share = 69, "share";
    Close = 70, "close";
    // Streams and listeners.
    Accept = 80, "accept";
    ConnectedTo = 81, "connected_to";
    ShutdownWrite = 82, "shutdown_write";
    ResetOnClose = 83, "reset_on_close";
    SetNodelay = 84, "set_nodelay";
    WriteFromFile = 85, "write_from_file";
    TooManyDescriptors = 86, "is_too_many_descriptors";
    PeerCredentials = 87, "peer_credentials";
    // Datagram sockets.
    ConnectPeer = 96, "connect";
    PeerAddress = 97, "peer_address";
    Multicast = 98, "multicast";
    WatchWritable = 99, "watch_writable";
    // Signals.
    CatchSignals = 112, "catch_signals";
    WatchSignal = 113, "watch_signal";
    BeginRun = 114, "begin_run";
    EndRun = 115, "end_run";
    PendingSignals = 116, "pending";
    TakeSignal = 117, "take";
    // Processes.
    TryWait = 128, "try_wait";
    SendSignal = 129, "signal";
    SetWindowSize = 130, "set_window_size";
    WindowSize = 131, "window_size";
    KillAndWait = 132, "kill_and_wait";
    Pipe = 133, "pipe";
}

/// A call of the reactor to its backend, with all arguments that the backend can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call<'a> {
    Now,
    /// The limit in nanoseconds.
    Wait(Option<u64>),
    /// The room in the buffer.
    Read {
        socket: u32,
        room: u64,
        with_descriptors: bool,
    },
    /// The length and the hash of the bytes.
    Write {
        socket: u32,
        length: u64,
        hash: u64,
        descriptors: u32,
    },
    Receive {
        socket: u32,
        room: u64,
    },
    /// The length and the hash of the datagram, and the address.
    Send {
        socket: u32,
        length: u64,
        hash: u64,
        to: &'a [u8],
    },
    /// Another call: the number of the socket, or 0, and the arguments as a text.
    Other {
        method: Method,
        socket: u32,
        text: &'a str,
    },
}

const NOW: u8 = 1;
const NOW_AS_BEFORE: u8 = 2;
const WAIT: u8 = 3;
const READ: u8 = 4;
const READ_WITH_DESCRIPTORS: u8 = 5;
const WRITE: u8 = 6;
const WRITE_WITH_DESCRIPTORS: u8 = 7;
const RECEIVE: u8 = 8;
const SEND: u8 = 9;

/// What records leave out. Both sides have one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Codec {
    /// The last reading of the clock, in nanoseconds since the first.
    time: u64,
    room: u64,
}

impl Codec {
    /// Appends a record.
    #[inline]
    pub(crate) fn encode(&mut self, out: &mut Vec<u8>, call: &Call<'_>, outcome: &Outcome<'_>) {
        match *call {
            Call::Now => return self.encode_time(out, outcome),
            Call::Wait(limit) => {
                out.push(WAIT);
                put_number(out, limit.map_or(0, |limit| limit.saturating_add(1)));
            }
            Call::Read { socket, room, with_descriptors } => {
                out.push(if with_descriptors { READ_WITH_DESCRIPTORS } else { READ });
                self.encode_room(out, socket, room);
            }
            Call::Write { socket, length, hash, descriptors } => {
                out.push(if descriptors == 0 { WRITE } else { WRITE_WITH_DESCRIPTORS });
                put_written(out, socket, length, hash);
                if descriptors > 0 {
                    put_number(out, descriptors.into());
                }
            }
            Call::Receive { socket, room } => {
                out.push(RECEIVE);
                self.encode_room(out, socket, room);
            }
            Call::Send { socket, length, hash, to } => {
                out.push(SEND);
                put_written(out, socket, length, hash);
                put_bytes(out, to);
            }
            Call::Other { method, socket, text } => {
                out.push(method.tag());
                put_number(out, socket.into());
                put_bytes(out, text.as_bytes());
            }
        }
        outcome.encode(out);
    }

    /// A reading that is equal to the last one costs a byte.
    fn encode_time(&mut self, out: &mut Vec<u8>, outcome: &Outcome<'_>) {
        let Outcome::Time(time) = *outcome else { return };
        match time.saturating_sub(self.time) {
            0 => out.push(NOW_AS_BEFORE),
            passed => {
                out.push(NOW);
                put_number(out, passed);
            }
        }
        self.time = self.time.max(time);
    }

    fn encode_room(&mut self, out: &mut Vec<u8>, socket: u32, room: u64) {
        put_number(out, socket.into());
        put_number(out, if room == self.room { 0 } else { room + 1 });
        self.room = room;
    }

    /// Takes a record.
    pub(crate) fn decode<'a>(
        &mut self,
        bytes: &mut Bytes<'a>,
    ) -> Result<(Call<'a>, Outcome<'a>), Malformed> {
        let call = match bytes.byte()? {
            NOW => {
                self.time = self.time.saturating_add(bytes.number()?);
                return Ok((Call::Now, Outcome::Time(self.time)));
            }
            NOW_AS_BEFORE => return Ok((Call::Now, Outcome::Time(self.time))),
            WAIT => Call::Wait(bytes.number()?.checked_sub(1)),
            tag @ (READ | READ_WITH_DESCRIPTORS) => {
                let (socket, room) = self.room(bytes)?;
                Call::Read { socket, room, with_descriptors: tag != READ }
            }
            tag @ (WRITE | WRITE_WITH_DESCRIPTORS) => {
                let (socket, length, hash) = written(bytes)?;
                let descriptors = if tag == WRITE { 0 } else { bytes.small()? };
                Call::Write { socket, length, hash, descriptors }
            }
            RECEIVE => {
                let (socket, room) = self.room(bytes)?;
                Call::Receive { socket, room }
            }
            SEND => {
                let (socket, length, hash) = written(bytes)?;
                Call::Send { socket, length, hash, to: bytes.bytes()? }
            }
            tag => {
                let method = Method::from_tag(tag).ok_or(Malformed("a record is unknown"))?;
                Call::Other { method, socket: bytes.small()?, text: bytes.text()? }
            }
        };
        Ok((call, Outcome::decode(bytes)?))
    }

    fn room(&mut self, bytes: &mut Bytes<'_>) -> Result<(u32, u64), Malformed> {
        let socket = bytes.small()?;
        if let Some(room) = bytes.number()?.checked_sub(1) {
            self.room = room;
        }
        Ok((socket, self.room))
    }

    /// Returns the last reading of the clock, in nanoseconds since the first.
    pub(crate) fn time(&self) -> u64 {
        self.time
    }
}

/// Returns the method of the record that begins with this byte, if it has no tag of its own.
pub(crate) fn method_of(tag: u8) -> Option<Method> {
    Method::from_tag(tag)
}

fn put_written(out: &mut Vec<u8>, socket: u32, length: u64, hash: u64) {
    put_number(out, socket.into());
    put_number(out, length);
    out.extend_from_slice(&hash.to_le_bytes());
}

fn written(bytes: &mut Bytes<'_>) -> Result<(u32, u64, u64), Malformed> {
    Ok((bytes.small()?, bytes.number()?, u64::from_le_bytes(bytes.array()?)))
}

impl<'a> Call<'a> {
    /// Makes a call without arguments of a socket, or of the backend if `socket` is 0.
    pub(crate) fn plain(method: Method, socket: u32) -> Self {
        Self::Other { method, socket, text: "" }
    }
}
