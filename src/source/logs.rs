//! What a pod's container writes: its last lines, and those that follow, cleaned and bounded. Knows nothing of the screen
//! that shows them, and keeps nothing.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::apiserver::{self, Client, Lines, Trouble};
use crate::text::{clean, without_secrets};

/// Lines of the past that are asked for.
const TAIL: usize = 100;

/// A line's length, in bytes as it comes and in characters as it is kept.
const LINE_BYTES: usize = 16 * 1024;
const LINE_CHARS: usize = 1_000;

/// Lines of one batch, and batches that wait for whoever reads them: beyond them the reading waits.
const BATCH: usize = 200;
const BATCHES: usize = 16;

/// How long the first answer may take, and how long to wait before asking again.
const DEADLINE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(2);

/// How long a batch may wait for another line.
const GATHER: Duration = Duration::from_millis(100);

/// Whose log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container; `None` where the pod has only one.
    pub container: Option<String>,
    /// Of the run before its last restart, which has ended.
    pub previous: bool,
}

impl Whose {
    /// The kubectl line that shows the same.
    pub fn reproduce(&self, context: &str) -> String {
        let container = self.container.as_ref().map(|c| format!(" -c {c}")).unwrap_or_default();
        let run = if self.previous { "--previous" } else { "-f" };
        format!("kubectl --context {context} -n {} logs {}{container} --tail {TAIL} {run}", self.namespace, self.pod)
    }

    fn path(&self, tail: usize) -> String {
        let container = self.container.as_ref().map(|c| format!("&container={c}")).unwrap_or_default();
        let (namespace, pod) = (&self.namespace, &self.pod);
        let run = if self.previous { "previous=true" } else { "follow=true" };
        format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?{run}&tailLines={tail}{container}")
    }
}

/// Some lines, or why there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch {
    /// Lines, oldest first.
    Lines(Vec<String>),
    /// The container has ended, or the server ended the stream; it is asked for again.
    Ended,
    /// It does not go on, and why; it is asked for again.
    Failed(String),
}

/// Follows a log from its last lines on, until the receiver is dropped. Must be called inside of a runtime.
pub fn follow(client: Client, whose: Whose) -> mpsc::Receiver<Batch> {
    let (sink, receiver) = mpsc::channel(BATCHES);
    tokio::spawn(async move {
        // Only the first time: what was shown once is not shown again.
        let mut tail = TAIL;
        loop {
            let read = tokio::select! {
                () = sink.closed() => return,
                read = stream(&client, &whose, &mut tail, &sink) => read,
            };
            let said = match read {
                Ok(()) => Batch::Ended,
                Err(trouble @ Trouble::Denied(_)) => Batch::Failed(format!("{trouble}; allow 'get' on 'pods/log'")),
                Err(trouble) => Batch::Failed(trouble.to_string()),
            };
            // What has ended does not change any more.
            if sink.send(said).await.is_err() || whose.previous {
                return;
            }
            tokio::select! { () = sink.closed() => return, () = sleep(PAUSE) => {} }
        }
    });
    receiver
}

async fn stream(client: &Client, whose: &Whose, tail: &mut usize, sink: &mpsc::Sender<Batch>) -> Result<(), Trouble> {
    let answer = apiserver::open(client, &whose.path(*tail), apiserver::deadline(DEADLINE)).await?;
    let mut lines = Lines::of(answer, LINE_BYTES);
    *tail = 0;
    while let Some(first) = lines.next().await? {
        let mut batch = vec![shown(&first)];
        while batch.len() < BATCH {
            match timeout(GATHER, lines.next()).await {
                Ok(Ok(Some(line))) => batch.push(shown(&line)),
                // What has come is not lost because nothing follows; the end shows itself again.
                Ok(Ok(None)) | Err(_) => break,
                Ok(Err(trouble)) => {
                    let _ = sink.send(Batch::Lines(batch)).await;
                    return Err(trouble);
                }
            }
        }
        if sink.send(Batch::Lines(batch)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// A line as it may be shown. Colours that a program writes for a terminal are taken out whole, not left as debris.
fn shown((line, whole): &(Vec<u8>, bool)) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    let mut plain = String::with_capacity(text.len().min(LINE_CHARS));
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after.find(|c: char| !(c.is_ascii_digit() || c == ';')).unwrap_or(after.len());
        rest = if let Some(rest) = after[end..].strip_prefix('m') {
            rest
        } else {
            // Not a colour: its beginning is replaced below, and its rest shown.
            plain.push('\u{1b}');
            &rest[at + 1..]
        };
    }
    plain.push_str(rest);
    let plain = without_secrets(&plain.replace('\t', "    "));
    if *whole { clean(&plain, LINE_CHARS) } else { clean(&format!("{plain} (cut)"), LINE_CHARS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_loses_its_colours_and_keeps_its_words() {
        let line = |text: &str| shown(&(text.as_bytes().to_vec(), true));
        assert_eq!(line("\u{1b}[32mINFO\u{1b}[0m 06-08 loaded\r"), "INFO 06-08 loaded");
        assert_eq!(line("\u{1b}[2J\u{1b}]0;owned\u{7}"), "·[2J·]0;owned·");
        assert_eq!(line("a\tb"), "a    b");
        assert_eq!(line(&"x".repeat(5_000)).chars().count(), LINE_CHARS);
        assert_eq!(shown(&(vec![0xff, b'a'], false)), "\u{fffd}a (cut)");
    }
}
