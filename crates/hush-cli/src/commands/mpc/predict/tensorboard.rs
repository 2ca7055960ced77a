//! Scalars in the form of TensorBoard's event files: records of a length, a masked CRC-32C of it, a message and a
//! masked CRC-32C of that; messages are `Event`s of protocol buffers.

use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use hush_party::predict::Report;

use crate::failure::Result;
use crate::output::{Access, Existing, Output};

/// Writes one new event file: seconds, rounds and bytes of each operation, once as series over all operations and once
/// under each operation's name.
pub(super) fn write(folder: &Path, report: &Report) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default();
    let name = format!(
        "events.out.tfevents.{}.hush.{}",
        now.as_secs(),
        now.subsec_nanos()
    );
    let mut output = Output::create(&folder.join(name), Access::Shared, Existing::Refuse)?;
    output.write_all(&events(report, now.as_secs_f64()))?;
    output.commit()?;
    Ok(())
}

fn events(report: &Report, now: f64) -> Vec<u8> {
    let start = now - report.seconds;
    let mut file = record(&event(start, 0, &text(3, "brain.Event:2")));
    let mut began = 0.0;
    for (step, operation) in (0..).zip(&report.operations) {
        let scalars = [
            ("seconds", operation.ended - began),
            ("rounds", operation.rounds as f64),
            ("bytes", operation.bytes as f64),
        ];
        began = operation.ended;
        let mut values = Vec::new();
        for (what, number) in scalars {
            let label = &operation.label;
            values.extend(scalar(what, number));
            values.extend(scalar(&format!("{what}/{label}"), number));
        }
        let summary = bytes(5, &values);
        file.extend(record(&event(start + operation.ended, step, &summary)));
    }
    file
}

/// An event at a time and a step.
fn event(time: f64, step: u64, what: &[u8]) -> Vec<u8> {
    let mut message = vec![1 << 3 | 1];
    message.extend(time.to_le_bytes());
    message.push(2 << 3);
    message.extend(varint(step));
    message.extend(what);
    message
}

/// A value of a summary.
fn scalar(tag: &str, number: f64) -> Vec<u8> {
    let mut value = text(1, tag);
    value.push(2 << 3 | 5);
    value.extend((number as f32).to_le_bytes());
    bytes(1, &value)
}

fn text(field: u8, text: &str) -> Vec<u8> {
    bytes(field, text.as_bytes())
}

/// A field of so many bytes.
fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut message = vec![field << 3 | 2];
    message.extend(varint(content.len() as u64));
    message.extend(content);
    message
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut digits = Vec::new();
    while number >= 0x80 {
        digits.push(number as u8 | 0x80);
        number >>= 7;
    }
    digits.push(number as u8);
    digits
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked(crc32c(&length)).to_le_bytes());
    record.extend(message);
    record.extend(masked(crc32c(message)).to_le_bytes());
    record
}

/// What stands in files, since a checksum of data that holds checksums says little.
fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |checksum: u32, byte: &u8| {
        (0..8).fold(checksum ^ u32::from(*byte), |checksum, _| {
            checksum >> 1 ^ (0x82f6_3b78 & (checksum & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_party::predict::Operation;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, appendix B.4, and the usual check.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn records_follow_each_other() {
        let report = Report {
            operations: vec![Operation {
                label: "relu".to_owned(),
                ended: 0.5,
                rounds: 300,
                bytes: 1 << 20,
            }],
            seconds: 0.5,
            rounds: 300,
            bytes: 1 << 20,
        };
        let file = events(&report, 1e9);
        let mut rest = &file[..];
        let mut messages = Vec::new();
        while let Some((length, tail)) = rest.split_first_chunk::<8>() {
            let (check, tail) = tail.split_at(4);
            assert_eq!(masked(crc32c(length)).to_le_bytes(), check);
            let (message, tail) = tail.split_at(u64::from_le_bytes(*length) as usize);
            assert_eq!(masked(crc32c(message)).to_le_bytes(), tail[..4]);
            messages.push(message);
            rest = &tail[4..];
        }
        assert_eq!(messages.len(), 2);
        assert!(messages[0].ends_with(b"\x1a\x0dbrain.Event:2"));
        let rounds = [&b"\x0a\x0brounds/relu\x15"[..], &300f32.to_le_bytes()].concat();
        assert!(messages[1].windows(rounds.len()).any(|part| part == rounds));
    }
}
