use super::*;

#[test]
fn the_flags_of_the_demo_are_valid_and_what_the_shop_reads() {
    let file = FlagsFile::parse(FLAGS).unwrap();
    let advice = crate::cli::lint::judge(&file);
    assert_eq!(advice, Vec::new());
    for feature in shop::FEATURES {
        let flag = file.flags.get(feature.key).unwrap();
        assert!(flag.variants.get(feature.counted).is_some(), "{}", feature.key);
    }
}

#[test]
fn the_demo_keeps_everything_in_its_own_folder() {
    let config = config("127.0.0.1:0".parse().unwrap(), std::path::Path::new("/tmp/demo"));
    assert_eq!(config.store, StoreChoice::Embedded);
    assert!(config.data_dir.starts_with("/tmp/demo"));
    assert!(config.peers.is_empty());
}
