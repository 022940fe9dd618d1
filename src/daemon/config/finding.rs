//! finding - a fault, warning or hint about a file: where, what, and what would be right
//!
//! A [`Finding`] refuses the file, warns, or hints; [`Findings`] collects them, so that an
//! administrator sees all of them at once. Shown as the file's line with a caret under the value.
//! Not here: the checks (`read`, `bounds` and the files beside them), what of a line is shown (`source`), and where findings are
//! printed (`cli`, `server`).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::source::{ShownText, Source};

/// A remark on a file: where, what, and what would be right.
#[derive(Clone, Debug)]
pub(super) struct Remark {
    span: Option<Range<usize>>,
    message: String,
    help: Option<String>,
    beside: Option<(Range<usize>, &'static str)>,
}

impl Remark {
    /// On the value at `span`, in octets.
    pub(super) fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            ..Self::of_file(message)
        }
    }

    /// On the file as a whole, for what it lacks.
    pub(super) fn of_file(message: impl Into<String>) -> Self {
        Self {
            span: None,
            message: message.into(),
            help: None,
            beside: None,
        }
    }

    /// Adds what would be right.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Points at a second, related value in the same file.
    pub(super) fn beside(mut self, span: Range<usize>, label: &'static str) -> Self {
        self.beside = Some((span, label));
        self
    }
}

/// What a finding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    /// The file is refused.
    Fault,
    /// The file is accepted, with a warning.
    Warning,
    /// Shown by `gatepost check`, not at every start.
    Hint,
}

/// One thing found in a file. `Display` shows it with the line and a caret, without colours;
/// `{:#}` with colours.
#[derive(Clone, Debug)]
pub struct Finding {
    severity: Severity,
    source: Arc<Source>,
    remark: Remark,
}

impl Finding {
    /// The file's name, as it was passed in.
    pub fn file(&self) -> &str {
        self.source.name()
    }

    /// Line and column of the value, counted from 1, the column in characters; none where the
    /// finding is about the file as a whole.
    pub fn position(&self) -> Option<(usize, usize)> {
        let span = self.remark.span.as_ref()?;
        Some(self.source.position(span.start))
    }

    /// What was found.
    pub fn message(&self) -> &str {
        &self.remark.message
    }

    /// What would be right.
    pub fn help(&self) -> Option<&str> {
        self.remark.help.as_deref()
    }

    /// Whether only `gatepost check` shows this; in the log of every start it would be
    /// noise.
    pub fn is_hint(&self) -> bool {
        self.severity == Severity::Hint
    }

    /// The finding on one line, for a log: `file:line:column: message; help`.
    pub fn summary(&self) -> String {
        let mut summary = self.source.name().to_owned();
        if let Some((line, column)) = self.position() {
            summary += &format!(":{line}:{column}");
        }
        summary += &format!(": {}", self.remark.message);
        if let Some(help) = &self.remark.help {
            summary += &format!("; {}", help.replace('\n', " "));
        }
        summary
    }

    fn group(&self) -> Group<'_> {
        let level = match self.severity {
            Severity::Fault => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Hint => Level::NOTE.with_name("hint"),
        };
        let title = level.primary_title(self.remark.message.as_str());
        let group = match &self.remark.span {
            Some(span) => title.element(self.snippet(span)),
            None => title.element(Origin::path(self.source.name())),
        };
        match &self.remark.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }

    fn snippet(&self, span: &Range<usize>) -> Snippet<'_, Annotation<'_>> {
        let shown = ShownText::of(&self.source);
        let caret = AnnotationKind::Primary.span(shown.span(&self.source, span));
        let beside = self.remark.beside.as_ref().map(|(span, label)| {
            AnnotationKind::Context
                .span(shown.span(&self.source, span))
                .label(*label)
        });
        Snippet::source(shown.into_text())
            .path(self.source.name())
            .annotation(caret)
            .annotations(beside)
    }

    /// The finding as it was rendered, with the file's column in place of that of what is shown.
    fn in_place(&self, rendered: String) -> String {
        let (Some(span), Some((line, column))) = (&self.remark.span, self.position()) else {
            return rendered;
        };
        let shown = ShownText::of(&self.source).column(&self.source, span);
        let at = |column| format!("{}:{line}:{column}", self.source.name());
        rendered.replacen(&at(shown), &at(column), 1)
    }

    /// Without the secrets of the file in what is said of it.
    fn hide_secrets(&mut self) {
        let Remark { span, message, .. } = &mut self.remark;
        *message = self.source.without_secrets(message, span.as_ref());
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = if f.alternate() {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        f.write_str(&self.in_place(renderer.render(&[self.group()])))
    }
}

