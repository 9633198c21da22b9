//! What a template takes from `ConfigMaps`: variables (`configMapKeyRef`, `envFrom`) and the file of `--config`. Pure: it is
//! told what they hold. A `ConfigMap` may have changed since a revision's pods began: what it says is what it holds today.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::doors::plain;
use super::json::{ENTRIES, NAME, list, text, time};
use super::workload::last_writer;
use crate::domain::{At, Written};

/// The `ConfigMaps` by their names; `None`: it may not be read, or is not there.
pub type Maps = BTreeMap<String, Option<Map>>;

/// A `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Map {
    data: BTreeMap<String, String>,
    /// Who changed what it holds last, and when; `None` where nobody did since it was created, or that is not told.
    written: Option<(String, At)>,
}

impl Map {
    /// What an object says.
    pub fn of(object: &Value) -> Self {
        let data = object["data"].as_object().into_iter().flatten();
        let created = time(&object["metadata"]["creationTimestamp"]);
        // What was written when it was created changed nothing; times are whole seconds.
        let later = |at: At| created.is_none_or(|created| at.since(created) > 1.0);
        Self {
            data: data.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
            written: last_writer(object, |fields| !fields["f:data"].is_null()).filter(|(_, at)| later(*at)),
        }
    }
}

/// Who changed which `ConfigMap` last, as far as that is known.
pub(super) fn written(maps: &Maps) -> Vec<Written> {
    let known = maps.iter().filter_map(|(name, map)| Some((name, map.as_ref()?.written.as_ref()?)));
    known.map(|(name, (by, at))| Written { config_map: name.clone(), by: by.clone(), at: *at }).collect()
}

/// The `ConfigMaps` by which the flags of a template are given.
pub fn config_maps(template: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for container in list(&template["spec"]["containers"]) {
        names.extend(list(&container["envFrom"]).filter_map(|from| plain(&from["configMapRef"]["name"])));
        let variables = list(&container["env"]);
        names.extend(variables.filter_map(|variable| plain(&variable["valueFrom"]["configMapKeyRef"]["name"])));
        names.extend(config_file(template, container).and_then(|file| Some(file.within?.0)));
    }
    names
}

/// The template with what these `ConfigMaps` give it in the place of the references, and what stays unknown, in words.
pub(super) fn filled<'a>(template: &'a Value, maps: &Maps) -> (Cow<'a, Value>, Vec<String>) {
    let mut unknown = Vec::new();
    let containers: Vec<Value> =
        list(&template["spec"]["containers"]).map(|c| container(template, c, maps, &mut unknown)).collect();
    if containers.iter().eq(list(&template["spec"]["containers"])) {
        return (Cow::Borrowed(template), unknown);
    }
    let mut filled = template.clone();
    filled["spec"]["containers"] = containers.into();
    (Cow::Owned(filled), unknown)
}

fn container(template: &Value, container: &Value, maps: &Maps, unknown: &mut Vec<String>) -> Value {
    let held = |name: &str| maps.get(name).and_then(Option::as_ref).map(|map| &map.data);
    let mut all: Vec<Value> = Vec::new();
    let own = |name: &str| list(&container["env"]).any(|variable| variable["name"] == name);
    for from in list(&container["envFrom"]) {
        let Some(name) = plain(&from["configMapRef"]["name"]) else { continue };
        let prefix = from["prefix"].as_str().unwrap_or_default();
        match held(&name) {
            // Those that stand on their own win.
            Some(map) => all.extend(
                map.iter()
                    .map(|(key, value)| (format!("{prefix}{key}"), value))
                    .filter(|(key, _)| !own(key))
                    .take(ENTRIES)
                    .map(|(name, value)| json!({"name": name, "value": value})),
            ),
            None => unknown.push(format!("every variable of ConfigMap {name}")),
        }
    }
    for variable in list(&container["env"]) {
        let from = &variable["valueFrom"]["configMapKeyRef"];
        let (Some(name), Some(key)) = (plain(&from["name"]), from["key"].as_str()) else {
            all.push(variable.clone());
            continue;
        };
        match held(&name) {
            Some(map) => all.extend(map.get(key).map(|value| json!({"name": variable["name"], "value": value}))),
            None => unknown.push(format!("{} of ConfigMap {name}", text(&variable["name"], NAME))),
        }
    }
    let mut args: Vec<Value> = Vec::new();
    if let Some(file) = config_file(template, container) {
        match file.within.as_ref().and_then(|(name, key)| held(name)?.get(key)) {
            // What stands on the command line comes later, and wins.
            Some(yaml) => args.extend(flags(yaml).map(Value::from)),
            None => unknown.push(match file.within {
                Some((name, key)) => format!("the flags of {key} of ConfigMap {name}"),
                None => format!("the flags of {}, which no ConfigMap holds", file.path),
            }),
        }
    }
    let mut filled = container.clone();
    if all.iter().ne(list(&container["env"])) {
        filled["env"] = all.into();
    }
    if !args.is_empty() {
        let field = if list(&container["command"]).next().is_some() { "command" } else { "args" };
        args.extend(list(&container[field]).cloned());
        filled[field] = args.into();
    }
    filled
}

