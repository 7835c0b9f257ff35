//! Join tokens: `CJ1-w-<digest>-<secret>`.
//!
//! The digest is the SHA-256 of the cluster's root certificate (DER), so that the joining node knows the cluster before it says anything
//! secret; the role letter is `w` for worker, `m` for manager. The secret is 128 random bits. Form after swarm's `SWMTKN` (security.md 3.1).

use std::fmt;
use std::str::FromStr;

use crate::Role;

/// What a node needs to join: the cluster that it means and the right to be in it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The role that the token gives.
    pub role: Role,
    /// SHA-256 of the root certificate in DER form.
    pub ca_digest: [u8; 32],
    /// 128 bits that only the managers and the token's holder know.
    pub secret: u128,
}

/// Why a text is not a join token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a join token: {0}; `cluster join-token worker` on a manager prints one")]
pub struct InvalidToken(pub &'static str);

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Worker => 'w',
            Role::Manager => 'm',
        };
        write!(f, "CJ1-{role}-")?;
        for byte in self.ca_digest {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "-{:032x}", self.secret)
    }
}

/// Hides the secret: a token may end up in a log line.
impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken({:?})", self.role)
    }
}

impl FromStr for JoinToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let mut parts = text.trim().split('-');
        let (prefix, role, digest, secret) = (parts.next(), parts.next(), parts.next(), parts.next());
        if prefix != Some("CJ1") {
            return Err(InvalidToken("it does not start with CJ1-"));
        }
        let (Some(role), Some(digest), Some(secret), None) = (role, digest, secret, parts.next()) else {
            return Err(InvalidToken("it must have four parts with - between them; part of it may be missing"));
        };
        let role = match role {
            "w" => Role::Worker,
            "m" => Role::Manager,
            _ => return Err(InvalidToken("its role is neither w nor m")),
        };
        let ca_digest = parse_digest(digest).ok_or(InvalidToken("its third part is not 64 hexadecimal digits"))?;
        let whole = secret.len() == 32 && secret.bytes().all(|b| b.is_ascii_hexdigit());
        let secret = u128::from_str_radix(secret, 16).ok().filter(|_| whole);
        let secret = secret.ok_or(InvalidToken("its last part is not 32 hexadecimal digits"))?;
        Ok(Self { role, ca_digest, secret })
    }
}

fn parse_digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn printing_then_parsing_is_the_identity(manager: bool, ca_digest: [u8; 32], secret: u128) {
            let role = if manager { Role::Manager } else { Role::Worker };
            let token = JoinToken { role, ca_digest, secret };
            prop_assert_eq!(token.to_string().parse(), Ok(token));
        }

        #[test]
        fn parsing_never_panics(text: String) {
            let _ = text.parse::<JoinToken>();
            let _ = format!("CJ1-w-{text}").parse::<JoinToken>();
        }
    }

    #[test]
    fn a_debug_print_hides_the_secret() {
        let token = JoinToken { role: Role::Worker, ca_digest: [1; 32], secret: 77 };
        assert_eq!(format!("{token:?}"), "JoinToken(Worker)");
    }
}
