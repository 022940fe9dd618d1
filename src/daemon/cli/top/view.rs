//! view - how `gatepost top` looks
//!
//! Three lines of health and numbers, the lists below, the keys at the end. Fits into 80 columns and 24 lines, and
//! uses what is wider. Colours are the terminal's own sixteen; nothing is told by a colour alone.
//! Not here: what is shown (`screen_state`).

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Margin, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState, Wrap};

use super::screen_state::{Overlay, Pane, TopState};
use crate::admin::message::{BusyMessage, StatusMessage};

/// From this width on the lists have all their columns.
const WIDE: u16 = 120;

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &TopState) {
    let [head, busy, rest, foot] = Layout::vertical([
        Constraint::Length(6),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Length(2),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(heading(state)), head);
    let columns = Layout::horizontal([Constraint::Fill(1); 3]).areas::<3>(busy);
    for (pane, area) in [Pane::Clients, Pane::Networks, Pane::Users]
        .into_iter()
        .zip(columns)
    {
        draw_busy(frame, state, pane, area);
    }
    let share = match frame.area().width >= WIDE {
        true => Constraint::Fill(2),
        false => Constraint::Length(27),
    };
    let [bans, attempts] = Layout::horizontal([share, Constraint::Fill(3)]).areas(rest);
    draw_bans(frame, state, bans);
    draw_attempts(frame, state, attempts);
    frame.render_widget(Paragraph::new(footing(state)), foot);
    if let Some(overlay) = &state.overlay {
        draw_overlay(frame, overlay);
    }
}

fn heading(state: &TopState) -> Vec<Line<'static>> {
    let status = &state.watch.status;
    let uptime = humantime::format_duration(std::time::Duration::from_secs(status.uptime_s));
    vec![
        Line::from(vec![
            Span::styled(format!("gatepost {}", status.version), BOLD),
            Span::raw(format!(", up {uptime}, {}", status.mode)),
        ]),
        health(state),
        verdicts(state),
        guesses(state),
        machine(state),
        Line::default(),
    ]
}

/// One sentence: all is well, or what is not.
fn health(state: &TopState) -> Line<'static> {
    if let Some((_, why)) = &state.lost {
        return Line::styled(format!("NO ANSWER, what is shown is old: {why}"), BAD);
    }
    let wrong = faults(&state.watch.status);
    match wrong.is_empty() {
        true => Line::styled("All is well: logins work.", GOOD),
        false => Line::styled(wrong.join("; "), BAD),
    }
}

/// What is wrong, the worst first.
fn faults(status: &StatusMessage) -> Vec<String> {
    let mut wrong = Vec::new();
    if !status.logins_work {
        wrong.push("LOGINS FAIL".to_owned());
    }
    for backend in &status.upstream {
        if backend.state == "unusable" {
            let reason = backend.reason.as_deref().unwrap_or_default();
            wrong.push(format!("{} is not usable: {reason}", backend.address));
        }
    }
    if status.backend_outage {
        wrong.push("Dovecot rejects users who have logged in before".to_owned());
    }
    if let Some(fault) = &status.state_not_kept {
        wrong.push(format!("the state is not kept: {}", fault.why));
    }
    for certificate in status.certificates.iter().filter(|one| one.is_due) {
        let (names, days) = (certificate.names.join(", "), certificate.days_left);
        wrong.push(format!("the certificate {names} has {days} days left"));
    }
    let refused: u64 = status.familiar_refused.values().sum();
    if refused > 0 {
        let reasons: Vec<&str> = status.familiar_refused.keys().map(String::as_str).collect();
        wrong.push(format!(
            "{refused} attempts of familiar users were refused ({})",
            reasons.join(", ")
        ));
    }
    wrong
}

fn verdicts(state: &TopState) -> Line<'static> {
    let of = |verdict: &'static str| {
        move |status: &StatusMessage| {
            let reasons = status.attempts.get(verdict);
            reasons.map_or(0, |reasons| reasons.values().sum())
        }
    };
    let mut spans = vec![Span::styled("attempts ", DIM)];
    for verdict in ["accept", "reject", "refuse", "repeat", "defer", "cancel"] {
        let all: u64 = of(verdict)(&state.watch.status);
        let lately = state.in_a_minute(of(verdict));
        spans.push(Span::raw(format!(" {verdict} ")));
        spans.push(Span::styled(grouped(all), BOLD));
        if lately > 0 {
            spans.push(Span::raw(format!(" (+{})", grouped(lately))));
        }
    }
    let note = match state.has_a_minute() {
        true => "  (+ in the last minute)",
        false => "  (+ since top began)",
    };
    spans.push(Span::styled(note, DIM));
    Line::from(spans)
}

fn guesses(state: &TopState) -> Line<'static> {
    let status = &state.watch.status;
    let left: u64 = status.buckets.iter().map(|one| u64::from(one.tokens)).sum();
    let reached = count(&status.counters, "rejected");
    Line::from(vec![
        Span::styled("guesses  ", DIM),
        Span::raw(" reached Postfix "),
        Span::styled(grouped(reached), BOLD),
        Span::raw(format!(
            ", the bound is {} a day, {} left now",
            grouped(status.bound_per_day),
            grouped(left)
        )),
    ])
}

fn machine(state: &TopState) -> Line<'static> {
    let status = &state.watch.status;
    let (used, waiting) = (
        status.processes.values().sum::<u64>() - count(&status.processes, "waiting"),
        count(&status.processes, "waiting"),
    );
    let mib = status.process.resident_octets >> 20;
    Line::from(vec![
        Span::styled("machine  ", DIM),
        Span::raw(format!(
            " sessions {} ({} logged in), processes {used}, waiting {waiting}, memory {mib} MiB, bans {}",
            grouped(status.sessions),
            grouped(status.logged_in),
            grouped(status.bans)
        )),
    ])
}

