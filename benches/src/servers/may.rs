//! May: its own `examples/echo.rs`, a coroutine for each connection, with a worker for each
//! available processor, which is its default.
//!
//! In the broadcast a connection has two coroutines, one for each half of its stream, and an
//! unbounded channel to the writing one. All data in the channel is written at once.
//!
//! Found: it sets SO_REUSEPORT on every listener, so a second server on the same port gets a part
//! of the clients instead of an error.

use super::{Lines, READ_SIZE, Served, Work, announce, listener, refusal};
use may::go;
use may::io::{SplitIo, SplitReader, SplitWriter};
use may::net::{TcpListener, TcpStream};
use may::sync::{Mutex, MutexGuard, mpsc};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, PoisonError};

pub(super) fn serve(work: Work, address: SocketAddr) -> Served {
    let listener = TcpListener::bind(address)?;
    listener::improve(listener.local_addr()?)?;
    announce(listener.local_addr()?)?;
    let accepting = match work {
        Work::Echo => go!(move || accept(&listener, |stream| drop(go!(move || echo(stream))))),
        Work::Broadcast => {
            let members = Members::default();
            let join = move |stream| {
                let members = members.clone();
                drop(go!(move || broadcast(stream, &members)));
            };
            go!(move || accept(&listener, join))
        }
        Work::Digest => return Err(refusal("may", work)),
    };
    accepting.join().map_err(|_| "may's accepting coroutine panicked")?;
    Err("may stopped accepting".into())
}

fn accept(listener: &TcpListener, begin: impl Fn(TcpStream)) {
    // A failure affects one client's attempt.
    listener.incoming().flatten().for_each(begin);
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}

/// All members, by the descriptors of their reading halves, with their channels.
type Members = Arc<Mutex<Vec<(RawFd, mpsc::Sender<Arc<[u8]>>)>>>;

fn broadcast(stream: TcpStream, members: &Members) -> io::Result<()> {
    let (mut reader, writer) = stream.split()?;
    let (sender, receiver) = mpsc::channel();
    let number = reader.as_raw_fd();
    lock(members).push((number, sender));
    go!(move || write_lines(writer, &receiver));
    let outcome = read_lines(&mut reader, members);
    lock(members).retain(|&(member, _)| member != number);
    outcome
}

/// Reads until the peer ends its side.
fn read_lines(reader: &mut SplitReader<TcpStream>, members: &Members) -> io::Result<()> {
    let from = reader.as_raw_fd();
    let mut lines = Lines::default();
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        lines.cut(&buffer[..count], |whole| {
            let whole = Arc::<[u8]>::from(whole);
            for (_, sender) in lock(members).iter().filter(|&&(member, _)| member != from) {
                // A member that has just closed does not receive it.
                let _ = sender.send(whole.clone());
            }
        });
    }
}

/// Writes until the peer breaks off, or is no longer a member.
fn write_lines(
    mut writer: SplitWriter<TcpStream>,
    receiver: &mpsc::Receiver<Arc<[u8]>>,
) -> io::Result<()> {
    let mut together = Vec::new();
    while let Ok(lines) = receiver.recv() {
        together.extend_from_slice(&lines);
        while together.len() < READ_SIZE
            && let Ok(lines) = receiver.try_recv()
        {
            together.extend_from_slice(&lines);
        }
        writer.write_all(&together)?;
        together.clear();
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
