//! program - the classic BPF program that drops the SYNs of a set of clients
//!
//! A binary search over the source address, down to a few comparisons in a row. An IPv6 client is
//! found by the upper word of its /64, then by the lower. Conditional jumps reach 255
//! instructions; longer ones use an unconditional jump.
//! Not here: which clients (`filter`), how many instructions the kernel accepts (it reports that).
//! linux/Documentation/networking/filter.rst; RFC 791 section 3.1, RFC 8200 section 3.

use gatepost_core::gate::request::client::ClientKey;

/// One instruction, laid out as `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    pub(super) jt: u8,
    pub(super) jf: u8,
    pub(super) k: u32,
}

/// The address families that arrive at a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// IPv4 only.
    V4,
    /// IPv6, and IPv4 if the socket is dual-stack.
    V6,
}

/// The longest program that the kernel takes (BPF_MAXINSNS).
pub(super) const LONGEST: usize = 4096;

/// How many addresses are compared one after another at the end of the search.
const LINEAR: usize = 16;

/// Offsets from here on count from the network header, wherever the packet's data begins.
const NETWORK_HEADER: u32 = 0xfff0_0000;
const V4_SOURCE: u32 = NETWORK_HEADER + 12;
const V6_SOURCE: u32 = NETWORK_HEADER + 8;

const LOAD_WORD: u16 = 0x20;
const LOAD_OCTET: u16 = 0x30;
const SHIFT_RIGHT: u16 = 0x74;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

const DROP: Instruction = plain(RETURN, 0);
const PASS: Instruction = plain(RETURN, u32::MAX);

/// The first of `clients` that fit into the longest program of either family.
pub(super) fn fitting(clients: &[ClientKey]) -> &[ClientKey] {
    let mut fitting = clients;
    loop {
        let length = build(fitting, Family::V6).len();
        if length <= LONGEST {
            return fitting;
        }
        let fewer = fitting.len() * LONGEST / length;
        fitting = fitting.get(..fewer).unwrap_or_default();
    }
}

/// The program for `clients`, in any order. It may be longer than [`LONGEST`].
pub(super) fn build(clients: &[ClientKey], family: Family) -> Vec<Instruction> {
    let mut v4 = Vec::new();
    let mut v6 = Vec::new();
    for client in clients {
        match *client {
            ClientKey::V4(bits) => v4.push(bits),
            ClientKey::V6(upper) => v6.push(((upper >> 32) as u32, upper as u32)),
        }
    }
    v4.sort_unstable();
    v4.dedup();
    v6.sort_unstable();
    v6.dedup();
    let search_v4 = || {
        let mut program = vec![plain(LOAD_WORD, V4_SOURCE)];
        program.extend(search(&v4));
        program
    };
    match family {
        Family::V4 => search_v4(),
        Family::V6 => {
            let mut program = vec![plain(LOAD_OCTET, NETWORK_HEADER), plain(SHIFT_RIGHT, 4)];
            program.extend(branch(JUMP_IF_EQUAL, 6, search_v4(), search_v6(&v6)));
            program
        }
    }
}

/// Searches for the accumulator among sorted words.
fn search(words: &[u32]) -> Vec<Instruction> {
    let (below, above) = words.split_at(words.len() / 2);
    match above.first() {
        Some(&middle) if words.len() > LINEAR => {
            branch(JUMP_IF_AT_LEAST, middle, search(below), search(above))
        }
        _ => compare(words),
    }
}

/// Compares the accumulator with at most [`LINEAR`] words.
fn compare(words: &[u32]) -> Vec<Instruction> {
    // The distance to DROP: past the remaining words and past PASS.
    let to_drop = (1..=words.len()).rev();
    let mut program: Vec<Instruction> = words
        .iter()
        .zip(to_drop)
        .map(|(&word, distance)| Instruction {
            code: JUMP_IF_EQUAL,
            jt: u8::try_from(distance).unwrap_or(0),
            jf: 0,
            k: word,
        })
        .collect();
    program.push(PASS);
    if !words.is_empty() {
        program.push(DROP);
    }
    program
}

/// Loads the upper half of the source, and searches for it among sorted pairs of words.
fn search_v6(clients: &[(u32, u32)]) -> Vec<Instruction> {
    let mut groups: Vec<(u32, Vec<u32>)> = Vec::new();
    for &(upper, lower) in clients {
        match groups.last_mut() {
            Some((last, lowers)) if *last == upper => lowers.push(lower),
            _ => groups.push((upper, vec![lower])),
        }
    }
    let mut program = vec![plain(LOAD_WORD, V6_SOURCE)];
    program.extend(search_groups(&groups));
    program
}

fn search_groups(groups: &[(u32, Vec<u32>)]) -> Vec<Instruction> {
    match groups {
        [] => vec![PASS],
        [(upper, lowers)] => {
            let mut found = vec![plain(LOAD_WORD, V6_SOURCE + 4)];
            found.extend(search(lowers));
            branch(JUMP_IF_EQUAL, *upper, vec![PASS], found)
        }
        [..] => {
            let (below, above) = groups.split_at(groups.len() / 2);
            let middle = above.first().map_or(0, |(upper, _)| *upper);
            branch(
                JUMP_IF_AT_LEAST,
                middle,
                search_groups(below),
                search_groups(above),
            )
        }
    }
}

/// Continues with `then` if the condition holds, else with `otherwise`. Both end in a return.
fn branch(
    code: u16,
    k: u32,
    otherwise: Vec<Instruction>,
    then: Vec<Instruction>,
) -> Vec<Instruction> {
    let condition = |jt, jf| Instruction { code, jt, jf, k };
    let mut program = match u8::try_from(otherwise.len()) {
        Ok(distance) => vec![condition(distance, 0)],
        Err(_) => vec![
            condition(0, 1),
            plain(JUMP, u32::try_from(otherwise.len()).unwrap_or(u32::MAX)),
        ],
    };
    program.extend(otherwise);
    program.extend(then);
    program
}

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

#[cfg(test)]
mod tests;
