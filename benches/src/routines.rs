//! The compiler's helpers that a kernel exports: `memcpy`, `memmove`, `memset`, `memcmp` and `__chkstk`, for the driver and
//! for the bare loop alike. What they cost is the caller's cost.
//!
//! Plain SSE loops of 64 bytes a turn, as kernels have them for lengths below the threshold of `rep movsb`; so that the count
//! of instructions grows with the bytes moved, and not with what one processor makes of one string instruction.

use std::ops::Range;

core::arch::global_asm!(
    ".text",
    ".p2align 6",
    ".globl bench_routines_start",
    "bench_routines_start:",
    // memmove(rcx: to, rdx: from, r8: length) -> rax: to. Backwards only if the target begins inside the source.
    ".globl bench_memmove",
    "bench_memmove:",
    "mov r9, rcx",
    "sub r9, rdx",
    "cmp r9, r8",
    "jae bench_memcpy",
    "mov rax, rcx",
    "test r8, r8",
    "jz 3f",
    "2:",
    "mov r9b, [rdx + r8 - 1]",
    "mov [rcx + r8 - 1], r9b",
    "dec r8",
    "jnz 2b",
    "3:",
    "ret",
    // memcpy, the same; right also where the target begins before the source. The last 16 bytes are loaded first.
    ".p2align 6",
    ".globl bench_memcpy",
    "bench_memcpy:",
    "mov rax, rcx",
    "cmp r8, 16",
    "jb 5f",
    "movups xmm5, [rdx + r8 - 16]",
    "lea r9, [rcx + r8 - 16]",
    "cmp r8, 64",
    "jb 3f",
    ".p2align 4",
    "2:",
    "movups xmm0, [rdx]",
    "movups xmm1, [rdx + 16]",
    "movups xmm2, [rdx + 32]",
    "movups xmm3, [rdx + 48]",
    "movups [rcx], xmm0",
    "movups [rcx + 16], xmm1",
    "movups [rcx + 32], xmm2",
    "movups [rcx + 48], xmm3",
    "add rdx, 64",
    "add rcx, 64",
    "sub r8, 64",
    "cmp r8, 64",
    "jae 2b",
    "3:",
    "cmp r8, 16",
    "jb 4f",
    "movups xmm0, [rdx]",
    "movups [rcx], xmm0",
    "add rdx, 16",
    "add rcx, 16",
    "sub r8, 16",
    "jmp 3b",
    "4:",
    "movups [r9], xmm5",
    "ret",
    "5:",
    "cmp r8, 8",
    "jb 6f",
    "mov r9, [rdx]",
    "mov r10, [rdx + r8 - 8]",
    "mov [rcx], r9",
    "mov [rcx + r8 - 8], r10",
    "ret",
    "6:",
    "cmp r8, 4",
    "jb 7f",
    "mov r9d, [rdx]",
    "mov r10d, [rdx + r8 - 4]",
    "mov [rcx], r9d",
    "mov [rcx + r8 - 4], r10d",
    "ret",
    "7:",
    "xor r9d, r9d",
    "8:",
    "cmp r9, r8",
    "jae 9f",
    "mov r10b, [rdx + r9]",
    "mov [rcx + r9], r10b",
    "inc r9",
    "jmp 8b",
    "9:",
    "ret",
    // memset(rcx: to, dl: value, r8: length) -> rax: to.
    ".p2align 6",
    ".globl bench_memset",
    "bench_memset:",
    "mov rax, rcx",
    "movzx edx, dl",
    "mov r9, 0x0101010101010101",
    "imul rdx, r9",
    "movq xmm0, rdx",
    "punpcklqdq xmm0, xmm0",
    "cmp r8, 16",
    "jb 5f",
    "lea r9, [rcx + r8 - 16]",
    "2:",
    "cmp r8, 64",
    "jb 3f",
    "movups [rcx], xmm0",
    "movups [rcx + 16], xmm0",
    "movups [rcx + 32], xmm0",
    "movups [rcx + 48], xmm0",
    "add rcx, 64",
    "sub r8, 64",
    "jmp 2b",
    "3:",
    "cmp r8, 16",
    "jb 4f",
    "movups [rcx], xmm0",
    "add rcx, 16",
    "sub r8, 16",
    "jmp 3b",
    "4:",
    "movups [r9], xmm0",
    "ret",
    "5:",
    "test r8, r8",
    "jz 6f",
    "mov [rcx + r8 - 1], dl",
    "dec r8",
    "jmp 5b",
    "6:",
    "ret",
    // memcmp(rcx, rdx, r8: length) -> eax.
    ".p2align 6",
    ".globl bench_memcmp",
    "bench_memcmp:",
    "xor r9d, r9d",
    "2:",
    "cmp r9, r8",
    "jae 3f",
    "movzx eax, byte ptr [rcx + r9]",
    "movzx r10d, byte ptr [rdx + r9]",
    "inc r9",
    "sub eax, r10d",
    "jz 2b",
    "ret",
    "3:",
    "xor eax, eax",
    "ret",
    // __chkstk(rax: bytes wanted), which touches each page and changes nothing but r10, r11 and flags.
    ".p2align 6",
    ".globl bench_chkstk",
    "bench_chkstk:",
    "lea r10, [rsp + 8]",
    "mov r11, rax",
    "2:",
    "cmp r11, 4096",
    "jb 3f",
    "sub r10, 4096",
    "test [r10], r10",
    "sub r11, 4096",
    "jmp 2b",
    "3:",
    "sub r10, r11",
    "test [r10], r10",
    "ret",
    ".globl bench_routines_end",
    "bench_routines_end:",
);

