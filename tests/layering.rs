//! The house keeps its ranks: reads `src/**/*.rs` as text and fails on an import that points upwards.
//!
//! Each room of `src` (`src/ui.rs` and `src/ui/*.rs` are the room `ui`) has a rank in [`RANKS`]. A room names rooms
//! of its own rank or lower ones, with the few exceptions of [`may_name`]; the functional core (ranks 0 to 3) names no
//! clock, socket, file or screen. The checker is a scanner and not a compiler: it drops comments and strings, follows
//! `crate::`, `warroom::`, `self::` and `super::` through nested `use` groups and inline modules, and nothing else.
//!
//! To add a room: give it a rank in [`RANKS`]. A room without one fails here, so nothing can stand outside the order.

use std::fs;
use std::path::{Path, PathBuf};

/// The rank of the rooms that touch the world: sockets, files, the cluster.
const EDGE: u8 = 5;
/// The rank of the rooms that know everyone.
const TOP: u8 = 6;

/// Every room with its rank; the order is the order of the map in the architecture.
const RANKS: &[(&str, u8)] = &[
    ("domain", 0),
    ("text", 0),
    ("decode", 1),
    ("dialect", 1),
    ("diagnosis", 1),
    ("action", 1),
    ("runbook", 2),
    ("app", 3),
    ("ui", 4),
    ("report", 4),
    ("contract", 4),
    ("source", EDGE),
    ("reach", EDGE),
    ("cluster", EDGE),
    ("journal", EDGE),
    ("clock", EDGE),
    ("apiserver", EDGE),
    ("sim", EDGE),
    ("command", EDGE),
    ("cli", TOP),
    ("config", TOP),
    ("runtime", TOP),
    ("main", TOP),
    ("lib", TOP),
];

/// The highest rank of the functional core.
const CORE: u8 = 3;

/// Crates that the functional core does not name.
const FOREIGN_TO_THE_CORE: &[&str] = &["tokio", "kube", "reqwest", "nvml_wrapper", "ratatui", "crossterm"];

/// Parts of the standard library that the functional core does not name: they reach files, sockets and processes.
const STD_FOREIGN_TO_THE_CORE: &[&str] = &["fs", "env", "net", "process"];

/// Types whose very name means that somebody looks at a clock.
const CLOCKS: &[&str] = &["SystemTime", "Instant"];

/// No file grows past this: split it when it gains a second reason to change.
const MOST_LINES: usize = 800;

/// The rank of a room, or nothing where the name is no room.
fn rank(room: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == room).map(|(_, rank)| *rank)
}

/// Whether `room` may name `other`; a name without a rank may neither name nor be named.
fn may_name(room: &str, other: &str) -> bool {
    let (Some(from), Some(to)) = (rank(room), rank(other)) else { return false };
    // A reading carries the time at which it was taken, and a simulation's time is this machine's, stretched.
    let reads_the_clock = matches!(room, "source" | "sim" | "reach" | "cluster") && other == "clock";
    // Whoever asks a cluster asks through the same conversation, which knows no resource.
    let asks_the_api_server = matches!(room, "source" | "reach" | "cluster") && other == "apiserver";
    let reads_the_clock = reads_the_clock || (room == "apiserver" && other == "clock");
    // A command is thin: it hands one `Config` to edges and prints what comes back.
    let is_a_command = room == "command" && (to == EDGE || other == "config");
    // Siblings of the core's middle and of the edge stay strangers, so that each can be read alone.
    let below = to < from || (to == from && from != 1 && from != EDGE);
    room == other || below || reads_the_clock || asks_the_api_server || is_a_command
}

/// One word or sign of Rust, and the line (from 1) on which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// The source with every comment, string and character literal replaced by spaces; line breaks stay where they were.
fn without_comments_and_strings(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut kept = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = end_of_literal_or_comment(&chars, at).min(chars.len());
        if end > at {
            kept.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            kept.push(chars[at]);
            at += 1;
        }
    }
    kept
}

