//! What there is to watch: what was found to serve models, worst first, and the one that is picked.

use super::{App, Asking, Effect, View};
use crate::domain::{At, Discovery, Found};
use crate::text::clean;

/// While it is looked at, it is looked for again when it is so old (s).
const AGAIN_S: f64 = 15.0;

/// What there is to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chooser {
    /// What was found last, and when it was asked for; `None`: nothing has answered yet.
    pub found: Option<(At, Discovery)>,
    /// Why nothing newer is known.
    pub trouble: Option<String>,
    /// Whether all namespaces are looked through.
    pub everywhere: bool,
    /// Whether it is being looked for.
    pub looking: bool,
    /// When it was last asked for.
    asked: Option<At>,
    /// Whether a cluster is connected that can be looked through.
    connected: bool,
}

impl Chooser {
    /// One that is filled by whoever opens the war room.
    pub fn awaited(everywhere: bool) -> Self {
        Self { everywhere, looking: true, ..Self::default() }
    }

    /// Everything that was found, worst first.
    pub fn all(&self) -> &[Found] {
        self.found.as_ref().map_or(&[], |(_, discovery)| &discovery.found)
    }
}

/// How it is called in the list: its namespace and its name.
pub(super) fn item(found: &Found) -> (String, String) {
    let model = found.model.as_deref().unwrap_or_default();
    let owner = found.owner.as_deref().unwrap_or_default();
    let key = format!("{}/{}", found.namespace, found.name);
    (key.clone(), format!("{key} {model} {owner} {}", found.evidence.join(" ")))
}

impl App {
    /// What there is to choose from, where one can.
    pub fn chooser(&self) -> Option<&Chooser> {
        self.chooser.as_ref()
    }

    /// From now on it can be looked around.
    pub(super) fn looks_around(&mut self) {
        self.chooser.get_or_insert_default().connected = true;
        self.changed = true;
    }

    /// Whether it can be looked around.
    pub(super) fn can_look(&self) -> bool {
        self.chooser.as_ref().is_some_and(|c| c.connected)
    }

    /// What was looked for was found, or not, and when it was asked for.
    pub(super) fn offered(&mut self, at: At, found: Result<Discovery, String>) {
        let chooser = self.chooser.get_or_insert_default();
        (chooser.looking, chooser.connected, chooser.asked) = (false, true, Some(at));
        match found {
            Ok(found) => {
                // What was asked for before the namespaces were changed comes too late.
                if found.namespace.is_none() == chooser.everywhere {
                    (chooser.found, chooser.trouble) = (Some((at, found)), None);
                }
            }
            Err(why) => chooser.trouble = Some(clean(&why, 300)),
        }
        self.learn_names();
        self.changed = true;
        if self.view() == View::Chooser {
            self.settle_cursor();
        }
    }

    /// Opens the chooser with its filter being typed, as k9s opens its command line.
    pub(super) fn choose(&mut self) -> Vec<Effect> {
        let mut effects = self.show(View::Chooser);
        self.cursor_mut().find.clear();
        self.ask(Asking::Find);
        effects.extend(self.look_around());
        effects
    }

    /// All namespaces, or only the one again.
    pub(super) fn change_namespaces(&mut self) -> Vec<Effect> {
        let everywhere = self.chooser.as_ref().is_some_and(|c| c.everywhere);
        let chooser = self.chooser.get_or_insert_default();
        (chooser.everywhere, chooser.found, chooser.trouble, chooser.looking) = (!everywhere, None, None, false);
        self.look_around()
    }

    /// Looks again where that was long ago.
    pub(super) fn look_again(&mut self) -> Vec<Effect> {
        let now = self.now();
        let due = |c: &Chooser| !c.looking && c.asked.is_none_or(|at| now.since(at) >= AGAIN_S);
        let open = self.view() == View::Chooser && self.held.is_none() && self.can_look();
        if open && self.chooser.as_ref().is_none_or(due) { self.look_around() } else { Vec::new() }
    }

    fn look_around(&mut self) -> Vec<Effect> {
        let now = self.now();
        let chooser = self.chooser.get_or_insert_default();
        if chooser.looking {
            return Vec::new();
        }
        (chooser.looking, chooser.asked) = (true, Some(now));
        vec![Effect::Discover { everywhere: chooser.everywhere }]
    }

    /// What is selected, where it can be watched.
    pub(super) fn chosen(&self) -> Option<&Found> {
        let item = self.items().into_iter().nth(self.cursor().index)?;
        self.chooser.as_ref()?.all().get(item.index)
    }

    /// The selected one is watched from now on.
    pub(super) fn pick(&mut self) -> Vec<Effect> {
        let Some(found) = self.chosen() else {
            self.notice("there is nothing of this name to watch");
            return Vec::new();
        };
        let Some(target) = found.target.clone() else {
            let why = format!(
                "{name} has no Deployment and no StatefulSet of its own that could be watched: \
                 'kubectl -n {} get {name} -o yaml' shows what it says itself",
                found.namespace,
                name = found.name
            );
            self.notice(&why);
            return Vec::new();
        };
        if self.target() == Some(&target) {
            return self.show(View::Main);
        }
        self.prompt = None;
        vec![Effect::Watch(Box::new(target))]
    }
}

#[cfg(test)]
mod tests;
