//! Progress: bars on a terminal, lines elsewhere; one text for both.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use flambeau_protocol::Progress;

/// How often a line is written where nothing can move.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often a bar is redrawn.
const BAR_EVERY: Duration = Duration::from_millis(50);

/// How a page shows a bar and the texts around it: in one row, as wide as there is room, and texts as they are.
const ROW: &str = "display:flex;align-items:center;white-space:pre;font-family:var(--jp-code-font-family,monospace);\
                   font-size:var(--jp-code-font-size,inherit)";
const BAR: &str = "flex:0 1 20em;margin-left:0.5em;accent-color:#3f8f4f";

/// Bars on a terminal.
#[derive(Default)]
pub struct Bars {
    all: MultiProgress,
    bars: HashMap<u64, Bar>,
}

/// One bar and what stands around it.
struct Bar {
    bar: ProgressBar,
    /// Label and counts: what is left and right of the bar when it is next drawn.
    texts: Arc<Mutex<(String, String)>>,
    drawn: Instant,
}

impl Bars {
    /// A bar begins, moves or ends; one that has ended stays as a line of text.
    pub fn update(&mut self, state: &Progress) {
        if state.finished {
            if let Some(Bar { bar, .. }) = self.bars.remove(&state.id) {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
            let line = line(state);
            self.aside(|| eprintln!("{line}"));
            return;
        }
        let texts = (prefix(state), tail(state));
        match self.bars.get_mut(&state.id) {
            None => {
                let bar = Bar::new(&self.all, state.total, texts);
                self.bars.insert(state.id, bar);
            }
            Some(bar) if bar.drawn.elapsed() >= BAR_EVERY => bar.draw(state, texts),
            Some(_) => {}
        }
    }

    /// Runs `write` with the bars out of the way.
    pub fn aside(&mut self, write: impl FnOnce()) {
        if self.bars.is_empty() { write() } else { self.all.suspend(write) }
    }

    /// Leaves the bars that still stand as they are, and lets go of them.
    pub fn finish(&mut self) {
        for (_, Bar { bar, .. }) in self.bars.drain() {
            bar.abandon();
        }
    }
}

impl Bar {
    /// A bar at its start: `desc: 40%|████    | 40/100 [00:02<00:03, 19.8/s, loss=0.31]`, the middle as wide
    /// as there is room.
    fn new(all: &MultiProgress, total: Option<u64>, texts: (String, String)) -> Bar {
        let texts = Arc::new(Mutex::new(texts));
        let template = if total.is_some() { "{left}|{wide_bar}|{right}" } else { "{left}{right}" };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("█▉▊▋▌▍▎▏ ")
            .with_key("left", shown(&texts, |texts| &texts.0))
            .with_key("right", shown(&texts, |texts| &texts.1));
        let bar =
            ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()).with_style(style);
        let bar = all.add(bar);
        bar.tick();
        Bar { bar, texts, drawn: Instant::now() }
    }

    fn draw(&mut self, state: &Progress, texts: (String, String)) {
        *self.texts.lock().unwrap_or_else(PoisonError::into_inner) = texts;
        self.drawn = Instant::now();
        if state.total.is_some() && state.total != self.bar.length() {
            self.bar.set_length(state.total.unwrap_or_default());
        }
        self.bar.set_position(state.done);
    }
}

/// Shows one of the texts at each drawing, so that a change of several is drawn once.
fn shown(
    texts: &Arc<Mutex<(String, String)>>,
    which: fn(&(String, String)) -> &String,
) -> impl Fn(&ProgressState, &mut dyn Write) + Clone + Send + Sync + 'static {
    let texts = texts.clone();
    move |_, out| {
        let texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
        // What is written to is a string.
        let _ = out.write_str(which(&texts));
    }
}

/// Lines where nothing can move.
#[derive(Default)]
pub struct Lines {
    last: HashMap<u64, Instant>,
}

impl Lines {
    /// The line to write now, if any: every few seconds and at the end.
    pub fn update(&mut self, state: &Progress) -> Option<String> {
        let due = match self.last.get(&state.id) {
            Some(last) => last.elapsed() >= LINE_EVERY,
            None => {
                self.last.insert(state.id, Instant::now());
                false
            }
        };
        if !due && !state.finished {
            return None;
        }
        if state.finished {
            self.last.remove(&state.id);
        } else {
            self.last.insert(state.id, Instant::now());
        }
        Some(format!("{}\n", line(state)))
    }
}

