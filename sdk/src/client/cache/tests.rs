use super::*;
use crate::client::protocol::tests::world::{World, kill};

fn image() -> CacheEntry {
    let mut world = World::new();
    let kill = kill(1, "checkout");
    world.overlay.kills.insert(kill.id.clone(), kill);
    CacheEntry {
        hash: world.hash(),
        snapshot: Arc::new(world.snapshot),
        overlay: world.overlay,
        last_fresh: Some("2026-03-01T12:00:00Z".parse().unwrap()),
    }
}

fn written() -> (tempfile::TempDir, Cache) {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::new(&directory.path().join("made/on/demand"), "http://a production", "1");
    cache.store(&image(), "2026-03-01T12:00:05Z".parse().unwrap()).unwrap();
    (directory, cache)
}

#[test]
fn what_is_read_is_what_was_written() {
    let (_directory, cache) = written();
    let (restored, at) = cache.load().unwrap().unwrap();
    let image = image();
    assert_eq!(restored.state.hash, image.hash);
    assert_eq!(restored.state.snapshot.position, image.snapshot.position);
    assert_eq!(restored.overlay, image.overlay);
    assert_eq!(restored.last_fresh, image.last_fresh);
    assert_eq!(at, "2026-03-01T12:00:05Z".parse().unwrap());
}

#[test]
fn no_file_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Cache::new(directory.path(), "a", "1").load().unwrap().is_none());
}

#[test]
fn a_file_that_differs_in_any_byte_is_not_read() {
    let (_directory, cache) = written();
    let whole = fs::read(&cache.path).unwrap();
    let (restored, _) = cache.load().unwrap().unwrap();
    for place in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        fs::write(&cache.path, &damaged).unwrap();
        // A changed time that is still valid cannot be detected. A changed state always can.
        if let Ok(Some((other, _))) = cache.load() {
            assert_eq!(other.state.hash, restored.state.hash, "byte {place}");
            assert_eq!(other.overlay, restored.overlay, "byte {place}");
        }
    }
}

#[test]
fn a_file_that_was_cut_short_is_not_read() {
    let (_directory, cache) = written();
    let whole = fs::read(&cache.path).unwrap();
    for length in (0..whole.len()).step_by(11) {
        fs::write(&cache.path, &whole[..length]).unwrap();
        assert!(matches!(cache.load(), Err(CacheError::Damaged(_))), "{length} bytes");
    }
}

#[test]
fn nothing_is_left_beside_the_file() {
    let (_directory, cache) = written();
    let names: Vec<_> = fs::read_dir(cache.path.parent().unwrap()).unwrap().collect();
    assert_eq!(names.len(), 1);
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_directory, cache) = written();
    assert_eq!(fs::metadata(&cache.path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn servers_environments_and_keys_have_files_of_their_own() {
    let of = |whose: &str| Cache::new(Path::new("/x"), whose, "1").path;
    assert_ne!(of("http://a environment production"), of("http://a environment staging"));
    assert_ne!(of("http://a environment production"), of("http://b environment production"));
}
