//! Files whose body is one serde structure.

use crate::reader::decode;
use crate::{Kind, Reader, WireError, Writer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};

/// Writes `value` as the whole body of a file of this kind; the header is empty.
pub fn write_message<T: Serialize>(
    output: impl Write,
    kind: Kind,
    value: &T,
) -> Result<(), WireError> {
    let body = message_bytes(value)?;
    let mut writer = Writer::new(output, kind, &(), body.len() as u64)?;
    writer.write(&body)?;
    writer.finish()?;
    Ok(())
}

/// Reads a file that [`write_message`] wrote. The checksum is verified before anything is decoded.
pub fn read_message<T: DeserializeOwned>(input: impl Read, kind: Kind) -> Result<T, WireError> {
    let mut reader = Reader::open(input, kind)?;
    let () = reader.header()?;
    let body = reader.read_rest()?;
    reader.finish()?;
    decode(kind.name(), &body)
}

/// The canonical bytes of a structure: the same value gives the same bytes, for digests.
pub fn message_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, WireError> {
    postcard::to_stdvec(value).map_err(|source| WireError::Malformed {
        what: "the structure",
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_surplus() {
        let mut file = Vec::new();
        write_message(&mut file, Kind::Client, &vec![1.5f64, 2.5]).unwrap();
        let back: Vec<f64> = read_message(&file[..], Kind::Client).unwrap();
        assert_eq!(back, [1.5, 2.5]);
        assert!(matches!(
            read_message::<u8>(&file[..], Kind::Client),
            Err(WireError::Surplus { .. })
        ));
        assert!(matches!(
            read_message::<Vec<[f64; 4]>>(&file[..], Kind::Client),
            Err(WireError::Malformed { .. })
        ));
    }
}
