// page - the page of Gatepost: what it shows, and what its buttons ask for
//
// Everything that a client has chosen (a user's name, a reply) becomes text, never markup. All addresses are relative,
// so that it works behind a path. The token stands in this origin's own storage; the cookie is the server's alone.
"use strict";

// One of each path: there may be more Gateposts behind one web server.
const KEY = `gatepost-token ${location.pathname}`;
const ROWS = 200;
// Each second has a snapshot: when none has come for so many milliseconds, what stands here is old.
const SILENCE = 15000;
const $ = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");

const REASONS = {
  "allow-list": "on the allow list", "deny-list": "on the deny list",
  familiar: "the user has logged in from there", unproven: "not since the password was changed",
  client: "the address has tried too often", network: "its network has tried too often", region: "its region has tried too often",
  "client-near": "the address has tried too often", "user-near": "too many failures at this user from near networks",
  "user-far": "too many failures at this user from elsewhere", near: "too many failures from near networks",
  words: "a common password, and too many of these lately", unknown: "an unknown user, and too many of these lately",
  strangers: "too many failures of strangers lately", credit: "others at that address have vouched for it",
  "user-credit": "others at that address have vouched for it", "settling-user": "settling in: too many failures at this user",
  settling: "settling in: too many failures", repeat: "the same wrong password again", trap: "a name that only guessers use",
  ban: "banned", turn: "Postfix had no place in time", "backend-outage": "Dovecot seems to fail",
  country: "[places] lets nobody in from that country", "user-rule": "a rule for this user, [[user]]", decoy: "a mailbox that nobody has", stolen: "the password seems to be stolen",
  device: "the user has logged in with this device",
};
// What an attempt that was let through has paid: no reason against it.
const GROUNDS = {
  near: "a user near home", words: "a common password", unknown: "a user who was not known", strangers: "a user far from home",
};
// An address, and where it is if a database says so.
const placed = (one) => one.place ? `${one.client} (${one.place})` : one.client;
const PASSED = ["allow", "accept", "reject", "cancel"];
const VERDICTS = {
  allow: "let through", accept: "logged in", reject: "wrong password", refuse: "refused", repeat: "wrong again", defer: "no answer", cancel: "gave up",
};
const CAUSES = {
  strikes: "tried too fast", trap: "tried a name that only guessers use", neighbours: "many banned neighbours", operator: "by hand", list: "on a published list",
};
// Why a password seems to be stolen.
const SUSPICIONS = {
  countries: "too many new countries in a day", systems: "too many new providers in a day", networks: "too many new networks in a day",
  guesses: "a network that guesses at others",
};

let actions = false;
let paused = false;
let started = "";
let shown = 0;
let told = 0;
let snapshots = [];
let last = null;
let came = Date.now();
let tried = 0;
let stream = new AbortController();
let skew = 0;
const attempts = [];
const names = new Set();

const count = (number) => number.toLocaleString("en");
const sum = (counts) => Object.values(counts || {}).reduce((all, one) => all + one, 0);
const time = (text) => new Date(text).toLocaleTimeString([], { hour12: false });
const day = (text) => new Date(text).toDateString();
const serverNow = () => Date.now() + skew;
const when = (text) => (day(text) === day(serverNow()) ? new Date(text).toLocaleTimeString([], { hour12: false, timeStyle: "short" }) : date(text));
const date = (text) => new Date(text).toLocaleString([], { hour12: false, dateStyle: "medium", timeStyle: "short" });

