//! Two filters, one above the other.

use super::handshakes::ProxyHeader;
use super::*;

#[test]
fn two_ciphers_carry_data_both_ways() {
    let options = listen().filter(|| ToyCipher::server(9));
    let mut scene = Scene::new(&options, echo);
    let data = pattern(700_000);
    let sent = data.clone();
    scene.connect(
        &ciphered().filter(|| ToyCipher::client(9)),
        on_made(move |transport| transport.write(&sent)),
    );
    scene.turn_until("all is back", |scene| scene.client.data().len() == data.len());
    assert!(scene.client.data() == data);
    let id = scene.client.ids()[0];
    scene.reactor.context().close(id);
    let reasons = scene.reasons();
    assert_eq!(reasons, (vec!["ClosedByPeer".to_owned()], vec!["Closed".to_owned()]));
}

#[test]
fn cipher_above_a_proxy_header() {
    let options = ListenOptions::new().filter(ProxyHeader::new).filter(|| ToyCipher::server(7));
    let mut scene = Scene::new(&options, echo);
    // The client sends its address in plain text, and then begins to encrypt.
    scene.connect(&ConnectOptions::new(), |transport, event| match event {
        Event::Made => {
            transport.write(b"192.0.2.7:4000\n");
            transport.add_filter(ToyCipher::client(7), b"");
            transport.write(b"hello");
        }
        Event::Data(data) => {
            assert_eq!(data, b"hello");
            transport.close();
        }
        _ => {}
    });
    let reasons = scene.reasons();
    assert_eq!(reasons, (vec!["ClosedByPeer".to_owned()], vec!["Closed".to_owned()]));
    assert_eq!(scene.server.data(), b"hello");
}

#[test]
fn failure_of_the_upper_handshake_is_reported() {
    let options = listen().filter(|| ToyCipher::server(9));
    let mut scene = Scene::new(&options, only_record);
    scene.connect(&ciphered().filter(|| ToyCipher::client(10)), only_record);
    scene.turn_until("both have failed", |scene| {
        scene.refused.borrow().len() + scene.failures.borrow().len() == 2
    });
    let failed = scene.failures.borrow()[0].1.to_string();
    assert!(failed.contains("alert"), "it came through the lower cipher: {failed}");
}
