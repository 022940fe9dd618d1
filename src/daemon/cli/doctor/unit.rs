//! unit - what systemd knows of the service, and a line for its unit as a command
//!
//! Not here: what must stand there (`machine`). systemctl(1), systemd.unit(5) for drop-ins.

use crate::config::mail_servers::output_of;

/// The service, as package and README name it.
pub(super) const SERVICE: &str = "gatepost";

/// A setting of the unit as it runs.
pub(super) fn setting(name: &str) -> Option<String> {
    let said = output_of("systemctl", &["show", SERVICE, "-P", name])?;
    Some(said.trim().to_owned())
}

/// Whether systemd listens at a port for the service.
pub(super) fn socket_has(port: u16) -> bool {
    let said = |name| output_of("systemctl", &["show", "gatepost.socket", "-P", name]);
    let active = said("ActiveState").is_some_and(|state| state.trim() == "active");
    active && said("Listen").is_some_and(|listen| listens_at(&listen, port))
}

/// `[::]:465 (Stream)`, one a line.
fn listens_at(listen: &str, port: u16) -> bool {
    let mut addresses = listen.split_ascii_whitespace();
    addresses.any(|one| {
        let number = one.rsplit(':').next();
        number.is_some_and(|number| number == port.to_string())
    })
}

/// A line for `[Service]`, in a file of its own, to be pasted into a shell.
pub(super) fn with_line(file: &str, line: &str) -> String {
    format!(
        "mkdir -p /etc/systemd/system/{SERVICE}.service.d; printf '[Service]\\n{line}\\n' \
         >/etc/systemd/system/{SERVICE}.service.d/{file}.conf; systemctl daemon-reload; systemctl restart {SERVICE}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_among_those_of_the_socket() {
        let listen = "[::]:465 (Stream)\n192.0.2.1:587 (Stream)\n";
        assert!(listens_at(listen, 465) && listens_at(listen, 587));
        assert!(!listens_at(listen, 46) && !listens_at(listen, 25));
        assert!(!listens_at("", 465));
    }
}
