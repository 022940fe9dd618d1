//! line/tests - lines from any octets, whole and split

use proptest::prelude::*;

use super::*;

/// Everything that a buffer returns when `pieces` are pushed one after the other, and what it then holds.
fn read(pieces: &[&[u8]], limit: usize) -> (Vec<Result<Vec<u8>, LineFault>>, Vec<u8>) {
    let mut buffer = LineBuffer::new();
    let mut said = Vec::new();
    for piece in pieces {
        buffer.push(piece);
        loop {
            match buffer.next_line(limit) {
                Ok(None) => break,
                Ok(Some(line)) => said.push(Ok(line.to_vec())),
                Err(fault) => said.push(Err(fault)),
            }
        }
    }
    (said, buffer.into_rest())
}

#[track_caller]
fn check(octets: &[u8], expected: &[Result<&str, LineFault>]) {
    let (said, _) = read(&[octets], 8);
    let expected: Vec<_> = expected
        .iter()
        .map(|said| said.map(|line| line.as_bytes().to_vec()))
        .collect();
    assert_eq!(said, expected);
}

#[test]
fn a_line_feed_ends_a_line_and_carriage_returns_before_it_are_cut_off() {
    check(b"EHLO a\r\nQUIT\r\n", &[Ok("EHLO a"), Ok("QUIT")]);
    check(b"EHLO", &[]);
    check(b"EHLO\r", &[]);
    check(b"\r\n", &[Ok("")]);
    check(b"a\nb\r\n", &[Ok("a"), Ok("b")]);
    check(b"\n\r\n", &[Ok(""), Ok("")]);
    check(b"a\r\r\n", &[Ok("a")]);
}

#[test]
fn a_carriage_return_elsewhere_is_an_octet_of_the_line() {
    check(b"a\rb\r\n", &[Ok("a\rb")]);
    check(b"\ra\n", &[Ok("\ra")]);
}

#[test]
fn a_line_over_the_limit_is_read_to_its_end_and_reported_once() {
    check(b"1234567\r\n12345678\r\n", &[Ok("1234567"), Ok("12345678")]);
    check(b"123456789\r\n", &[Err(LineFault::TooLong)]);
    check(
        b"12345678\r\r\n123456789\n",
        &[Ok("12345678"), Err(LineFault::TooLong)],
    );
    check(
        b"12345678\r\r\r\nQUIT\n",
        &[Err(LineFault::TooLong), Ok("QUIT")],
    );
    check(
        b"12345678901234567890\r\nQUIT\r\n",
        &[Err(LineFault::TooLong), Ok("QUIT")],
    );
}

#[test]
fn an_endless_line_is_not_stored() {
    let mut buffer = LineBuffer::new();
    for _ in 0..1_000 {
        buffer.push(&[b'x'; 1_000]);
        assert_eq!(buffer.next_line(512), Ok(None));
        assert!(buffer.len() <= 512, "{}", buffer.len());
    }
    assert!(buffer.is_overlong());
    let mut buffer = LineBuffer::new();
    for _ in 0..1_000 {
        buffer.push(b"\r");
        assert_eq!(buffer.next_line(8), Ok(None));
        assert!(
            buffer.len() <= 10,
            "carriage returns are stored: {}",
            buffer.len()
        );
    }
}

#[test]
fn an_empty_buffer_holds_no_heap() {
    let mut buffer = LineBuffer::new();
    assert_eq!(buffer.octets.capacity(), 0);
    buffer.push(b"NOOP\r\nNOOP\r\n");
    assert!(buffer.next_line(512).unwrap().is_some());
    assert_eq!(buffer.following(), Following::Octets);
    assert!(buffer.next_line(512).unwrap().is_some());
    assert_eq!(buffer.following(), Following::Nothing);
    assert_eq!(buffer.octets.capacity(), 0);
    assert!(size_of::<LineBuffer>() <= 48);
}

#[test]
fn a_returned_line_is_wiped_while_more_is_held() {
    let mut buffer = LineBuffer::new();
    buffer.push(b"hunter2\r\nnext");
    assert_eq!(&*buffer.next_line(512).unwrap().unwrap(), b"hunter2");
    assert_eq!(buffer.octets, b"\0\0\0\0\0\0\0\0\0next");
    assert_eq!(format!("{buffer:?}"), "LineBuffer(4 octets)");
    assert_eq!(buffer.into_rest(), b"next");
}

proptest! {
    #[test]
    fn any_split_gives_the_same_lines(
        octets in proptest::collection::vec(
            prop_oneof![3 => Just(b"\r\n".to_vec()), 8 => "[a-z]{0,12}".prop_map(String::into_bytes),
                        1 => proptest::collection::vec(any::<u8>(), 0..3)],
            0..12,
        ).prop_map(|pieces| pieces.concat()),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len() + 1)).collect();
        cuts.extend([0, octets.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &octets[cut[0]..cut[1]]).collect();
        let (whole, whole_rest) = read(&[&octets], 8);
        let (split, split_rest) = read(&pieces, 8);
        prop_assert_eq!(&whole, &split);
        prop_assert_eq!(whole_rest, split_rest);
    }
}
