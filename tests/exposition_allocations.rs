//! Reading a page takes no memory that the page before has not already been given.
//!
//! A test binary of its own, because it replaces the allocator.

#[path = "../benches/parse/counting.rs"]
mod counting;
#[path = "../benches/parse/pages.rs"]
mod pages;
#[path = "../benches/parse/wanted.rs"]
mod wanted;

use warroom::decode::exposition::read;

use counting::{Allocated, during};

#[test]
fn the_second_page_of_a_kind_is_read_without_allocating() {
    for (name, page) in pages::all() {
        let mut wanted = wanted::Wanted::default();
        let (first, _) = during(|| read(page.as_bytes(), &mut wanted));
        wanted.clear();
        let (second, allocated) = during(|| read(page.as_bytes(), &mut wanted));
        assert_eq!(first, second);
        assert!(second.is_ok_and(|stats| stats.wanted > 200), "{name}: {second:?}");
        assert_eq!(allocated, Allocated { times: 0, bytes: 0 }, "{name}");
    }
}

#[test]
fn the_counter_counts() {
    let (boxed, allocated) = during(|| Box::new([0_u8; 100]));
    assert_eq!((boxed.len(), allocated), (100, Allocated { times: 1, bytes: 100 }));
}
