//! whole - several sessions side by side: dialogue, gate, queue and a Postfix that answers as the input says
//!
//! All of a session that needs no socket. What must hold whatever clients send and Postfix answers: nothing is
//! forwarded but for a permit that was judged for this user; every command has one reply; every session ends;
//! each permit is settled once, whichever side leaves, and when; no turn is lost; and strangers' guesses stay within the bucket
//! of their user.
//! Not here: the dialogue alone (`bodies`), the queue's order (`gate::queue`'s own tests).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gatepost_core::gate::buckets::spec::Bucket;
use gatepost_core::gate::queue::{QueueClass, Woken};
use gatepost_core::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, UserName};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::keys::Keys;
use gatepost_core::gate::request::place::Located;
use gatepost_core::gate::request::settings::{GateSettings, QueueSettings};
use gatepost_core::gate::request::verdict::Reason;
use gatepost_core::gate::sequence::{Begun, GrantedAttempt, JudgingSequence, RefusedAttempt};
use gatepost_core::gate::{Changes, Gate};
use gatepost_core::moment::Moment;
use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::dialogue::{
    Action, Channel, Dialogue, DialogueSettings, LogIn, Resolution, Trap,
};
use gatepost_core::smtp::line::LineBuffer;
use gatepost_core::smtp::reply::Reply;
use gatepost_core::smtp::sasl::{self, Mechanism, Secret};

/// 2026-11-24T00:00:00Z.
const START: Moment = Moment::from_seconds(1_795_478_400);
/// The bucket `user` by default.
const BURST: u64 = 10;
const EVERY: Duration = Duration::from_secs(3600);
/// A session has ended when it has been sent so many commands.
const COMMANDS: usize = 101;

/// Sessions: the first octet says how many octets of decisions follow; then come segments of the clients,
/// divided by NUL. A segment belongs to the session that its first octet names.
pub fn session(octets: &[u8]) {
    let Some((&length, octets)) = octets.split_first() else {
        return;
    };
    let (decisions, octets) = octets.split_at(octets.len().min(usize::from(length)));
    let mut world = World::new(decisions);
    let mut sessions: Vec<Session> = (0..4)
        .map(|number| Session::open(number, &mut world))
        .collect();
    for segment in octets.split(|&octet| octet == 0) {
        let Some((&to, segment)) = segment.split_first() else {
            continue;
        };
        world.pass_time();
        sessions[usize::from(to) % 4].feed(segment, &mut world);
    }
    for session in sessions {
        session.end(&mut world);
    }
    world.end();
}

/// What all sessions share, and an account of it.
struct World {
    sequence: JudgingSequence<u64>,
    settings: Arc<DialogueSettings>,
    capabilities: Arc<Capabilities>,
    decisions: Vec<u8>,
    next: usize,
    now: Moment,
    granted: u64,
    settled: u64,
    /// Guesses of strangers that Postfix has rejected, by user.
    wrong: HashMap<Vec<u8>, u64>,
}

impl World {
    fn new(decisions: &[u8]) -> Self {
        let mut settings = GateSettings {
            settling: Duration::ZERO,
            ..GateSettings::default()
        };
        settings.capacity.clients = 1_000;
        settings.capacity.pairs = 1_000;
        let keys = Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        let all = Mechanism::ALL.map(Mechanism::as_str).join(" ");
        let ehlo = Reply::multiline(250, None, ["mx", &format!("AUTH {all}")]);
        let queue = QueueSettings {
            at_once: 1,
            ..QueueSettings::default()
        };
        Self {
            sequence: JudgingSequence::new(Gate::new(settings, keys, START), queue),
            settings: Arc::new(DialogueSettings {
                hostname: "gate".to_owned(),
                mechanisms: Mechanism::ALL.to_vec(),
            }),
            capabilities: Arc::new(Capabilities::parse(&ehlo)),
            decisions: decisions.to_vec(),
            next: 0,
            now: START,
            granted: 0,
            settled: 0,
            wrong: HashMap::new(),
        }
    }

    /// The next decision; without any, zero.
    fn decide(&mut self) -> u8 {
        let decision = self.decisions.get(self.next).copied().unwrap_or_default();
        self.next = (self.next + 1) % self.decisions.len().max(1);
        decision
    }

    /// Nothing, seconds or hours, and now and then something of the operator's.
    fn pass_time(&mut self) {
        let decision = self.decide();
        let changes = &mut Changes::new();
        let gate = self.sequence.gate();
        match decision >> 5 {
            0 => self.now = self.now + EVERY * u32::from(decision),
            1 => self.now = self.now + Duration::from_secs(u64::from(decision)),
            2 => gate.forgive_client(client(decision), self.now, changes),
            3 => gate.introduce(
                &UserName::new(*b"anna"),
                Some(client(decision).network()),
                self.now,
                changes,
            ),
            _ => {}
        }
        self.sequence.gate().tick(self.now, changes);
    }

