//! written - writes small MMDB files, good ones and such that nobody should trust
//!
//! For tests alone, here and in `tests/integration`: every octet of a file is in our hands, so damaged and hostile ones
//! can be made. Each network has a row of its own. MaxMind DB format, version 2, records of 32 bits.

use std::net::IpAddr;

/// A value in a row.
pub(crate) enum Value {
    Text(String),
    Short(u16),
    Number(u32),
    Long(u64),
    Map(Vec<(&'static str, Value)>),
    List(Vec<Value>),
}

/// A country as MaxMind writes one.
pub(crate) fn country(code: &str) -> Value {
    let code = Value::Text(code.to_owned());
    Value::Map(vec![("country", Value::Map(vec![("iso_code", code)]))])
}

/// An autonomous system as MaxMind writes one.
pub(crate) fn system(number: u32, name: &str) -> Value {
    Value::Map(vec![
        ("autonomous_system_number", Value::Number(number)),
        (
            "autonomous_system_organization",
            Value::Text(name.to_owned()),
        ),
    ])
}

/// Where a bit of an address leads.
#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(usize),
    /// The row with this offset in the data section.
    Row(usize),
}

/// The octets of a database with these networks, as `10.0.0.0/8`.
pub(crate) fn database(rows: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes = vec![[Record::Empty; 2]];
    let mut data = Vec::new();
    for (network, value) in rows {
        let (address, prefix) = network.split_once('/').unwrap();
        let offset = data.len();
        write(value, &mut data);
        let bits = bits(address.parse().unwrap());
        let all = bits.len();
        // IPv4 stands in the first 2^32 addresses of IPv6.
        let prefix: usize = prefix.parse().unwrap();
        let length = match address.contains(':') {
            true => prefix,
            false => all - 32 + prefix,
        };
        enter(&mut nodes, &bits[..length], offset);
    }
    let mut file = Vec::new();
    for node in &nodes {
        for record in node {
            let value = match record {
                Record::Empty => nodes.len(),
                Record::Node(node) => *node,
                Record::Row(offset) => nodes.len() + 16 + offset,
            };
            file.extend(u32::try_from(value).unwrap().to_be_bytes());
        }
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    metadata(nodes.len(), &mut file);
    file
}

fn bits(address: IpAddr) -> Vec<u8> {
    let number = match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    (0..128)
        .rev()
        .map(|bit| (number >> bit & 1) as u8)
        .collect()
}

fn enter(nodes: &mut Vec<[Record; 2]>, bits: &[u8], row: usize) {
    let mut node = 0;
    let (last, path) = bits.split_last().unwrap();
    for bit in path {
        let next = nodes.len();
        let side = &mut nodes[node][usize::from(*bit)];
        node = match *side {
            Record::Node(next) => next,
            Record::Empty | Record::Row(_) => {
                *side = Record::Node(next);
                nodes.push([Record::Empty; 2]);
                next
            }
        };
    }
    nodes[node][usize::from(*last)] = Record::Row(row);
}

fn metadata(nodes: usize, file: &mut Vec<u8>) {
    let nodes = u32::try_from(nodes).unwrap();
    let text = |text: &str| Value::Text(text.to_owned());
    let described = vec![("en", text("made by a test"))];
    write(
        &Value::Map(vec![
            ("binary_format_major_version", Value::Short(2)),
            ("binary_format_minor_version", Value::Short(0)),
            ("build_epoch", Value::Long(1_795_478_400)),
            ("database_type", text("Test-Places")),
            ("description", Value::Map(described)),
            ("ip_version", Value::Short(6)),
            ("languages", Value::List(vec![text("en")])),
            ("node_count", Value::Number(nodes)),
            ("record_size", Value::Short(32)),
        ]),
        file,
    );
}

fn write(value: &Value, to: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            head(2, text.len(), to);
            to.extend(text.as_bytes());
        }
        Value::Short(number) => {
            head(5, 2, to);
            to.extend(number.to_be_bytes());
        }
        Value::Long(number) => {
            head(9, 8, to);
            to.extend(number.to_be_bytes());
        }
        Value::Number(number) => {
            head(6, 4, to);
            to.extend(number.to_be_bytes());
        }
        Value::Map(entries) => {
            head(7, entries.len(), to);
            for (key, value) in entries {
                write(&Value::Text((*key).to_owned()), to);
                write(value, to);
            }
        }
        Value::List(values) => {
            head(11, values.len(), to);
            values.iter().for_each(|value| write(value, to));
        }
    }
}

/// The octets that say type and size.
fn head(kind: u8, size: usize, to: &mut Vec<u8>) {
    let (low, more) = match size {
        0..29 => (size, None),
        29..285 => (29, Some(size - 29)),
        285..65_821 => (30, Some(size - 285)),
        _ => (31, Some(size - 65_821)),
    };
    let low = u8::try_from(low).unwrap();
    match kind > 7 {
        true => to.extend([low, kind - 7]),
        false => to.push(kind << 5 | low),
    }
    if let Some(more) = more {
        let octets = u32::try_from(more).unwrap().to_be_bytes();
        let from = match low {
            29 => 3,
            30 => 2,
            _ => 1,
        };
        to.extend(&octets[from..]);
    }
}
