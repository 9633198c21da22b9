//! Reading a record along while another war room writes it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::file;
use crate::contract::record::{Contents, MOST_LINE, parse};

/// Bytes that are read at once.
const MOST_AT_ONCE: u64 = 8 << 20;

/// A record that is read along.
#[derive(Debug)]
pub struct Following {
    path: PathBuf,
    at: u64,
    /// The beginning of a line whose end was not written yet.
    half: Vec<u8>,
}

impl Following {
    /// Follows from the beginning.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), at: 0, half: Vec::new() }
    }

    /// What was written since the last look: whole lines. Nothing where the file cannot be read now.
    pub fn more(&mut self) -> Contents {
        let mut bytes = std::mem::take(&mut self.half);
        if self.read(&mut bytes).is_none() {
            self.half = bytes;
            return Contents::default();
        }
        let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
        self.half = bytes.split_off(whole);
        // A line without an end is no line, however long it gets.
        if self.half.len() > MOST_LINE {
            self.half.clear();
        }
        parse(&bytes)
    }

    fn read(&mut self, bytes: &mut Vec<u8>) -> Option<()> {
        let mut file = File::open(&self.path).ok()?;
        file.seek(SeekFrom::Start(self.at)).ok()?;
        let read = file.take(MOST_AT_ONCE).read_to_end(bytes).ok()?;
        self.at += read as u64;
        Some(())
    }

    /// Whether a living war room writes it.
    pub fn is_held(&self) -> bool {
        matches!(file::is_held(&self.path), Ok(true))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
