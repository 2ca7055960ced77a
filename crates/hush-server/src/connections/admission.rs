//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections. Clones count together.
#[derive(Clone, Debug)]
pub(super) struct Admission(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Admission,
    address: IpAddr,
}

impl Admission {
    pub(super) fn new(total: usize, per_address: usize) -> Self {
        Self(Arc::new(Inner {
            total,
            per_address,
            open: Mutex::default(),
        }))
    }

    /// Lets a connection in, unless there are too many.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Permit> {
        let address = counted_as(address);
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = open.by_address.get(&address).copied().unwrap_or(0);
        if open.total >= self.0.total || of_address >= self.0.per_address {
            return None;
        }
        open.total += 1;
        open.by_address.insert(address, of_address + 1);
        drop(open);
        let admission = self.clone();
        Some(Permit { admission, address })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let inner = &self.admission.0;
        let mut open = inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

/// Whoever has one address of IPv6 has its /64 network.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all() {
        let admission = Admission::new(3, 2);
        let address = |text: &str| text.parse().unwrap();
        let first = admission.admit(address("10.0.0.1"));
        let second = admission.admit(address("::ffff:10.0.0.1"));
        assert!(first.is_some() && second.is_some());
        assert!(admission.admit(address("10.0.0.1")).is_none());
        let third = admission.admit(address("2001:db8::1"));
        assert!(third.is_some());
        assert!(admission.admit(address("10.0.0.2")).is_none());
        drop(first);
        assert!(admission.admit(address("10.0.0.1")).is_some());
        assert!(admission.admit(address("2001:db8::2")).is_some());
        drop((second, third));
        let open = admission.0.open.lock().unwrap();
        assert_eq!((open.total, open.by_address.len()), (0, 0));
    }
}
