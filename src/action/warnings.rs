//! What an old template brings back only in name: whatever it refers to by a name that does not stand still.

use serde_json::Value;

use crate::domain::Template;
use crate::text::clean;

/// Names of one kind that are listed.
const MOST: usize = 8;

/// What to mind about a template that is put back.
pub(super) fn of_template(template: &Template, raw: &Value) -> Vec<String> {
    let mut warned = Vec::new();
    let loose: Vec<&str> =
        template.containers.iter().map(|c| c.image.as_str()).filter(|image| is_loose(image)).collect();
    if !loose.is_empty() {
        warned.push(format!("An image without a fixed tag may be another one today: {}.", listed(&loose)));
    }
    let spec = &raw["spec"];
    let entries = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let name = |value: &Value| value.as_str().map(|n| clean(n, 100));
    let (mut maps, mut secrets, mut claims) = (Vec::new(), Vec::new(), Vec::new());
    for volume in entries(&spec["volumes"]) {
        maps.extend(name(&volume["configMap"]["name"]));
        secrets.extend(name(&volume["secret"]["secretName"]));
        claims.extend(name(&volume["persistentVolumeClaim"]["claimName"]));
        for source in entries(&volume["projected"]["sources"]) {
            maps.extend(name(&source["configMap"]["name"]));
            secrets.extend(name(&source["secret"]["name"]));
        }
    }
    for container in entries(&spec["containers"]).iter().chain(&entries(&spec["initContainers"])) {
        for source in entries(&container["envFrom"]) {
            maps.extend(name(&source["configMapRef"]["name"]));
            secrets.extend(name(&source["secretRef"]["name"]));
        }
        for variable in entries(&container["env"]) {
            maps.extend(name(&variable["valueFrom"]["configMapKeyRef"]["name"]));
            secrets.extend(name(&variable["valueFrom"]["secretKeyRef"]["name"]));
        }
    }
    for (what, mut names) in [("ConfigMap", maps), ("Secret", secrets), ("Claim", claims)] {
        names.sort();
        names.dedup();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if !names.is_empty() {
            warned.push(format!("{what} {} is not rolled back: pods get what it holds today.", listed(&names)));
        }
    }
    if let Some(model) = template.engine().and_then(floating_model) {
        warned.push(format!("Model {model} has no --revision: what is downloaded may be another one today."));
    }
    warned
}

/// Whether an image's name may mean something else tomorrow.
fn is_loose(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or(image);
    !image.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// A model by its name in a hub, without a revision.
fn floating_model(container: &crate::domain::Container) -> Option<String> {
    let model = container.flag("model").or_else(|| container.flag("model-path"))?;
    let in_a_hub = model.split('/').count() == 2 && !model.starts_with(['/', '.']);
    (in_a_hub && container.flag("revision").is_none()).then_some(model)
}

fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(MOST).map(|n| format!("'{}'", clean(n, 120))).collect();
    let more = names.len().saturating_sub(MOST);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Container;

    #[test]
    fn what_does_not_stand_still_is_named() {
        let args = ["--model", "meta-llama/Llama-3.1-8B"].map(str::to_owned).to_vec();
        let engine = Container { image: "reg:5000/vllm".into(), args, ..Container::default() };
        let template = Template { containers: vec![engine], ..Template::default() };
        let raw = json!({"spec": {
            "volumes": [{"configMap": {"name": "flags"}}, {"persistentVolumeClaim": {"claimName": "weights"}}],
            "containers": [{"envFrom": [{"secretRef": {"name": "hf"}}],
                "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "x"}}}]}]
        }});
        assert_eq!(
            of_template(&template, &raw),
            [
                "An image without a fixed tag may be another one today: 'reg:5000/vllm'.",
                "ConfigMap 'flags' is not rolled back: pods get what it holds today.",
                "Secret 'hf' is not rolled back: pods get what it holds today.",
                "Claim 'weights' is not rolled back: pods get what it holds today.",
                "Model meta-llama/Llama-3.1-8B has no --revision: what is downloaded may be another one today.",
            ]
        );
    }

    #[test]
    fn what_stands_still_is_not_named() {
        for image in ["vllm/vllm-openai:v0.32.0", "vllm@sha256:0a", "reg:5000/vllm:1"] {
            assert!(!is_loose(image), "{image}");
        }
        assert!(is_loose("vllm:latest") && is_loose("vllm"));
        assert!(of_template(&Template::default(), &json!({"spec": {"containers": "odd"}})).is_empty());
    }
}
