//! Pure readers: bytes and objects from outside become samples and domain values. Knows no socket and no file, and no system's
//! names but where a format is one system's own.

pub mod exposition;
pub mod iterations;
pub mod kubernetes;
pub mod log;
