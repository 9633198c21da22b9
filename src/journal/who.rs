//! Who sits here: the effective user and the host, as they go on record.

use std::fs;

use crate::runbook::Who;
use crate::text::clean;

/// Names are not longer, in characters.
const MOST: usize = 64;

/// The effective user of this process and the name of this host. What cannot be found out is said as it is.
pub fn who() -> Who {
    Who { user: clean(&user(), MOST), host: clean(&host(), MOST) }
}

#[cfg(unix)]
fn user() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let known = fs::read_to_string("/etc/passwd").ok().and_then(|text| name_of(uid, &text));
    known.unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(not(unix))]
fn user() -> String {
    "unknown user".to_owned()
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    fs::read_to_string("/etc/hostname").map_or("unknown host".to_owned(), |name| name.trim().to_owned())
}

/// The name of a user in the text of `/etc/passwd`.
fn name_of(uid: u32, passwd: &str) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn a_user_is_named_by_the_number_and_not_by_the_order() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(name_of(1000, passwd).as_deref(), Some("ada"));
        assert_eq!(name_of(0, passwd).as_deref(), Some("root"));
        assert_eq!(name_of(7, passwd), None);
    }
}
