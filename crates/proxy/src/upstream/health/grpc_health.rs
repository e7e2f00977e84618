//! The answer of `grpc.health.v1.Health/Check` (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).

/// Whether the message of the answer says that the server is serving.
///
/// # Errors
///
/// Says what it says else.
pub(super) fn is_serving(message: &[u8]) -> Result<(), &'static str> {
    let Some((&[compressed, length @ ..], message)) = message.split_first_chunk::<5>() else {
        return Err("the answer has no message");
    };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if compressed != 0 || message.len() != length {
        return Err("the message of the answer is compressed, or not whole");
    }
    match serving_status(message) {
        // `HealthCheckResponse.ServingStatus`.
        Some(1) => Ok(()),
        Some(0) => Err("the status is UNKNOWN"),
        Some(2) => Err("the status is NOT_SERVING"),
        Some(3) => Err("the status is SERVICE_UNKNOWN"),
        Some(_) => Err("the status is not one of grpc.health.v1"),
        None => Err("the message of the answer is not that of grpc.health.v1"),
    }
}

/// Field 1 of the message. It is 0 if it is absent (Protocol Buffers, proto3). `None` if the message cannot be read.
fn serving_status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let value = match tag & 7 {
            0 => varint(&mut message)?,
            1 => skip(&mut message, 8)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                skip(&mut message, length)?
            }
            5 => skip(&mut message, 4)?,
            _ => return None,
        };
        if tag == STATUS {
            status = value;
        }
    }
    Some(status)
}

/// Field 1, a varint.
const STATUS: u64 = 1 << 3;

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn skip(message: &mut &[u8], length: usize) -> Option<u64> {
    *message = message.get(length..)?;
    Some(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).expect("short");
        [&[0], &length.to_be_bytes()[..], message].concat()
    }

    #[test]
    fn a_server_serves_only_if_it_says_so() {
        assert_eq!(is_serving(&framed(&[8, 1])), Ok(()));
        // Fields that a later version may have.
        assert_eq!(is_serving(&framed(&[0x12, 2, 8, 2, 8, 1, 0x1d, 0, 0, 0, 0, 0x21, 0, 0, 0, 0, 0, 0, 0, 0])), Ok(()));
        // The last one counts.
        assert_eq!(is_serving(&framed(&[8, 1, 8, 2])), Err("the status is NOT_SERVING"));
        for (message, expected) in [
            (framed(&[8, 2]), "the status is NOT_SERVING"),
            (framed(&[8, 3]), "the status is SERVICE_UNKNOWN"),
            (framed(&[]), "the status is UNKNOWN"),
            (framed(&[8, 0x81, 1]), "the status is not one of grpc.health.v1"),
            (framed(&[8]), "the message of the answer is not that of grpc.health.v1"),
            (framed(&[0x12, 9, 1]), "the message of the answer is not that of grpc.health.v1"),
            (framed(&[0x0b]), "the message of the answer is not that of grpc.health.v1"),
            (
                framed(&[[0x88; 10].as_slice(), &[1]].concat()),
                "the message of the answer is not that of grpc.health.v1",
            ),
            (vec![], "the answer has no message"),
            (vec![1, 0, 0, 0, 2, 8, 1], "the message of the answer is compressed, or not whole"),
            (vec![0, 0, 0, 0, 3, 8, 1], "the message of the answer is compressed, or not whole"),
            (vec![0, 0, 0, 0, 2, 8, 1, 0], "the message of the answer is compressed, or not whole"),
        ] {
            assert_eq!(is_serving(&message), Err(expected), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_target_sends_is_read_to_its_end(message in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = is_serving(&message);
            let _ = is_serving(&framed(&message));
        }
    }
}
