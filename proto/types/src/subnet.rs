//! IPv4 subnets, and how a network's subnet is cut into the blocks that its nodes own. Pure arithmetic.
//!
//! Every address of a block may be given: containers have /32 routes, so there is neither a network nor a broadcast address.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A subnet such as `10.192.0.0/14`: a base that is a multiple of its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

/// Why a text is no subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no subnet: write it like 10.210.0.0/20, with a prefix from 8 to 29 and no bits after it")]
pub struct InvalidSubnet(pub String);

impl Subnet {
    /// The subnet of that size that an address is in. None when the prefix is over 32.
    #[must_use]
    pub fn around(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        (prefix <= 32).then(|| Self { base: u32::from(address) & mask(prefix), prefix })
    }

    /// Its first address.
    #[must_use]
    pub fn base(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base)
    }

    /// How many leading bits its addresses share: 0 to 32.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// How many addresses it has.
    #[must_use]
    pub fn size(self) -> u64 {
        1 << (32 - u32::from(self.prefix))
    }

    /// Its first and last address.
    #[must_use]
    pub fn range(self) -> std::ops::RangeInclusive<Ipv4Addr> {
        Ipv4Addr::from(self.base)..=Ipv4Addr::from(self.base | !mask(self.prefix))
    }

    /// The address number `index`, from 0.
    #[must_use]
    pub fn address(self, index: u64) -> Option<Ipv4Addr> {
        let index = u32::try_from(index).ok()?;
        (u64::from(index) < self.size()).then(|| Ipv4Addr::from(self.base + index))
    }

    /// The number of an address of it.
    #[must_use]
    pub fn index(self, address: Ipv4Addr) -> Option<u64> {
        self.contains(address).then(|| u64::from(u32::from(address) - self.base))
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.base
    }

    /// Whether all of another subnet is in it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.base())
    }

    /// Whether some address is in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// How many parts with this prefix it has; 0 when they would be larger than it.
    #[must_use]
    pub fn parts(self, prefix: u8) -> u64 {
        if prefix < self.prefix || prefix > 32 { 0 } else { 1 << (prefix - self.prefix) }
    }

    /// Part number `index`, from 0, of those with this prefix.
    #[must_use]
    pub fn part(self, prefix: u8, index: u64) -> Option<Self> {
        if index >= self.parts(prefix) {
            return None;
        }
        let offset = u32::try_from(index).ok()?.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        Some(Self { base: self.base + offset, prefix })
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base(), self.prefix)
    }
}

/// Users' subnets: from /8 to /29. Blocks and single addresses are made by arithmetic, never parsed from users.
impl FromStr for Subnet {
    type Err = InvalidSubnet;

    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        let subnet = any(text).ok_or_else(|| InvalidSubnet(text.chars().take(64).collect()))?;
        if (8..=29).contains(&subnet.prefix) { Ok(subnet) } else { Err(InvalidSubnet(text.to_owned())) }
    }
}

/// A subnet of any size.
fn any(text: &str) -> Option<Subnet> {
    let (base, prefix) = text.split_once('/')?;
    let (base, prefix): (Ipv4Addr, u8) = (base.parse().ok()?, prefix.parse().ok()?);
    Subnet::around(base, prefix).filter(|subnet| subnet.base() == base)
}

impl Serialize for Subnet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { (self.base, self.prefix).serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Subnet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let subnet = if deserializer.is_human_readable() {
            any(&String::deserialize(deserializer)?)
        } else {
            let (base, prefix) = <(u32, u8)>::deserialize(deserializer)?;
            Self::around(Ipv4Addr::from(base), prefix).filter(|subnet| subnet.base == base)
        };
        subnet.ok_or_else(|| serde::de::Error::custom("not a subnet"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_subnet_is_refused() {
        assert_eq!("10.210.0.0/20".parse::<Subnet>().unwrap().size(), 4096);
        for wrong in ["10.0.0.1/20", "10.0.0.0", "10.0.0.0/30", "x/20", "10.0.0.0/7", "10.0.0.0/33", ""] {
            assert!(wrong.parse::<Subnet>().is_err(), "{wrong} was accepted");
        }
    }

    proptest! {
        #[test]
        fn printing_parsing_address_and_index_are_inverse(prefix in 8_u8..=29, seed: u32, index: u64) {
            let subnet = Subnet::around(Ipv4Addr::from(seed), prefix).unwrap();
            prop_assert_eq!(subnet.to_string().parse::<Subnet>(), Ok(subnet));
            prop_assert_eq!(serde_json::from_str::<Subnet>(&serde_json::to_string(&subnet).unwrap()).unwrap(), subnet);
            let index = index % (subnet.size() + 2);
            match subnet.address(index) {
                Some(address) => prop_assert_eq!(subnet.index(address), Some(index)),
                None => prop_assert!(index >= subnet.size()),
            }
        }

        #[test]
        fn parts_lie_inside_and_do_not_meet(prefix in 8_u8..=29, seed: u32, more in 0_u8..=3, one: u64, other: u64) {
            let subnet = Subnet::around(Ipv4Addr::from(seed), prefix).unwrap();
            let parts = subnet.parts(prefix + more);
            prop_assert_eq!(parts, 1 << more);
            let (one, other) = (one % parts, other % parts);
            let (left, right) = (subnet.part(prefix + more, one).unwrap(), subnet.part(prefix + more, other).unwrap());
            prop_assert!(subnet.covers(left) && subnet.overlaps(right));
            prop_assert_eq!(left.overlaps(right), one == other);
            prop_assert_eq!(subnet.part(prefix + more, parts), None);
        }
    }
}
