//! Around the gate: from the configuration to what it keeps to, and from what passed it to what goes on record.

use crate::action::Plan;
use crate::action::guard::{Confirm, Policy};
use crate::config::Config;
use crate::contract::record::{Planned, kept_plan};

/// The policy of the gate. In a protected context a name is typed where the configuration wants that; elsewhere the key
/// is enough. Where somebody is likely to take a change back, the gate asks for the name by itself.
pub(super) fn guard(config: &Config) -> Policy {
    let policy = &config.policy;
    let protected = match policy.confirm {
        Confirm::Name => policy.protected.clone(),
        Confirm::Key => Vec::new(),
    };
    Policy {
        read_only: policy.read_only,
        protected,
        confirm: Confirm::Key,
        max_scale_step: Some(policy.max_scale_step),
        ..Policy::default()
    }
}

/// A plan as it goes on record before it is sent. `id` is its number in the record.
pub(super) fn planned(plan: &Plan, id: u64) -> Planned {
    let mut notes = plan.cost.words();
    notes.extend(plan.inverse.as_ref().map(|inverse| format!("taken back by: {inverse}")));
    Planned {
        id,
        action: plan.action.kind(),
        title: plan.title.clone(),
        object: plan.object.clone(),
        kubectl: plan.kubectl.clone(),
        bytes: plan.request.body.clone(),
        dry_run: false,
        notes,
        plan: kept_plan(plan),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_typed_where_it_is_protected_and_nowhere_where_the_key_is_to_do() {
        let mut config = Config::default();
        let policy = guard(&config);
        assert_eq!((policy.read_only, policy.confirm, policy.max_scale_step), (false, Confirm::Key, Some(4)));
        assert_eq!(policy.protected, ["prod-*"]);
        config.policy.confirm = Confirm::Key;
        assert!(guard(&config).protected.is_empty());
        config.policy.read_only = true;
        assert!(guard(&config).read_only);
    }
}
