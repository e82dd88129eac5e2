//! Cookies fit: browsers drop larger ones, and whoever shares a device would be signed out or locked out.

use std::collections::BTreeSet;

use authkit_risk::Throttle;
use authkit_session::Sessions;
use end_to_end::{Answer, PASSWORD, World, on_each_store};

/// What a cookie has besides on a site with TLS.
const SECURE: &str = "__Host-; Secure";

/// The lengths of the cookies that an answer sets, by name, as they would be with TLS.
fn lengths(answer: &Answer) -> Vec<(String, usize)> {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    lines.map(|line| (line.split('=').next().unwrap().to_owned(), line.len() + SECURE.len())).collect()
}

on_each_store! {
    async fn the_cookies_of_a_device_that_many_share_are_no_larger_than_browsers_keep(backend) {
        let world = World::builder(backend).sessions(Sessions::jwt()).throttle(Throttle::default()).build().await;
        let mut browser = world.browser();
        let (mut marks, mut names) = (Vec::new(), BTreeSet::new());
        for n in 0..8 {
            let name = format!("u{n}@example.com");
            world.sign_up(&name).await;
            let answer = browser.login(&name, PASSWORD).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            for (cookie, length) in lengths(&answer) {
                assert!(length < 4096, "{cookie} has {length} bytes");
                marks.extend((cookie == "authkit_device").then_some(length));
                names.insert(cookie);
            }
        }
        assert!(names.contains("authkit_session"), "{names:?}");
        assert!(marks.is_sorted() && marks[3..].iter().all(|length| *length == marks[7]), "it stops growing: {marks:?}");
    }
}
