use super::*;

fn weaknesses(policy: &Policy, text: &str, context: &[&str]) -> Vec<Weakness> {
    let password = PlainPassword::parse(text.to_owned()).unwrap();
    policy.check(&password, context).err().unwrap_or_default()
}

fn found(text: &str) -> Vec<Weakness> {
    weaknesses(&Policy::default(), text, &[])
}

#[test]
fn good_passwords_of_any_composition_pass() {
    for text in [
        "correct horse battery staple",
        "onlylowercaselettershere",
        "gooddeedfreedstreet",
        "83920175642213907",
        "sommer im garten 5",
        "fjärilar är vackra",
        "我喜欢在周末的早晨喝一杯热咖啡",
        "🌊🐙🎺🪴🧭🍉🛶🔭🥁🦔🧶🪁🌋🎲🧊",
        "X$9fLq!2mZ@7wTv",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
    assert_eq!(found(&"correct horse battery staple ".repeat(64)), []);
}

#[test]
fn length_counts_characters_after_nfc() {
    let short = Weakness::Short { min_length: 15 };
    assert_eq!(found("vlk7 orbit tin"), [short]);
    assert_eq!(found("vlk7 orbit tins"), []);
    // Fourteen characters, though 15 were sent and they have more bytes.
    assert_eq!(found("vlk7 orbit tie\u{301}"), [short]);
    assert_eq!(found(""), [short]);
}

#[test]
fn shorter_passwords_need_the_method_that_names_the_second_factor() {
    assert_eq!(Policy::default().length(14).unwrap_err(), PolicyError::MinLength { floor: 15 });
    assert_eq!(Policy::default().length(65).unwrap_err(), PolicyError::MinLength { floor: 15 });
    assert_eq!(Policy::default().length_with_second_factor(7).unwrap_err(), PolicyError::MinLength { floor: 8 });
    assert!(!Policy::default().needs_second_factor());

    let policy = Policy::default().length_with_second_factor(8).unwrap();
    assert!(policy.needs_second_factor());
    assert_eq!(weaknesses(&policy, "vlk7 orb", &[]), []);
    assert_eq!(weaknesses(&policy, "vlk7 or", &[]), [Weakness::Short { min_length: 8 }]);
}

#[test]
fn common_password_is_refused_in_any_case_and_padding() {
    for text in ["PolniyPizdec0211", "Password4829104", "DRAGON-38-11-902", "1qaz2wsx3edc4rfv", "monkey-monkey-monkey"]
    {
        assert!(found(text).contains(&Weakness::Common), "{text}");
    }
}

#[test]
fn repetition_of_something_short_is_refused() {
    for text in ["aaaaaaaaaaaaaaaa", "vk7vk7vk7vk7vk7v", "vlk7 orbivlk7 orbi", "éàéàéàéàéàéàéàé"] {
        assert!(found(text).contains(&Weakness::Repetitive), "{text}");
    }
}

#[test]
fn walk_along_alphabet_digits_or_keyboard_is_refused() {
    for text in [
        "abcdefghijklmno",
        "onmlkjihgfedcba",
        "123456789012345",
        "987654321098765",
        "QwertyUiopAsdfg",
        "lkjhgfdsapoiuyt",
        "qwertzuiopyxcvb",
        "azertyuiopqsdfg",
        "!@#$%^&*()!@#$%",
        "5tgb6yhn7ujm8ik,",
        "абвгдежзийклмно",
        "vlk7xxxxxxxxxxxx",
        "orbit1234567890",
    ] {
        assert!(found(text).contains(&Weakness::Sequential), "{text}");
    }
}

#[test]
fn password_made_of_known_words_is_refused() {
    let policy = Policy::default().blocked_words(["Gardenclub"]);
    let context = ["Ada.Lovelace@analytical.example", "+44 20 7946 0958", "Zoë Ångström"];
    for text in [
        "ada.lovelace@analytical.example",
        "lovelace-orbit7",
        "Analytical!orbit",
        "GardenClub-vlk7x",
        "ZOE\u{308} \u{c5}ngström-v7",
        "gardenlovelacexanalytical",
    ] {
        assert!(weaknesses(&policy, text, &context).contains(&Weakness::Contextual), "{text}");
    }
}

#[test]
fn short_or_minor_known_words_are_accepted() {
    let context = ["ada@abc.example", ""];
    for text in ["adaadb orbit vlk", "my example of vlk7 orbit", "abc ada vlk orbit7"] {
        assert_eq!(weaknesses(&Policy::default(), text, &context), [], "{text}");
    }
}

#[test]
fn every_weakness_is_told_at_once_with_feedback() {
    let told: Vec<_> = found("aaaa").iter().map(|weakness| weakness.feedback().into_owned()).collect();
    assert_eq!(
        told,
        [
            "Add length: at least 15 characters.",
            "Too common.",
            "Repeats the same few characters.",
            "Follows the alphabet, the digits or the keyboard.",
        ]
    );
}

#[test]
fn longest_password_is_checked() {
    assert_eq!(found(&"ab".repeat(2048)), [Weakness::Repetitive]);
    assert_eq!(found(&format!("{}x", "a".repeat(4095))), [Weakness::Sequential]);
}
