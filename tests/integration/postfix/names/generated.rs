//! generated - odd AUTH exchanges from a seed: every mechanism, odd names, odd base64, odd forms
//!
//! Of each exchange the user that it names, if it names one at all, is known. Not here: what must come of it (`names`).

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};

use crate::kit::client::Client;

/// Parts of names: what settings of Dovecot act on, what separates fields, and what is not printed.
const PARTS: [&[u8]; 34] = [
    b"anna",
    b"Anna",
    b"BERT",
    b"admin",
    b"a",
    b"x1",
    b"@",
    b"@",
    b"@@",
    b"example.org",
    b"EXAMPLE.net",
    b".",
    b"-",
    b"_",
    b"+",
    b"+lists",
    b"%",
    b"%%",
    b"*",
    b"**",
    b"/",
    b"\\",
    b"\"",
    b"'",
    b",",
    b"=",
    b"=2C",
    b" ",
    b"\t",
    b"\r\n",
    b"\xc3\xbc",
    b"\xff",
    b"\x01",
    b"\0",
];

/// One AUTH command and the answers to what follows.
pub(super) struct Exchange {
    lines: Vec<Vec<u8>>,
    user: Vec<u8>,
}

/// Shows what is sent; a password is in it, but nobody's.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self
            .lines
            .iter()
            .map(|line| line.escape_ascii().to_string());
        let lines: Vec<String> = lines.collect();
        write!(
            f,
            "{lines:?} for {:?}",
            self.user.escape_ascii().to_string()
        )
    }
}

impl Exchange {
    /// The user that is named, unless other parts of the message make that another one.
    pub(super) fn user(&self) -> &[u8] {
        &self.user
    }

    /// Plays it to its end, whatever that is.
    pub(super) fn play(&self, mut client: Client) {
        client.greet();
        for line in &self.lines {
            let sent = client.try_send(&[line.as_slice(), b"\r\n"].concat());
            let reply = sent.and_then(|()| client.try_reply());
            if !reply.is_ok_and(|reply| reply.code == 334) {
                return;
            }
        }
    }
}

/// A source of exchanges; the same seed gives the same ones.
pub(super) struct Generator(u64);

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `end`. SplitMix64.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ z >> 31) % end as u64).unwrap()
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn name(&mut self) -> Vec<u8> {
        if self.one_in(12) {
            let length = [59, 60, 61, 63, 64, 65, 255, 256, 1000, 1400, 3000][self.below(11)];
            let mut name = vec![b'x'; length];
            name.extend(self.short_name());
            return name;
        }
        self.short_name()
    }

    fn short_name(&mut self) -> Vec<u8> {
        // The last parts are refused wherever they stand: few names have them.
        let parts = if self.one_in(8) {
            PARTS.len()
        } else {
            PARTS.len() - 6
        };
        let count = 1 + self.below(6);
        let chosen = (0..count).map(|_| PARTS[self.below(parts)]);
        chosen.collect::<Vec<_>>().concat()
    }

    pub(super) fn exchange(&mut self) -> Exchange {
        let user = self.name();
        match self.below(20) {
            0 => self.cram(user),
            1 => self.scram(user),
            2..10 => self.login(user),
            _ => self.plain(user),
        }
    }

    fn plain(&mut self, user: Vec<u8>) -> Exchange {
        let authzid = if self.one_in(5) {
            self.name()
        } else {
            Vec::new()
        };
        let nuls: [&[u8]; 2] = match self.below(24) {
            0 => [b"", b"\0"],
            1 => [b"\0\0", b"\0"],
            2 => [b"\0", b""],
            _ => [b"\0", b"\0"],
        };
        let message = [&authzid, nuls[0], &user, nuls[1], b"Mirabelle5"].concat();
        let message = self.base64(&message);
        let lines = self.begin(b"PLAIN", Some(message));
        Exchange { lines, user }
    }

    fn login(&mut self, user: Vec<u8>) -> Exchange {
        let name = self.base64(&user);
        let mut lines = self.begin(b"LOGIN", Some(name));
        let password = self.base64(b"Mirabelle5");
        lines.push(password);
        Exchange { lines, user }
    }

    fn cram(&mut self, user: Vec<u8>) -> Exchange {
        let digest = [b'0'; 32];
        let mut lines = self.begin(b"CRAM-MD5", None);
        let message = [user.as_slice(), b" ", &digest].concat();
        lines.push(self.base64(&message));
        Exchange { lines, user }
    }

    fn scram(&mut self, user: Vec<u8>) -> Exchange {
        let escaped = user.iter().flat_map(|octet| match octet {
            b',' => b"=2C".to_vec(),
            b'=' => b"=3D".to_vec(),
            other => vec![*other],
        });
        let name: Vec<u8> = escaped.collect();
        let header = ["n,,", "y,,", "n,a=anna,", "p=tls-unique,,"][self.below(4)].as_bytes();
        let message = [header, b"n=", &name, b",r=abcdefghijklmnop"].concat();
        let message = self.base64(&message);
        let lines = self.begin(b"SCRAM-SHA-256", Some(message));
        Exchange { lines, user }
    }

    /// The command with its initial response, or the response as an answer.
    fn begin(&mut self, mechanism: &[u8], response: Option<Vec<u8>>) -> Vec<Vec<u8>> {
        let mechanism = match self.below(4) {
            0 => mechanism.to_ascii_lowercase(),
            _ => mechanism.to_owned(),
        };
        let verb = ["AUTH ", "auth ", "AUTH  ", "AUTH "][self.below(4)].as_bytes();
        let command = [verb, &mechanism].concat();
        let Some(response) = response else {
            return vec![command];
        };
        if self.one_in(3) {
            return vec![command, response];
        }
        let space: &[u8] = if self.one_in(10) { b"  " } else { b" " };
        let end: &[u8] = if self.one_in(20) { b" more" } else { b"" };
        vec![[command.as_slice(), space, &response, end].concat()]
    }

    /// Base64, now and then not quite.
    fn base64(&mut self, message: &[u8]) -> Vec<u8> {
        const LOOSE: GeneralPurpose =
            GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new());
        let right = BASE64_STANDARD.encode(message);
        let text = match self.below(40) {
            0 => BASE64_STANDARD_NO_PAD.encode(message),
            1 => BASE64_URL_SAFE.encode(message),
            2 => format!("{right}="),
            3 => format!("{right}===="),
            4 => format!("{right}?"),
            5 => right.replacen('A', "A ", 1),
            6 => right.replacen('b', "b\u{0}", 1),
            7 => self.spare_bits(right),
            8 => LOOSE.encode([message, b"\0"].concat()),
            9 => "=".to_owned(),
            10 => String::new(),
            11 => format!("*{right}"),
            12 => format!("{right}\t"),
            _ => right,
        };
        text.into_bytes()
    }

    /// The last character before the padding, with bits that no octet has.
    fn spare_bits(&mut self, right: String) -> String {
        let Some(at) = right.find('=') else {
            return right;
        };
        let mut text = right.into_bytes();
        text[at - 1] = b"BDFHJLNPRTVXZbdfhjlnprtvxz13579/"[self.below(32)];
        String::from_utf8(text).expect("ASCII")
    }
}
