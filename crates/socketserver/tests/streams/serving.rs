//! Requests, pools, and the end of servers and connections.

use super::*;

#[test]
fn reset_ends_reads_and_writes() {
    let (sender, result) = channel();
    let scene = Scene::new(move |connection: &mut Connection| {
        let error = connection.read(&mut [0; 10]).unwrap_err();
        let written = loop {
            if let Err(error) = connection.write(b"x") {
                break error.kind();
            }
        };
        sender.send((error.kind(), written)).unwrap();
        Ok(())
    });
    let client = scene.connect();
    let linger = socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO));
    linger.unwrap();
    drop(client);
    let result = result.recv_timeout(PATIENCE).unwrap();
    assert_eq!(result, (ErrorKind::ConnectionReset, ErrorKind::BrokenPipe));
}

#[test]
fn shutdown_ends_the_input_and_waits_for_handlers() {
    let (sender, ended) = channel();
    let scene = Scene::new(move |connection: &mut Connection| {
        while let Some(line) = connection.read_line_within(100)? {
            connection.write_all(line.as_bytes())?;
        }
        connection.write_all(b"goodbye\n")?;
        sender.send(()).unwrap();
        Ok(())
    });
    let mut client = scene.connect();
    client.write_all(b"hello\n").unwrap();
    let mut hello = [0; 6];
    client.read_exact(&mut hello).unwrap();
    scene.shutdown.shutdown();
    assert!(ended.try_recv().is_ok(), "the handler has ended when the shutdown returns");
    assert_eq!(rest(&client).unwrap(), "goodbye\n");
}

#[test]
fn handler_that_does_not_end_does_not_hold_the_shutdown() {
    let (gate, _open) = Gate::new();
    let scene = Scene::new(move |_connection: &mut Connection| {
        gate.wait();
        Ok(())
    });
    let client = scene.connect();
    // It is accepted when the next one is.
    let other = scene.connect();
    scene.shutdown.shutdown();
    drop((client, other));
}

#[test]
fn pool_serves_one_after_the_other() {
    let scene = Scene::with(|server| {
        server.reactor().set_threads(ropewalk::ThreadOptions::new().max(1));
        let handlers = StreamServer::new(|| Handler(capitals)).in_pool();
        Ok(server.listen_tcp("127.0.0.1:0", handlers)?.address().to_string())
    });
    let (mut first, mut second) = (scene.connect(), scene.connect());
    first.write_all(b"first\n").unwrap();
    let mut line = String::new();
    BufReader::new(&first).read_line(&mut line).unwrap();
    second.write_all(b"second\n").unwrap();
    second.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(second.read(&mut [0; 1]).is_err(), "the only thread is busy");
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    first.shutdown(Side::Write).unwrap();
    second.shutdown(Side::Write).unwrap();
    assert_eq!(rest(&second).unwrap(), "SECOND\n");
}

#[test]
fn connection_waits_for_a_thread_for_a_limited_time() {
    let (gate, open) = Gate::new();
    let (sender, begun) = channel();
    let scene = Scene::with(move |server| {
        server.reactor().set_threads(ropewalk::ThreadOptions::new().max(1));
        let make = move || {
            let (gate, sender) = (gate.clone(), sender.clone());
            Handler(move |connection: &mut Connection| {
                sender.send(()).unwrap();
                gate.wait();
                capitals(connection)
            })
        };
        let handlers = StreamServer::new(make).in_pool().queue_timeout(Duration::from_millis(200));
        Ok(server.listen_tcp("127.0.0.1:0", handlers)?.address().to_string())
    });
    let mut first = scene.connect();
    begun.recv_timeout(PATIENCE).unwrap();
    assert_eq!(rest(&scene.connect()).unwrap(), "", "it is closed");
    drop(open);
    first.write_all(b"first\n").unwrap();
    first.shutdown(Side::Write).unwrap();
    assert_eq!(rest(&first).unwrap(), "FIRST\n", "it has a thread, so it may take longer");
    assert!(begun.try_recv().is_err(), "the handler of the second does not begin");
}

