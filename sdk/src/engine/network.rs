//! Networks as disjoint, sorted ranges of addresses, so that a list of ten thousand is a binary search.

use std::net::IpAddr;

use ipnet::IpNet;

/// A set of IP addresses.
#[derive(Debug)]
pub(super) struct Networks {
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl Networks {
    pub(super) fn new(networks: &[IpNet]) -> Self {
        let mut v4: Vec<(u32, u32)> = Vec::new();
        let mut v6: Vec<(u128, u128)> = Vec::new();
        for network in IpNet::aggregate(&networks.iter().map(IpNet::trunc).collect::<Vec<_>>()) {
            match network {
                IpNet::V4(network) => v4.push((network.network().into(), network.broadcast().into())),
                IpNet::V6(network) => v6.push((network.network().into(), network.broadcast().into())),
            }
        }
        v4.sort_unstable();
        v6.sort_unstable();
        Self { v4: v4.into(), v6: v6.into() }
    }

    /// Whether `text` is an address in one of them. An IPv4 address mapped into IPv6 counts as the IPv4 address.
    pub(super) fn contains(&self, text: &str) -> bool {
        match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => within(&self.v4, address.into()),
            Ok(IpAddr::V6(address)) => within(&self.v6, address.into()),
            Err(_) => false,
        }
    }
}

fn within<T: PartialOrd + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after
        .checked_sub(1)
        .and_then(|place| ranges.get(place))
        .is_some_and(|(_, last)| address <= *last)
}
