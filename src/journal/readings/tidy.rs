//! The rings of incidents that are over: they stay for the post-mortem, and not for ever.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::folder;
use super::ring::{path, segments};

/// Takes the readings of the oldest records in `records` away until all of them together have at most so many bytes.
/// Those of `keep` stay, and so does every record. Answers with how many records lost their readings.
pub fn tidy(records: &Path, most_bytes: u64, keep: &Path) -> usize {
    let keep = folder(keep);
    let mut rings: Vec<(PathBuf, u64)> = rings(records).unwrap_or_default();
    let mut total: u64 = rings.iter().map(|(_, bytes)| bytes).sum();
    // Names begin with the moment of opening.
    rings.sort();
    let mut gone = 0;
    for (ring, bytes) in rings.into_iter().filter(|(ring, _)| *ring != keep) {
        if total <= most_bytes {
            break;
        }
        if remove(&ring).is_ok() {
            total -= bytes;
            gone += 1;
        }
    }
    gone
}

/// The rings beside the records of a folder, with their lengths. A link is none.
fn rings(records: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(records)? {
        let entry = entry?;
        let ring = entry.path();
        let is_ring = ring.extension().is_some_and(|e| e == "readings") && entry.file_type()?.is_dir();
        if let (true, Ok(segments)) = (is_ring, segments(&ring)) {
            found.push((ring, segments.values().sum()));
        }
    }
    Ok(found)
}

/// Removes the segments, and the folder where nothing else lies in it.
fn remove(ring: &Path) -> io::Result<()> {
    for number in segments(ring)?.into_keys() {
        fs::remove_file(path(ring, number))?;
    }
    let _ = fs::remove_dir(ring);
    Ok(())
}