/// The file that `--config` names.
struct File {
    path: String,
    /// The `ConfigMap` and the key in it.
    within: Option<(String, String)>,
}

fn config_file(template: &Value, container: &Value) -> Option<File> {
    let words: Vec<&str> =
        ["command", "args"].iter().flat_map(|field| list(&container[*field])).filter_map(Value::as_str).collect();
    let path = words.iter().enumerate().find_map(|(at, word)| match word.split_once('=') {
        Some(("--config", path)) => Some(path),
        _ if *word == "--config" => words.get(at + 1).copied(),
        _ => None,
    })?;
    let within = list(&container["volumeMounts"]).find_map(|mount| {
        let volume = list(&template["spec"]["volumes"]).find(|volume| volume["name"] == mount["name"])?;
        let name = plain(&volume["configMap"]["name"])?;
        let rest = path.strip_prefix(mount["mountPath"].as_str()?.trim_end_matches('/'))?;
        let inner = match (rest.strip_prefix('/'), mount["subPath"].as_str()) {
            (None, Some(file)) if rest.is_empty() => file,
            (Some(inner), None) => inner,
            _ => return None,
        };
        let item = list(&volume["configMap"]["items"]).find(|item| item["path"] == inner);
        let key = item.and_then(|item| item["key"].as_str()).unwrap_or(inner);
        Some((name, text(&key.into(), NAME)))
    });
    Some(File { path: text(&path.into(), NAME), within })
}