/// The whole state on one line, without a bar.
pub fn line(state: &Progress) -> String {
    let separator = if state.total.is_some() { " " } else { "" };
    format!("{}{separator}{}", prefix(state), tail(state).trim_start())
}

/// The same for a page, with a bar where it is known how much there is.
pub fn html(state: &Progress) -> String {
    let shown = |text: String| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (before, behind) = (shown(prefix(state)), shown(tail(state)));
    let bar = match state.total {
        Some(total) => {
            // Nothing to do is done.
            let (done, total) = if total == 0 { (1, 1) } else { (state.done.min(total), total) };
            format!("<progress value=\"{done}\" max=\"{total}\" style=\"{BAR}\"></progress>")
        }
        None => String::new(),
    };
    format!("<div style=\"{ROW}\"><span>{before}</span>{bar}<span>{behind}</span></div>")
}

/// The label and how much of it is done.
fn prefix(state: &Progress) -> String {
    let label = if state.desc.is_empty() { String::new() } else { format!("{}: ", state.desc) };
    match state.total {
        Some(0) => format!("{label}100%"),
        Some(total) => format!("{label}{:3}%", state.done.min(total) * 100 / total),
        None => label,
    }
}

/// Counts, times, rate and what the script put behind them.
fn tail(state: &Progress) -> String {
    let rate = if state.seconds > 0.0 { state.done as f64 / state.seconds } else { 0.0 };
    let mut inside = clock(state.seconds);
    if let Some(total) = state.total {
        let left = total.saturating_sub(state.done) as f64;
        let eta = if rate > 0.0 { clock(left / rate) } else { "?".to_owned() };
        inside = format!("{inside}<{eta}");
    }
    inside = format!("{inside}, {}", speed(rate));
    if !state.postfix.is_empty() {
        inside = format!("{inside}, {}", state.postfix);
    }
    match state.total {
        Some(total) => format!(" {}/{total} [{inside}]", state.done),
        None => format!("{} [{inside}]", state.done),
    }
}

/// `MM:SS`, or `H:MM:SS` from an hour on.
pub fn clock(seconds: f64) -> String {
    // Casting saturates; a time beyond counting shows as a large one.
    let seconds = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

/// Steps per second, or seconds per step where that is more than one.
fn speed(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 => "?/s".to_owned(),
        rate if rate < 1.0 => format!("{:.2} s each", 1.0 / rate),
        rate if rate < 100.0 => format!("{rate:.2}/s"),
        rate => format!("{rate:.0}/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half_way() -> Progress {
        Progress {
            id: 1,
            desc: "train".into(),
            done: 50,
            total: Some(100),
            postfix: "loss=0.31".into(),
            seconds: 2.5,
            finished: false,
        }
    }

    #[test]
    fn a_line_says_how_far_how_long_how_fast() {
        assert_eq!(line(&half_way()), "train:  50% 50/100 [00:02<00:02, 20.00/s, loss=0.31]");
    }

    #[test]
    fn without_a_total_there_is_no_share_and_no_end() {
        let state = Progress { total: None, seconds: 100.0, ..half_way() };
        assert_eq!(line(&state), "train: 50 [01:40, 2.00 s each, loss=0.31]");
    }

    #[test]
    fn nothing_to_do_is_done() {
        let state = Progress { total: Some(0), finished: true, ..Progress::default() };
        assert_eq!(line(&state), "100% 0/0 [00:00<?, ?/s]");
    }

    #[test]
    fn a_page_shows_a_bar_where_the_end_is_known() {
        let shown = html(&Progress { desc: "<a>".into(), ..half_way() });
        assert!(
            shown.contains("&lt;a&gt;:  50%</span><progress value=\"50\" max=\"100\""),
            "{shown}"
        );
        assert!(shown.contains("> 50/100 [00:02&lt;00:02, 20.00/s, loss=0.31]</span>"), "{shown}");
        assert!(!html(&Progress { total: None, ..half_way() }).contains("<progress"));
        let nothing = html(&Progress { total: Some(0), ..Progress::default() });
        assert!(nothing.contains("value=\"1\" max=\"1\""), "{nothing}");
    }

    #[test]
    fn hours_are_shown_when_there_are_any() {
        assert_eq!(clock(3.0 * 3600.0 + 61.9), "3:01:01");
        assert_eq!(clock(f64::INFINITY).split(':').count(), 3);
    }

    #[test]
    fn lines_come_seldom_and_at_the_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.update(&half_way()), None);
        assert_eq!(lines.update(&half_way()), None);
        let end = Progress { finished: true, ..half_way() };
        assert!(lines.update(&end).is_some());
    }
}
