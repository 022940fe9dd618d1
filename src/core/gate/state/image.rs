//! image - the gate's state written out: two snapshots, sections of records one after the other
//!
//! What is hard-won stands apart from what is soft: `known` has the users, the pairs, the devices and the bans,
//! `debts` the buckets, the credit and strikes. The bans stand with the known: the operator's are made by hand,
//! and a ban that is lost is a botnet's second chance, while a lost debt is one burst. Damage to the
//! one file never costs anything of the other.
//!
//! Written as it is walked through: no more than a 64th of the table, or some hundred users or bans,
//! are copied at a time, and no lock is held while the disk is written. What changes meanwhile is in
//! the journal too, and applying it twice does no harm.
//! Not kept: what hangs on the key for passwords, counters, the last decisions.
//! Not here: reading (`restore`), files (the daemon's `store`).

use std::io::{self, Write};
use std::sync::atomic::Ordering;

use crate::gate::Gate;
use crate::gate::buckets::spec::Bucket;
use crate::gate::buckets::strike_count::Strikes;
use crate::gate::request::change::{Origin, SharedLevel};
use crate::gate::request::suspicion::{StolenSuspicion, UserPlace};
use crate::gate::state::file::{Form, SNAPSHOT_LINE, StateFile};
use crate::gate::state::frame::Sections;
use crate::gate::state::record::{self, Head};
use crate::moment::Moment;

/// Users or bans that are copied at a time.
const BATCH: usize = 512;

impl Gate {
    /// Both snapshots, in memory: for a gate that is restored without files.
    ///
    /// # Errors
    ///
    /// None that is known: memory refuses nothing.
    pub fn snapshots(&self, now: Moment) -> io::Result<[StateFile; 2]> {
        let (mut known, mut debts) = (Vec::new(), Vec::new());
        self.write_known(now, &mut known)?;
        self.write_debts(now, &mut debts)?;
        let form = Form::Snapshot;
        Ok([known, debts].map(|octets| StateFile { form, octets }))
    }

    /// Writes who is known and who is banned.
    ///
    /// # Errors
    ///
    /// What `out` refuses.
    pub fn write_known(&self, now: Moment, out: impl Write) -> io::Result<()> {
        let mut out = Sections::begin(out, SNAPSHOT_LINE)?;
        let head = self.head(now);
        out.add(record::HEAD, |out| head.write(out))?;
        let users = self.familiar.ids();
        for some in users.chunks(BATCH) {
            let known = self.familiar.batch(some);
            for (user, known) in &known {
                out.add(record::USERS, |out| {
                    record::write_user(out, *user, known.last);
                })?;
            }
            for (user, known) in &known {
                for pair in &known.pairs {
                    out.add(record::PAIRS, |out| {
                        record::write_pair(out, *user, pair.network, pair.last);
                    })?;
                }
            }
        }
        for change in self.passwords.all() {
            out.add(record::PASSWORDS, |out| {
                record::write_password_change(out, change);
            })?;
        }
        self.write_taken_back(&mut out)?;
        self.write_devices(&mut out)?;
        self.write_places(&mut out)?;
        for (subject, at) in self.bans.lifted() {
            out.add(record::LIFTED, |out| record::write_lifted(out, subject, at))?;
        }
        let mut last = None;
        loop {
            let bans = self.bans.batch(last, BATCH);
            for (subject, held) in &bans {
                out.add(record::BANS, |out| record::write_ban(out, *subject, *held))?;
            }
            match bans.last() {
                Some((subject, _)) => last = Some(*subject),
                None => break,
            }
        }
        out.flush()?;
        out.add(record::HEAD, |out| head.write(out))?;
        out.finish()
    }

    /// Writes what the buckets owe, and the strikes.
    ///
    /// # Errors
    ///
    /// What `out` refuses.
    pub fn write_debts(&self, now: Moment, out: impl Write) -> io::Result<()> {
        let mut out = Sections::begin(out, SNAPSHOT_LINE)?;
        let head = self.head(now);
        out.add(record::HEAD, |out| head.write(out))?;
        for bucket in Bucket::all_shared() {
            let level = self.buckets.shared(bucket).level;
            let changed = Moment::from_nanos(level.changed);
            let level = SharedLevel {
                bucket: bucket.shared_number().unwrap_or(u8::MAX),
                arrival: level.arrival,
                every: level.every,
            };
            out.add(record::SHARED, |out| {
                record::write_shared(out, changed, level);
            })?;
        }
        for part in 0..self.buckets.parts() {
            for (kind, id, row) in self.buckets.part(part) {
                if row.arrival > now.as_nanos() || row.strikes_at(now) > Strikes::NONE {
                    out.add(record::BUCKETS, |out| {
                        record::write_bucket(out, kind, id, row);
                    })?;
                }
            }
        }
        let credit = self.buckets.credit();
        for (key, credit) in credit.clients() {
            out.add(record::CREDIT, |out| record::write_credit(out, key, credit))?;
        }
        for (user, earning) in credit.earnings() {
            out.add(record::EARNINGS, |out| {
                record::write_earning(out, user, earning)
            })?;
        }
        out.flush()?;
        out.add(record::HEAD, |out| head.write(out))?;
        out.finish()
    }

    fn write_taken_back<W: Write>(&self, out: &mut Sections<W>) -> io::Result<()> {
        for (what, at) in self.familiar.revocations() {
            out.add(record::REVOKED, |out| record::write_revoked(out, what, at))?;
        }
        for (user, at) in self.familiar.forgotten() {
            out.add(record::FORGOTTEN, |out| {
                record::write_forgotten(out, user, at);
            })?;
        }
        Ok(())
    }

    fn write_devices<W: Write>(&self, out: &mut Sections<W>) -> io::Result<()> {
        for user in self.devices.users() {
            for device in self.devices.of_user(user) {
                out.add(record::DEVICES, |out| {
                    record::write_device(out, user, device);
                })?;
            }
        }
        for (device, last) in self.devices.shared() {
            out.add(record::SHARED_DEVICES, |out| {
                record::write_shared_device(out, device, last);
            })?;
        }
        Ok(())
    }

    /// First one section and then the other, so that each begins once.
    fn write_places<W: Write>(&self, out: &mut Sections<W>) -> io::Result<()> {
        let users = self.new_places.users();
        for user in &users {
            let held = self.new_places.of(*user);
            for watched in held.iter().flat_map(|held| &held.places) {
                let place = UserPlace {
                    user: *user,
                    place: watched.place,
                };
                out.add(record::PLACES, |out| record::write_place(out, place))?;
            }
        }
        for user in users {
            let held = self.new_places.of(user);
            if let Some((cause, since)) = held.and_then(|held| held.suspected) {
                let suspicion = StolenSuspicion { user, cause, since };
                out.add(record::SUSPICIONS, |out| {
                    record::write_suspicion(out, suspicion);
                })?;
            }
        }
        Ok(())
    }

    fn on_wall(&self, now: Moment) -> Moment {
        let ahead = self.wall.load(Ordering::Relaxed);
        Moment::from_nanos(now.as_nanos().saturating_add_signed(ahead))
    }

    /// The head stands at both ends of a snapshot: without one nothing else has a time.
    fn head(&self, now: Moment) -> Head {
        Head {
            at: now,
            wall: self.on_wall(now),
            origin: Origin::HERE,
            mode: self.rules.load().mode,
            settling: self.settling.load(Ordering::Relaxed),
            // Before the bans themselves: a ban that begins in between is in both.
            bans: self.bans.changed(),
            names: Some(self.names.mark()),
        }
    }
}
