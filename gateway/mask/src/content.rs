//! Runs the detectors over a text and hides what they find.

use weir_model::Transform;

use crate::detector::{DETECTORS, Finding};
use crate::plan::{ContentRules, Counts};
use crate::replace::Shape;
use crate::{Masker, count};

/// A span to hide, and how.
pub(crate) struct Hidden {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) detector: usize,
    transform: Transform,
    /// Whether the span is exactly one finding, so that its shape is known.
    whole: bool,
}

impl Hidden {
    /// Whether the cell that it stands in has to become NULL.
    pub(crate) fn is_null(&self) -> bool {
        self.transform == Transform::Null
    }
}

impl Masker {
    /// What has to be hidden in a text, in order and without overlap.
    pub(crate) fn hidden(&self, rules: &ContentRules, text: &str) -> Vec<Hidden> {
        let mut findings: Vec<Finding> = Vec::new();
        let mut spans = Vec::new();
        let suspects = self.0.prefilter.suspects(text);
        for (detector, found_by) in DETECTORS.iter().enumerate() {
            let Some(transform) = rules.of(detector) else { continue };
            if suspects >> detector & 1 == 0 {
                continue;
            }
            findings.clear();
            found_by.find(text, &mut findings);
            spans.extend(findings.iter().map(|finding| Hidden {
                start: finding.start,
                end: finding.end,
                detector,
                transform,
                whole: true,
            }));
        }
        spans.sort_by_key(|span| (span.start, usize::MAX - span.end));
        let mut merged: Vec<Hidden> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.start < last.end => {
                    last.transform = last.transform.max(span.transform);
                    if span.end > last.end {
                        last.end = span.end;
                        last.whole = false;
                    }
                }
                Some(_) | None => merged.push(span),
            }
        }
        merged
    }

    /// The text with its findings hidden, or `None` where there are none.
    pub(crate) fn rewrite(
        &self,
        rules: &ContentRules,
        text: &str,
        counts: &mut Counts,
    ) -> Option<String> {
        self.hide(text, 0, &self.hidden(rules, text), counts)
    }

    /// `text[floor..]` with spans hidden; what lies before `floor` is only context.
    pub(crate) fn hide(
        &self,
        text: &str,
        floor: usize,
        spans: &[Hidden],
        counts: &mut Counts,
    ) -> Option<String> {
        let mut out = String::new();
        let mut done = floor;
        let mut any = false;
        for span in spans.iter().filter(|span| span.end > floor) {
            let start = span.start.max(floor);
            let name = DETECTORS[span.detector].name();
            count(counts, name);
            any = true;
            out.push_str(&text[done..start]);
            let (shape, transform) = match span.whole && start == span.start {
                true => (Shape::of_detector(name), span.transform),
                false => (Shape::Opaque, Transform::Redact),
            };
            self.0.key.transform(transform, shape, &text[start..span.end], &mut out);
            done = span.end;
        }
        out.push_str(&text[done..]);
        any.then_some(out)
    }
}
