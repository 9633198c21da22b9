//! The terminal as a file: opened so that nothing that is written to it can hang, and put back as it was.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, tcflush, tcgetwinsize, ttyname};

/// Takes the whole screen, hides the cursor, and has pasted text marked as such, so that it is not taken for keys.
pub(super) const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[0m\x1b[2J";
/// Gives everything back. It ends a synchronized update that a frame cut short may have left open.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?25h\x1b[?2004l\x1b[?1049l";
/// Cancels an escape sequence of which only the beginning was sent.
const CANCEL: &[u8] = b"\x18";

/// How long leaving waits for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long one look at a full terminal takes.
const LOOK: Duration = Duration::from_millis(25);

/// Where frames go.
#[derive(Debug)]
pub(super) struct Tty {
    file: OwnedFd,
    /// Held by whoever changes modes, so that leaving twice at once is leaving once.
    taken: Mutex<bool>,
}

/// What came of trying to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// So many bytes went out.
    Some(usize),
    /// The terminal is full.
    Full,
}

impl Tty {
    /// The terminal behind standard output.
    ///
    /// It is opened anew where its name allows it: not to block is a property of an open file and would otherwise
    /// be shared with the shell. Where it cannot be opened (inside of some containers, or after `su`) a write may hang,
    /// and only the thread that writes hangs with it.
    pub(super) fn open() -> io::Result<Self> {
        let stdout = io::stdout();
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let anew = ttyname(stdout.as_fd(), Vec::new()).and_then(|name| rustix::fs::open(name, flags, Mode::empty()));
        let file = match anew {
            Ok(file) => file,
            Err(_) => stdout.as_fd().try_clone_to_owned()?,
        };
        Ok(Self { file, taken: Mutex::new(false) })
    }

    /// Columns and rows; a terminal that does not say is taken for one of 80 by 24.
    pub(super) fn size(&self) -> (u16, u16) {
        match tcgetwinsize(&self.file) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => (80, 24),
        }
    }

    /// Whether nobody is at the other end any more.
    pub(super) fn is_gone(&self) -> bool {
        let mut polled = [PollFd::new(&self.file, PollFlags::empty())];
        let looked = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        looked.is_ok() && polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
    }

    /// Keys come as they are typed from now on, none is echoed, none sends a signal.
    pub(super) fn take(&self) -> io::Result<()> {
        let mut taken = self.taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        crossterm::terminal::enable_raw_mode()?;
        *taken = true;
        Ok(())
    }

    /// Puts the terminal back as it was; does nothing where it was not taken. `cut_short` says that the end of a frame
    /// is missing. Does not hang: a terminal that takes nothing has what it did not show yet dropped, so that there is
    /// room for what puts it in order.
    pub(super) fn give_back(&self, cut_short: bool) {
        let mut taken = self.taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !std::mem::take(&mut *taken) {
            return;
        }
        let _ = crossterm::terminal::disable_raw_mode();
        let mut rest = if cut_short { [CANCEL, LEAVE].concat() } else { LEAVE.to_vec() };
        let mut looks = PATIENCE.as_millis() / LOOK.as_millis();
        while !rest.is_empty() && looks > 0 {
            match self.write(&rest) {
                Ok(Written::Some(count)) => drop(rest.drain(..count)),
                Ok(Written::Full) => {
                    let _ = tcflush(&self.file, QueueSelector::OFlush);
                    // What is dropped may end inside of an escape sequence as well.
                    rest = [CANCEL, LEAVE].concat();
                    looks -= 1;
                    self.wait();
                }
                Err(_) => return,
            }
        }
    }

    /// Drops what the terminal was sent and has not taken.
    pub(super) fn drop_unsent(&self) {
        let _ = tcflush(&self.file, QueueSelector::OFlush);
    }

    /// Writes as much as fits, in one call.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Written> {
        loop {
            match rustix::io::write(&self.file, bytes) {
                Ok(count) => return Ok(Written::Some(count)),
                Err(Errno::AGAIN) => return Ok(Written::Full),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until something fits, or a short while.
    pub(super) fn wait(&self) {
        let mut polled = [PollFd::new(&self.file, PollFlags::OUT)];
        let tv_nsec = i64::from(LOOK.subsec_nanos());
        let _ = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec }));
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// The program's end of a new terminal, and the other one.
    fn terminal() -> (Tty, pty_process::blocking::Pty, pty_process::blocking::Pts) {
        let (pty, pts) = pty_process::blocking::open().expect("a pseudo-terminal");
        let name = ttyname(&pts, Vec::new()).expect("its name");
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK;
        let file = rustix::fs::open(name, flags, Mode::empty()).expect("it opens");
        (Tty { file, taken: Mutex::new(false) }, pty, pts)
    }

    #[test]
    fn a_frame_with_other_numbers_is_one_write() {
        let (tty, mut pty, _pts) = terminal();
        // How much a terminal takes at once is its kernel's business; what a second changes is far below it.
        for size in [500, 3_000] {
            assert_eq!(tty.write(&vec![b'x'; size]).unwrap(), Written::Some(size));
            let mut read = vec![0; size];
            pty.read_exact(&mut read).unwrap();
        }
    }

    #[test]
    fn a_terminal_that_nobody_reads_is_full_and_hangs_nobody() {
        let (tty, _pty, _pts) = terminal();
        let (mut sent, mut refused) = (0, 0);
        // The kernel moves what it took to where it would be read, and then takes a little more.
        while refused < 3 {
            match tty.write(&[b'x'; 10_000]).unwrap() {
                Written::Some(count) => (sent, refused) = (sent + count, 0),
                Written::Full => refused += 1,
            }
            assert!(sent < 10_000_000, "it takes everything");
            tty.wait();
        }
        assert_eq!(tty.write(b"x").unwrap(), Written::Full);
    }

    #[test]
    fn it_is_seen_when_nobody_is_at_the_other_end_any_more() {
        let (tty, pty, _pts) = terminal();
        assert!(!tty.is_gone());
        drop(pty);
        assert!(tty.is_gone());
    }

    #[test]
    fn a_terminal_that_does_not_know_its_size_has_the_usual_one() {
        let (tty, pty, _pts) = terminal();
        assert_eq!(tty.size(), (80, 24));
        pty.resize(pty_process::Size::new(36, 120)).unwrap();
        assert_eq!(tty.size(), (120, 36));
    }
}
