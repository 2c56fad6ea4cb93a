//! Reads, writes and failures of handlers.

use super::*;

#[test]
fn lines_are_answered_until_the_end_of_the_input() {
    let scene = Scene::new(capitals);
    let mut client = scene.connect();
    client.write_all(b"one\ntw").unwrap();
    let mut line = String::new();
    BufReader::new(&client).read_line(&mut line).unwrap();
    assert_eq!(line, "ONE\n");
    client.write_all(b"o\nlast").unwrap();
    client.shutdown(Side::Write).unwrap();
    assert_eq!(rest(&client).unwrap(), "TWO\nLAST");
}

#[test]
fn five_hundred_clients_are_served_at_once() {
    let (gate, open) = Gate::new();
    let scene = Scene::new(move |connection: &mut Connection| {
        connection.write_all(b"hello\n")?;
        gate.wait();
        connection.write_all(b"bye\n")
    });
    let clients: Vec<_> = (0..500).map(|_| scene.connect()).collect();
    for client in &clients {
        let mut hello = [0; 6];
        (&*client).read_exact(&mut hello).unwrap();
    }
    drop(open);
    for client in &clients {
        assert_eq!(rest(client).unwrap(), "bye\n");
    }
}

#[test]
fn writes_wait_for_a_peer_that_does_not_read() {
    const LENGTH: usize = 20_000_000;
    let (sender, written) = channel();
    let scene = Scene::new(move |connection: &mut Connection| {
        connection.set_write_timeout(Some(Duration::from_millis(100)));
        let mut count = 0;
        let result = loop {
            match connection.write(&[b'x'; 100_000]) {
                Ok(more) => count += more,
                Err(error) => break error.kind(),
            }
        };
        sender.send((count, result)).unwrap();
        connection.set_write_timeout(None);
        connection.write_all(&vec![b'y'; LENGTH])
    });
    let client = scene.connect();
    let (count, result) = written.recv_timeout(PATIENCE).unwrap();
    assert_eq!(result, ErrorKind::TimedOut);
    assert!(count < LENGTH, "{count}");
    let text = rest(&client).unwrap();
    assert_eq!(text.len(), count + LENGTH);
    assert!(text[..count].bytes().all(|byte| byte == b'x'));
}

#[test]
fn peer_waits_for_a_handler_that_does_not_read() {
    let (gate, open) = Gate::new();
    let (sender, read) = channel();
    let scene = Scene::new(move |connection: &mut Connection| {
        gate.wait();
        let mut all = Vec::new();
        connection.read_to_end(&mut all)?;
        sender.send(all.len()).unwrap();
        Ok(())
    });
    let mut client = scene.connect();
    client.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut sent = 0;
    while let Ok(count) = client.write(&[b'x'; 100_000]) {
        sent += count;
        assert!(sent < 100_000_000, "the memory of the server is bounded");
    }
    drop(open);
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    client.write_all(&[b'y'; 1_000_000]).unwrap();
    client.shutdown(Side::Write).unwrap();
    assert_eq!(read.recv_timeout(PATIENCE).unwrap(), sent + 1_000_000);
}

#[test]
fn read_times_out_and_can_be_repeated() {
    let scene = Scene::new(|connection: &mut Connection| {
        connection.set_read_timeout(Some(Duration::from_millis(20)));
        let error = connection.read(&mut [0; 10]).unwrap_err();
        writeln!(connection, "{:?}", error.kind())?;
        connection.set_read_timeout(None);
        let line = connection.read_line_within(100)?;
        writeln!(connection, "{line:?}")
    });
    let mut client = scene.connect();
    let mut text = BufReader::new(client.try_clone().unwrap());
    let mut line = String::new();
    text.read_line(&mut line).unwrap();
    assert_eq!(line, "TimedOut\n");
    client.write_all(b"late\n").unwrap();
    line.clear();
    text.read_line(&mut line).unwrap();
    assert_eq!(line, "Some(\"late\\n\")\n");
}

#[test]
fn line_that_is_too_long_is_an_error() {
    let (sender, failed) = channel();
    let scene = Scene::with(move |server| {
        let handlers = StreamServer::new(|| Handler(capitals));
        let sender = Mutex::new(sender);
        let handlers = handlers.on_error(move |_, error| {
            sender.lock().unwrap().send(error.to_string()).unwrap();
        });
        Ok(server.listen_tcp("127.0.0.1:0", handlers)?.address().to_string())
    });
    let mut client = scene.connect();
    client.write_all(&[b'x'; 101]).unwrap();
    assert_eq!(failed.recv_timeout(PATIENCE).unwrap(), "a line is longer than 100 bytes");
    // What was not read is lost: the connection may be reset.
    let _ = rest(&client);
}

#[test]
fn panic_costs_one_connection() {
    let (sender, failed) = channel();
    let scene = Scene::with(move |server| {
        let handlers = StreamServer::new(|| {
            Handler(|connection: &mut Connection| match connection.read_line_within(10)? {
                Some(line) if line == "panic\n" => panic!("on purpose"),
                _ => connection.write_all(b"fine\n"),
            })
        });
        let sender = Mutex::new(sender);
        let handlers = handlers.on_error(move |_, error| {
            let HandlerError::Panicked(message) = error else { panic!("{error}") };
            sender.lock().unwrap().send(message.clone()).unwrap();
        });
        Ok(server.listen_tcp("127.0.0.1:0", handlers)?.address().to_string())
    });
    let (mut first, mut other) = (scene.connect(), scene.connect());
    first.write_all(b"panic\n").unwrap();
    assert_eq!(rest(&first).unwrap(), "");
    assert_eq!(failed.recv_timeout(PATIENCE).unwrap(), "on purpose");
    other.write_all(b"hello\n").unwrap();
    assert_eq!(rest(&other).unwrap(), "fine\n");
}

#[test]
fn setup_and_finish_surround_the_handler() {
    struct Ordered(Sender<&'static str>);
    impl StreamRequestHandler for Ordered {
        fn setup(&mut self, _connection: &mut Connection) -> io::Result<()> {
            self.0.send("setup").unwrap();
            Ok(())
        }
        fn handle(&mut self, _connection: &mut Connection) -> io::Result<()> {
            self.0.send("handle").unwrap();
            panic!("on purpose");
        }
        fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
            self.0.send("finish").unwrap();
            connection.write_all(b"finished")
        }
    }
    let (sender, calls) = channel();
    let scene = Scene::with(move |server| {
        let handlers = StreamServer::new(move || Ordered(sender.clone())).on_error(|_, _| {});
        Ok(server.listen_tcp("127.0.0.1:0", handlers)?.address().to_string())
    });
    assert_eq!(rest(&scene.connect()).unwrap(), "finished");
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), ["setup", "handle", "finish"]);
}