    /// The gate's answer to an attempt: both stages, and the queue between them.
    fn judge(&mut self, who: ClientKey, user: &UserName, password: Password<'_>) -> Judged {
        let attempt = AuthAttempt {
            session: 1,
            client: who,
            user,
            password,
            door: Door::Own,
            device: None,
            country: Located::default(),
            system: None,
        };
        let changes = &mut Changes::new();
        let granted = match self.sequence.begin(&attempt, self.now, changes) {
            Begun::Granted(granted) => Ok(granted),
            Begun::Refused(refused) => Err(refused),
            Begun::Wait(class) => self.wait(&attempt, class),
        };
        match granted {
            Ok(granted) => {
                self.granted += 1;
                Ok(Forwarded {
                    granted,
                    user: user.clone(),
                })
            }
            Err(RefusedAttempt::Refuse(_) | RefusedAttempt::Crowded(_)) => Err(Resolution::Refuse),
            Err(RefusedAttempt::Repeat) => Err(Resolution::Reject),
        }
    }

    fn wait(
        &mut self,
        attempt: &AuthAttempt<'_>,
        class: QueueClass,
    ) -> Result<GrantedAttempt, RefusedAttempt> {
        let queue = Arc::clone(self.sequence.queue());
        let ticket = queue.enter(attempt.client.network(), class, 1, self.now);
        loop {
            match queue.advance(self.now).pop() {
                Some(Woken::Turn(_, turn)) => {
                    let changes = &mut Changes::new();
                    return self.sequence.in_turn(turn, attempt, self.now, changes);
                }
                Some(Woken::Missed(_)) => return Err(self.sequence.missed(attempt, self.now)),
                None => self.now = self.now.max(ticket.deadline()),
            }
        }
    }

    fn settle(&mut self, forwarded: Forwarded, outcome: AuthOutcome) -> AuthOutcome {
        let Forwarded { granted, user } = forwarded;
        let stranger = matches!(
            granted.permit().grounds(),
            Reason::Bucket(Bucket::Words | Bucket::Unknown | Bucket::Strangers)
        );
        self.settled += 1;
        let changes = &mut Changes::new();
        let settled = self.sequence.settle(granted, outcome, self.now, changes);
        if stranger && outcome == AuthOutcome::Reject {
            let wrong = self.wrong.entry(user.folded()).or_default();
            *wrong += 1;
            let hours = self.now.since(START).as_secs() / EVERY.as_secs();
            assert!(
                *wrong <= BURST + hours + 1,
                "{wrong} guesses at {user} in {hours} h"
            );
        }
        settled.outcome
    }

    fn end(&mut self) {
        assert_eq!(self.granted, self.settled);
        let queue = self.sequence.queue();
        assert_eq!(queue.next_deadline(), None);
        let ticket = queue.enter(client(9).network(), QueueClass::Ordinary, 2, self.now);
        let woken = queue.advance(self.now).pop();
        assert!(
            matches!(woken, Some(Woken::Turn(2, _))),
            "a turn is lost: {ticket:?}"
        );
    }
}

fn client(number: u8) -> ClientKey {
    ClientKey::V4(u32::from_be_bytes([192, 0, number % 4, 1]))
}

/// An attempt that is at Postfix.
struct Forwarded {
    granted: GrantedAttempt,
    user: UserName,
}

type Judged = Result<Forwarded, Resolution>;

/// What an exchange that is relayed waits for.
enum Relayed {
    /// None is.
    No,
    /// The client's next answer, of an attempt that is judged.
    Judged(Forwarded),
    /// CRAM-MD5's answer, which names the user.
    Unjudged,
}

struct Session {
    client: ClientKey,
    dialogue: Dialogue,
    buffer: LineBuffer,
    relayed: Relayed,
    secured: bool,
    over: bool,
    commands: usize,
    replies: usize,
}

impl Session {
    fn open(number: u8, world: &mut World) -> Self {
        let secured = world.decide() & 1 == 0;
        let channel = match secured {
            true => Channel::Secured,
            false => Channel::ClearUntilStartTls,
        };
        let mut session = Self {
            client: client(number),
            dialogue: Dialogue::new(&world.settings, "id", channel),
            buffer: LineBuffer::new(),
            relayed: Relayed::No,
            secured,
            over: false,
            commands: 1,
            replies: 0,
        };
        let banner = session.dialogue.open(session.buffer.following());
        session.obey(banner, world);
        session
    }

    fn feed(&mut self, octets: &[u8], world: &mut World) {
        if self.over {
            return;
        }
        self.buffer.push(octets);
        while !self.over {
            let action = match self.buffer.next_line(self.dialogue.line_limit()) {
                Ok(Some(line)) => self.dialogue.feed(&line, self.buffer.following()),
                Ok(None) => return,
                Err(fault) => self.dialogue.line_fault(fault),
            };
            self.commands += 1;
            self.obey(action, world);
            assert_eq!(self.commands, self.replies, "one reply a command");
        }
    }

    /// The client leaves, or goes on until it is sent away.
    fn end(mut self, world: &mut World) {
        if world.decide() & 1 == 0 {
            for _ in 0..=COMMANDS {
                self.feed(b"\r\n", world);
            }
            assert!(self.over, "it does not end");
        }
        self.leave_exchange(world);
    }

