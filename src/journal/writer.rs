//! Writing lines in order, whatever the disk does: a line that failed waits, and nothing is written before it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};

use super::file::why;
use crate::contract::record::{Entry, Line, VERSION};

/// Lines that wait for the disk, and their bytes.
const MOST_WAITING: usize = 2_000;
const MOST_BYTES: usize = 8 << 20;

/// Ends a line of which only a piece was written, so that it is none even where just its end is missing: it is written
/// again as a whole, or it is not to be on record.
pub(super) const SPOILED: &[u8] = b" ~\n";

/// Where lines go: a file, or a test's idea of one.
pub(super) trait Sink: Write {
    /// Brings what was written to the disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Writes whole lines, in order.
#[derive(Debug)]
pub(super) struct Writer<S> {
    sink: S,
    /// What goes before the next line, where the file ends in the middle of one.
    mend: &'static [u8],
    waiting: VecDeque<Vec<u8>>,
    lost: u64,
    trouble: Option<String>,
    /// Whether something durable was written and not synced.
    unsynced: bool,
}

impl<S: Sink> Writer<S> {
    pub(super) fn new(sink: S) -> Self {
        Self::after(sink, b"")
    }

    /// A writer on a file that may end in the middle of a line: `mend` ends it.
    pub(super) fn after(sink: S, mend: &'static [u8]) -> Self {
        Self { sink, mend, waiting: VecDeque::new(), lost: 0, trouble: None, unsynced: false }
    }

    /// Writes a line after those that wait. One that a lever needs does not wait: it is not sent either, so it must not
    /// appear later as if it had been.
    pub(super) fn write(&mut self, line: Vec<u8>, durable: bool, of_a_lever: bool) -> io::Result<()> {
        self.waiting.push_back(line);
        self.unsynced |= durable;
        let written = self.flush();
        if written.is_err() && of_a_lever {
            // What is last in the queue is this line: nothing was written of it, or a torn piece that no reader takes.
            self.waiting.pop_back();
        }
        while self.waiting.len() > MOST_WAITING || self.waiting.iter().map(Vec::len).sum::<usize>() > MOST_BYTES {
            self.waiting.pop_front();
            self.lost += 1;
        }
        written
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let done = self.try_flush();
        self.trouble = done.as_ref().err().map(why);
        done
    }

    fn try_flush(&mut self) -> io::Result<()> {
        while let Some(line) = self.waiting.front() {
            if self.lost > 0 {
                let told = lost_line(line, self.lost);
                self.put(&told)?;
                self.lost = 0;
                continue;
            }
            let line = line.clone();
            self.put(&line)?;
            self.waiting.pop_front();
        }
        if self.unsynced {
            self.sink.sync()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// One line with one call; where only a part of it went out, the next one begins on a line of its own.
    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        let bytes = [self.mend, line].concat();
        let mut at = 0;
        while at < bytes.len() {
            match self.sink.write(&bytes[at..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    at += n;
                    self.mend = if bytes[at - 1] == b'\n' { b"" } else { SPOILED };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Why lines wait, where they do.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// A line that tells of those that are missing before `next`.
fn lost_line(next: &[u8], lost: u64) -> Vec<u8> {
    let Ok(line) = serde_json::from_slice::<Line>(next) else { return b"\n".to_vec() };
    let entry =
        Entry::Lost { lines: lost, why: "they could not be written, and more of them came than could wait".to_owned() };
    let told = Line { v: VERSION, n: line.n.saturating_sub(1), at: line.at, by: line.by, entry };
    let mut bytes = serde_json::to_vec(&told).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::record::parse;
    use crate::domain::At;
    use crate::runbook::Who;

    /// A disk with so much room.
    #[derive(Debug, Default)]
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
        synced: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room - self.bytes.len());
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.bytes.extend(&bytes[..fits]);
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for Disk {
        fn sync(&mut self) -> io::Result<()> {
            self.synced = self.bytes.len();
            Ok(())
        }
    }

    fn line(n: u64) -> Vec<u8> {
        let entry = Entry::Changed { when: At(0), change: "pod".to_owned(), summary: format!("change {n}") };
        let line = Line { v: VERSION, n, at: At(1_000), by: Who::default(), entry };
        let mut bytes = serde_json::to_vec(&line).unwrap();
        bytes.push(b'\n');
        bytes
    }

    fn numbers(disk: &Disk) -> Vec<u64> {
        parse(&disk.bytes).lines.iter().map(|l| l.n).collect()
    }

    #[test]
    fn a_full_disk_keeps_lines_waiting_in_order_and_says_why() {
        for room in 0..line(0).len() * 3 {
            let mut writer = Writer::new(Disk { room, ..Disk::default() });
            let results: Vec<bool> = (0..3).map(|n| writer.write(line(n), true, false).is_ok()).collect();
            assert!(!results[2], "there is no room for three");
            assert_eq!(writer.trouble(), Some("the disk is full"));
            let before = numbers(&writer.sink);
            assert_eq!(before, (0..before.len() as u64).collect::<Vec<_>>(), "whole lines, in order: room {room}");
            writer.sink.room = usize::MAX;
            writer.flush().unwrap();
            assert_eq!(numbers(&writer.sink), [0, 1, 2], "and nothing is missing once there is room: room {room}");
            assert_eq!(writer.trouble(), None);
            assert_eq!(writer.sink.synced, writer.sink.bytes.len());
        }
    }

    #[test]
    fn a_line_that_a_lever_needs_does_not_appear_later() {
        for room in 0..line(0).len() {
            let mut writer = Writer::new(Disk { room, ..Disk::default() });
            assert!(writer.write(line(0), true, true).is_err());
            writer.sink.room = usize::MAX;
            writer.write(line(1), true, false).unwrap();
            assert_eq!(numbers(&writer.sink), [1], "it was not sent, so it is not on record: room {room}");
        }
    }

    #[test]
    fn more_lines_than_can_wait_are_told_as_missing() {
        let mut writer = Writer::new(Disk::default());
        for n in 0..MOST_WAITING as u64 + 5 {
            assert!(writer.write(line(n), false, false).is_err());
        }
        writer.sink.room = usize::MAX;
        writer.flush().unwrap();
        let lines = parse(&writer.sink.bytes).lines;
        assert!(matches!(&lines[0].entry, Entry::Lost { lines: 5, .. }), "{:?}", lines[0]);
        assert_eq!(lines[1].n, 5);
    }

    #[test]
    fn a_file_that_ends_in_the_middle_of_a_line_is_gone_on_with_on_a_new_one() {
        let disk = Disk { bytes: b"{\"v\":1,\"n\":0,\"at\":\"2026-0".to_vec(), room: usize::MAX, synced: 0 };
        let mut writer = Writer::after(disk, SPOILED);
        writer.write(line(1), true, false).unwrap();
        let contents = parse(&writer.sink.bytes);
        assert_eq!((contents.lines.len(), contents.bad_count, contents.torn), (1, 1, false));
        assert_eq!(contents.bad[0].line, 1);
    }
}
