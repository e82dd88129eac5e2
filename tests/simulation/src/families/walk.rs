//! Random walks through the protocol, compared with what the application does.

use std::sync::Arc;

use authkit_core::{Clock as _, ReuseEnds, Timestamp};

use super::{
    ask::{ADDRESS, Answer, Ask, Deed, perform},
    history::Who,
    house::build,
    protocol::{Action, FRESH_FOR, LAST, State},
};
use crate::{choice::Choices, ground::Memory, house::House, schedule::block_on, token::refresh_token};

/// How long a walk is.
const STEPS: usize = 24;

/// Makes so many walks; how many tokens were shown in them.
pub(super) fn walk(walks: u64) -> Result<u64, String> {
    let mut house = House::new(Arc::new(Memory::default()), |site| build(site, 1, ReuseEnds::Session));
    (0..walks)
        .try_fold(0, |shown, seed| Ok(shown + one(&mut house, seed).map_err(|text| format!("walk {seed}: {text}"))?))
}

fn one(house: &mut House, seed: u64) -> Result<u64, String> {
    house.clear(seed);
    house.auth = build(&house.site, 1, ReuseEnds::Session);
    let mut choices = Choices::new(seed ^ 0x7761_6c6b);
    let ask = |who, deed| block_on(perform(house.auth.clone(), Ask { who, deed }));
    let password = format!("{ADDRESS} velvet kite");
    ask(Who::Desk, Deed::SignUp { password: password.clone() });
    let Answer::Tokens(first) = ask(Who::One, Deed::SignIn { password }) else {
        return Err("the owner cannot sign in".to_owned());
    };
    // All texts of one number are worth the same.
    let mut texts = vec![first.refresh.unwrap_or_default()];
    let (mut state, mut shown) = (State::FIRST, 0);
    let clock = &house.site.clock;
    for _ in 0..STEPS {
        let actions = state.actions();
        let Some(action) = actions.get(choices.below(actions.len())).copied() else { break };
        let (next, tried) = state.after(action);
        if next.number > LAST {
            break;
        }
        match (action, tried) {
            (Action::Wait, _) => clock.set(Timestamp::from_millis(clock.now().millis() + FRESH_FOR)),
            (_, Some(tried)) => {
                let token = texts.get(usize::from(tried.token)).cloned().unwrap_or_default();
                let who = if matches!(action, Action::Show(..)) { Who::Thief } else { Who::One };
                let given = match ask(who, Deed::Refresh { token }) {
                    Answer::Tokens(pair) => pair.refresh,
                    _ => None,
                };
                let number = given.as_deref().and_then(refresh_token).map(|claim| claim.number);
                if number != tried.given.map(i64::from) {
                    return Err(format!("{action:?} in {state:?} gave {number:?}, due was {:?}", tried.given));
                }
                if let Some(given) = given.filter(|_| usize::from(next.number) == texts.len()) {
                    texts.push(given);
                }
                shown += 1;
            }
            _ => {}
        }
        state = next;
    }
    Ok(shown)
}
