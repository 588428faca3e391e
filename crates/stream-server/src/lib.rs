//! To be written.

pub mod chunk_http;
