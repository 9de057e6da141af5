//! Per-thread cache of the current state.
//!
//! Taking a guard from an [`ArcSwap`](arc_swap::ArcSwap) costs two atomic exchanges, more than the evaluation of a flag without rules. A
//! thread that keeps the state it saw last only compares the version instead. The cached state may outlive the client: it is dropped when
//! the thread next evaluates a flag of another client, or ends.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use super::shared::{Loaded, Shared};

/// What a thread keeps of one client.
struct CachedState {
    /// The client. While this reference exists, no other client can have the same address.
    client: Weak<Shared>,
    version: u64,
    state: Arc<Loaded>,
}

thread_local! {
    static CACHED: RefCell<Option<CachedState>> = const { RefCell::new(None) };
}

/// Calls `read` with the current state.
#[inline]
pub(super) fn with_current<T>(shared: &Arc<Shared>, read: impl Fn(&Loaded) -> T) -> T {
    let value = CACHED.try_with(|cached| cached.try_borrow_mut().ok().map(|mut cached| read(refresh(&mut cached, shared))));
    match value {
        Ok(Some(value)) => value,
        // The thread is ending, or `read` evaluates another flag, as a hook may.
        Ok(None) | Err(_) => read_uncached(shared, read),
    }
}

/// Apart, so that only one copy of an evaluation is inlined into its caller.
#[cold]
#[inline(never)]
fn read_uncached<T>(shared: &Shared, read: impl Fn(&Loaded) -> T) -> T {
    read(&shared.load())
}

#[inline]
fn refresh<'s>(cached: &'s mut Option<CachedState>, shared: &Arc<Shared>) -> &'s Loaded {
    // Read before the state: the cached state may be newer than its version, and is then loaded once more.
    let version = shared.version();
    let is_current = |cached: &CachedState| cached.version == version && std::ptr::eq(cached.client.as_ptr(), Arc::as_ptr(shared));
    if !cached.as_ref().is_some_and(is_current) {
        *cached = None;
    }
    &cached.get_or_insert_with(|| load(shared, version)).state
}

#[cold]
fn load(shared: &Arc<Shared>, version: u64) -> CachedState {
    CachedState {
        client: Arc::downgrade(shared),
        version,
        state: shared.pin(),
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
