//! The log that the screen follows: one at a time, from whoever is asked to what the state takes in.

use tokio::sync::mpsc::Receiver;

use crate::apiserver::Client;
use crate::app::LogBatch;
use crate::source::logs::{Batch, Whose, follow};

/// A log that is being followed, until this is dropped.
pub(super) struct Log {
    pod: String,
    batches: Receiver<Batch>,
}

impl Log {
    /// Follows a container's log from its last lines on.
    pub(super) fn follow(client: Client, whose: Whose) -> Self {
        Self { pod: whose.pod.clone(), batches: follow(client, whose) }
    }
}

/// Waits for more of it.
pub(super) async fn next(log: &mut Option<Log>) -> LogBatch {
    let Some(followed) = log else { return std::future::pending().await };
    let (lines, ended) = match followed.batches.recv().await {
        Some(Batch::Lines(lines)) => (lines, None),
        Some(Batch::Ended) => (Vec::new(), Some("the container has ended, or the server let go".to_owned())),
        Some(Batch::Failed(why)) => (Vec::new(), Some(why)),
        None => (Vec::new(), Some("nobody reads it any more".to_owned())),
    };
    let pod = followed.pod.clone();
    if followed.batches.is_closed() && followed.batches.is_empty() {
        *log = None;
    }
    LogBatch { pod, lines, ended }
}
