//! `warroom rbac`: from what was typed to a manifest.

use color_eyre::eyre::Result;

use super::connect::namespace;
use super::{print, usage};
use crate::cli::RbacArgs;
use crate::command::rbac::{Subject, Wish, manifest};
use crate::text::clean;

/// Prints the Roles.
pub(super) fn run(args: &RbacArgs) -> Result<u8> {
    match wish(args) {
        Ok(wish) => {
            print(&manifest(&wish))?;
            Ok(0)
        }
        Err(message) => Ok(usage(&message)),
    }
}

fn wish(args: &RbacArgs) -> Result<Wish, String> {
    let mut subjects: Vec<Subject> = Vec::new();
    let whoever = |flag: &str, name: &String| {
        let fits = !name.is_empty() && name.chars().count() <= 253 && !name.chars().any(char::is_control);
        if fits { Ok(name.clone()) } else { Err(format!("{flag} is '{}', which is no name", clean(name, 80))) }
    };
    for user in &args.user {
        subjects.push(Subject::User(whoever("--user", user)?));
    }
    for group in &args.group {
        subjects.push(Subject::Group(whoever("--group", group)?));
    }
    for account in &args.serviceaccount {
        let wrong = || format!("--serviceaccount is '{}': give NAMESPACE:NAME, as kubectl does", clean(account, 80));
        let (place, name) = account.split_once(':').ok_or_else(wrong)?;
        let both = (namespace(place).map_err(|_| wrong())?, namespace(name).map_err(|_| wrong())?);
        subjects.push(Subject::ServiceAccount(both.0, both.1));
    }
    Ok(Wish {
        name: namespace(&args.name).map_err(|_| format!("--name is '{}', which is no name", clean(&args.name, 80)))?,
        namespace: namespace(&args.namespace)?,
        neighbours: args.neighbour.iter().map(|n| namespace(n)).collect::<Result<_, _>>()?,
        subjects,
        read_only: args.read_only,
        probe: args.probe,
        namespaced: args.namespaced,
    })
}
