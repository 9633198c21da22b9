//! Why the API does not do what was asked: the `Status` of a failure, in Kubernetes' words.

use serde_json::{Value, json};

use super::kinds::Names;

/// A refused request.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// Kubernetes' reason, a word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
    /// Which object, and which of its fields.
    pub(crate) details: Value,
}

impl Refusal {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    fn about(mut self, names: &Names, name: &str) -> Self {
        self.details = json!({"name": name, "group": names.group, "kind": names.plural});
        if names.group.is_empty()
            && let Some(details) = self.details.as_object_mut()
        {
            details.remove("group");
        }
        self
    }

    pub(crate) fn not_found(names: &Names, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", names.qualified())).about(names, name)
    }

    /// A path that leads nowhere.
    pub(crate) fn no_such_path() -> Self {
        let mut refusal = Self::new(404, "NotFound", "the server could not find the requested resource");
        refusal.details = json!({});
        refusal
    }

    pub(crate) fn exists(names: &Names, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", names.qualified())).about(names, name)
    }

    pub(crate) fn conflict(names: &Names, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", names.qualified());
        Self::new(409, "Conflict", message).about(names, name)
    }

    /// A deletion of what is another by now. It is told of the kind, and not of the resource.
    pub(crate) fn precondition(names: &Names, name: &str, why: &str) -> Self {
        let kind =
            if names.group.is_empty() { names.name.to_owned() } else { format!("{}.{}", names.name, names.group) };
        let mut refusal =
            Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {kind} \"{name}\": {why}"));
        refusal = refusal.about(names, name);
        refusal.details["kind"] = json!(names.name);
        refusal
    }

    pub(crate) fn stale(names: &Names, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(names, name, why)
    }

    /// An object that breaks a rule at `field`.
    pub(crate) fn invalid(names: &Names, name: &str, field: &str, why: &str) -> Self {
        let qualified =
            if names.group.is_empty() { names.name.to_owned() } else { format!("{}.{}", names.name, names.group) };
        let message = format!("{qualified} \"{name}\" is invalid: {field}: {why}");
        let mut refusal = Self::new(422, "Invalid", message).about(names, name);
        refusal.details["kind"] = json!(names.name);
        refusal.details["causes"] = json!([{"reason": "FieldValueInvalid", "message": why, "field": field}]);
        refusal
    }

    /// A patch that cannot be applied to the object as it is now. A kube-apiserver says no more than this.
    pub(crate) fn unprocessable() -> Self {
        let mut refusal = Self::new(422, "Invalid", "the server rejected our request due to an error in our request");
        refusal.details = json!({});
        refusal
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// The `Status` object.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}