unsafe extern "C" {
    static bench_routines_start: u8;
    static bench_routines_end: u8;
}

unsafe extern "win64" {
    fn bench_memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8;
    fn bench_memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8;
    fn bench_memset(to: *mut u8, value: i32, length: usize) -> *mut u8;
    fn bench_memcmp(a: *const u8, b: *const u8, length: usize) -> i32;
    fn bench_chkstk();
}

/// A routine that copies.
pub(crate) type Copy = unsafe extern "win64" fn(*mut u8, *const u8, usize) -> *mut u8;

/// `memcpy`.
pub(crate) const COPY: Copy = bench_memcpy;

/// The routines by the names under which a driver imports them.
pub(crate) fn exports() -> [(&'static str, usize); 5] {
    [
        ("memcpy", bench_memcpy as *const () as usize),
        ("memmove", bench_memmove as *const () as usize),
        ("memset", bench_memset as *const () as usize),
        ("memcmp", bench_memcmp as *const () as usize),
        ("__chkstk", bench_chkstk as *const () as usize),
    ]
}

/// The name of the routine that holds an address of [`code`].
pub(crate) fn name(address: usize) -> &'static str {
    let all = exports();
    let before = all.iter().filter(|(_, start)| *start <= address);
    before.max_by_key(|(_, start)| *start).map_or("memmove", |(name, _)| name)
}

/// Where the routines lie.
pub(crate) fn code() -> Range<usize> {
    (&raw const bench_routines_start).addr()..(&raw const bench_routines_end).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect()
    }

    #[test]
    fn copies_are_right_at_every_length() {
        for length in 0..200 {
            let from = pattern(length);
            let mut to = vec![0xEE; length + 2];
            // SAFETY: both have room for the length.
            let result = unsafe { bench_memcpy(to.as_mut_ptr().wrapping_add(1), from.as_ptr(), length) };
            assert_eq!(result.addr(), to.as_ptr().addr() + 1);
            assert_eq!((to[0], &to[1..=length], to[length + 1]), (0xEE, &from[..], 0xEE), "{length}");
        }
    }

    #[test]
    fn moves_may_overlap_both_ways() {
        for length in 0..150 {
            for (to, from) in [(0, 5), (5, 0), (0, 40), (40, 0), (3, 3)] {
                let mut moved = pattern(200);
                let mut expected = moved.clone();
                expected.copy_within(from..from + length, to);
                let base = moved.as_mut_ptr();
                // SAFETY: both ranges lie in the 200 bytes.
                unsafe { bench_memmove(base.wrapping_add(to), base.wrapping_add(from), length) };
                assert_eq!(moved, expected, "{length} bytes from {from} to {to}");
            }
        }
    }

    #[test]
    fn sets_and_comparisons_are_right() {
        for length in 0..200 {
            let mut set = vec![0; length + 2];
            // SAFETY: there is room for the length.
            unsafe { bench_memset(set.as_mut_ptr().wrapping_add(1), 0x1A5, length) };
            assert!(set[0] == 0 && set[length + 1] == 0 && set[1..=length].iter().all(|byte| *byte == 0xA5));
            let same = pattern(length);
            let mut other = same.clone();
            // SAFETY: both have the length.
            assert_eq!(unsafe { bench_memcmp(same.as_ptr(), other.as_ptr(), length) }, 0);
            if let Some(last) = other.last_mut() {
                *last += 1;
                // SAFETY: both have the length.
                assert!(unsafe { bench_memcmp(same.as_ptr(), other.as_ptr(), length) } < 0);
            }
        }
    }

    #[test]
    fn routines_have_their_range_and_names() {
        for (routine, address) in exports() {
            assert!(code().contains(&address));
            assert_eq!(name(address + 1), routine);
        }
    }
}
