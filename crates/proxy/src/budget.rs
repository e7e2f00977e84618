//! A budget that the connections of one worker share: of memory, or of places. No client address may use all of it.
//!
//! A used-up budget means refusals for every client, and one client can use up much with few connections. So one
//! address may use a quarter of the budget. There are never more entries than addresses with an open connection.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::{Rc, Weak};

/// One address may use one part in this many of a budget.
const ADDRESS_PART: usize = 4;

/// The budget of all connections of a worker.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Cell<usize>,
    address_max: usize,
    addresses: RefCell<HashMap<IpAddr, Weak<AddressBudget>>>,
}

/// The part of the budget for all connections of one address.
#[derive(Debug)]
struct AddressBudget {
    budget: Rc<Budget>,
    address: IpAddr,
    left: Cell<usize>,
}

/// The budget as seen by one connection: takes from the worker's budget and from the part of the address.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionBudget {
    budget: Rc<Budget>,
    /// `None` for a trusted proxy, because its connections carry the requests of many clients.
    address: Option<Rc<AddressBudget>>,
}

/// Bytes taken from a budget. They are returned when this is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    budget: ConnectionBudget,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Rc<Self> {
        Rc::new(Self { left: Cell::new(bytes), address_max: bytes / ADDRESS_PART, addresses: RefCell::default() })
    }

    /// The budget for a connection of `address`. With `None`, no limit per address applies.
    pub(crate) fn for_connection(self: &Rc<Self>, address: Option<IpAddr>) -> ConnectionBudget {
        let of = |address| {
            let mut addresses = self.addresses.borrow_mut();
            if let Some(known) = addresses.get(&address).and_then(Weak::upgrade) {
                return known;
            }
            let left = Cell::new(self.address_max);
            let new = Rc::new(AddressBudget { budget: Rc::clone(self), address, left });
            addresses.insert(address, Rc::downgrade(&new));
            new
        };
        ConnectionBudget { budget: Rc::clone(self), address: address.map(of) }
    }
}

impl Drop for AddressBudget {
    fn drop(&mut self) {
        self.budget.addresses.borrow_mut().remove(&self.address);
    }
}

impl ConnectionBudget {
    /// Takes `bytes`. `None` if the worker or the address does not have that many left.
    pub(crate) fn take(&self, bytes: usize) -> Option<Reserved> {
        let left = self.budget.left.get().checked_sub(bytes)?;
        if let Some(address) = &self.address {
            address.left.set(address.left.get().checked_sub(bytes)?);
        }
        self.budget.left.set(left);
        Some(Reserved { budget: self.clone(), bytes })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let ConnectionBudget { budget, address } = &self.budget;
        budget.left.set(budget.left.get() + self.bytes);
        if let Some(address) = address {
            address.left.set(address.left.get() + self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_a_quarter_and_leaves_the_rest_to_the_others() {
        let budget = Budget::new(400);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().ok());
        let (first, second) = (budget.for_connection(one), budget.for_connection(one));
        let share = first.take(60).expect("room for it");
        assert!(second.take(41).is_none(), "both connections together");
        let last = second.take(40).expect("the rest of the quarter");
        assert!(first.take(1).is_none());
        let others = budget.for_connection(other).take(100).expect("a quarter of its own");
        let proxies = budget.for_connection(None).take(200).expect("all that is left");
        assert!(
            budget.for_connection(None).take(1).is_none()
                && budget.for_connection("::1".parse().ok()).take(1).is_none()
        );
        drop((share, last, others, proxies));
        assert!(first.take(100).is_some(), "all of it is back");
    }

    #[test]
    fn nothing_is_kept_of_an_address_without_connections() {
        let budget = Budget::new(400);
        let address = "192.0.2.1".parse().ok();
        let share = {
            let budget = budget.for_connection(address);
            budget.take(60).expect("room for it")
        };
        // Its connection has ended, and what it took is still in use.
        assert!(budget.for_connection(address).take(41).is_none());
        drop(share);
        assert!(budget.addresses.borrow().is_empty());
    }
}