/// Why a config file is refused: at least one fault, and the warnings.
///
/// `Display` shows every fault with a caret, without colours; `{:#}` with colours.
#[derive(Clone, Debug)]
pub struct ConfigFaults {
    faults: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl ConfigFaults {
    /// One fault alone.
    pub(super) fn of(source: Arc<Source>, remark: Remark) -> Self {
        let fault = Finding {
            severity: Severity::Fault,
            source,
            remark,
        };
        Self {
            faults: vec![fault],
            warnings: Vec::new(),
        }
    }

    /// The faults, in the order of the file.
    pub fn faults(&self) -> &[Finding] {
        &self.faults
    }

    /// The warnings and hints, in the order of the file.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            fmt::Display::fmt(fault, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFaults {}

/// Collects the findings of one config file.
#[derive(Debug)]
pub(super) struct Findings {
    source: Arc<Source>,
    found: Vec<Finding>,
    /// What of the file is not shown, beside what its text shows to be a secret.
    hidden: Vec<Range<usize>>,
    /// Some entries could not be read, so a key that seems to be missing may be one of them.
    partial: bool,
}

impl Findings {
    pub(super) fn new(source: Arc<Source>) -> Self {
        Self {
            source,
            found: Vec::new(),
            hidden: Vec::new(),
            partial: false,
        }
    }

    /// Refuses the file.
    pub(super) fn refuse(&mut self, remark: Remark) {
        self.add(Severity::Fault, Arc::clone(&self.source), remark);
    }

    /// Refuses the file for a fault in a file that it names.
    pub(super) fn refuse_in(&mut self, source: &Arc<Source>, remark: Remark) {
        self.add(Severity::Fault, Arc::clone(source), remark);
    }

    /// Refuses the file for what is missing in the table or list at `span`, unless some entries could not
    /// be read: it may be one of those.
    pub(super) fn missing_at(&mut self, span: Range<usize>, message: &str, help: &str) {
        if !self.partial {
            self.refuse(Remark::at(span, message).help(help));
        }
    }

    /// Accepts the file, with a warning.
    pub(super) fn warn(&mut self, remark: Remark) {
        self.add(Severity::Warning, Arc::clone(&self.source), remark);
    }

    /// Accepts the file, with a hint.
    pub(super) fn hint(&mut self, remark: Remark) {
        self.add(Severity::Hint, Arc::clone(&self.source), remark);
    }

    /// What stands at `span` is shown in no finding.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    /// The line of `span`, counted from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.source.position(span.start).0
    }

    /// Some entries could not be read: from now on a key may only seem to be missing.
    pub(super) fn note_partial(&mut self) {
        self.partial = true;
    }

    /// The warnings if there is no fault, otherwise everything; both in the file's order.
    pub(super) fn conclude(mut self) -> Result<Vec<Finding>, ConfigFaults> {
        let own = Arc::clone(&self.source);
        self.found.sort_by_key(|finding| {
            let elsewhere = !Arc::ptr_eq(&finding.source, &own);
            let at = finding
                .remark
                .span
                .as_ref()
                .map_or(usize::MAX, |span| span.start);
            (elsewhere, at)
        });
        let shown = own.hiding(&self.hidden);
        for finding in &mut self.found {
            if Arc::ptr_eq(&finding.source, &own) {
                finding.source = Arc::clone(&shown);
            }
            finding.hide_secrets();
        }
        let (faults, warnings): (Vec<_>, Vec<_>) = self
            .found
            .into_iter()
            .partition(|finding| finding.severity == Severity::Fault);
        if faults.is_empty() {
            Ok(warnings)
        } else {
            Err(ConfigFaults { faults, warnings })
        }
    }

    /// A remark on the file as a whole is about what it lacks, so a partial file gets none.
    fn add(&mut self, severity: Severity, source: Arc<Source>, remark: Remark) {
        if self.partial && remark.span.is_none() {
            return;
        }
        self.found.push(Finding {
            severity,
            source,
            remark,
        });
    }
}
