use std::collections::HashSet;

use super::*;

const THREADS: usize = 16;
const DRAWS: usize = 5_000;

/// What each of many threads draws at once: 128 bits, again and again.
fn draws() -> Vec<[u8; 16]> {
    let draw = || {
        let mut bytes = [0; 16];
        OsRng.fill(&mut bytes);
        bytes
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|_| scope.spawn(move || (0..DRAWS).map(|_| draw()).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn many_threads_never_draw_the_same() {
    let draws = draws();
    assert_eq!(draws.len(), THREADS * DRAWS);
    assert_eq!(draws.iter().collect::<HashSet<_>>().len(), draws.len());
}

#[test]
fn every_bit_that_is_drawn_is_set_half_of_the_time() {
    let draws = draws();
    for bit in 0..128 {
        let set = draws.iter().filter(|bytes| bytes[bit / 8] >> (bit % 8) & 1 == 1).count();
        // The standard deviation is 141; this is 17 of them.
        assert!(set.abs_diff(draws.len() / 2) < 2_400, "bit {bit}: {set} of {}", draws.len());
    }
}
