//! Names, modes and locks of a record's files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::JournalError;
use crate::contract::record::{Target, utc_time};
use crate::domain::At;

/// A path as it is shown.
pub(super) fn shown(path: &Path) -> String {
    crate::text::clean(&path.to_string_lossy(), 300)
}

pub(super) fn io_error(path: &Path, what: &'static str, error: &io::Error) -> JournalError {
    JournalError::Io { path: shown(path), what, why: why(error) }
}

/// What the system says, in words that say what to do.
pub(super) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::QuotaExceeded => "the quota is used up".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => kind.to_string(),
    }
}

/// Options of a file that its owner alone may read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

pub(super) fn make_folder(folder: &Path) -> Result<(), JournalError> {
    make(folder).map_err(|e| io_error(folder, "made", &e))
}

/// A folder that its owner alone may enter, with those above it.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes sure that a new name is on disk as well. A file system that cannot say so is no reason to stop.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// The part of a file's name that says what it is about.
fn slug(target: &Target) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let whole = format!("{}_{}_{}", target.context, target.namespace, target.name);
    whole.chars().map(|c| if c == '_' { '_' } else { plain(c) }).take(120).collect()
}

/// Whether a file may be a record of this workload, by its name.
pub(super) fn could_be_of(path: &Path, target: &Target) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(&slug(target)))
}

/// A new file, named by the moment and the workload.
pub(super) fn create(folder: &Path, target: &Target, at: At) -> Result<(PathBuf, File), JournalError> {
    let stamp: String =
        utc_time(At(at.0.div_euclid(1000) * 1000)).chars().filter(|c| !matches!(c, '-' | ':')).collect();
    for attempt in 0..100 {
        let more = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        let path = folder.join(format!("{stamp}-{}{more}.jsonl", slug(target)));
        match private().append(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io_error(&path, "made", &error)),
        }
    }
    Err(JournalError::Io {
        path: shown(folder),
        what: "made",
        why: "a hundred records of this second are there already".to_owned(),
    })
}

pub(super) fn open_to_append(path: &Path) -> Result<File, JournalError> {
    OpenOptions::new().append(true).open(path).map_err(|e| io_error(path, "opened", &e))
}

pub(super) fn length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|m| m.len())
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// Holds the record for as long as the file lives. `None`: somebody else does. An error: there are no locks here.
pub(super) fn hold(path: &Path) -> io::Result<Option<File>> {
    let file = private().write(true).create(true).truncate(false).open(lock_path(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether somebody holds the record.
pub(super) fn is_held(path: &Path) -> io::Result<bool> {
    if !lock_path(path).exists() {
        return Ok(false);
    }
    hold(path).map(|held| held.is_none())
}

/// Takes the lock's file away, once nobody needs it.
pub(super) fn let_go(path: &Path) {
    let _ = fs::remove_file(lock_path(path));
}

/// The turn to look and write, for a moment; between two war rooms on one file. A file system without locks gives none,
/// and what happens then is found at the next look.
pub(super) fn turn(path: &Path) -> Option<File> {
    let file = OpenOptions::new().read(true).open(path).ok()?;
    // A turn takes as long as one write. Whoever keeps it for longer is stuck, and must not hold up the other.
    for _ in 0..200 {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::Error(_)) => return None,
        }
    }
    None
}