    fn obey(&mut self, mut action: Action, world: &mut World) {
        loop {
            // Anything but an answer leaves an exchange that is relayed.
            if !matches!(action, Action::Relay(_)) {
                self.leave_exchange(world);
            }
            action = match action {
                Action::Reply(_) | Action::Cancel(_) => {
                    self.replies += 1;
                    return;
                }
                Action::Close(_) => {
                    self.replies += 1;
                    self.over = true;
                    return;
                }
                Action::StartTls(_) => {
                    assert!(!self.secured && self.buffer.is_empty());
                    self.secured = true;
                    self.replies += 1;
                    self.dialogue.secured();
                    return;
                }
                Action::JudgeHelo(name) => self.judge_helo(&name, world),
                Action::AskCapabilities => {
                    let known = (world.decide() != 0xff).then(|| Arc::clone(&world.capabilities));
                    self.dialogue.set_capabilities(known)
                }
                Action::LogIn(wish) => {
                    assert!(self.secured);
                    match self.log_in(wish, world) {
                        Some(resolution) => self.resolve(resolution),
                        None => return,
                    }
                }
                Action::Relay(answer) => match self.relay(&answer, world) {
                    Some(resolution) => self.resolve(resolution),
                    None => return,
                },
            };
            // The prompt of an exchange that goes on.
            if matches!(self.relayed, Relayed::Judged(_) | Relayed::Unjudged)
                && matches!(action, Action::Reply(_))
            {
                self.replies += 1;
                return;
            }
        }
    }

    fn judge_helo(&mut self, name: &[u8], world: &World) -> Action {
        let gate = world.sequence.gate();
        let trap = match gate.helo(self.client, name, world.now, &mut Changes::new()) {
            Some(_) => Trap::Touched,
            None => Trap::Untouched,
        };
        self.dialogue.helo_judged(trap)
    }

    fn resolve(&mut self, resolution: Resolution) -> Action {
        self.dialogue.resolve(resolution)
    }

    /// None: logged in.
    fn log_in(&mut self, wish: LogIn, world: &mut World) -> Option<Resolution> {
        match wish {
            LogIn::Credentials(credentials) => {
                let password = credentials.password();
                match world.judge(self.client, &credentials.user, password) {
                    Ok(forwarded) => self.answer(forwarded, world),
                    Err(resolution) => Some(resolution),
                }
            }
            LogIn::Scram { user, .. } => match world.judge(self.client, &user, Password::Hidden) {
                Ok(forwarded) => self.round(forwarded, world),
                Err(resolution) => Some(resolution),
            },
            LogIn::CramMd5 => match world.sequence.gate().peek(self.client, world.now) {
                Some(_) => Some(Resolution::Refuse),
                None => {
                    self.relayed = Relayed::Unjudged;
                    Some(Resolution::Challenge(Secret::new(b"<1@mx>".to_vec())))
                }
            },
        }
    }

    fn relay(&mut self, answer: &Secret, world: &mut World) -> Option<Resolution> {
        match std::mem::replace(&mut self.relayed, Relayed::No) {
            Relayed::No => panic!("an answer to no challenge"),
            Relayed::Judged(forwarded) => self.round(forwarded, world),
            Relayed::Unjudged => {
                let Ok(user) = sasl::cram_user(answer.expose()) else {
                    return Some(Resolution::Reject);
                };
                match world.judge(self.client, &user, Password::Hidden) {
                    Ok(forwarded) => self.answer(forwarded, world),
                    Err(resolution) => Some(resolution),
                }
            }
        }
    }

    /// Postfix answers a round, perhaps with a challenge, for which the turn is given up.
    fn round(&mut self, mut forwarded: Forwarded, world: &mut World) -> Option<Resolution> {
        if world.decide() & 1 == 0 {
            return self.answer(forwarded, world);
        }
        world.sequence.give_up_turn(&mut forwarded.granted);
        self.relayed = Relayed::Judged(forwarded);
        Some(Resolution::Challenge(Secret::new(b"more".to_vec())))
    }

    /// Postfix answers to the end.
    fn answer(&mut self, forwarded: Forwarded, world: &mut World) -> Option<Resolution> {
        let outcome = match world.decide() % 5 {
            0 | 1 => AuthOutcome::Reject,
            2 => AuthOutcome::Accept,
            3 => AuthOutcome::Defer,
            _ => AuthOutcome::Stalled,
        };
        match world.settle(forwarded, outcome) {
            AuthOutcome::Accept => {
                // Postfix's own 235 is the reply, and all that follows is the splice's.
                self.replies += 1;
                self.over = true;
                None
            }
            AuthOutcome::Reject => Some(Resolution::Reject),
            AuthOutcome::Defer
            | AuthOutcome::Stalled
            | AuthOutcome::Abandoned
            | AuthOutcome::Unreported => Some(Resolution::Defer),
        }
    }

    fn leave_exchange(&mut self, world: &mut World) {
        if let Relayed::Judged(forwarded) = std::mem::replace(&mut self.relayed, Relayed::No) {
            world.settle(forwarded, AuthOutcome::Abandoned);
        }
    }
}
