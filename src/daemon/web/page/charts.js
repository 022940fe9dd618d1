// charts - the numbers and charts of the time that is chosen: ten minutes from memory, 24 hours and 30 days from the history
//
// What has come since the numbers were asked for is added from the live stream, so that they are never late.
// Not here: the stream, the tables and the commands (`page.js`). Charts are drawn by uPlot.
"use strict";

const MINUTES = 600;
const BIN = 10;
const SPANS = { day: 86400, month: 30 * 86400 };
const FRESH = { minutes: 5, day: 30, month: 300 };
const TILES = ["accepted", "made", "guesses", "closed"];
const CHARTS = {
  reached: [["deferred", "without an answer"], ["guesses", "guesses"], ["accepted", "logged in"]],
  kept: [["repeated", "the same guess again"], ["refused", "refused"]],
};

let range = "minutes";
let isChosen = false;
let asked = 0;
const views = {};
const reports = {};
const plots = new Map();

/// The counters of a snapshot or a report, by what the page calls them.
function named(counters, closed) {
  const of = (name) => counters[name] || 0;
  const [refused, repeated, guesses] = [of("refused"), of("repeated"), of("guesses")];
  return { accepted: of("accepted"), guesses, refused, repeated, deferred: of("deferred"), closed, made: refused + repeated + guesses };
}

const away = (counters) => Object.keys(counters).filter((name) => name.startsWith("turned-away.")).reduce((all, name) => all + counters[name], 0);
const ofStatus = (status) => named(status.counters, sum(status.turned_away));
const ofReport = (counters) => named(counters, away(counters));
const total = (steps) => Object.fromEntries(TILES.map((name) => [name, steps.reduce((all, step) => all + step[name], 0)]));

/// Ten minutes up to now in equal steps, whatever was counted in them.
function lately(trend) {
  const end = Math.floor(serverNow() / 1000 / BIN) * BIN;
  const steps = Array.from({ length: MINUTES / BIN }, (_, place) => ({ at: end - MINUTES + (place + 1) * BIN, ...named({}, 0) }));
  const row = (one) => named(one, one.closed);
  for (const one of trend.lately) {
    const step = steps[steps.length - 1 - Math.floor((end + BIN - 1 - one.at) / BIN)];
    if (!step) continue;
    const counts = row(one);
    for (const name of Object.keys(counts)) step[name] += counts[name];
  }
  return { steps, step: BIN, base: row(trend.last), total: total(steps) };
}

function past(report) {
  const all = report.steps.map((step) => ({ at: Date.parse(step.at) / 1000, ...ofReport(step.counters) }));
  // A day has 24 hours: the part of one more, a day ago, would stand below the same time.
  const steps = report.step_s === 3600 ? all.slice(-24) : all;
  return { steps, step: report.step_s, base: ofReport(report.since_start), total: total(steps) };
}

async function refresh() {
  asked = Date.now();
  const wanted = range;
  if (wanted === "minutes") {
    const answer = await (await ask("trend")).json();
    permit(answer.actions);
    views.minutes = lately(answer.trend);
  } else {
    views[wanted] = past(await report(wanted));
  }
  if (last && !paused) show();
  else draw();
}

/// A report of the history. Where nothing is kept, there are the minutes only.
async function report(wanted) {
  const answer = await (await ask("ask", { do: "report", span_s: SPANS[wanted] })).json();
  if (answer.is !== "report" || answer.not_kept) {
    for (const name of Object.keys(SPANS)) $("range").elements.range.forEach((one) => { if (one.value === name) one.disabled = true; });
    write($("range-note"), `Only the last minutes are shown: ${answer.not_kept ? "the history is off" : "the history cannot be read"} (${answer.not_kept || answer.message})`);
    choose("minutes");
    throw new Error(answer.message || answer.not_kept);
  }
  reports[wanted] = answer;
  return answer;
}

function choose(wanted) {
  range = wanted;
  for (const one of $("range").elements.range) one.checked = one.value === wanted;
}

/// What is shown first: a day, once there is as much as some hours of it.
async function beginCharts() {
  await refresh();
  const day = await report("day");
  const hours = (serverNow() - Date.parse(day.kept_since || day.since)) / 3600000;
  if (!isChosen && hours > 3) {
    choose("day");
    views.day = past(day);
  }
  if (last && !paused) show();
  else draw();
}

// --- numbers

const WORDS = { minutes: "in ten minutes", day: "in 24 hours", month: "in 30 days" };

function numbers(status) {
  const view = views[range];
  const now = ofStatus(status);
  const minute = snapshots[0] || now;
  const seconds = snapshots.length > 60 ? "minute" : `${Math.max(1, snapshots.length - 1)} s`;
  for (const name of TILES) {
    const grown = view ? Math.max(0, now[name] - view.base[name]) : 0;
    const shown = view ? view.total[name] + grown : now[name];
    write($(`n-${name}`), count(shown));
    const more = name === "guesses" ? bound(shown, status.bound_per_day) : `, ${count(now[name] - minute[name])} in the last ${seconds}`;
    write($(`s-${name}`), `${WORDS[range]}${more}; ${count(now[name])} since the start`);
  }
}

