use super::*;

#[test]
fn the_flags_of_the_demo_are_valid_and_what_the_shop_reads() {
    let file = FlagsFile::parse(FLAGS).unwrap();
    let advice = crate::lint::judge(&file);
    assert_eq!(advice, Vec::new());
    for feature in shop::DEMO_FLAGS {
        let flag = file.flags.get(feature.key).unwrap();
        assert!(flag.variants.get(feature.counted).is_some(), "{}", feature.key);
    }
}

#[test]
fn the_bad_release_of_the_demo_raises_the_new_checkout() {
    let (before, after) = (FlagsFile::parse(FLAGS).unwrap(), FlagsFile::parse(BAD_RELEASE).unwrap());
    assert_eq!(after.flags.len(), 1);
    let (key, flag) = after.flags.iter().next().unwrap();
    let old = before.flags.get(key).unwrap();
    assert_eq!((&old.variants, &old.safe, &old.tags), (&flag.variants, &flag.safe, &flag.tags));
    assert_ne!(old.rules, flag.rules);
}
