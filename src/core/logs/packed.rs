//! packed - unpacks a log by its first octets: gzip, xz, zstd, bzip2, all parts of a file one after the other
//!
//! Not here: cutting what was unpacked into lines (`collector`).
//!
//! Zeros behind the last part are padding, as of tapes; anything else there is damage. The memory for unpacking is
//! bounded: a user who can write into a folder of logs may leave a file there that asks for much more.
//! RFC 1952, RFC 8878; the .xz file format 1.2.1.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BZIP2: &[u8] = b"BZh";
/// `xz -9` needs 65 MiB.
const MOST_XZ_KIBIBYTES: u32 = 256 * 1024;
/// `zstd --ultra -22` needs 128 MiB.
const MOST_ZSTD_WINDOW_OCTETS: u64 = 128 * 1024 * 1024;
const BUFFER_OCTETS: usize = 128 * 1024;
/// As many octets show how a file is packed.
pub const MAGIC_OCTETS: usize = 6;

/// Whether a file that begins with `octets` is packed, and so does not grow.
pub fn is_packed(octets: &[u8]) -> bool {
    [GZIP, XZ, ZSTD, BZIP2]
        .iter()
        .any(|magic| octets.starts_with(magic))
}

/// The log's text, unpacked if it is packed.
///
/// # Errors
/// When `log` cannot be read.
pub(super) fn unpacked<'a>(log: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut log = BufReader::with_capacity(BUFFER_OCTETS, log);
    let begin = log.fill_buf()?;
    let text: Box<dyn Read + 'a> = if begin.starts_with(GZIP) {
        Box::new(GzipMembers::new(log))
    } else if begin.starts_with(ZSTD) {
        Box::new(ZstdFrames::new(log))
    } else if begin.starts_with(XZ) {
        Box::new(XzReader::new_mem_limit(log, true, MOST_XZ_KIBIBYTES))
    } else if begin.starts_with(BZIP2) {
        Box::new(MultiBzDecoder::new(log))
    } else {
        return Ok(Box::new(log));
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER_OCTETS, text)))
}

/// Whether another part follows in `source`, behind zeros.
fn next_part(source: &mut impl BufRead, magics: &[&[u8]]) -> io::Result<NextPart> {
    loop {
        let ahead = source.fill_buf()?;
        let zeros = ahead.iter().take_while(|&&octet| octet == 0).count();
        match ahead.get(zeros) {
            None if ahead.is_empty() => return Ok(NextPart::End),
            None => source.consume(zeros),
            Some(first) if magics.iter().any(|magic| magic.first() == Some(first)) => {
                source.consume(zeros);
                return Ok(NextPart::Part);
            }
            Some(_) => return Err(damage("there is something else behind the packed log")),
        }
    }
}

enum NextPart {
    Part,
    End,
}

fn damage(text: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}

/// The members of a gzip file.
enum GzipMembers<R> {
    Within(Box<GzDecoder<R>>),
    Ended,
}

impl<R: BufRead> GzipMembers<R> {
    fn new(source: R) -> Self {
        Self::Within(Box::new(GzDecoder::new(source)))
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Self::Within(member) = self else {
                return Ok(0);
            };
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Self::Within(ended) = std::mem::replace(self, Self::Ended) else {
                return Ok(0);
            };
            let mut source = ended.into_inner();
            if let NextPart::Part = next_part(&mut source, &[GZIP])? {
                *self = Self::Within(Box::new(GzDecoder::new(source)));
            }
        }
    }
}

/// The frames of a zstd file.
struct ZstdFrames<R> {
    source: R,
    decoder: FrameDecoder,
    state: FrameState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameState {
    Between,
    Within,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MOST_ZSTD_WINDOW_OCTETS);
        Self {
            source,
            decoder,
            state: FrameState::Between,
        }
    }

    /// Begins the next frame that holds data.
    fn begin(&mut self) -> io::Result<NextPart> {
        // A frame to be skipped begins with 0x50 to 0x5f.
        let skipped: [&[u8]; 17] = [
            ZSTD, b"\x50", b"\x51", b"\x52", b"\x53", b"\x54", b"\x55", b"\x56", b"\x57", b"\x58",
            b"\x59", b"\x5a", b"\x5b", b"\x5c", b"\x5d", b"\x5e", b"\x5f",
        ];
        loop {
            if let NextPart::End = next_part(&mut self.source, &skipped)? {
                return Ok(NextPart::End);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.state = FrameState::Within;
                    return Ok(NextPart::Part);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.source.by_ref().take(length.into());
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(fault) => return Err(damage(fault.to_string())),
            }
        }
    }

    /// Unpacks until something can be read or the frame ends.
    fn unpack(&mut self) -> io::Result<()> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            self.decoder
                .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|fault| damage(fault.to_string()))?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.state = FrameState::Between;
        match (
            self.decoder.get_checksum_from_data(),
            self.decoder.get_calculated_checksum(),
        ) {
            (Some(written), Some(found)) if written != found => {
                Err(damage("its checksum is wrong"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.state == FrameState::Between
                && let NextPart::End = self.begin()?
            {
                return Ok(0);
            }
            self.unpack()?;
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.end()?;
        }
    }
}
