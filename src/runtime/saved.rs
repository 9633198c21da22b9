//! Writes what is on the screen to files: a picture and text, in the folder that the program was started in.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use ratatui::buffer::Buffer;

use crate::contract;
use crate::domain::At;
use crate::ui::export;

/// So many files may bear the same moment.
const MOST_OF_A_SECOND: u32 = 20;

/// Writes the frame, and says where it went or why it did not.
pub(super) fn save(frame: &Buffer, now: At) -> String {
    let moment: String = contract::time(now).chars().filter(char::is_ascii_alphanumeric).collect();
    let stem = format!("warroom-{moment}");
    let written = written(&stem, "svg", &export::svg(frame, true))
        .and_then(|svg| written(&stem, "txt", &export::text(frame)).map(|text| (svg, text)));
    match written {
        Ok((svg, text)) => format!("wrote '{svg}' and '{text}'"),
        Err(error) => format!("the screen was not saved: '{stem}.svg' cannot be written here ({})", error.kind()),
    }
}

/// Writes a new file that its owner alone reads: names of a cluster are on it. Never over another one.
fn written(stem: &str, kind: &str, text: &str) -> io::Result<String> {
    for number in 1..=MOST_OF_A_SECOND {
        let name = if number == 1 { format!("{stem}.{kind}") } else { format!("{stem}-{number}.{kind}") };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name) {
            Ok(mut file) => return file.write_all(text.as_bytes()).map(|()| name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
