//! Reactor: the turn, and the callbacks that it makes.

use super::*;

pub(super) struct Reactor {
    poll: Poll,
    listener: TcpListener,
    factory: Factory,
    protocols: HashMap<Id, Box<dyn Protocol>>,
    table: Table,
}

impl Reactor {
    pub(super) fn listen(address: &str, factory: Factory) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
        println!("listening on {}", listener.local_addr()?);
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER.token(), Interest::READABLE)?;
        Ok(Self { poll, listener, factory, protocols: HashMap::new(), table: Table::default() })
    }

    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.wait_limit()) {
                // A signal, such as Ctrl-Z and fg.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => result?,
            }
            self.fire_timers();
            for event in &events {
                self.table.note(Id::of(event.token()), event);
            }
            // Those that are put there meanwhile are served in the next turn.
            for id in mem::take(&mut self.table.ready) {
                match id {
                    LISTENER => self.accept()?,
                    id => self.serve(id),
                }
            }
        }
    }

    /// Returns how long the poll may wait.
    fn wait_limit(&self) -> Option<Duration> {
        if !self.table.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let (first, _) = self.table.timers.first()?;
        Some(first.saturating_duration_since(Instant::now()))
    }

    /// Fires the timers that are due now. What they set fires in a later turn.
    fn fire_timers(&mut self) {
        let now = Instant::now();
        while let Some(&(at, id)) = self.table.timers.first()
            && at <= now
        {
            self.table.set_timer(id, None);
            if self.table.find(id).is_some_and(|connection| connection.closing) {
                self.remove(id);
                continue;
            }
            self.call(id, |protocol, transport| protocol.timer_fired(transport));
            self.table.ready.insert(id);
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPT_BUDGET {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    let token = self.table.next_id().token();
                    let both = Interest::READABLE | Interest::WRITABLE;
                    self.poll.registry().register(&mut stream, token, both)?;
                    let id = self.table.insert(stream);
                    self.protocols.insert(id, (self.factory)());
                    self.call(id, |protocol, transport| protocol.connection_made(transport));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    eprintln!("accept: {error}");
                    return Ok(());
                }
            }
        }
        self.table.ready.insert(LISTENER);
        Ok(())
    }

    /// Sends the output, reads what the client has sent so far, and calls the protocol with it.
    fn serve(&mut self, id: Id) {
        let mut buffer = [0; 4096];
        let mut budget = READ_BUDGET;
        while let Some(connection) = self.table.find(id) {
            if connection.flush().is_err() || connection.is_over() {
                return self.remove(id);
            }
            if connection.begins_to_linger() {
                self.protocols.remove(&id); // It receives no more.
            }
            if !connection.wants_read() {
                return;
            }
            if budget == 0 {
                self.table.ready.insert(id);
                return;
            }
            match connection.stream.read(&mut buffer) {
                Ok(0) => {
                    connection.ended = true;
                    self.call(id, |protocol, transport| protocol.eof_received(transport));
                }
                Ok(count) => {
                    budget = budget.saturating_sub(count);
                    self.call(id, |protocol, transport| {
                        protocol.data_received(transport, &buffer[..count]);
                    });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => connection.readable = false,
                Err(_) => return self.remove(id),
            }
        }
    }

    /// Calls a protocol. All callbacks pass here.
    fn call(&mut self, id: Id, callback: impl FnOnce(&mut dyn Protocol, &mut Transport<'_>)) {
        if let Some(protocol) = self.protocols.get_mut(&id) {
            callback(protocol.as_mut(), &mut Transport { table: &mut self.table, id });
        }
    }

    fn remove(&mut self, id: Id) {
        self.table.remove(id);
        self.protocols.remove(&id);
    }
}