function bound(reached, perDay) {
  const most = range === "month" ? 30 * perDay : perDay;
  $("gauge").style.width = `${Math.min(100, (100 * reached) / Math.max(1, most)).toFixed(1)}%`;
  return range === "minutes" ? `, at most ${count(perDay)} a day` : `, of at most ${count(most)}`;
}

// --- drawing

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/// A plot that is there already, if it fits; else a new one.
function plot(id, place, options, data) {
  const key = JSON.stringify([range, place.clientWidth, dark.matches]);
  const known = plots.get(id);
  if (known && known.key === key) return known.plot.setData(data);
  if (known) known.plot.destroy();
  plots.set(id, { key, plot: new uPlot(options(), data, place) });
}

/// The steps, with what has come since they were asked for in the last one, or in a new one where that is over.
function grown(view) {
  if (!last) return view.steps;
  const now = ofStatus(last.status);
  const latest = view.steps[view.steps.length - 1];
  const isOver = serverNow() / 1000 >= latest.at + view.step;
  const step = isOver ? { at: latest.at + view.step, ...named({}, 0) } : { ...latest };
  for (const name of Object.keys(now)) step[name] += Math.max(0, now[name] - view.base[name]);
  return isOver ? [...view.steps.slice(1), step] : [...view.steps.slice(0, -1), step];
}

function draw() {
  const view = views[range];
  if (!view) return;
  const steps = grown(view);
  const times = steps.map((step) => step.at);
  for (const name of TILES) spark(name, times, steps.map((step) => step[name]));
  for (const id of Object.keys(CHARTS)) bars(id, view.step, steps, times);
  // Else it says why there is nothing else to choose.
  if ($("range").elements.range[1].disabled) return;
  const kept = range !== "minutes" && reports[range].kept_since;
  write($("range-note"), `${BY[range]}${kept ? `; the history begins at ${date(kept)}` : ""}`);
}

const BY = { minutes: "By ten seconds", day: "By hours", month: "By days of UTC" };
const AXES = {
  minutes: { space: 45, values: "{HH}:{mm}" }, day: { space: 60, values: "{HH}:{mm}" }, month: { space: 60, values: "{D} {MMM}" },
};

/// Bars of each step, one part on the other: the last part of the list is the lowest.
function bars(id, width, steps, times) {
  const place = $(id);
  const parts = CHARTS[id];
  const counts = parts.map(([name]) => steps.map((step) => step[name]));
  const stacked = counts.map((_, first) => times.map((_, step) => counts.slice(first).reduce((all, part) => all + part[step], 0)));
  const options = () => {
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: "12px system-ui" };
    const paths = uPlot.paths.bars({ size: [0.8, 80] });
    const value = (_, __, series, step) => (step === null ? "" : count(place.counts[series - 1][step]));
    const line = ([name, label]) => ({ label, stroke: colour(name), fill: colour(name), width: 0, paths, points: { show: false }, value });
    return {
      width: place.clientWidth, height: 220,
      series: [{ label: "", value: (_, at) => (at ? moment(at) : "") }, ...parts.map(line)],
      axes: [{ ...axis, ...AXES[range], grid: { show: false } }, { ...axis, size: 60, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7, 1e8], values: (_, all) => all.map(count) }],
      scales: {
        x: { range: (_, low, high) => [low - width / 2, high + width / 2] },
        y: { range: (_, low, high) => [0, Math.max(high * 1.05, 4)] },
      },
      tzDate: (at) => (range === "month" ? uPlot.tzDate(new Date(at * 1e3), "Etc/UTC") : new Date(at * 1e3)),
      cursor: { drag: { x: false, y: false }, points: { show: false } },
    };
  };
  place.counts = counts;
  plot(id, place, options, [times, ...stacked]);
  place.setAttribute("aria-label", parts.map(([name, label]) => `${label} ${count(steps.reduce((all, step) => all + step[name], 0))}`).join(", "));
}

const moment = (at) => (range === "month" ? new Date(at * 1000).toLocaleDateString([], { timeZone: "UTC", dateStyle: "medium" }) : date(at * 1000));

function spark(name, times, counts) {
  const place = $(`g-${name}`);
  plot(name, place, () => ({
    width: place.clientWidth, height: place.clientHeight, legend: { show: false }, cursor: { show: false },
    axes: [{ show: false }, { show: false }], padding: [4, 2, 2, 2],
    series: [{}, { stroke: colour(name), width: 2, fill: `${colour(name)}33`, points: { show: false } }],
    scales: { y: { range: (_, low, high) => [0, Math.max(high, 1)] } },
  }), [times, counts]);
}

function redraw() {
  for (const one of plots.values()) one.plot.destroy();
  plots.clear();
  draw();
}

function wireCharts() {
  $("range").addEventListener("change", (event) => {
    isChosen = true;
    range = event.target.value;
    refresh().catch(() => {});
  });
  let later = 0;
  addEventListener("resize", () => {
    clearTimeout(later);
    later = setTimeout(redraw, 200);
  });
  dark.addEventListener("change", redraw);
  setInterval(() => {
    if (!paused && localStorage.getItem(KEY) && Date.now() - asked >= 1000 * FRESH[range]) refresh().catch(() => {});
  }, 1000);
  setInterval(() => {
    if (!paused && localStorage.getItem(KEY)) report("day").then(() => last && show()).catch(() => {});
  }, 60000);
}
