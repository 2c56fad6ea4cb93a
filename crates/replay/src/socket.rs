//! Properties of sockets that both sides share.

#[cfg(all(unix, feature = "credentials"))]
use crate::outcome::Outcome;
#[cfg(all(unix, feature = "credentials"))]
use crate::record::Call;
#[cfg(all(unix, feature = "credentials"))]
use crate::recording::Recording;
#[cfg(all(unix, feature = "credentials"))]
use ropewalk::Credentials;
use ropewalk::backend::{StreamBackend, StreamSocket};
#[cfg(all(unix, feature = "process"))]
use ropewalk::{ProcessExit, WindowSize};
#[cfg(all(unix, feature = "credentials"))]
use std::io;

/// What the reactor asks a new stream once. A record has it as bits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StreamShape {
    pub(crate) short_means_would_block: bool,
    pub(crate) lingers: bool,
    pub(crate) passes_descriptors: bool,
    #[cfg_attr(not(unix), allow(dead_code))]
    pub(crate) takes_descriptors: bool,
}

impl StreamShape {
    pub(crate) fn of(socket: &StreamSocket) -> Self {
        Self {
            short_means_would_block: socket.short_means_would_block(),
            lingers: socket.lingers(),
            passes_descriptors: socket.passes_descriptors(),
            #[cfg(unix)]
            takes_descriptors: socket.takes_descriptors(),
            #[cfg(not(unix))]
            takes_descriptors: false,
        }
    }

    pub(crate) fn bits(self) -> u8 {
        u8::from(self.short_means_would_block)
            | u8::from(self.lingers) << 1
            | u8::from(self.passes_descriptors) << 2
            | u8::from(self.takes_descriptors) << 3
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        Self {
            short_means_would_block: bits & 1 != 0,
            lingers: bits & 2 != 0,
            passes_descriptors: bits & 4 != 0,
            takes_descriptors: bits & 8 != 0,
        }
    }
}

/// Returns the arguments of `write_from_file`. The file itself is the program's.
pub(crate) fn file_text(offset: u64, count: usize) -> String {
    format!("at most {count} bytes from {offset} on")
}

/// Returns the exit of a process as a number: its kind in the lowest two bits.
#[cfg(all(unix, feature = "process"))]
pub(crate) fn exit_code(exit: ProcessExit) -> u64 {
    match exit {
        ProcessExit::Code(code) => u64::from(code as u32) << 2,
        ProcessExit::Signal { number, core_dumped } => {
            u64::from(number as u32) << 2 | 1 | u64::from(core_dumped) << 1
        }
        _ => 2,
    }
}

#[cfg(all(unix, feature = "process"))]
pub(crate) fn exit_of(code: u64) -> Option<ProcessExit> {
    let number = u32::try_from(code >> 2).ok()? as i32;
    Some(match code & 3 {
        0 => ProcessExit::Code(number),
        2 => ProcessExit::Unknown,
        kind => ProcessExit::Signal { number, core_dumped: kind == 3 },
    })
}

/// Returns the size of a window as a number.
#[cfg(all(unix, feature = "process"))]
pub(crate) fn size_code(size: WindowSize) -> u64 {
    u64::from(size.rows) << 16 | u64::from(size.columns)
}

#[cfg(all(unix, feature = "process"))]
pub(crate) fn size_of(code: u64) -> Option<WindowSize> {
    let columns = (code & 0xffff) as u16;
    Some(WindowSize { rows: u16::try_from(code >> 16).ok()?, columns })
}

/// Records that the credentials of a peer were asked for. Those of the core cannot be made again elsewhere.
#[cfg(all(unix, feature = "credentials"))]
pub(crate) fn record_credentials(
    recording: &Recording,
    call: &Call<'_>,
    found: Option<io::Result<Credentials>>,
) -> Option<io::Result<Credentials>> {
    match found {
        Some(Ok(found)) => {
            recording.refuse("the credentials of a peer were asked for");
            Some(Ok(found))
        }
        Some(Err(error)) => {
            let failed = recording.done(call, Err(error));
            failed.err().map(Err)
        }
        None => {
            recording.write(call, &Outcome::Nothing);
            None
        }
    }
}