fn draw_busy(frame: &mut Frame<'_>, state: &TopState, pane: Pane, area: Rect) {
    let (title, rows) = match pane {
        Pane::Clients => ("Clients", &state.watch.clients),
        Pane::Networks => ("Networks", &state.watch.networks),
        _ => ("Users attacked", &state.watch.users),
    };
    let title = &format!("{title} since {}", clock_time(&state.watch.since));
    let is_wide = frame.area().width >= WIDE;
    let (heads, widths): (&[&str], &[u16]) = match is_wide {
        true => (&["tries", "refused", "rejected", "ok"], &[8, 8, 8, 6]),
        false => (&["tries"], &[8]),
    };
    let row = |one: &BusyMessage| {
        let numbers = [one.attempts, one.refused, one.rejected, one.accepted];
        let numbers = numbers.into_iter().take(heads.len()).map(right);
        Row::new([Cell::from(one.name.clone())].into_iter().chain(numbers))
    };
    let header = [Cell::default()].into_iter().chain(
        heads
            .iter()
            .map(|head| Cell::from(Line::from(*head).right_aligned())),
    );
    let numbers = widths.iter().map(|width| Constraint::Length(*width));
    let widths = [Constraint::Fill(1)].into_iter().chain(numbers);
    let table = Table::new(rows.iter().map(row), widths).header(Row::new(header).style(DIM));
    draw_list(frame, state, pane, area, title, table);
}

fn draw_bans(frame: &mut Frame<'_>, state: &TopState, area: Rect) {
    let bans = state.watch.bans.iter();
    let rows = bans.map(|one| {
        Row::new([
            Cell::from(one.address.clone()),
            Cell::from(clock_time(&one.until).to_owned()),
            Cell::from(one.reason.clone()),
        ])
    });
    let mut widths = vec![Constraint::Fill(1), Constraint::Length(8)];
    if frame.area().width >= WIDE {
        widths.push(Constraint::Length(10));
    }
    let table = Table::new(rows, widths).header(Row::new(["", "until", "reason"]).style(DIM));
    draw_list(frame, state, Pane::Bans, area, "Bans", table);
}

fn draw_attempts(frame: &mut Frame<'_>, state: &TopState, area: Rect) {
    let rows = state.attempts.iter().map(|one| {
        let verdict = match one.verdict.as_str() {
            "accept" => Span::styled(one.verdict.clone(), GOOD),
            "reject" => Span::styled(one.verdict.clone(), Color::Yellow),
            _ => Span::raw(one.verdict.clone()),
        };
        Row::new([
            Cell::from(clock_time(&one.at).to_owned()),
            Cell::from(one.client.clone()),
            Cell::from(one.user.clone().unwrap_or_default()),
            Cell::from(verdict),
            Cell::from(one.reason.clone().unwrap_or_default()),
        ])
    });
    let mut widths = vec![
        Constraint::Length(8),
        Constraint::Fill(4),
        Constraint::Fill(3),
        Constraint::Length(6),
    ];
    if frame.area().width >= WIDE {
        widths.push(Constraint::Fill(2));
    }
    let table = Table::new(rows, widths);
    draw_list(frame, state, Pane::Attempts, area, "Last attempts", table);
}

/// A list in its frame, with its selected row if it is the one that keys go to.
fn draw_list(
    frame: &mut Frame<'_>,
    state: &TopState,
    pane: Pane,
    area: Rect,
    title: &str,
    table: Table<'_>,
) {
    let is_ours = state.pane == pane;
    let style = if is_ours { BOLD } else { DIM };
    let block = Block::bordered().border_style(style).title(title);
    let selected = state.row(pane).filter(|_| is_ours);
    let table = table
        .block(block)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut of = TableState::new().with_selected(selected);
    frame.render_stateful_widget(table, area, &mut of);
}

fn footing(state: &TopState) -> Vec<Line<'static>> {
    let message = state.message.clone().unwrap_or_default();
    vec![
        Line::styled(message, BOLD),
        Line::raw("Tab next list  e explain  b ban  f forgive  x expel  ? keys  q end"),
    ]
}

fn draw_overlay(frame: &mut Frame<'_>, overlay: &Overlay) {
    let (title, lines, from, height) = match overlay {
        Overlay::Text { title, lines, from } => {
            let lines: Vec<Line<'_>> = lines.iter().map(|line| Line::raw(line.as_str())).collect();
            (format!(" {title}: any key closes "), lines, *from, u16::MAX)
        }
        Overlay::Question { text, .. } => {
            let lines = vec![
                Line::raw(text.as_str()),
                Line::default(),
                Line::styled("y: yes, any other key: no", BOLD),
            ];
            (" Sure? ".to_owned(), lines, 0, 7)
        }
    };
    let area = frame.area().inner(Margin::new(4, 2));
    let [area, _] = Layout::vertical([Constraint::Max(height), Constraint::Fill(1)]).areas(area);
    let paragraph = Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .scroll((from, 0))
        .block(Block::bordered().title(title).border_style(BOLD));
    frame.render_widget(Clear, area);
    frame.render_widget(paragraph, area);
}

fn right(number: u64) -> Cell<'static> {
    Cell::from(Line::from(grouped(number)).right_aligned())
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `07:20:16` of an RFC 3339 time; it is in UTC, as everything that Gatepost writes.
fn clock_time(time: &str) -> &str {
    time.get(11..19).unwrap_or(time)
}

fn count(counts: &BTreeMap<String, u64>, name: &str) -> u64 {
    counts.get(name).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