/// The flags of a flat file of `key: value`, as engines take one; what is nested in it has no flag of its own.
fn flags(yaml: &str) -> impl Iterator<Item = String> {
    yaml.lines().take(ENTRIES).filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if key.is_empty() || !key.chars().all(is_key) {
            return None;
        }
        let value = value.split(" #").next().unwrap_or_default().trim();
        let value = value.trim_matches(|c| matches!(c, '"' | '\''));
        match value {
            "" | "false" | "null" | "~" => None,
            "true" => Some(format!("--{}=", key.replace('_', "-"))),
            value => Some(format!("--{}={value}", key.replace('_', "-"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::kubernetes::template::template;

    fn spec() -> Value {
        json!({"spec": {
            "containers": [{
                "name": "vllm", "image": "vllm:1", "command": ["vllm", "serve", "m", "--config", "/etc/vllm/flags.yaml"],
                "args": ["--max-num-seqs=$(SEQS)", "--port=8000"],
                "envFrom": [{"configMapRef": {"name": "shared"}, "prefix": "P_"}],
                "env": [{"name": "SEQS", "valueFrom": {"configMapKeyRef": {"name": "tuning", "key": "seqs"}}},
                        {"name": "P_B", "value": "own"}],
                "volumeMounts": [{"name": "flags", "mountPath": "/etc/vllm/"}],
            }],
            "volumes": [{"name": "flags", "configMap": {"name": "files",
                         "items": [{"key": "vllm", "path": "flags.yaml"}]}}],
        }})
    }

    fn maps(all: &[(&str, &[(&str, &str)])]) -> Maps {
        let map = |of: &[(&str, &str)]| of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let map = |of| Some(Map { data: map(of), written: None });
        all.iter().map(|(name, of)| ((*name).to_owned(), map(of))).collect()
    }

    #[test]
    fn who_changed_a_config_map_last_is_told_and_who_made_it_is_not() {
        let wrote = |who: &str, at: &str, what: &str| json!({"manager": who, "time": at, "fieldsV1": {what: {}}});
        let map = |entries: Vec<Value>| {
            let times = json!({"creationTimestamp": "2026-06-08T02:00:00Z", "managedFields": entries});
            Map::of(&json!({"metadata": times, "data": {"seqs": "512"}}))
        };
        let made = || wrote("helm", "2026-06-08T02:00:00Z", "f:data");
        let labelled = || wrote("kubectl-label", "2026-06-08T03:05:00Z", "f:metadata");
        let edited = wrote("kubectl-edit", "2026-06-08T03:02:11Z", "f:data");
        let maps: Maps =
            [("edited", map(vec![made(), edited, labelled()])), ("as-made", map(vec![made(), labelled()]))]
                .map(|(name, map)| (name.to_owned(), Some(map)))
                .into();
        let written = written(&maps);
        let told: Vec<_> = written.iter().map(|w| (w.config_map.as_str(), w.by.as_str())).collect();
        assert_eq!(told, [("edited", "kubectl-edit")]);
        assert_eq!(Some(written[0].at), time(&json!("2026-06-08T03:02:11Z")));
    }

    #[test]
    fn what_config_maps_give_stands_where_it_was_referred_to_and_the_command_line_wins() {
        assert_eq!(config_maps(&spec()).into_iter().collect::<Vec<_>>(), ["files", "shared", "tuning"]);
        let yaml = "# flags\nmax_num_seqs: 64\nport: 9000\nenable-prefix-caching: true\nenforce-eager: false\napi-key: s3cret\n\
                    lora:\n  rank: 8\nmodel: \"org/m\" # which\n";
        let maps = maps(&[
            ("tuning", &[("seqs", "256")]),
            ("shared", &[("A", "1"), ("B", "2")]),
            ("files", &[("vllm", yaml)]),
        ]);
        let spec = spec();
        let (filled, unknown) = filled(&spec, &maps);
        assert!(unknown.is_empty(), "{unknown:?}");
        let template = template(&filled);
        let engine = template.engine().expect("an engine");
        let of = |name: &str| engine.flag(name);
        assert_eq!((of("--max-num-seqs").as_deref(), of("--port").as_deref()), (Some("256"), Some("8000")));
        assert_eq!((of("--enable-prefix-caching").as_deref(), of("--model").as_deref()), (Some(""), Some("org/m")));
        assert_eq!((of("--enforce-eager"), of("--rank"), of("--lora")), (None, None, None));
        assert_eq!(of("--api-key").as_deref(), Some("(hidden)"));
        let env: Vec<String> = engine.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(env, ["P_A=1", "P_B=own", "SEQS=256"]);
    }

    #[test]
    fn what_is_not_known_is_named_and_nothing_is_made_up() {
        let spec = spec();
        let (same, unknown) = filled(&spec, &Maps::new());
        assert_eq!(
            unknown,
            ["every variable of ConfigMap shared", "SEQS of ConfigMap tuning", "the flags of vllm of ConfigMap files"]
        );
        let template = template(&same);
        assert_eq!(template.engine().and_then(|c| c.flag("--max-num-seqs")).as_deref(), Some("$(SEQS)"));
        let elsewhere = json!({"spec": {"containers": [{"args": ["--config=/models/flags.yaml"]}]}});
        let (same, unknown) = filled(&elsewhere, &Maps::new());
        assert_eq!(unknown, ["the flags of /models/flags.yaml, which no ConfigMap holds"]);
        assert_eq!(*same, elsewhere);
        let plain = json!({"spec": {"containers": [{"args": ["--port=1"], "env": [{"name": "A", "value": "b"}]}]}});
        assert!(matches!(filled(&plain, &Maps::new()), (Cow::Borrowed(_), none) if none.is_empty()));
    }
}
