use proptest::prelude::*;

use crate::memory::Pool;
use crate::memory::pool::{PoolError, tag_name};

fn allocate(pool: &Pool, len: usize) -> *mut u8 {
    pool.allocate(len, 7, true, "test".to_owned())
}

fn free(pool: &Pool, block: *mut u8) -> Result<usize, PoolError> {
    pool.free(block, Some(7), "test".to_owned())
}

fn bytes<'a>(block: *mut u8, len: usize) -> &'a mut [u8] {
    // SAFETY: the tests use the slice while the block lives, and no other of it.
    unsafe { std::slice::from_raw_parts_mut(block, len) }
}

#[test]
fn more_blocks_than_the_host_has_mappings_keep_their_contents() {
    let pool = Pool::new(true);
    let blocks: Vec<_> = (0..70_000_usize)
        .map(|index| {
            let block = allocate(&pool, 40);
            assert!(bytes(block, 40).iter().all(|&byte| byte == 0));
            bytes(block, 40).fill(index.to_le_bytes()[0]);
            block
        })
        .collect();
    assert_eq!((pool.leaks().len(), pool.bytes()), (70_000, 2_800_000));
    for (index, &block) in blocks.iter().enumerate() {
        assert!(bytes(block, 40).iter().all(|&byte| byte == index.to_le_bytes()[0]));
        assert_eq!(free(&pool, block), Ok(40));
    }
    assert_eq!((pool.leaks().len(), pool.bytes(), pool.peak()), (0, 0, 2_800_000));
    assert!(matches!(free(&pool, blocks[69_999]), Err(PoolError::DoubleFree(70_000, _))));
}

#[test]
fn damage_is_found_on_shared_pages_too() {
    let pool = Pool::new(true);
    let blocks: Vec<_> = (0..8_010).map(|_| allocate(&pool, 40)).collect();
    for (index, offset) in [(8_003, -1), (8_005, 40), (8_007, 63)] {
        let block: *mut u8 = blocks[index];
        // SAFETY: the byte lies in the margin of a block on shared pages.
        unsafe { block.wrapping_offset(offset).write(0) };
        assert_eq!(free(&pool, block), Err(PoolError::Damaged(offset)));
    }
    assert_eq!(free(&pool, blocks[8_004]), Ok(40));
}

#[test]
fn used_again_pages_are_zeroed() {
    let pool = Pool::new(true);
    for _ in 0..20_000 {
        let block = allocate(&pool, 64);
        assert!(bytes(block, 64).iter().all(|&byte| byte == 0));
        bytes(block, 64).fill(0xAA);
        free(&pool, block).expect("allocated");
    }
}

#[test]
fn without_guards_blocks_share_pages() {
    let pool = Pool::new(false);
    let (first, second) = (allocate(&pool, 64), allocate(&pool, 64));
    assert!(first.addr().abs_diff(second.addr()) < 4096);
    assert_eq!((free(&pool, first), free(&pool, second)), (Ok(64), Ok(64)));
}

#[test]
fn addresses_come_back_only_after_quarantine() {
    let pool = Pool::new(true);
    let first = allocate(&pool, 100);
    free(&pool, first).expect("allocated");
    let mut reused_after = None;
    for count in 0..40_000 {
        let block = allocate(&pool, 100);
        if block.addr() / 4096 == first.addr() / 4096 {
            reused_after = Some(count);
            break;
        }
        free(&pool, block).expect("allocated");
    }
    let count = reused_after.expect("reused in the end");
    assert!(count >= 16_384, "reused after {count} others");
}

#[test]
fn tags_are_read_low_byte_first() {
    assert_eq!(tag_name(u32::from_le_bytes(*b"mcm1")), "mcm1");
    assert_eq!(tag_name(1), "....");
}

proptest! {
    #[test]
    fn blocks_do_not_overlap(lens in prop::collection::vec(1_usize..9000, 1..60), frees: Vec<prop::sample::Index>) {
        let pool = Pool::new(true);
        let mut live: Vec<(*mut u8, usize, u8)> = Vec::new();
        for (index, len) in lens.into_iter().enumerate() {
            let mark = u8::try_from(index).expect("few");
            let block = allocate(&pool, len);
            bytes(block, len).fill(mark);
            live.push((block, len, mark));
        }
        for index in frees {
            if live.is_empty() {
                break;
            }
            let (block, len, mark) = live.swap_remove(index.index(live.len()));
            prop_assert!(bytes(block, len).iter().all(|&byte| byte == mark));
            prop_assert_eq!(free(&pool, block), Ok(len));
        }
        for (block, len, mark) in live {
            prop_assert!(bytes(block, len).iter().all(|&byte| byte == mark));
        }
    }
}
