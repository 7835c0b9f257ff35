//! The addresses of one host's containers: an IPv4 subnet, its members counted from 1. Pure.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A subnet such as `10.210.0.0/20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

/// Why a text is no subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no subnet: write it like 10.210.0.0/20, with a prefix from 8 to 29")]
pub struct InvalidSubnet(String);

impl Subnet {
    /// The subnet that hosts use when nobody chose one: 4,094 containers.
    pub const DEFAULT: Self = Self { base: 0x0AD2_0000, prefix: 20 };

    /// How many containers it holds.
    #[must_use]
    pub fn size(self) -> u32 {
        (1 << (32 - self.prefix)) - 2
    }

    /// The address number `index`, from 1 to `size`.
    #[must_use]
    pub fn address(self, index: u32) -> Option<Ipv4Addr> {
        (1..=self.size()).contains(&index).then(|| Ipv4Addr::from(self.base + index))
    }

    /// The number of an address.
    #[must_use]
    pub fn index(self, address: Ipv4Addr) -> Option<u32> {
        u32::from(address).checked_sub(self.base).filter(|index| (1..=self.size()).contains(index))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = InvalidSubnet;

    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        let invalid = || InvalidSubnet(text.to_owned());
        let (base, prefix) = text.split_once('/').ok_or_else(invalid)?;
        let base: u32 = base.parse::<Ipv4Addr>().map_err(|_| invalid())?.into();
        let prefix: u8 = prefix.parse().ok().filter(|prefix| (8..=29).contains(prefix)).ok_or_else(invalid)?;
        if base.trailing_zeros() < u32::from(32 - prefix) { Err(invalid()) } else { Ok(Self { base, prefix }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_default_is_what_its_name_says() {
        assert_eq!(Subnet::DEFAULT.to_string(), "10.210.0.0/20");
        assert_eq!(Subnet::DEFAULT.size(), 4094);
        for wrong in ["10.0.0.1/20", "10.0.0.0", "10.0.0.0/30", "x/20", "10.0.0.0/7"] {
            assert!(wrong.parse::<Subnet>().is_err(), "{wrong} was accepted");
        }
    }

    proptest! {
        #[test]
        fn address_and_index_are_inverse(prefix in 8_u8..=29, seed: u32, index: u32) {
            let subnet = Subnet { base: (seed >> (32 - prefix)) << (32 - prefix), prefix };
            prop_assert_eq!(subnet.to_string().parse::<Subnet>(), Ok(subnet));
            let index = index % (subnet.size() + 2);
            match subnet.address(index) {
                Some(address) => prop_assert_eq!(subnet.index(address), Some(index)),
                None => prop_assert!(index == 0 || index > subnet.size()),
            }
        }
    }
}
