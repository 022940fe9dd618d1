//! records - what machines of a cluster have told by way of the store: opened, and written by hand

use gatepost_daemon::cluster::message::NumberedLetter;
use gatepost_daemon::cluster::secret::ClusterSecret;

use super::redis::Redis;

/// The stream in which they stand.
pub(crate) const RECORDS: &str = "gatepost:1:records";

/// What a machine has told by way of the store, opened.
pub(crate) fn told_by(redis: &Redis, secret: &ClusterSecret, machine: &str) -> Vec<NumberedLetter> {
    const HEX: &str = "
        local told = {}
        for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
            if entry[2][2] == ARGV[1] then
                local hex = function(one) return string.format('%02x', string.byte(one)) end
                table.insert(told, (string.gsub(entry[2][4], '.', hex)))
            end
        end
        return told";
    let told = redis.command(&["EVAL", HEX, "1", RECORDS, machine]);
    let octets = |line: &str| {
        let pairs = line.as_bytes().chunks(2);
        let pair = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).expect("hex");
            u8::from_str_radix(text, 16).expect("hex")
        };
        pairs.map(pair).collect::<Vec<u8>>()
    };
    let open = |sealed: Vec<u8>| secret.open(machine, &sealed).expect("its own");
    let told = told.lines().filter(|line| !line.is_empty()).map(octets);
    let read = |octets: Vec<u8>| NumberedLetter::read(&octets).expect("a letter");
    told.map(open).map(read).collect()
}

/// Writes a record as `machine` does, with one more field of a later version.
pub(crate) fn write(redis: &Redis, machine: &str, sealed: &[u8]) {
    const ADD: &str = "
        local octet = function(two) return string.char(tonumber(two, 16)) end
        local record = string.gsub(ARGV[2], '..', octet)
        return redis.call('XADD', KEYS[1], '*', 'later', '1', 'm', ARGV[1], 'r', record)";
    let hex: String = sealed.iter().map(|octet| format!("{octet:02x}")).collect();
    redis.command(&["EVAL", ADD, "1", RECORDS, machine, &hex]);
}