#[test]
#[cfg(unix)]
fn unix_sockets_are_served() {
    use std::os::unix::net::UnixStream;
    let folder = std::env::temp_dir().join(format!("ropewalk-streams-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("server");
    let server = path.clone();
    let scene = Scene::with(move |serving| {
        serving.listen_unix(server.as_path(), || Handler(capitals))?;
        Ok(String::new())
    });
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"hello\n").unwrap();
    client.shutdown(Side::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "HELLO\n");
    drop(scene);
    assert!(!path.exists(), "the file is removed with the socket");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn refused_peers_are_closed() {
    let scene = Scene::with(|server| {
        let handlers = StreamServer::new(|| Handler(capitals)).verify(|_| false);
        Ok(server.listen_tcp("127.0.0.1:0", handlers)?.address().to_string())
    });
    assert!(rest(&scene.connect()).is_ok_and(|text| text.is_empty()));
}

#[test]
fn handle_request_serves_one_or_times_out() {
    let mut server = SocketServer::new().unwrap();
    let port = server.listen_tcp("127.0.0.1:0", || Handler(capitals)).unwrap();
    assert!(!server.handle_request(Some(Duration::from_millis(10))).unwrap());
    let mut client = TcpStream::connect(port.address().to_string()).unwrap();
    client.write_all(b"hello\n").unwrap();
    client.shutdown(Side::Write).unwrap();
    assert!(server.handle_request(Some(PATIENCE)).unwrap());
    assert_eq!(rest(&client).unwrap(), "HELLO\n");
}

#[test]
fn early_shutdown_ends_the_next_serving() {
    let mut server = SocketServer::new().unwrap();
    server.listen_tcp("127.0.0.1:0", || Handler(capitals)).unwrap();
    server.shutdown_handle().shutdown();
    server.serve_forever().unwrap();
}

#[test]
fn service_actions_run_while_serving() {
    let mut server = SocketServer::new().unwrap();
    server.listen_tcp("127.0.0.1:0", || Handler(capitals)).unwrap();
    server.service_actions(|context| context.stop());
    server.serve_forever().unwrap();
}

#[test]
fn service_actions_end_with_their_serving() {
    let mut server = SocketServer::new().unwrap();
    server.listen_tcp("127.0.0.1:0", || Handler(capitals)).unwrap();
    server.service_actions(|_context| {});
    for _ in 0..3 {
        let timers = Rc::new(Cell::new(0));
        let counted = Rc::clone(&timers);
        server.reactor().context().call_when_running(move |context| {
            counted.set(TimerId::all(context).len());
            context.stop();
        });
        server.serve_forever().unwrap();
        assert_eq!(timers.get(), 1, "one chain of actions");
        assert!(TimerId::all(server.reactor().context()).is_empty());
    }
}

#[test]
fn shutdown_ends_requests_and_nothing_later() {
    let mut server = SocketServer::new().unwrap();
    server.listen_tcp("127.0.0.1:0", || Handler(capitals)).unwrap();
    server.shutdown_handle().shutdown();
    assert!(!server.handle_request(None).unwrap());
    let port = server.listen_tcp("127.0.0.1:0", || Handler(capitals)).unwrap();
    let (address, shutdown) = (port.address().to_string(), server.shutdown_handle());
    let client = thread::spawn(move || {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"hello\n").unwrap();
        client.shutdown(Side::Write).unwrap();
        let answer = rest(&client);
        shutdown.shutdown();
        answer
    });
    server.serve_forever().unwrap();
    assert_eq!(client.join().unwrap().unwrap(), "HELLO\n");
}

#[test]
fn request_without_time_serves_what_is_ready() {
    let mut server = SocketServer::new().unwrap();
    let port = server.listen_tcp("127.0.0.1:0", || Handler(capitals)).unwrap();
    let client = TcpStream::connect(port.address().to_string()).unwrap();
    client.shutdown(Side::Both).unwrap();
    let begin = Instant::now();
    while !server.handle_request(Some(Duration::ZERO)).unwrap() {
        assert!(begin.elapsed() < PATIENCE);
    }
}

#[test]
fn half_closed_connection_still_receives() {
    let scene = Scene::new(|connection: &mut Connection| {
        connection.write_all(b"question\n")?;
        connection.shutdown_write();
        let answer = connection.read_line_within(100)?;
        assert_eq!(answer.as_deref(), Some("answer\n"));
        assert_eq!(connection.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        Ok(())
    });
    let mut client = scene.connect();
    assert_eq!(rest(&client).unwrap(), "question\n");
    client.write_all(b"answer\n").unwrap();
}

#[test]
fn factory_works_in_any_reactor() {
    let mut reactor = Reactor::new().unwrap();
    let limited = ListenOptions::new().max_connections(10);
    let server = StreamServer::new(|| Handler(capitals));
    let port = limited.listen_tcp(reactor.context(), "127.0.0.1:0", server).unwrap();
    let (address, handle) = (port.address().to_string(), reactor.handle());
    let client = thread::spawn(move || {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"hello\n").unwrap();
        client.shutdown(Side::Write).unwrap();
        let answer = rest(&client);
        handle.stop().unwrap();
        answer
    });
    reactor.run().unwrap();
    assert_eq!(client.join().unwrap().unwrap(), "HELLO\n");
}

/// A peer that resets its connections could otherwise exhaust the threads.
#[test]
fn handlers_are_limited_after_their_connections() {
    let (gate, open) = Gate::new();
    let (sender, begun) = channel();
    let scene = Scene::with(move |server| {
        let make = move || {
            let (gate, sender) = (gate.clone(), sender.clone());
            Handler(move |_: &mut Connection| {
                sender.send(()).unwrap();
                gate.wait();
                Ok(())
            })
        };
        let handlers = StreamServer::new(make).max_handlers(2);
        Ok(server.listen_tcp("127.0.0.1:0", handlers)?.address().to_string())
    });
    for number in 0..20 {
        let mut client = scene.connect();
        if number < 2 {
            begun.recv_timeout(PATIENCE).unwrap();
        } else {
            assert_eq!(client.read(&mut [0]).unwrap(), 0, "it is refused");
        }
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    }
    assert!(begun.try_recv().is_err(), "two handlers run");
    drop(open);
}
