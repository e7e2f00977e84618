//! Writes the format of gzip (RFC 1952).

use miniz_oxide::deflate::compress_to_vec;

/// Fast: most of what repeats in spans is near.
const LEVEL: u8 = 1;
/// The magic number, the method (deflate), no flags, no time, no extra flags, an unknown system (RFC 1952 §2.3.1).
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Compresses `bytes` into one member.
pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut out = HEAD.to_vec();
    out.extend(compress_to_vec(bytes, LEVEL));
    out.extend(checksum(bytes).to_le_bytes());
    // The length modulo 2^32 (§2.3.1).
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

/// CRC-32 (RFC 1952 §8).
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| TABLE[((sum ^ u32::from(*byte)) & 0xff) as usize] ^ (sum >> 8))
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut number = 0;
    while number < 256 {
        let mut sum = number as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
            bit += 1;
        }
        table[number] = sum;
        number += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use miniz_oxide::inflate::decompress_to_vec;

    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn what_is_compressed_is_there_again() {
        let text = b"a span, and a span, and a span".repeat(100);
        let packed = compress(&text);
        assert!(packed.len() < text.len() / 4);
        let (body, tail) = packed[HEAD.len()..].split_at(packed.len() - HEAD.len() - 8);
        assert_eq!(decompress_to_vec(body).expect("deflate"), text);
        assert_eq!(tail[4..], 3000_u32.to_le_bytes());
    }
}
