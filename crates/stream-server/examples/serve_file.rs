//! Serves a plain file as an export that is ready as it is: what the server itself costs, without a store.
//!
//! `cargo run --release -p stream-server --example serve_file -- FILE unix:PATH tcp:127.0.0.1:10809`; ends at the end of its
//! standard input.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use chunk_backend::Extent;
use chunk_store::RootHash;
use stream_server::{
    Access, Address, Export, Limits, Listener, Settings, StreamServer, Version, VersionError,
};

struct PlainFile {
    file: File,
    size_bytes: u64,
}

impl Version for PlainFile {
    fn root(&self) -> RootHash {
        RootHash::from_bytes([0xc0; 32])
    }

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn is_ready(&self, _offset: u64, _length: u32) -> bool {
        true
    }

    fn make_ready(&self, _offset: u64, _length: u32) -> Result<(), VersionError> {
        Ok(())
    }

    fn file(&self) -> &File {
        &self.file
    }

    fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), VersionError> {
        let _ = visit(Extent {
            offset,
            length,
            is_hole: false,
        });
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let file = File::options()
        .read(true)
        .write(true)
        .open(arguments.next().ok_or("which file?")?)?;
    let size_bytes = file.metadata()?.len();
    let listeners = arguments
        .map(|address| {
            let address = match address.split_once(':') {
                Some(("unix", path)) => Address::Unix(path.into()),
                Some(("tcp", address)) => Address::Tcp(address.parse()?),
                _ => return Err("an address is unix:PATH or tcp:HOST:PORT".into()),
            };
            Ok(Listener {
                address,
                access: Access::Open,
                requires_tls: false,
            })
        })
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    // No ticket is ever checked here; these are the bytes of a valid key.
    let mut farm_public_key = [0; 32];
    farm_public_key[0] = 1;
    let settings = Settings {
        listeners,
        chunk_http: None,
        chunk_tls: false,
        farm_public_key,
        limits: Limits::default(),
        reactors: None,
    };
    let server = StreamServer::start(settings)?;
    server.apply(vec![Export::version(
        "",
        Arc::new(PlainFile { file, size_bytes }),
    )]);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.stop();
    println!("{:#?}", server.counters());
    Ok(())
}