/// Where the comment, string or character literal that begins at `at` ends; `at` itself where none begins.
fn end_of_literal_or_comment(chars: &[char], at: usize) -> usize {
    let look = |ahead: usize| chars.get(at + ahead).copied();
    match (chars[at], look(1)) {
        ('/', Some('/')) => position(chars, at, |c| c == '\n'),
        ('/', Some('*')) => end_of_block_comment(chars, at),
        ('"', _) => end_of_quoted(chars, at, '"'),
        // `'a'` and `'\n'` are characters, `'a` alone is a lifetime.
        ('\'', Some('\\')) => end_of_quoted(chars, at, '\''),
        ('\'', Some(_)) if look(2) == Some('\'') => at + 3,
        ('r', Some('"' | '#')) if at == 0 || !part_of_word(chars[at - 1]) || has_raw_prefix(chars, at) => {
            end_of_raw_string(chars, at)
        }
        _ => at,
    }
}

/// Whether the `r` at `at` follows a lone `b` or `c`, as in `br"..."`.
fn has_raw_prefix(chars: &[char], at: usize) -> bool {
    matches!(chars[at - 1], 'b' | 'c') && (at < 2 || !part_of_word(chars[at - 2]))
}

/// The first position from `from` on that satisfies `wanted`, or the end.
fn position(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|c| wanted(*c)).map_or(chars.len(), |found| from + found)
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) if depth == 1 => return at + 2,
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    chars.len()
}

fn end_of_quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// `start` itself where it is a raw identifier (`r#type`) and no string.
fn end_of_raw_string(chars: &[char], start: usize) -> usize {
    let opening = position(chars, start + 1, |c| c != '#');
    if chars.get(opening) != Some(&'"') {
        return start;
    }
    let hashes = opening - start - 1;
    let mut at = opening + 1;
    while at < chars.len() {
        let closing = at + 1;
        let rest = &chars[closing..chars.len().min(closing + hashes)];
        if chars[at] == '"' && rest.len() == hashes && rest.iter().all(|c| *c == '#') {
            return closing + hashes;
        }
        at += 1;
    }
    chars.len()
}

