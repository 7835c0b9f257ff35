//! `user[:group]` to numbers, by the container's own account files. Text in, numbers out: the files are read elsewhere, inside the root.

use std::collections::BTreeSet;

use super::SpecError;

/// The texts of the container's `/etc/passwd` and `/etc/group`; empty when it has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts {
    /// `/etc/passwd`.
    pub passwd: String,
    /// `/etc/group`.
    pub group: String,
}

/// Who the process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: BTreeSet<u32>,
    pub(super) home: String,
}

/// Largest id: the next one, `(uid_t) -1`, means "no change" to the kernel.
const MAX_ID: u32 = u32::MAX - 1;

impl Accounts {
    /// Resolves what a spec or an image says. An unknown number is taken as it is (group 0); an unknown name is an error.
    pub(super) fn resolve(&self, user: &str, extra: &[String]) -> Result<User, SpecError> {
        let (name, group) = user.split_once(':').map_or((user, None), |(name, group)| (name, Some(group)));
        let name = if name.is_empty() { "0" } else { name };
        let entry = self.passwd.lines().filter_map(Entry::parse).find(|entry| entry.is(name));
        let mut found = match (entry, name.parse::<u32>()) {
            (Some(entry), _) => User { uid: entry.uid, gid: entry.gid, groups: self.memberships(entry.name), home: entry.home.to_owned() },
            (None, Ok(uid)) if uid <= MAX_ID => User { uid, gid: 0, groups: BTreeSet::new(), home: "/".to_owned() },
            (None, Ok(_)) => return Err(SpecError(format!("user id `{name}` is out of range"))),
            (None, Err(_)) if number_like(name) => return Err(SpecError(format!("user id `{name}` is out of range"))),
            (None, Err(_)) => return Err(SpecError(format!("unable to find user {name}: no matching entries in passwd file"))),
        };
        if let Some(group) = group.filter(|group| !group.is_empty()) {
            found.gid = self.group_id(group)?;
            found.groups.clear();
        }
        for group in extra {
            found.groups.insert(self.group_id(group)?);
        }
        Ok(found)
    }

    fn group_id(&self, name: &str) -> Result<u32, SpecError> {
        let listed = self.group_entries().find(|(known, id, _)| *known == name || id.to_string() == name);
        match (listed, name.parse::<u32>()) {
            (Some((_, id, _)), _) => Ok(id),
            (None, Ok(id)) if id <= MAX_ID => Ok(id),
            (None, Ok(_)) => Err(SpecError(format!("group id `{name}` is out of range"))),
            (None, Err(_)) if number_like(name) => Err(SpecError(format!("group id `{name}` is out of range"))),
            (None, Err(_)) => Err(SpecError(format!("unable to find group {name}: no matching entries in group file"))),
        }
    }

    fn memberships(&self, user: &str) -> BTreeSet<u32> {
        self.group_entries().filter(|(_, _, members)| members.split(',').any(|member| member == user)).map(|(_, id, _)| id).collect()
    }

    fn group_entries(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        self.group.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let id = fields.nth(1)?.parse().ok().filter(|id| *id <= MAX_ID)?;
            Some((name, id, fields.next().unwrap_or_default()))
        })
    }
}

/// A line of `/etc/passwd`.
struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields.as_slice() else { return None };
        let id = |text: &str| text.parse::<u32>().ok().filter(|id| *id <= MAX_ID);
        let home = if home.is_empty() { "/" } else { home };
        Some(Self { name, uid: id(uid)?, gid: id(gid)?, home })
    }

    fn is(&self, name: &str) -> bool {
        self.name == name || self.uid.to_string() == name
    }
}

/// Digits with an optional sign: meant as a number, not as a name (CVE-2024-40635: a huge number must not wrap around to root).
fn number_like(name: &str) -> bool {
    let digits = name.strip_prefix(['-', '+']).unwrap_or(name);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
