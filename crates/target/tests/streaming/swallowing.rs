//! Networks that swallow what they are given and tell nobody, so that only time can tell.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use crate::network::Network;
use crate::processes::{
    ANY_PORT, Client, HANGS_AFTER, Image, Port, Server, image, reading, writing,
};
use crate::writing::{OVERLAY, Scene, assert_good, reads, writes};

/// Takes connections, and answers nobody.
fn hole(address: SocketAddr) -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(16).unwrap();
    // Of `accept`, too.
    socket.set_read_timeout(Some(HANGS_AFTER)).unwrap();
    socket.into()
}

/// Starts a client before a port where its first connection is taken and never answered, and then the server that is to be there.
fn start_before_a_hole(
    folder: &std::path::Path,
    answer: impl FnOnce(&Image, SocketAddr) -> serde_json::Value,
    start: impl FnOnce(&Image, &Port) -> Server,
    check: impl FnOnce(&Client, &Image),
) {
    let image = image(folder, "golden", 7);
    let port = Port::reserve();
    let listener = hole(port.address);
    let client = Client::start_at(folder, &answer(&image, port.address), None);
    let (_swallowed, _) = listener.accept().unwrap();
    drop(listener);
    let _server = start(&image, &port);
    check(&client, &image);
}

#[test]
fn a_handshake_that_nobody_answers_is_given_up_by_who_reads() {
    let folder = tempfile::tempdir().unwrap();
    start_before_a_hole(
        folder.path(),
        |image, address| reading(image.root, image.size_bytes, &[&[address]]),
        Server::start_at,
        |client, image| {
            client.wait_for_state(0, "warm");
            client.verify_once(image.root);
        },
    );
}

#[test]
fn a_handshake_that_nobody_answers_is_given_up_by_who_writes() {
    let folder = tempfile::tempdir().unwrap();
    start_before_a_hole(
        folder.path(),
        writing,
        |image, port| Server::start_writable(image, port, OVERLAY, 1 << 30),
        |client, _| {
            client.wait(|status| status.is_some_and(|status| status["state"] == "ready"));
        },
    );
}

#[test]
fn a_server_is_reached_at_its_last_address_though_all_others_swallow_what_they_get() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path(), "golden", 7);
    let server = Server::start(&image);
    let holes = [(); 3].map(|()| hole(ANY_PORT));
    let mut addresses: Vec<_> = holes
        .iter()
        .map(|hole| hole.local_addr().unwrap())
        .collect();
    addresses.push(server.port.address);
    let answer = reading(image.root, image.size_bytes, &[&addresses]);
    let client = Client::start_at(folder.path(), &answer, None);
    client.wait_for_state(0, "warm");
    client.verify_once(image.root);
}

#[test]
fn who_reads_goes_on_when_a_cut_network_is_whole_again_and_the_server_another() {
    let network = Network::new();
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path(), "golden", 7);
    let port = network.port();
    let mut server = Server::start_at(&image, &port);
    let answer = reading(image.root, image.size_bytes, &[&[port.address]]);
    let client = Client::start_at(folder.path(), &answer, Some(network.device()));
    let reader = client.reader(image.root);
    client.wait_for_reads(100);
    network.cut();
    client.wait(|status| status.is_some_and(|status| status["without_server_ms"].is_u64()));
    server.kill();
    let _server = Server::start_at(&image, &port);
    network.heal();
    client.wait_for_reads(100);
    reader.finish_satisfied("a cut network");
}

#[test]
fn who_writes_goes_on_when_a_cut_network_is_whole_again_and_the_server_another() {
    let network = Network::new();
    let mut scene = Scene::across(&network);
    assert_good(&scene.run(&writes(1)));
    network.cut();
    let writer = scene.start(&writes(2));
    scene
        .client
        .wait(|status| status.is_some_and(|status| status["away_ms"].is_u64()));
    scene.restart(OVERLAY);
    network.heal();
    assert_good(&writer.wait_with_output().unwrap());
    assert_good(&scene.run(&reads(2)));
    let status = scene.client.status().unwrap();
    assert_eq!(status["failed"], 0, "{status}");
}
