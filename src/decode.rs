//! Pure readers: bytes and objects from outside become samples and domain values. Knows no socket, no file and no system's names.

pub mod exposition;
pub mod kubernetes;
pub mod log;