fn part_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words, `::` as one sign, every other sign alone.
fn tokens(source: &str) -> Vec<Token> {
    let clean = without_comments_and_strings(source);
    let mut found: Vec<Token> = Vec::new();
    for (index, text) in clean.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if part_of_word(first) {
                rest.find(|c| !part_of_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push(Token { text: rest[..length].to_owned(), line: index + 1 });
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// A path as written, and where: `crate::a::{b, c}` is two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    parts: Vec<String>,
    line: usize,
    /// The inline modules around it, outermost first: `super` inside `mod tests { ... }` is this very file.
    inside: Vec<String>,
}

/// The text of the token at `at`, empty past the end.
fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// Every path in the file, `use` groups written out.
fn paths(tokens: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    // One entry per open brace: the inline module's name, or nothing for every other brace.
    let mut open: Vec<Option<String>> = Vec::new();
    for at in 0..tokens.len() {
        match text(tokens, at) {
            "{" => {
                let module = at >= 2 && text(tokens, at - 2) == "mod";
                open.push(module.then(|| text(tokens, at - 1).to_owned()));
            }
            "}" => drop(open.pop()),
            word if word.starts_with(part_of_word) && begins_path(tokens, at) => {
                let mut written = Vec::new();
                write_out(tokens, at, &[], &mut written);
                let inside: Vec<String> = open.iter().flatten().cloned().collect();
                let line = tokens[at].line;
                found.extend(written.into_iter().map(|parts| Named { parts, line, inside: inside.clone() }));
            }
            _ => {}
        }
    }
    found
}

/// Whether the word at `at` is the first of a path: something follows it, or it is imported, and nothing leads to it.
fn begins_path(tokens: &[Token], at: usize) -> bool {
    let back = |steps: usize| at.checked_sub(steps).map_or("", |at| text(tokens, at));
    // A `::` that nothing leads to begins a path in another crate: `use ::std::fs`.
    let leads = |word: &str| word.starts_with(part_of_word) && !matches!(word, "use" | "as" | "in" | "return");
    let continues = back(1) == "." || (back(1) == "::" && (leads(back(2)) || back(2) == ">"));
    let imported = back(1) == "use" || (back(1) == "crate" && back(2) == "extern");
    !continues && (imported || text(tokens, at + 1) == "::")
}

/// Follows one path from `at`, groups included, and returns where it ends.
fn write_out(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    loop {
        match text(tokens, at) {
            "{" => {
                at += 1;
                while !matches!(text(tokens, at), "}" | "") {
                    at = if text(tokens, at) == "," { at + 1 } else { write_out(tokens, at, &path, found) };
                }
                return at + 1;
            }
            word if word == "*" || word.starts_with(part_of_word) => {
                path.push(word.to_owned());
                at += 1;
                if text(tokens, at) != "::" {
                    break;
                }
                at += 1;
            }
            // A turbofish, or something that is no path: what stands so far is all there is.
            _ => {
                at += 1;
                break;
            }
        }
    }
    found.push(path);
    if text(tokens, at) == "as" { at + 2 } else { at }
}

/// The modules of a file, outermost first: `src/ui/theme.rs` is `ui`, `theme`; `lib.rs` and `main.rs` are the root.
fn modules_of(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    if matches!(inner, "lib" | "main") { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
}

/// The path seen from the crate's root, or nothing where it begins in another crate or with a name in scope.
fn from_the_root(path: &Named, modules: &[String]) -> Option<Vec<String>> {
    let mut here: Vec<String> = modules.iter().chain(&path.inside).cloned().collect();
    let mut rest = path.parts.as_slice();
    match rest.first().map(String::as_str) {
        Some("crate" | "warroom") => {
            here.clear();
            rest = &rest[1..];
        }
        Some("self" | "super") => {}
        _ => return None,
    }
    while let Some(step @ ("self" | "super")) = rest.first().map(String::as_str) {
        if step == "super" {
            here.pop();
        }
        rest = &rest[1..];
    }
    here.extend(rest.iter().cloned());
    Some(here)
}

/// Every way in which one file breaks the house's rules, each as `path:line: sentence`. `path` begins with `src/`.
fn check(path: &str, source: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let mut tell = |line: usize, what: &str| broken.push(format!("{path}:{line}: {what}"));

    if path.ends_with("/mod.rs") {
        tell(1, "is a mod.rs: name the file after its module, with a folder of the same name beside it");
    }
    if !source.starts_with("//!") {
        tell(1, "does not begin with '//!': say what the module owns and what it does not know");
    }
    let lines = source.lines().count();
    if lines > MOST_LINES {
        tell(lines, &format!("has {lines} lines, more than {MOST_LINES}: split it along its reasons to change"));
    }

    let modules = modules_of(path);
    let root_file = if path == "src/main.rs" { "main" } else { "lib" };
    let room = modules.first().map_or(root_file, String::as_str);
    let Some(own) = rank(room) else {
        tell(1, &format!("the room '{room}' has no rank: give it one in tests/layering.rs"));
        return broken;
    };

    let tokens = tokens(source);
    for named in paths(&tokens) {
        let wrong = match from_the_root(&named, &modules) {
            Some(absolute) if own < TOP => wrong_room(room, absolute.first().map(String::as_str)),
            Some(_) => None,
            None => foreign_name(room, own, &named.parts),
        };
        if let Some(wrong) = wrong {
            tell(named.line, &wrong);
        }
    }
    if own <= CORE {
        for token in tokens.iter().filter(|token| CLOCKS.contains(&token.text.as_str())) {
            tell(token.line, &format!("'{room}' may not name the clock '{}': time enters by events", token.text));
        }
    }
    broken
}

/// What is wrong with `room` naming the room `other` of this crate, if anything.
fn wrong_room(room: &str, other: Option<&str>) -> Option<String> {
    match other {
        None | Some("*") => Some("names the crate's root: name the room that is meant".to_owned()),
        Some(other) if rank(other).is_none() => Some(format!("names 'crate::{other}', a room without a rank")),
        Some(other) if !may_name(room, other) => Some(format!("'{room}' may not name '{other}'")),
        Some(_) => None,
    }
}

/// What is wrong with `room` naming this path into another crate, if anything.
fn foreign_name(room: &str, own: u8, parts: &[String]) -> Option<String> {
    let part = |at: usize| parts.get(at).map_or("", String::as_str);
    let terminal = matches!(part(0), "ratatui" | "crossterm");
    let foreign = match part(0) {
        _ if terminal && matches!(room, "report" | "contract") => true,
        _ if own > CORE => false,
        "std" => STD_FOREIGN_TO_THE_CORE.contains(&part(1)),
        // `jiff` is arithmetic here; its ways to ask what time it is are a clock.
        "jiff" => parts.last().is_some_and(|last| last == "now"),
        "Timestamp" | "Zoned" => part(1) == "now",
        other => FOREIGN_TO_THE_CORE.contains(&other),
    };
    foreign.then(|| format!("'{room}' may not name '{}'", parts.join("::")))
}

/// Every `.rs` file under `folder`, in a stable order.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_module_names_only_what_stands_below_it() {
    let files = rust_files(&root().join("src"));
    assert!(files.iter().any(|file| file.ends_with("lib.rs")), "the sources were not found");
    let mut broken = Vec::new();
    for file in files {
        let path = file.strip_prefix(root()).expect("a file of this package");
        let path = path.to_string_lossy().replace('\\', "/");
        broken.extend(check(&path, &fs::read_to_string(&file).expect("a source file is UTF-8")));
    }
    assert!(broken.is_empty(), "the house's rules are broken:\n{}", broken.join("\n"));
}

/// What may stand in the root of the package beside hidden files, and whether it has to.
const TOP_LEVEL: &[(&str, bool)] = &[
    ("Cargo.toml", true),
    ("Cargo.lock", true),
    ("LICENSE", true),
    ("README.md", false),
    ("src", true),
    ("tests", true),
    ("themes", true),
    ("assets", true),
    ("runbooks", false),
    ("benches", false),
    ("fuzz", false),
];

/// What is wrong with these names in the root of the package.
fn check_top_level(names: &[&str]) -> Vec<String> {
    let known = |name: &str| TOP_LEVEL.iter().any(|(known, _)| *known == name);
    let hidden_or_built = |name: &str| name.starts_with('.') || name == "target";
    let strangers = names
        .iter()
        .filter(|name| !hidden_or_built(name) && !known(name))
        .map(|name| format!("'{name}' does not belong in the top level"));
    let missing = TOP_LEVEL
        .iter()
        .filter(|(name, required)| *required && !names.contains(name))
        .map(|(name, _)| format!("'{name}' is missing from the top level"));
    strangers.chain(missing).collect()
}

#[test]
fn the_top_level_holds_exactly_what_its_user_drew() {
    let names: Vec<String> = fs::read_dir(root())
        .expect("the package can be listed")
        .map(|entry| entry.expect("the entry can be read").file_name().to_string_lossy().into_owned())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(check_top_level(&names), Vec::<String>::new());
}

/// The checker itself, on small made-up files: each rule can be broken, and what is allowed passes.
mod the_checker {
    use super::{MOST_LINES, check, check_top_level, without_comments_and_strings};

    /// What is said about `body` as the file `path`, which begins with a module doc.
    fn said(path: &str, body: &str) -> String {
        check(path, &format!("//! Doc.\n{body}\n")).join("\n")
    }

    #[track_caller]
    fn refuses(path: &str, body: &str, phrase: &str) {
        let said = said(path, body);
        assert!(said.contains(phrase), "expected '{phrase}' about\n{body}\nbut it said: '{said}'");
    }

    #[track_caller]
    fn accepts(path: &str, body: &str) {
        assert_eq!(said(path, body), "", "about\n{body}");
    }

    #[test]
    fn refuses_a_path_that_points_upwards() {
        refuses("src/domain.rs", "use crate::ui::Theme;", "'domain' may not name 'ui'");
        refuses("src/domain/x.rs", "fn f() { crate::app::update() }", "'domain' may not name 'app'");
        refuses("src/runbook.rs", "use warroom::app::App;", "'runbook' may not name 'app'");
        refuses("src/app.rs", "use crate::ui;", "'app' may not name 'ui'");
        refuses("src/ui/theme.rs", "use crate::config::Config;", "'ui' may not name 'config'");
        refuses("src/source.rs", "use crate::runtime::Handle;", "'source' may not name 'runtime'");
        refuses("src/domain.rs", "fn f(a: $crate::app::App) {}", "'domain' may not name 'app'");
    }

    #[test]
    fn accepts_a_path_that_points_downwards_or_stays_at_home() {
        accepts("src/diagnosis.rs", "use crate::{domain::Snapshot, text::Text};");
        accepts("src/domain.rs", "use crate::text::Text;");
        accepts("src/domain/a.rs", "use super::b::B; use crate::domain::c::C; use self::d::D;");
        accepts("src/ui.rs", "use crate::app::App; use crate::report::Page;");
        accepts("src/app.rs", "use crate::runbook::Run; use crate::action::Plan; use crate::decode::Page;");
    }

    #[test]
    fn follows_groups_renames_and_lines() {
        refuses("src/domain.rs", "use crate::{\n    text as t,\n    domain::{a, b},\n    ui::{self},\n};", "name 'ui'");
        refuses("src/domain.rs", "use {crate::text, crate::app::App as A};", "'domain' may not name 'app'");
        refuses("src/domain.rs", "\n\nuse crate::app;", "src/domain.rs:4:");
    }

    #[test]
    fn follows_super_out_of_the_room_and_not_inside_it() {
        refuses("src/domain.rs", "use super::app::App;", "'domain' may not name 'app'");
        refuses("src/domain/a.rs", "use super::super::app::App;", "'domain' may not name 'app'");
        accepts("src/domain/app.rs", "use super::app::App;");
        accepts("src/domain.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use super::*; use super::app::App; }");
        refuses("src/domain.rs", "mod tests { fn f() {} }\nuse super::app::App;", "'domain' may not name 'app'");
        refuses("src/domain.rs", "mod tests { use super::super::app::App; }", "'domain' may not name 'app'");
    }

    #[test]
    fn refuses_siblings_of_rank_one_that_import_each_other() {
        refuses("src/diagnosis.rs", "use crate::action::Plan;", "'diagnosis' may not name 'action'");
        refuses("src/action/plan.rs", "use crate::diagnosis::Finding;", "'action' may not name 'diagnosis'");
        refuses("src/dialect.rs", "use crate::decode::Page;", "'dialect' may not name 'decode'");
    }

    #[test]
    fn refuses_the_world_in_the_functional_core() {
        for foreign in ["tokio::sync::mpsc", "kube::Client", "reqwest::Url", "nvml_wrapper::Nvml"] {
            refuses("src/app.rs", &format!("use {foreign};"), "'app' may not name");
        }
        refuses("src/app.rs", "use ratatui;", "'app' may not name 'ratatui'");
        refuses("src/app.rs", "extern crate crossterm;", "'app' may not name 'crossterm'");
        refuses("src/decode.rs", "use std::{fmt, fs};", "'decode' may not name 'std::fs'");
        refuses("src/decode.rs", "fn f() { std::env::var(NAME); }", "'decode' may not name 'std::env::var'");
        refuses("src/decode.rs", "use ::std::net::IpAddr;", "'decode' may not name 'std::net::IpAddr'");
        refuses("src/runbook.rs", "use std::process::Command;", "'runbook' may not name 'std::process::Command'");
        refuses("src/text.rs", "#[tokio::test] async fn t() {}", "'text' may not name 'tokio::test'");
    }

    #[test]
    fn refuses_a_clock_in_the_functional_core() {
        refuses("src/app.rs", "use std::time::{Duration, Instant};", "the clock 'Instant'");
        refuses("src/domain.rs", "fn f(at: SystemTime) {}", "the clock 'SystemTime'");
        refuses("src/domain.rs", "fn f() { jiff::Timestamp::now(); }", "'jiff::Timestamp::now'");
        refuses("src/domain.rs", "fn f() { Timestamp::now(); }", "'Timestamp::now'");
        accepts("src/domain.rs", "use std::time::Duration; use jiff::Timestamp;");
    }

    #[test]
    fn accepts_the_world_at_the_edge_and_the_screen_in_ui_alone() {
        accepts("src/source.rs", "use std::time::Instant; use tokio::time; use std::fs; use reqwest::Client;");
        accepts("src/ui.rs", "use ratatui::Frame;");
        refuses("src/report.rs", "use ratatui::Frame;", "'report' may not name 'ratatui::Frame'");
    }

    #[test]
    fn refuses_an_edge_on_the_screen() {
        for edge in ["source", "cluster", "journal", "reach", "command", "clock", "sim"] {
            refuses("src/ui/view.rs", &format!("use crate::{edge}::X;"), &format!("'ui' may not name '{edge}'"));
        }
    }

    #[test]
    fn refuses_edges_that_name_each_other_except_for_commands_and_the_clock() {
        refuses("src/source.rs", "use crate::cluster::Kube;", "'source' may not name 'cluster'");
        refuses("src/journal.rs", "use crate::clock::Clock;", "'journal' may not name 'clock'");
        refuses("src/source.rs", "use crate::command::check;", "'source' may not name 'command'");
        accepts("src/source.rs", "use crate::clock::Clock;");
        accepts("src/command/check.rs", "use crate::{source, clock, config::Config};");
        refuses("src/command/check.rs", "use crate::runtime::run;", "'command' may not name 'runtime'");
    }

    #[test]
    fn lets_the_top_name_everyone() {
        accepts("src/runtime.rs", "use crate::{source, ui, cluster, cli::Cli, config::Config};");
        accepts("src/main.rs", "use warroom::cli::Cli; fn main() { warroom::run(); }");
        accepts("src/lib.rs", "pub mod ui; use crate::ui::Theme; use self::source::Task;");
    }

    #[test]
    fn refuses_a_room_without_a_rank_and_the_bare_root() {
        refuses("src/helpers.rs", "", "the room 'helpers' has no rank");
        refuses("src/domain.rs", "use crate::helpers::x;", "'crate::helpers', a room without a rank");
        refuses("src/domain.rs", "use crate::*;", "names the crate's root");
        refuses("src/domain.rs", "use super::*;", "names the crate's root");
    }

    #[test]
    fn ignores_comments_and_strings() {
        accepts("src/domain.rs", "// use crate::ui;\n/* crate::ui::x /* Instant */ tokio::y */\n/// [`crate::ui`]");
        accepts(
            "src/domain.rs",
            r##"const A: &str = "crate::ui::x \" Instant"; const B: &str = r#"tokio::x "std::fs"#;"##,
        );
        accepts("src/domain.rs", r#"fn f<'a>(x: &'a str) -> char { let _ = ('"', '\'', b"tokio::a"); 'x' }"#);
        refuses("src/domain.rs", r#"const A: char = '"'; use crate::ui::X; const B: char = '"';"#, "name 'ui'");
        refuses("src/domain.rs", r"const A: char = '\''; use crate::ui::X; fn f<'a>(b: &'a u8) {}", "name 'ui'");
        refuses("src/domain.rs", r#"const A: &str = "\\"; use crate::ui::X; // ""#, "name 'ui'");
        refuses("src/domain.rs", "fn r#type() { crate::ui::x() }", "name 'ui'");
    }

    #[test]
    fn blanks_out_literals_without_moving_a_line() {
        let source = "a \"x\ny\" b /* 1\n2 */ c r\"z\" d";
        assert_eq!(without_comments_and_strings(source), "a   \n   b     \n     c      d");
    }

    #[test]
    fn refuses_a_long_file_a_silent_file_and_a_mod_rs() {
        refuses("src/domain.rs", &"\n".repeat(MOST_LINES), "has 802 lines");
        accepts("src/domain.rs", &"\n".repeat(MOST_LINES - 2));
        assert!(check("src/domain.rs", "struct A;")[0].contains("does not begin with '//!'"));
        refuses("src/domain/mod.rs", "", "is a mod.rs");
    }

    #[test]
    fn refuses_a_stranger_or_a_gap_in_the_top_level() {
        let all = ["Cargo.toml", "Cargo.lock", "LICENSE", "src", "tests", "themes", "assets", ".github", "target"];
        assert_eq!(check_top_level(&all), Vec::<String>::new());
        assert_eq!(
            check_top_level(&[&all[..], &["Makefile"]].concat()),
            ["'Makefile' does not belong in the top level"]
        );
        assert_eq!(check_top_level(&all[1..]), ["'Cargo.toml' is missing from the top level"]);
    }
}
