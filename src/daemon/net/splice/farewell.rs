//! farewell - whether the last thing that Postfix said was a closing reply (221 or 421)
//!
//! The first three octets of the last line that it sent, in however many pieces that came.
//! Not here: what follows from it (`splice`).
//! RFC 5321 sections 3.8 and 4.1.1.10: 221 answers QUIT, 421 announces that the server closes.

/// The closing reply of Postfix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// 221: the client said QUIT.
    Quit,
    /// 421: Postfix closes for a reason of its own.
    Closing,
}

/// How the last line begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastReply {
    code: [u8; 3],
    /// Octets of `code` that have come.
    come: usize,
    line: LineState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LineState {
    /// What comes next belongs to another line.
    #[default]
    Ended,
    Begun,
}

impl LastReply {
    /// Takes in what comes next.
    pub(super) fn see(&mut self, octets: &[u8]) {
        let Some((last, before)) = octets.split_last() else {
            return;
        };
        let line = match before.iter().rposition(|octet| *octet == b'\n') {
            Some(at) => {
                self.line = LineState::Ended;
                octets.get(at + 1..).unwrap_or_default()
            }
            None => octets,
        };
        if self.line == LineState::Ended {
            self.come = 0;
        }
        for (place, octet) in self.code.iter_mut().skip(self.come).zip(line) {
            *place = *octet;
            self.come += 1;
        }
        self.line = match last {
            b'\n' => LineState::Ended,
            _ => LineState::Begun,
        };
    }

    /// The closing reply, if the last line is one.
    pub(super) fn farewell(self) -> Option<Farewell> {
        match (self.come, &self.code) {
            (3, b"221") => Some(Farewell::Quit),
            (3, b"421") => Some(Farewell::Closing),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&[u8]]) -> Option<Farewell> {
        let mut last = LastReply::default();
        pieces.iter().for_each(|piece| last.see(piece));
        last.farewell()
    }

    #[test]
    fn the_last_line_counts_however_it_comes() {
        let all = b"250 2.0.0 Ok: queued as 221\r\n221 2.0.0 Bye\r\n";
        for first in 0..all.len() {
            for second in first..all.len() {
                let pieces = [&all[..first], &all[first..second], &all[second..]];
                assert_eq!(of(&pieces), Some(Farewell::Quit), "{pieces:?}");
            }
        }
        assert_eq!(of(&[b"421 4.4.2 timeout\r\n"]), Some(Farewell::Closing));
        for replies in [
            &b""[..],
            b"22",
            b"221 Bye\r\n250 ok\r\n",
            b"250 221\r\n",
            b"\r\n",
        ] {
            assert_eq!(of(&[replies]), None);
        }
    }
}
