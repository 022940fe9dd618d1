//! process - what this process takes of the machine: memory, processor time, open files
//!
//! As the kernel's tables have it: proc(5), `status` and `fd`. What cannot be read is shown as nothing.

use std::fs;

use crate::admin::message::ProcessMessage;
use crate::clock;
use crate::net::listener::open_files;

/// Reads it anew.
pub(super) fn read() -> ProcessMessage {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ProcessMessage {
        resident_octets: octets(&status, "VmRSS:"),
        virtual_octets: octets(&status, "VmSize:"),
        cpu_s: clock::processor_time().as_secs_f64(),
        open_files: open_files(),
        open_files_limit: open_files::limit(),
    }
}

/// A line of the form `VmRSS:      1234 kB`.
fn octets(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kib: u64 = number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    kib * 1024
}

/// Newer kernels say how many there are; for older ones they are counted.
fn open_files() -> u64 {
    const TABLE: &str = "/proc/self/fd";
    match fs::metadata(TABLE).map(|table| table.len()) {
        Ok(0) => fs::read_dir(TABLE).map_or(0, |table| table.count() as u64),
        Ok(count) => count,
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_open_files_are_those_of_this_process() {
        let before = read();
        let held = vec![1_u8; 64 << 20];
        let files: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null")).collect();
        let after = read();
        assert!(held.iter().all(|one| *one == 1) && files.len() == 50);
        assert!(
            after.resident_octets > before.resident_octets + (32 << 20),
            "{before:?} {after:?}"
        );
        assert!(after.open_files >= 50 && after.open_files <= after.open_files_limit);
        assert!(after.cpu_s > 0.0 && after.virtual_octets > after.resident_octets);
        assert_eq!(
            octets("VmSize:\t  12 kB\nVmRSS:\t   3 kB\n", "VmRSS:"),
            3072
        );
    }
}
