use super::*;

#[test]
fn the_flags_of_the_demo_are_valid_and_what_the_shop_reads() {
    let file = FlagsFile::parse(FLAGS).unwrap();
    let advice = crate::lint::judge(&file);
    assert_eq!(advice, Vec::new());
    for feature in shop::FEATURES {
        let flag = file.flags.get(feature.key).unwrap();
        assert!(flag.variants.get(feature.counted).is_some(), "{}", feature.key);
    }
}
