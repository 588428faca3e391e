//! Imports a raw image into a store and prints how fast that was; for measuring.
//!
//! ```text
//! cargo run --release -p chunk-backend --example ingest -- STORE IMAGE.raw [--only-import]
//! ```

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use chunk_backend::{FarmId, NoPeers, Progress, RawFile, Store};

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let (store, image, only_import) = match &arguments[..] {
        [store, image] => (store, image, false),
        [store, image, flag] if flag == "--only-import" => (store, image, true),
        _ => return Err("give a store's folder, a raw image, and perhaps --only-import".into()),
    };
    let farm = FarmId::from_bytes([0; 16]);
    let store = Path::new(store);
    let store = Store::open(store, farm).or_else(|_| Store::create(store, farm))?;
    let mut output = io::stdout().lock();
    let started = std::time::Instant::now();
    let imported = store.import(&mut RawFile::open(Path::new(image))?, &Progress::new())?;
    let data_bytes = imported.size_bytes - imported.zero_chunks * chunk_store::CHUNK_BYTES;
    report(
        &mut output,
        "import (of bytes that are not zeros)",
        data_bytes,
        started,
    )?;
    writeln!(output, "{imported:?}")?;
    if only_import {
        return Ok(());
    }
    let served = store.serve(imported.root, Arc::new(NoPeers))?;
    let started = std::time::Instant::now();
    served.materialise(&Progress::new())?;
    report(&mut output, "materialise", data_bytes, started)?;
    let started = std::time::Instant::now();
    let verified = store.verify(&Progress::new())?;
    report(&mut output, "verify", verified.checked_bytes, started)?;
    Ok(())
}

fn report(
    output: &mut impl Write,
    what: &str,
    bytes: u64,
    started: std::time::Instant,
) -> io::Result<()> {
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let rate = bytes as f64 / 1_048_576.0 / seconds;
    writeln!(output, "{what}: {seconds:.2} s, {rate:.0} MiB/s")
}
