//! Sends frames to the terminal, from a thread of its own and one at a time.
//!
//! There is one place for a frame. While it is taken nothing is drawn at all, so a terminal that takes nothing (a slow
//! line, a stopped reader) costs frames and never memory; and because only what is sent is ever drawn, the next frame's
//! difference to the last one is right.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use super::super::panics;
use super::tty::{Tty, Written};

/// A buffer that a frame has made larger than this, in bytes, does not stay so.
const KEPT: usize = 1 << 18;
/// How long leaving waits for a frame that is on its way.
const LAST_FRAME: Duration = Duration::from_millis(150);
/// How long it waits for the thread to notice that it is to stop.
const LET_GO: Duration = Duration::from_millis(100);

/// The place for a frame, and the thread that empties it.
#[derive(Debug)]
pub(super) struct Writer {
    slot: Mutex<Slot>,
    moved: Condvar,
    drained: Notify,
    tty: Tty,
}

#[derive(Debug, Default)]
struct Slot {
    /// A frame that waits for the thread.
    frame: Option<Vec<u8>>,
    /// The thread is at it.
    busy: bool,
    /// What is left of it is not to be sent.
    abandon: bool,
    /// The last one was not sent whole.
    cut_short: bool,
    /// An empty buffer for the next one.
    spare: Vec<u8>,
    /// Why nothing more can be sent.
    failure: Option<io::ErrorKind>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(tty: Tty) -> io::Result<Arc<Self>> {
        let writer = Arc::new(Self { slot: Mutex::default(), moved: Condvar::new(), drained: Notify::new(), tty });
        let thread = Arc::clone(&writer);
        thread::Builder::new().name(panics::WRITER.to_owned()).spawn(move || thread.run())?;
        Ok(writer)
    }

    /// The terminal.
    pub(super) fn tty(&self) -> &Tty {
        &self.tty
    }

    /// Whether the last frame is out, so that another may be drawn.
    pub(super) fn is_drained(&self) -> bool {
        let slot = self.slot();
        slot.frame.is_none() && !slot.busy
    }

    /// Waits until the last frame is out.
    pub(super) async fn drained(&self) {
        while !self.is_drained() {
            // A permit is kept where the thread was faster than this.
            self.drained.notified().await;
        }
    }

    /// Why nothing can be sent any more, if so.
    pub(super) fn failure(&self) -> Option<io::ErrorKind> {
        self.slot().failure
    }

    /// Hands over a frame. Only when [`Writer::is_drained`]: another one would replace what was not sent.
    pub(super) fn send(&self, frame: Vec<u8>) {
        self.slot().frame = Some(frame);
        self.moved.notify_all();
    }

    /// An empty buffer, most often that of the last frame.
    pub(super) fn buffer(&self) -> Vec<u8> {
        std::mem::take(&mut self.slot().spare)
    }

    /// Lets the last frame out, for a short while, and gives the terminal back.
    pub(super) fn give_back(&self) {
        let mut slot = self.until_idle(self.slot(), LAST_FRAME);
        if slot.busy || slot.frame.is_some() {
            slot.frame = None;
            slot.abandon = true;
            slot = self.until_idle(slot, LET_GO);
        }
        if slot.busy {
            // The thread hangs in a write: it gets room, and then sees that it is to stop.
            drop(slot);
            self.tty.drop_unsent();
            slot = self.until_idle(self.slot(), LET_GO);
        }
        let cut_short = slot.busy || std::mem::take(&mut slot.cut_short);
        drop(slot);
        self.tty.give_back(cut_short);
    }

    /// Frames are sent again after [`Writer::give_back`].
    pub(super) fn take(&self) -> io::Result<()> {
        self.slot().abandon = false;
        self.tty.take()
    }

    fn until_idle<'a>(&self, slot: MutexGuard<'a, Slot>, at_most: Duration) -> MutexGuard<'a, Slot> {
        let busy = |slot: &mut Slot| slot.busy || slot.frame.is_some();
        self.moved.wait_timeout_while(slot, at_most, busy).unwrap_or_else(PoisonError::into_inner).0
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let waiting = |slot: &mut Slot| slot.frame.is_none();
            let mut slot = self.moved.wait_while(self.slot(), waiting).unwrap_or_else(PoisonError::into_inner);
            let Some(mut frame) = slot.frame.take() else { continue };
            slot.busy = true;
            drop(slot);

            let outcome = self.send_whole(&frame);

            let mut slot = self.slot();
            slot.busy = false;
            match outcome {
                Ok(whole) => slot.cut_short |= !whole,
                Err(error) => slot.failure = Some(error.kind()),
            }
            frame.clear();
            slot.spare = if frame.capacity() > KEPT { Vec::new() } else { frame };
            drop(slot);
            self.moved.notify_all();
            self.drained.notify_one();
        }
    }

    /// One write where the terminal has room, as it nearly always has. False: what was left was not wanted any more.
    fn send_whole(&self, mut rest: &[u8]) -> io::Result<bool> {
        while !rest.is_empty() {
            if self.slot().abandon {
                return Ok(false);
            }
            match self.tty.write(rest)? {
                Written::Some(count) => rest = &rest[count..],
                Written::Full => self.tty.wait(),
            }
        }
        Ok(true)
    }
}
