//! Every view as a picture of characters: live, healthy, stale, denied, before anything has answered; narrow and wide.

#[path = "screens/changes.rs"]
mod changes;
#[path = "screens/chooser.rs"]
mod chooser;
#[path = "support/incident.rs"]
#[expect(dead_code, reason = "screens ask for no suspect by itself")]
mod incident;
#[path = "support/screen.rs"]
mod screen;
#[path = "screens/sources.rs"]
mod sources;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use proptest::prelude::*;
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use screen::{Story, breach, connecting, denied, draw, healthy, judged, look, room, stale};
use warroom::app::{App, Command, Effect, Event, LogBatch, View};
use warroom::diagnosis::{Events, Metric, SloRow};
use warroom::domain::{Slice, Verdict};
use warroom::ui::theme::{EMBEDDED, Theme};
use warroom::ui::{Colours, Look, export};

/// The views that a key opens, and the command.
const VIEWS: [(View, Option<Command>); 10] = [
    (View::Main, None),
    (View::Evidence, Some(Command::Evidence)),
    (View::Replicas, Some(Command::Replicas)),
    (View::Revisions, Some(Command::Revisions)),
    (View::Gpus, Some(Command::Gpus)),
    (View::Timeline, Some(Command::Timeline)),
    (View::Runbook, Some(Command::Runbook)),
    (View::Levers, Some(Command::Levers)),
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

/// The screen of a story as text, after some commands.
fn text(app: &mut App, look: &Look, commands: &[Command], columns: u16, rows: u16) -> String {
    app.update(Event::Resized { columns, rows });
    for command in commands {
        app.update(Event::Command(*command));
    }
    export::text(&draw(app, look, columns, rows))
}

fn shown(story: &Story, commands: &[Command], columns: u16, rows: u16) -> String {
    text(&mut room(story), &look(), commands, columns, rows)
}

#[test]
fn the_main_screen_in_three_sizes() {
    for (name, story) in stories() {
        for (columns, rows) in [(80, 24), (120, 36), (200, 50)] {
            insta::assert_snapshot!(format!("{name}-main-{columns}x{rows}"), shown(&story, &[], columns, rows));
        }
    }
}

#[test]
fn every_view_of_the_incident() {
    let story = breach();
    for (view, command) in VIEWS {
        if let Some(command) = command {
            insta::assert_snapshot!(format!("breach-{view}-80x24"), shown(&story, &[command], 80, 24));
        }
    }
    insta::assert_snapshot!("breach-evidence-120x36", shown(&story, &[Command::Evidence], 120, 36));
    insta::assert_snapshot!("breach-replicas-120x36", shown(&story, &[Command::Replicas, Command::Down], 120, 36));
}

#[test]
fn views_that_have_little_to_show_say_why() {
    for (name, story, views) in [
        ("healthy", healthy(), vec![Command::Evidence, Command::Runbook, Command::Gpus, Command::Timeline]),
        ("stale", stale(), vec![Command::Replicas, Command::Sources]),
        ("denied", denied(), vec![Command::Revisions, Command::Sources, Command::Replicas]),
        ("connecting", connecting(), vec![Command::Evidence, Command::Replicas, Command::Runbook, Command::Sources]),
    ] {
        let all: String = views.iter().map(|view| shown(&story, &[*view], 80, 14)).collect();
        insta::assert_snapshot!(format!("{name}-views-80x14"), all);
    }
}

#[test]
fn small_terminals_lose_the_least_important_rows() {
    for (columns, rows) in [(60, 20), (60, 24), (80, 20)] {
        let screen = shown(&breach(), &[], columns, rows);
        insta::assert_snapshot!(format!("breach-main-{columns}x{rows}"), screen);
        for must in ["BREACH", "WHERE", "WHY", "TTFT", "Queue", "Rollout", "q quit"] {
            assert!(screen.contains(must), "{columns}x{rows} has no '{must}':\n{screen}");
        }
    }
}

#[test]
fn a_terminal_that_knows_ascii_alone_gets_ascii_alone() {
    let plain = Look::new(&Theme::default(), Colours::Palette256, true);
    let mut app = room(&breach());
    let main = text(&mut app, &plain, &[], 80, 24);
    insta::assert_snapshot!("breach-main-ascii-80x24", main);
    for (_, command) in VIEWS {
        let screen = text(&mut app, &plain, &command.into_iter().collect::<Vec<_>>(), 120, 36);
        assert!(screen.is_ascii(), "{screen}");
    }
}

#[test]
fn without_colours_nothing_is_coloured_and_everything_is_still_said() {
    let none = Look::new(&Theme::default(), Colours::None, false);
    let (coloured, plain) = (draw(&room(&breach()), &look(), 120, 36), draw(&room(&breach()), &none, 120, 36));
    assert_eq!(export::text(&coloured), export::text(&plain), "no word depends on a colour");
    for cell in &plain.content {
        assert_eq!((cell.fg, cell.bg), (ratatui::style::Color::Reset, ratatui::style::Color::Reset));
    }
    assert!(plain.content.iter().any(|c| c.modifier.contains(ratatui::style::Modifier::REVERSED)));
}

#[test]
fn sixteen_colours_are_no_more_than_sixteen() {
    for (name, _) in EMBEDDED {
        let look = Look::new(&Theme::named(name).0, Colours::Ansi16, false);
        for cell in &draw(&room(&breach()), &look, 120, 36).content {
            for colour in [cell.fg, cell.bg] {
                let wide = matches!(colour, ratatui::style::Color::Rgb(..) | ratatui::style::Color::Indexed(_));
                assert!(!wide, "{name}: {colour:?}");
            }
        }
    }
}

/// The styles of a screen, row by row: which style from which column on.
fn styles(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in buffer.area.rows() {
        let mut last = None;
        for x in row.left()..row.right() {
            let cell = &buffer[(x, row.y)];
            let style = (cell.fg, cell.bg, cell.modifier);
            if last != Some(style) {
                let _ = write!(out, "{x}:{:?}/{:?}/{:?} ", style.0, style.1, style.2);
                last = Some(style);
            }
        }
        out.push('\n');
    }
    out
}

#[test]
fn each_theme_paints_the_incident_in_its_own_way() {
    for (name, _) in EMBEDDED {
        let look = Look::new(&Theme::named(name).0, Colours::True, false);
        insta::assert_snapshot!(format!("styles-{name}"), styles(&draw(&room(&breach()), &look, 80, 24)));
    }
}

/// What must not be seen on a shared screen.
const SECRETS: [&str; 5] = ["llm-serving", "gpu-node-", "lab-model", "10.42.7.19", "10.0.0.1"];

#[test]
fn while_presenting_no_masked_name_is_on_any_screen() {
    let mut told = stories();
    let now = told[0].1.snapshot.now;
    told[0].1.snapshot.endpoints[2].failed(
        now,
        warroom::domain::Failure::Other("dial 10.42.7.19:8000: no route to gpu-node-c in llm-serving".to_owned()),
    );
    for (name, story) in told {
        for (view, command) in VIEWS {
            for (columns, rows) in [(80, 24), (200, 50)] {
                let mut commands = vec![Command::Present];
                commands.extend(command);
                let screen = shown(&story, &commands, columns, rows);
                for secret in SECRETS {
                    assert!(!screen.contains(secret), "'{secret}' in {name} {view}:\n{screen}");
                }
            }
        }
    }
    insta::assert_snapshot!("breach-main-presenting-120x36", shown(&breach(), &[Command::Present], 120, 36));
    insta::assert_snapshot!("breach-main-presenting-80x24", shown(&breach(), &[Command::Present], 80, 24));
}

#[test]
fn nothing_is_green_because_data_stopped() {
    let story = stale();
    assert_eq!(judged(&story).verdict, Verdict::CannotTell);
    let buffer = draw(&room(&story), &look(), 80, 24);
    let screen = export::text(&buffer);
    assert!(screen.contains("stale 1m") && screen.contains("CANNOT TELL") && screen.contains("STALE"), "{screen}");
    let green = look().style(warroom::ui::theme::Slot::VerdictHealthy).fg;
    let cells: Vec<_> = buffer.content.iter().filter(|c| Some(c.fg) == green && c.symbol() != " ").collect();
    assert!(cells.is_empty(), "{cells:?}");
}

#[test]
fn a_row_that_counts_requests_between_tokens_says_so_and_has_nobodys_trend() {
    let mut d = judged(&healthy());
    let tokens = d.slo.iter().find(|row| row.metric == Metric::Tpot).expect("a row").clone();
    let acme = Slice { tenant: Some("acme".to_owned()), ..Slice::default() };
    let (count, bad) = (Some(100.0), Some(40.0));
    let row = SloRow { slice: Some(acme), events: Events::Requests, count, bad, bad_at_most: bad, ..tokens };
    d.sliced = vec![row];
    let mut app = room(&healthy());
    app.judged(d);
    let screen = text(&mut app, &look(), &[], 200, 50);
    let tpot: Vec<&str> = screen.lines().filter(|line| line.contains("TPOT ≤")).collect();
    assert_eq!(tpot.len(), 2, "{screen}");
    assert!(!tpot[0].contains("req") && tpot[1].contains("≤50 ms acme") && tpot[1].contains("40% req"), "{screen}");
    let trend = |line: &str| line.chars().skip(75).any(|c| ('\u{2581}'..='\u{2588}').contains(&c));
    assert!(trend(tpot[0]) && !trend(tpot[1]), "{screen}");
}

#[test]
fn ages_grow_every_second_without_another_diagnosis() {
    let story = breach();
    let mut app = room(&story);
    let at = app.diagnosis().expect("judged").at;
    app.take_changed();
    app.update(Event::Tick(story.snapshot.now.plus(2.0)));
    assert!(app.take_changed() && app.diagnosis().expect("judged").at == at);
    let later = export::text(&draw(&app, &look(), 80, 24));
    app.update(Event::Tick(story.snapshot.now.plus(2.4)));
    assert!(!app.take_changed(), "within one second nothing looks different");
    assert!(later.contains("oldest 4s") && !later.contains("oldest 3s"), "{later}");
}

#[test]
fn a_log_is_followed_searched_and_left() {
    let mut app = room(&breach());
    let effects = app.update(Event::Command(Command::Logs));
    let pod = "vllm-runtime-7c9d4f6b5-2xkqp".to_owned();
    assert_eq!(effects, [Effect::FollowLogs { pod: pod.clone(), container: Some("vllm".to_owned()), previous: false }]);
    let lines = (0..60).map(|i| match i {
        20 => "ERROR 10:03:50 engine: \x1b[31mout of blocks\x1b[0m".to_owned(),
        40 => "WARNING 10:03:59 scheduler: preempted 12 requests".to_owned(),
        _ => format!("INFO 10:03:{i:02} metrics: running 8, waiting {i}"),
    });
    app.update(Event::Logs(LogBatch { pod, lines: lines.collect(), ended: None }));
    insta::assert_snapshot!("breach-logs-80x24", text(&mut app, &look(), &[], 80, 24));
    app.update(Event::Command(Command::Find));
    "error".chars().for_each(|c| drop(app.update(Event::Typed(c))));
    let found = text(&mut app, &look(), &[Command::Accept], 80, 24);
    assert!(found.contains("ERROR 10:03:50 engine: ·[31mout of blocks"), "{found}");
    assert_eq!(app.update(Event::Command(Command::Back)), [], "first what is looked for is let go");
    assert_eq!(app.update(Event::Command(Command::Back)), [Effect::StopLogs]);
    assert_eq!(app.view(), View::Main);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_size_and_no_name_breaks_the_screen(
        columns in 1_u16..250,
        rows in 1_u16..80,
        name in "\\PC{0,12}|[\\x00-\\x1f\u{7f}-\u{9f}]{1,9}|(日本|\u{202e}|e\u{301}){1,90}|x{300}",
        view in 0..VIEWS.len(),
        ascii: bool,
        presenting: bool,
        logs: bool,
    ) {
        let mut story = breach();
        let mut d = judged(&story);
        d.sentence.clone_from(&name);
        for finding in &mut d.findings {
            finding.summary.clone_from(&name);
            finding.surer = Some(name.clone());
            for evidence in &mut finding.evidence {
                evidence.claim.clone_from(&name);
                evidence.source.clone_from(&name);
                evidence.reproduce = Some(name.clone());
            }
        }
        for row in &mut d.replicas {
            row.name.clone_from(&name);
            row.node = Some(name.clone());
        }
        d.changes.iter_mut().for_each(|c| c.summary.clone_from(&name));
        d.sources.iter_mut().for_each(|s| s.error = Some(name.clone()));
        d.revisions.iter_mut().for_each(|r| r.image.clone_from(&name));
        d.gpus.iter_mut().for_each(|g| g.note.clone_from(&name));
        if let Some(target) = &mut story.snapshot.target {
            target.namespace.clone_from(&name);
        }
        let mut app = room(&story);
        app.judged(d);
        app.update(Event::Notice(name.clone()));
        VIEWS[view].1.map(|command| app.update(Event::Command(command)));
        if logs {
            let opened = app.update(Event::Command(Command::Logs));
            for effect in opened {
                if let Effect::FollowLogs { pod, .. } = effect {
                    app.update(Event::Logs(LogBatch { pod, lines: vec![name.clone(); 40], ended: Some(name.clone()) }));
                }
            }
        }
        if presenting {
            app.update(Event::Command(Command::Present));
        }
        app.update(Event::Command(Command::Bottom));
        let look = Look::new(&Theme::default(), Colours::True, ascii);
        for cell in &draw(&app, &look, columns, rows).content {
            let harm = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            prop_assert!(!cell.symbol().contains(harm), "{:?}", cell.symbol());
            prop_assert!(!ascii || cell.symbol().is_ascii(), "{:?}", cell.symbol());
        }
    }
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
    for (name, mut app) in changes::pictured() {
        for (columns, rows) in [(80, 24), (120, 36)] {
            app.update(Event::Resized { columns, rows });
            write(&format!("{name}-{columns}"), &draw(&app, &look(), columns, rows));
        }
    }
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
