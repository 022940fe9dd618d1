//! cluster - the lines of `gatepost status` about the machines that have one bound together
//!
//! Not here: what they stand for (the operator's message).

use std::io::{self, Write};

use crate::admin::message::{
    LenderMessage, MeshMessage, SeenMessage, SharingMessage, StatusMessage,
};

/// The machines that the bound is one for.
pub(super) fn cluster(status: &StatusMessage, out: &mut dyn Write) -> io::Result<()> {
    let Some(cluster) = &status.cluster else {
        return Ok(());
    };
    let (count, name) = (cluster.machines.len(), &cluster.name);
    let has = match cluster.in_force.as_str() {
        "its-part" => "spends the part of each shared bucket that it owns",
        "its-part-and-loans" => {
            "spends the part of each shared bucket that it owns, and what it is lent"
        }
        "loans" => "OWNS NO PART of the shared buckets, and spends what it is lent",
        _ => "HAS NOTHING of the shared buckets",
    };
    writeln!(
        out,
        "cluster     {name}, of {count} machines with this bound together, {has}"
    )?;
    if let Some(store) = &cluster.store {
        lends(store, out)?;
    }
    for one in &cluster.seen {
        seen(one, out)?;
    }
    if let Some(mesh) = &cluster.mesh {
        links(mesh, out)?;
    }
    let mesh = cluster.mesh.as_ref();
    let clock = mesh.map_or_else(
        || "the store's".to_owned(),
        |mesh| format!("that of {}", mesh.clock),
    );
    cluster
        .sharing
        .as_ref()
        .map_or(Ok(()), |sharing| tells(sharing, &clock, out))
}

/// A machine that was seen in the store, as it was written there.
fn seen(one: &SeenMessage, out: &mut dyn Write) -> io::Result<()> {
    let other = match one.same_list {
        true => "",
        false => ", with ANOTHER LIST of machines",
    };
    let [name, version] = [&one.name, &one.version].map(|text| text.escape_default().to_string());
    writeln!(
        out,
        "machine     {name:<18} seen {} s ago, gatepost {version}{other}",
        one.seen_s
    )
}

/// Whether the store lends.
fn lends(store: &LenderMessage, out: &mut dyn Write) -> io::Result<()> {
    let since = store.since.as_deref().unwrap_or_default();
    let (address, reason) = (&store.address, store.reason.as_deref().unwrap_or_default());
    match store.state.as_str() {
        "lends" => writeln!(out, "store       {address} lends since {since}"),
        "cut-off" => writeln!(
            out,
            "store       {address} DOES NOT LEND since {since}: {reason}"
        ),
        _ => writeln!(out, "store       {address} not asked yet"),
    }
}

/// The machines that are linked with this one, and those that are not.
fn links(mesh: &MeshMessage, out: &mut dyn Write) -> io::Result<()> {
    for one in &mesh.links {
        let name = &one.name;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (since, version) = (text(&one.since), text(&one.version));
        match (one.linked, &one.since) {
            (true, _) => {
                let other = match one.same_list {
                    Some(false) => ", with ANOTHER LIST of machines",
                    _ => "",
                };
                let (seen, address) = (one.seen_s.unwrap_or_default(), text(&one.address));
                writeln!(
                    out,
                    "machine     {name:<18} linked since {since}, seen {seen} s ago at {address}, gatepost {version}{other}"
                )?;
            }
            (false, Some(_)) => writeln!(
                out,
                "machine     {name:<18} NOT LINKED since {since}: {}",
                text(&one.reason)
            )?,
            (false, None) => writeln!(out, "machine     {name:<18} NOT LINKED yet")?,
        }
    }
    for place in &mesh.without {
        writeln!(out, "            {}: {}", place.address, place.reason)?;
    }
    match (&mesh.listen, &mesh.unbound) {
        (Some(listen), Some(why)) => writeln!(
            out,
            "links       CANNOT LISTEN for the other machines on {listen}: {why}"
        ),
        _ => Ok(()),
    }
}

/// What the machines tell one another.
fn tells(sharing: &SharingMessage, clock: &str, out: &mut dyn Write) -> io::Result<()> {
    let since = sharing.since.as_deref().unwrap_or_default();
    let whole = match sharing.whole {
        true => "",
        false => "; not yet told all that the others know",
    };
    match sharing.state.as_str() {
        "shares" => writeln!(
            out,
            "shared      since {since} the machines tell one another who is known and banned: {} facts told, {} taken{whole}",
            sharing.told, sharing.taken
        )?,
        "in-part" => writeln!(
            out,
            "shared      IN PART since {since}, not with all other machines: {}",
            sharing.reason.as_deref().unwrap_or_default()
        )?,
        "cut-off" => writeln!(
            out,
            "shared      CUT OFF from the other machines since {since}: {}",
            sharing.reason.as_deref().unwrap_or_default()
        )?,
        _ => writeln!(out, "shared      not connected yet")?,
    }
    if sharing.clock_ahead_s != 0 {
        writeln!(
            out,
            "clock       {clock} is {} s ahead of this machine's",
            sharing.clock_ahead_s
        )?;
    }
    if !sharing.other_secret.is_empty() {
        let names = sharing.other_secret.join(", ");
        let names = names.escape_default();
        writeln!(
            out,
            "secret      ANOTHER ONE at {names}: nothing is shared with it"
        )?;
    }
    match sharing.dropped {
        0 => Ok(()),
        dropped => writeln!(
            out,
            "            {dropped} records of other machines are damaged, or of none with this secret"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_into_the_store_writes_nothing_to_the_terminal() {
        let one = SeenMessage {
            name: "mx2\u{1b}[2J".to_owned(),
            seen_s: 3,
            version: "1\n".to_owned(),
            same_list: true,
        };
        let mut out = Vec::new();
        seen(&one, &mut out).expect("a line");
        let line = String::from_utf8(out).expect("text");
        let told = "machine     mx2\\u{1b}[2J       seen 3 s ago, gatepost 1\\n\n";
        assert_eq!(line, told);
    }
}
