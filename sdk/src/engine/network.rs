//! Networks of conditions. Without the feature `networks` none can be compiled.

#[cfg(feature = "networks")]
pub(super) use with_ipnet::Networks;
#[cfg(not(feature = "networks"))]
pub(super) use without_ipnet::Networks;

#[cfg(feature = "networks")]
mod with_ipnet {
    use std::net::IpAddr;

    use ipnet::IpNet;

    /// A set of IP addresses: disjoint, sorted ranges, so that a list of ten thousand networks is one binary search.
    #[derive(Debug)]
    pub(in crate::engine) struct Networks(Box<Ranges>);

    #[derive(Debug)]
    struct Ranges {
        v4: Vec<(u32, u32)>,
        v6: Vec<(u128, u128)>,
    }

    impl Networks {
        #[expect(clippy::unnecessary_wraps, reason = "without the feature it cannot be compiled")]
        pub(in crate::engine) fn new(networks: &[IpNet]) -> Result<Self, String> {
            let mut ranges = Ranges {
                v4: Vec::new(),
                v6: Vec::new(),
            };
            for network in IpNet::aggregate(&networks.iter().map(IpNet::trunc).collect::<Vec<_>>()) {
                match network {
                    IpNet::V4(network) => ranges.v4.push((network.network().into(), network.broadcast().into())),
                    IpNet::V6(network) => ranges.v6.push((network.network().into(), network.broadcast().into())),
                }
            }
            ranges.v4.sort_unstable();
            ranges.v6.sort_unstable();
            Ok(Self(Box::new(ranges)))
        }

        /// Whether `text` is an address in one of the networks. An IPv4 address mapped into IPv6 counts as the IPv4 address.
        pub(in crate::engine) fn contains(&self, text: &str) -> bool {
            match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
                Ok(IpAddr::V4(address)) => within(&self.0.v4, address.into()),
                Ok(IpAddr::V6(address)) => within(&self.0.v6, address.into()),
                Err(_) => false,
            }
        }
    }

    fn within<T: PartialOrd + Copy>(ranges: &[(T, T)], address: T) -> bool {
        let after = ranges.partition_point(|(first, _)| *first <= address);
        let range = after.checked_sub(1).and_then(|index| ranges.get(index));
        range.is_some_and(|(_, last)| address <= *last)
    }
}

#[cfg(not(feature = "networks"))]
mod without_ipnet {
    /// A set of networks cannot exist in this build.
    #[derive(Debug)]
    pub(in crate::engine) enum Networks {}

    impl Networks {
        pub(in crate::engine) fn new<N>(_: &[N]) -> Result<Self, String> {
            Err("this build of ripcord-sdk has no `in_cidr`; enable its feature `networks`".to_owned())
        }

        pub(in crate::engine) fn contains(&self, _: &str) -> bool {
            match *self {}
        }
    }
}
