//! linked - body for what comes over a link from another machine of a cluster: frames, letters, facts
//!
//! The sender has shown that it has the secret; it may still be another version's, or broken.
//! Not here: the handshake before them (rustls's own), what becomes of facts (`gate::merge`'s own tests).

use gatepost::daemon::cluster::mesh::frame::{LONGEST_FRAME, LinkFrame, read_octets};
use gatepost::daemon::cluster::message::{ClusterLetter, ClusterTold, NumberedRecords};
use gatepost_core::gate::spent::{self, SpentTime, UserDebt};
use gatepost_core::gate::tell;

use super::edges::{Stream, now};

/// The frames in `octets`, that come so many at a time.
fn frames(octets: &[u8], step: usize) -> Vec<Vec<u8>> {
    let mut stream = Stream::new(octets, step);
    let mut frames = Vec::new();
    while let Ok(frame) = now(read_octets(&mut stream)) {
        assert!((1..=LONGEST_FRAME).contains(&frame.len()));
        frames.push(frame);
    }
    frames
}

/// What is read is the same in whatever pieces it comes, and the same when it is written again.
pub fn link(octets: &[u8]) {
    let read = frames(octets, usize::MAX);
    assert_eq!(frames(octets, 1), read);
    for frame in read.iter().filter_map(|octets| LinkFrame::read(octets)) {
        let written = frame.octets();
        let again = frames(&written, usize::MAX);
        let again: Vec<_> = again
            .iter()
            .filter_map(|one| LinkFrame::read(one))
            .collect();
        assert_eq!(again, std::slice::from_ref(&frame));
        if let LinkFrame::Letter(letter) = frame {
            self::letter(&letter);
        }
    }
}

fn letter(octets: &[u8]) {
    let Some(letter) = ClusterLetter::read(octets) else {
        return;
    };
    assert_eq!(ClusterLetter::read(&letter.octets()), Some(letter.clone()));
    match letter.told {
        ClusterTold::Facts(octets) => facts(&octets),
        ClusterTold::Spent(NumberedRecords { octets, .. }) => {
            assert!(
                spent::read::<SpentTime>(&octets, 0).len() * spent::SPENT_RECORD <= octets.len()
            );
        }
        ClusterTold::Owed(NumberedRecords { octets, .. }) => {
            assert!(
                spent::read::<UserDebt>(&octets, 0).len() * spent::SPENT_RECORD <= octets.len()
            );
        }
        _ => {}
    }
}

fn facts(octets: &[u8]) {
    let Some((facts, skipped)) = tell::read(octets, 0) else {
        return;
    };
    // Each has a kind and a length at least.
    assert!((facts.len() as u64 + skipped) * 2 <= octets.len() as u64);
    for fact in facts {
        let mut written = Vec::new();
        tell::write(&mut written, &fact, 0);
        // What concerns no other machine is not told.
        if !written.is_empty() {
            assert_eq!(tell::read(&written, 0), Some((vec![fact], 0)));
        }
    }
}
