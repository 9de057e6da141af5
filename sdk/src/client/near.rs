//! The state in force as a thread saw it last.
//!
//! Taking a guard from an [`ArcSwap`](arc_swap::ArcSwap) costs two atomic exchanges, more than the evaluation of a plain flag. A thread
//! that remembers what it saw pays one look at the number of swaps instead. What it remembers may outlive the client: it is let go
//! when the thread next evaluates a flag of another client, or ends.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use super::shared::Shared;
use super::view::Pinned;

/// What a thread remembers of one client.
struct Seen {
    /// Whose. While this is held, no other client can have the address.
    whose: Weak<Shared>,
    swaps: u64,
    in_force: Arc<Pinned>,
}

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// Calls `read` with what is in force.
#[inline]
pub(super) fn with_in_force<T>(shared: &Arc<Shared>, read: impl Fn(&Pinned) -> T) -> T {
    let near = SEEN.try_with(|seen| seen.try_borrow_mut().ok().map(|mut seen| read(look(&mut seen, shared))));
    match near {
        Ok(Some(answer)) => answer,
        // The thread is ending.
        Ok(None) | Err(_) => read(&shared.load()),
    }
}

#[inline]
fn look<'s>(seen: &'s mut Option<Seen>, shared: &Arc<Shared>) -> &'s Pinned {
    // Looked at before the state is loaded: what is remembered may be newer than its number, and is then loaded once more.
    let swaps = shared.swaps();
    let fresh = |seen: &Seen| seen.swaps == swaps && std::ptr::eq(seen.whose.as_ptr(), Arc::as_ptr(shared));
    if !seen.as_ref().is_some_and(fresh) {
        *seen = None;
    }
    &seen.get_or_insert_with(|| load(shared, swaps)).in_force
}

#[cold]
fn load(shared: &Arc<Shared>, swaps: u64) -> Seen {
    Seen {
        whose: Arc::downgrade(shared),
        swaps,
        in_force: shared.pin(),
    }
}

#[cfg(test)]
mod tests {
    use crate::Context;
    use crate::testing::TestClient;

    #[test]
    fn a_thread_sees_each_swap_at_once_and_never_another_client() {
        let (one, other) = (TestClient::new(), TestClient::new());
        let context = Context::new("u");
        for round in 0..20 {
            let on = round % 2 == 0;
            one.set_bool("flag", on).unwrap();
            assert_eq!(one.client().bool("flag", &context, !on), on);
            assert!(!other.client().bool("flag", &context, false), "the other client has no such flag");
            assert_eq!(one.client().bool("flag", &context, !on), on);
        }
        let client = one.client();
        std::thread::scope(|scope| {
            assert!(!scope.spawn(|| client.bool("flag", &Context::new("u"), true)).join().unwrap());
        });
    }

    #[test]
    fn a_client_in_the_place_of_one_that_is_gone_is_not_mistaken_for_it() {
        for round in 0..50 {
            let made = TestClient::new();
            made.set_number("round", f64::from(round)).unwrap();
            assert!((made.client().number("round", &Context::new("u"), -1.0) - f64::from(round)).abs() < f64::EPSILON);
        }
    }
}