function span(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

function make(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// --- the server

async function ask(path, body, signal) {
  const token = localStorage.getItem(KEY) || "";
  const headers = { "X-Gatepost-Token": token };
  const options = { headers, signal, cache: "no-store", credentials: "same-origin" };
  if (body !== undefined) {
    options.method = "POST";
    headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  setClock(response);
  const isJson = (response.headers.get("Content-Type") || "").startsWith("application/json");
  if (!response.ok && !isJson) throw new Error((await response.text()).slice(0, 200) || `the answer was ${response.status}`);
  if (response.status === 401) {
    // Another tab may have come by a new link meanwhile.
    if ((localStorage.getItem(KEY) || "") !== token) return ask(path, body, signal);
    const { message } = await response.json();
    localStorage.removeItem(KEY);
    if (!$("open").hidden) close(message);
    throw new Error(message);
  }
  return response;
}

/// A browser's clock may be wrong: what is now is the server's to say, to the second.
function setClock(response) {
  const at = Date.parse(response.headers.get("Date") || "");
  if (at) skew = Math.abs(at - Date.now()) > 3000 ? at - Date.now() : 0;
}

async function enter(link) {
  const response = await fetch("enter", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ link }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  localStorage.setItem(KEY, answer.token);
}

/// The stream of snapshots, begun anew when it breaks.
async function follow() {
  for (;;) {
    try {
      stream = new AbortController();
      const response = await ask("events", undefined, stream.signal);
      if (!response.ok) throw new Error(await response.text());
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        rest += value;
        const events = rest.split("\n\n");
        rest = events.pop();
        for (const event of events) take(JSON.parse(event.slice("data: ".length)));
      }
    } catch (fault) {
      if (!localStorage.getItem(KEY)) return;
      if (fault.name !== "AbortError") health("bad", "Gatepost does not answer", [String(fault.message || fault)]);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/// A stream can fall silent without an end: a tunnel or a server that stands still. Nothing green stays then.
function listen() {
  if ($("open").hidden || Date.now() - came < SILENCE) return;
  const since = last ? `The last numbers came at ${time(came)}` : "Nothing has come since this page was opened";
  health("bad", "Nothing comes from Gatepost: what stands here is old", [since, "If it stays so: is there a tunnel or a web server in between that holds answers back?"]);
  if (Date.now() - tried < SILENCE) return;
  tried = Date.now();
  stream.abort();
}

/// Whether there are buttons that change something.
function permit(allowed) {
  if (actions === allowed) return;
  actions = allowed;
  for (const body of document.querySelectorAll("tbody")) body.replaceChildren();
}

// --- what is shown

function close(why) {
  $("open").hidden = true;
  write($("told"), "");
  $("closed").hidden = false;
  $("leave").hidden = $("pause").hidden = true;
  write($("why"), why || "");
  write($("about"), "");
}

function health(kind, sentence, lines) {
  const place = $("health");
  place.className = kind;
  write(place.firstElementChild, sentence);
  const list = place.lastElementChild;
  if (list.dataset.lines !== lines.join("\n")) {
    list.dataset.lines = lines.join("\n");
    list.replaceChildren(...lines.map((line) => make("li", line)));
  }
}

function faults(status) {
  const lines = [];
  for (const one of status.upstream) {
    if (one.state === "unusable") lines.push(`Postfix at ${one.address} cannot be used: ${one.reason}${one.cure ? `: ${one.cure}` : ""}`);
    if (one.state === "not-asked") lines.push(`Postfix at ${one.address} was not asked yet`);
  }
  if (status.backend_outage) lines.push("Dovecot rejects users who have logged in before");
  if (status.state_not_kept) lines.push(`The disk does not take the state: ${status.state_not_kept.why}`);
  if (status.history_not_kept) lines.push(`The disk does not take the history: ${status.history_not_kept}`);
  for (const one of status.certificates) {
    if (one.problem) lines.push(`The certificate of ${one.names.join(", ")}: ${one.problem}; clients refuse it`);
    else if (one.is_due) lines.push(`The certificate of ${one.names.join(", ")} has ${one.days_left} days left`);
  }
  const refused = sum(status.familiar_refused);
  if (refused) {
    const why = Object.keys(status.familiar_refused).map((reason) => REASONS[reason] || reason);
    lines.push(`${count(refused)} attempts of familiar users were refused: ${why.join("; ")}`);
  }
  return lines;
}

function take(watch) {
  const { status } = watch;
  came = Date.now();
  if (status.started !== started) {
    if (started) refresh().catch(() => {});
    started = status.started;
    attempts.length = 0;
    snapshots = [];
    shown = 0;
  }
  for (const one of watch.attempts) {
    if (one.number > shown) {
      shown = one.number;
      attempts.unshift(one);
      // All of them fit into one question, however long those are that guessers invent.
      if (one.user && names.size < 500 && JSON.stringify(one.user).length <= 100) names.add(one.user);
    }
  }
  attempts.length = Math.min(attempts.length, ROWS);
  snapshots.push(ofStatus(status));
  if (snapshots.length > 61) snapshots.shift();
  last = watch;
  judge(status);
  if (!paused) show();
}

/// Also on a page that stands still.
function judge(status) {
  const lines = faults(status);
  if (!status.logins_work) health("bad", "Nobody can log in", lines);
  else if (lines.length) health("bad", "Logins work, but look at this", lines);
  else health("good", "All is well: logins work, and no familiar user was refused", []);
}

function show() {
  const { status } = last;
  write($("about"), `${status.version}, ${status.mode}, up since ${date(status.started)}`);
  numbers(status);
  draw();
  write($("bans-note"), status.bans > last.bans.length ? `${count(last.bans.length)} of ${count(status.bans)}, the next to end first` : "");
  suspected();
  attacks();
  busy("clients", last.clients, (one) => [one.name, count(one.attempts), count(one.accepted)], false);
  table("bans", last.bans, (one) => one.address, (one) => [one.address, when(one.until), CAUSES[one.reason] || one.reason], banned);
  decisions();
  events();
}

/// Whose password seems to be stolen. A name that was not seen since the start the history may have.
function suspected() {
  const past = new Map((reports.day ? reports.day.suspected : []).map((one) => [one.id, one.user]));
  const users = last.suspected.map((one) => ({ ...one, user: one.user || past.get(one.id) }));
  $("stolen").hidden = !users.length;
  table("suspected", users, (one) => `${one.id} ${one.user}`, (one) => [one.user || one.id, when(one.since), SUSPICIONS[one.cause] || one.cause], (cell, one) => {
    if (!one.user) return;
    button(cell, "Why", `Why ${one.user}`, () => explain(one.user));
    if (actions) button(cell, "Forgive", `Forgive ${one.user}`, () => forgive(one.user, true));
  });
}

/// Who is attacked, and from where: now, or in the time that is chosen, of known users then.
function attacks() {
  const logins = new Map(last.networks.map((one) => [one.name, one.accepted]));
  const failed = (one) => ({ name: one.user || one.network, failed: one.refused + one.rejected, rejected: one.rejected });
  const now = (one) => ({ name: one.name, failed: one.refused + one.rejected, rejected: one.rejected });
  const report = range === "minutes" ? null : reports[range];
  const users = report ? report.attacked.map(failed) : last.users.map(now);
  const most = (one, other) => other.failed - one.failed;
  const networks = report ? report.attackers.map(failed) : last.networks.map(now).filter((one) => one.failed).sort(most);
  const when = report ? WORDS[range].replace("in", "In") : "In the last 10 to 20 minutes";
  write($("users-note"), report ? `${when}: users who are known, tried from where they are not at home` : when);
  write($("networks-note"), when);
  busy("users", users, (one) => [one.name, count(one.failed), count(one.rejected)], true);
  busy("networks", networks, (one) => [one.name, count(one.failed), count(one.rejected), logins.has(one.name) ? count(logins.get(one.name)) : ""], false);
}

/// Outages, bans, logins from new places, refusals at home, and what operators did.
function events() {
  const report = reports[range] || reports.day;
  if (!report) return;
  const rows = [];
  const row = (at, text, target) => rows.push({ at, text, target });
  for (const one of report.outages) row(one.began, `Logins could not work${one.ended ? `, until ${when(one.ended)}` : ""}: ${one.backend ? `${one.backend}: ` : ""}${one.why}`);
  for (const one of report.bans) row(one.began, `${one.address} was banned until ${when(one.until)}: ${CAUSES[one.reason] || one.reason}`, one.address);
  for (const one of report.acts) row(one.at, `An operator: ${one.did}`);
  for (const one of report.new_places) row(one.last, `${one.user || "somebody"} logged in from a new place: ${placed(one)}`, one.user);
  for (const one of report.honest_refused) row(one.last, `${one.user || "somebody"} was refused at home, ${placed(one)}: ${because(one)}${one.count > 1 ? `; ${count(one.count)} times` : ""}`, one.user);
  rows.sort((one, other) => other.at.localeCompare(one.at));
  write($("events-note"), `${WORDS[reports[range] ? range : "day"].replace("in", "In")}: outages, bans of networks and by hand, logins from new places, refusals at home, operators' acts`);
  table("events", rows.slice(0, 100), (one) => `${one.at} ${one.text}`, (one) => [when(one.at), one.text], (cell, one) => {
    if (one.target) button(cell, "Why", `Why ${one.target}`, () => explain(one.target));
  }, (node) => { node.children[0].className = "time"; });
}

function decisions() {
  const wanted = $("filter").value;
  const fits = (one) => !wanted || one.verdict === wanted || (wanted === "refuse" && one.verdict === "repeat");
  const why = (one) => {
    const words = because(one);
    return one.wait_s ? `${words}; again in ${span(one.wait_s)}` : words;
  };
  const cells = (one) => [time(one.at), one.user || "", placed(one), VERDICTS[one.verdict] || one.verdict, why(one)];
  table("attempts", attempts.filter(fits), (one) => String(one.number), cells, null, (row, one) => {
    row.children[0].className = "time";
    row.children[3].className = `verdict ${one.verdict}`;
  });
}

/// Rows are kept by their key, so that a button keeps the focus while numbers change. Nothing moves below a hand.
function table(id, items, key, cells, commands, style) {
  const body = $(id).tBodies[0];
  const known = new Map();
  for (const row of body.children) known.set(row.dataset.key, row);
  const held = body.contains(document.activeElement);
  let next = body.firstElementChild;
  for (const item of items) {
    const texts = cells(item);
    let row = known.get(key(item));
    if (row) {
      known.delete(row.dataset.key);
    } else {
      row = make("tr");
      row.dataset.key = key(item);
      for (const _ of texts) row.append(make("td"));
      if (commands) {
        const cell = make("td", undefined, "acts");
        commands(cell, item);
        row.append(cell);
      }
      if (held && body.rows.length < ROWS) body.append(row);
    }
    if (row === next) next = next.nextElementSibling;
    else if (!held) body.insertBefore(row, next);
    texts.forEach((text, column) => write(row.children[column], text));
    if (style) style(row, item);
  }
  if (!held) for (const row of known.values()) row.remove();
  if (!body.firstElementChild) {
    const cell = body.insertRow().insertCell();
    cell.colSpan = $(id).tHead.rows[0].cells.length;
    cell.className = "empty";
    cell.textContent = "none";
  }
}

function busy(id, items, cells, isUser) {
  const commands = (cell, item) => {
    button(cell, "Why", `Why ${item.name}`, () => explain(item.name));
    if (!actions) return;
    if (!isUser) button(cell, "Ban", `Ban ${item.name}`, () => ban(item.name));
    button(cell, "Forgive", `Forgive ${item.name}`, () => forgive(item.name, isUser));
    button(cell, "Expel", `Expel ${item.name}`, () => expel(item.name, isUser));
  };
  table(id, items.slice(0, 20), (one) => one.name, cells, commands, (row, one) => {
    cells(one).forEach((_, column) => { if (column) row.children[column].className = "num"; });
  });
}

function banned(cell, item) {
  button(cell, "Why", `Why ${item.address}`, () => explain(item.address));
  if (actions) button(cell, "Lift", `Lift the ban of ${item.address}`, () => lift(item.address));
}

function button(place, text, label, act) {
  const node = make("button", text, "small");
  node.type = "button";
  node.setAttribute("aria-label", label);
  node.addEventListener("click", act);
  place.append(node);
}

// --- commands

function tell(text) {
  write($("told"), text);
  clearTimeout(told);
  told = setTimeout(() => write($("told"), ""), 8000);
}

async function command(question, request) {
  write($("sure-text"), question);
  const dialog = $("sure");
  const before = document.activeElement;
  dialog.returnValue = "no";
  dialog.showModal();
  $("sure-no").focus();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (before && before.isConnected) before.focus();
  if (dialog.returnValue !== "yes") return tell("Nothing was done");
  const answer = await (await ask("ask", request)).json();
  tell(answer.message || "Done");
}

const ban = (subject) => command(`Ban ${subject} for a day, and end its sessions? This refuses everybody there.`, { do: "bans-add", subject, seconds: 86400, own: false });
const lift = (subject) => command(`End the ban of ${subject}?`, { do: "bans-remove", subject });
const isPlace = (name) => /^[0-9a-f:.]*([:.])[0-9a-f:.]*(\/\d+)?$/i.test(name);

// The client that tries it chose the name, and the command would take it for the address.
const unclear = (target) => tell(`The user's name ${target} reads as an address: use the commands`);

function forgive(target, isUser) {
  if (isUser && isPlace(target)) return unclear(target);
  return command(`Forgive ${target}: clear its bans, strikes and spent tokens?`, { do: "forgive", target });
}

function expel(target, isUser) {
  if (isUser && isPlace(target)) return unclear(target);
  const question = isUser
    ? `End all sessions of ${target}, and forget where that user is familiar?`
    : `End all sessions of ${target}? It may come back at once.`;
  return command(question, { do: "expel", target, network: null });
}

function forget(user) {
  return command(`Forget where ${user} is familiar? The next login is a stranger's.`, { do: "forget", user, network: null });
}

async function explain(target) {
  $("target").value = target;
  const words = target.split(/\s+/);
  const [address, user] = words.length === 2 ? words : [target, null];
  const answer = await (await ask("ask", { do: "explain", address, user })).json();
  const place = $("answer");
  place.replaceChildren(...explained(answer));
  place.focus({ preventScroll: true });
  $("why-title").scrollIntoView({ block: "start" });
}

function explained(answer) {
  if (answer.message) return [make("p", answer.message)];
  const nodes = [];
  const lead = (text) => nodes.push(make("p", text, "lead"));
  const line = (text) => nodes.push(make("p", text));
  if (answer.is === "user") {
    lead(`${answer.user}: ${answer.known ? "known" : "not known"}${answer.last_login ? `, last login ${date(answer.last_login)}` : ""}`);
    if (answer.trap && !answer.known) line("Nobody may try this name: only guessers use it");
    nodes.push(list("Where the user has logged in", ["Network", "Since", "Last login", "A new password from there"],
      answer.networks.map((one) => [one.place ? `${one.network} (${one.place})` : one.network, date(one.since), date(one.last_login), outlook(one.outlook)]), true));
  } else {
    lead(`${placed(answer)} in ${answer.network}: ${answer.standing}`);
    if (answer.ban) line(`${answer.ban.address} is banned until ${date(answer.ban.until)}: ${CAUSES[answer.ban.reason] || answer.ban.reason}`);
    line(`Now: ${outlook(answer)}`);
    for (const one of answer.outlooks) line(`${one.attempt}: ${outlook(one)}`);
    if (answer.last_fault) line(`Last fault: ${answer.last_fault.fault}, ${date(answer.last_fault.at)}`);
  }
  nodes.push(doable(answer));
  nodes.push(list("Buckets", ["Bucket", "Left", "Of"], answer.buckets.map((one) => [one.name, count(one.tokens), count(one.burst)]), true));
  nodes.push(list("Last decisions", ["Time", "Client", "What", "Why"],
    answer.decisions.map((one) => [when(one.at), one.client, VERDICTS[one.verdict] || one.verdict, because(one)])));
  nodes.push(list("Before, by the history", ["Time", "User", "Client", "What", "Why", "Times"],
    answer.past.map((one) => [when(one.last), one.user || "", placed(one), VERDICTS[one.verdict] || one.verdict, because(one), count(one.count)])));
  return nodes;
}

/// What can be done about what was explained.
function doable(answer) {
  const place = make("p", undefined, "buttons");
  if (!actions) return place;
  const isUser = answer.is === "user";
  const target = isUser ? answer.user : answer.client;
  if (!isUser && answer.ban) button(place, "Lift the ban", `Lift the ban of ${answer.ban.address}`, () => lift(answer.ban.address));
  if (!isUser && !answer.ban) button(place, "Ban", `Ban ${target}`, () => ban(target));
  button(place, "Forgive", `Forgive ${target}`, () => forgive(target, isUser));
  if (isUser) button(place, "Forget", `Forget where ${target} is familiar`, () => forget(target));
  button(place, "Expel", `Expel ${target}`, () => expel(target, isUser));
  return place;
}

function because(one) {
  return (PASSED.includes(one.verdict) && GROUNDS[one.reason]) || REASONS[one.reason] || one.reason || "";
}

function outlook(one) {
  const why = because(one);
  if (one.verdict === "allow") return `allowed (${why})`;
  if (one.verdict === "refuse") return `refused (${why})${one.wait_s ? `, for ${span(one.wait_s)}` : ""}`;
  return `${one.verdict} (${why})`;
}

function list(title, heads, lines, isNamed) {
  const part = make("div");
  part.append(make("h3", title));
  if (!lines.length) {
    part.append(make("p", "none", "note"));
    return part;
  }
  const node = make("table");
  const head = node.createTHead().insertRow();
  for (const text of heads) {
    const cell = make("th", text);
    cell.scope = "col";
    head.append(cell);
  }
  const body = node.createTBody();
  for (const line of lines) {
    const row = body.insertRow();
    line.forEach((text, column) => {
      const cell = row.insertCell();
      cell.textContent = text;
      // On a phone there is no head.
      if (isNamed && column) cell.dataset.head = heads[column];
    });
  }
  if (lines.length <= 8) {
    part.append(node);
    return part;
  }
  const room = make("div", undefined, "scroll");
  room.tabIndex = 0;
  room.setAttribute("role", "region");
  room.setAttribute("aria-label", title);
  room.append(node);
  part.append(room);
  return part;
}

async function people() {
  const answer = await (await ask("ask", { do: "users", names: [...names] })).json();
  const users = answer.users.sort((one, other) => (other.last_login || "").localeCompare(one.last_login || ""));
  $("people-list").hidden = false;
  const where = (one) => one.networks.map((net) => net.network).slice(0, 6).join(", ");
  const refused = new Map();
  for (const one of reports.day ? reports.day.honest_refused : []) {
    const name = (one.user || "").toLowerCase();
    refused.set(name, [...(refused.get(name) || []), `${count(one.count)}: ${because(one)}, ${when(one.last)}`]);
  }
  const lately = (one) => (refused.get((one.user || "").toLowerCase()) || []).join("; ") || "no";
  table("people", users.slice(0, ROWS), (one) => one.id, (one) => [one.user || one.id, one.last_login ? when(one.last_login) : "", where(one), lately(one)], (cell, one) => {
    if (!one.user) return;
    button(cell, "Why", `Why ${one.user}`, () => explain(one.user));
    if (actions) {
      button(cell, "Forget", `Forget where ${one.user} is familiar`, () => forget(one.user));
      button(cell, "Expel", `Expel ${one.user}`, () => expel(one.user, true));
    }
  });
  tell(`${count(users.length)} known ${users.length === 1 ? "user" : "users"}${users.length > ROWS ? `, ${ROWS} shown` : ""}`);
}

// --- begin

function wire() {
  $("pause").addEventListener("click", () => {
    paused = !paused;
    $("pause").setAttribute("aria-pressed", String(paused));
    write($("pause"), paused ? "Go on" : "Pause");
    if (!paused && last) show();
  });
  $("leave").addEventListener("click", async () => {
    await ask("leave", {});
    localStorage.removeItem(KEY);
    close("You have logged out.");
  });
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    explain($("target").value.trim());
  });
  $("filter").addEventListener("change", decisions);
  $("filter").form.addEventListener("submit", (event) => event.preventDefault());
  $("show-people").addEventListener("click", people);
  // Whatever was clicked, no answer is told too.
  addEventListener("unhandledrejection", (event) => {
    if (!$("open").hidden) tell(`Gatepost did not answer: ${event.reason.message || event.reason}`);
  });
  setInterval(listen, 1000);
  wireCharts();
}

async function begin() {
  wire();
  const link = location.hash.slice(1);
  if (/^[0-9a-f]{32}$/.test(link)) {
    history.replaceState(null, "", location.pathname);
    try {
      await enter(link);
    } catch (fault) {
      if (!localStorage.getItem(KEY)) return close(fault.message);
    }
  }
  if (!localStorage.getItem(KEY)) return close("");
  $("open").hidden = false;
  came = Date.now();
  try {
    await beginCharts();
  } catch (fault) {
    if (!localStorage.getItem(KEY)) return;
  }
  follow();
}

begin();
