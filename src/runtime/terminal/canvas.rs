//! Where a frame is drawn: into memory, and never onto the terminal.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

/// The bytes of a frame, shared between who makes them and who sends them.
#[derive(Debug, Clone, Default)]
pub(super) struct Ink(Rc<RefCell<Vec<u8>>>);

impl Ink {
    /// Takes the bytes and leaves `empty` for the next frame.
    pub(super) fn replace(&self, empty: Vec<u8>) -> Vec<u8> {
        self.0.replace(empty)
    }
}

impl Write for Ink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal that is asked nothing: its size is told, and the place of its cursor is remembered.
///
/// The crate's own backend asks the terminal for both, and waits seconds for an answer that the reader of keys may
/// have taken.
pub(super) struct Canvas {
    inner: CrosstermBackend<Ink>,
    size: Size,
    cursor: Position,
    cursor_is_shown: bool,
    touched: bool,
}

impl Canvas {
    /// A canvas of this size that writes to `ink`.
    pub(super) fn new(ink: Ink, size: Size) -> Self {
        let inner = CrosstermBackend::new(ink);
        Self { inner, size, cursor: Position::ORIGIN, cursor_is_shown: false, touched: false }
    }

    /// The terminal has this size from now on.
    pub(super) fn set_size(&mut self, size: Size) {
        self.size = size;
    }

    /// The cursor is hidden now, whatever it was.
    pub(super) fn forget_cursor(&mut self) {
        self.cursor_is_shown = false;
    }

    /// Whether anything would look different since this was asked last.
    pub(super) fn take_touched(&mut self) -> bool {
        std::mem::take(&mut self.touched)
    }
}

impl Backend for Canvas {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        self.touched = true;
        self.inner.draw(content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.cursor_is_shown) {
            self.touched = true;
            self.inner.hide_cursor()?;
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.cursor_is_shown, true) {
            self.touched = true;
            self.inner.show_cursor()?;
        }
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.cursor)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        self.touched |= std::mem::replace(&mut self.cursor, position) != position;
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.touched = true;
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
