//! A network that the test can cut: two namespaces and a cable.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::processes::Port;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const DEVICE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
const CABLE: &str = "cable";
/// Where frames go that nobody is to get.
const NOBODY: &str = "02:00:00:00:00:99";

/// A server's machine and a device's, as far as the network goes. Needs root.
pub(crate) struct Network {
    server: String,
    device: String,
}

impl Network {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |end| format!("corral-{}-{number}-{end}", std::process::id());
        let network = Self {
            server: name("server"),
            device: name("device"),
        };
        let Self { server, device } = &network;
        ip(&format!("netns add {server}"));
        ip(&format!("netns add {device}"));
        ip(&format!(
            "-n {server} link add {CABLE} type veth peer name {CABLE} netns {device}"
        ));
        for (namespace, address) in network.ends() {
            ip(&format!(
                "-n {namespace} address add {address}/30 dev {CABLE}"
            ));
            ip(&format!("-n {namespace} link set {CABLE} up"));
        }
        network
    }

    /// Where the server listens.
    pub(crate) fn port(&self) -> Port {
        Port::within(&self.server, SocketAddr::new(IpAddr::V4(SERVER), 10809))
    }

    /// The namespace that the device's client is in.
    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    /// From now on everything that is sent is lost, and nobody is told.
    pub(crate) fn cut(&self) {
        for (namespace, other) in self.routes() {
            ip(&format!(
                "-n {namespace} neighbour replace {other} lladdr {NOBODY} dev {CABLE} nud permanent"
            ));
        }
    }

    /// As before.
    pub(crate) fn heal(&self) {
        for (namespace, other) in self.routes() {
            ip(&format!("-n {namespace} neighbour del {other} dev {CABLE}"));
        }
    }

    fn ends(&self) -> [(&str, Ipv4Addr); 2] {
        [(&self.server, SERVER), (&self.device, DEVICE)]
    }

    fn routes(&self) -> [(&str, Ipv4Addr); 2] {
        [(&self.server, DEVICE), (&self.device, SERVER)]
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in [&self.server, &self.device] {
            let _ = Command::new("ip")
                .args(["netns", "del", namespace])
                .status();
        }
    }
}

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).output().unwrap();
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "ip {words}: {why}");
}
