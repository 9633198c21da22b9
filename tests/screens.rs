//! Every view as a picture of characters: live, healthy, stale, denied, before anything has answered; narrow and wide.

#[path = "support/incident.rs"]
#[expect(dead_code, reason = "screens ask for no suspect by itself")]
mod incident;
#[path = "support/screen.rs"]
mod screen;

use std::io::Write as _;
use std::path::Path;

use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use screen::{Story, breach, connecting, denied, draw, healthy, look, room, stale};
use warroom::app::{Command, Event, View};
use warroom::ui::theme::Theme;
use warroom::ui::{Colours, Look, export};

/// The views that a key opens, and the command.
const VIEWS: [(View, Option<Command>); 9] = [
    (View::Main, None),
    (View::Evidence, Some(Command::Evidence)),
    (View::Replicas, Some(Command::Replicas)),
    (View::Revisions, Some(Command::Revisions)),
    (View::Gpus, Some(Command::Gpus)),
    (View::Timeline, Some(Command::Timeline)),
    (View::Runbook, Some(Command::Runbook)),
    (View::Sources, Some(Command::Sources)),
    (View::Help, Some(Command::Help)),
];

fn stories() -> Vec<(&'static str, Story)> {
    vec![
        ("breach", breach()),
        ("healthy", healthy()),
        ("stale", stale()),
        ("denied", denied()),
        ("connecting", connecting()),
    ]
}

/// Writes every screen with its colours, to be looked at: `cargo test --test screens -- --ignored pictures`.
#[test]
#[ignore = "writes files to look at"]
fn pictures() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screens");
    std::fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, buffer: &Buffer| {
        let mut bytes = Vec::new();
        let mut backend = CrosstermBackend::new(&mut bytes);
        let cells = buffer.area.positions().map(|p| (p.x, p.y, &buffer[p]));
        backend.draw(cells).expect("a picture");
        write!(bytes, "\x1b[{};1H", buffer.area.height).expect("bytes");
        std::fs::write(folder.join(format!("{name}.ansi")), bytes).expect("a file");
        std::fs::write(folder.join(format!("{name}.svg")), export::svg(buffer, true)).expect("a file");
    };
    for (story, told) in stories() {
        for (view, command) in VIEWS {
            for (columns, rows) in [(80, 24), (120, 36), (200, 50)] {
                let mut app = room(&told);
                app.update(Event::Resized { columns, rows });
                command.map(|c| app.update(Event::Command(c)));
                write(&format!("{story}-{view}-{columns}"), &draw(&app, &look(), columns, rows));
                if view == View::Main {
                    let light = Look::new(&Theme::named("light").0, Colours::Palette256, false);
                    write(&format!("{story}-{view}-{columns}-light"), &draw(&app, &light, columns, rows));
                    app.update(Event::Command(Command::Present));
                    write(&format!("{story}-{view}-{columns}-present"), &draw(&app, &look(), columns, rows));
                }
            }
        }
    }
}
