//! Commands that ask the engine and show its answer as a table.

use flambeau_protocol::{Completion, Event, Language, OperatorTime, Request};

use crate::problem::Problem;

use super::timing::seconds;
use super::{ALL, Front, size};

/// How many operators are shown.
const OPERATORS: usize = 30;
/// How many finds are shown.
const FINDS: usize = 40;

/// `:del NAME…`
pub fn del(front: &mut dyn Front, names: &str) -> Result<(), Problem> {
    let names = names.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_owned);
    let names = names.collect();
    front.ask_done(|id| Request::Remove { id, names });
    Ok(())
}

/// `:bt`
pub fn bt(front: &mut dyn Front, _: &str) -> Result<(), Problem> {
    if !front.ask_done(|id| Request::Traceback { id }) {
        front.say("there was no error");
    }
    Ok(())
}

/// `:mem`
pub fn mem(front: &mut dyn Front, _: &str) -> Result<(), Problem> {
    let Some(Event::Memory { devices, cuda, .. }) =
        front.ask(Box::new(|id| Request::Memory { id }))
    else {
        front.complain("the engine does not answer");
        return Ok(());
    };
    let mut rows: Vec<[String; 3]> = Vec::new();
    for held in &devices {
        let tensors = if held.tensors == 1 { "tensor" } else { "tensors" };
        rows.push([held.device.clone(), format!("{} {tensors}", held.tensors), size(held.bytes)]);
    }
    if rows.is_empty() {
        rows.push(["no tensors in variables".to_owned(), String::new(), String::new()]);
    }
    match resident() {
        Some(bytes) => rows.push(["process".to_owned(), "resident".to_owned(), size(bytes)]),
        None => rows.push(["process".to_owned(), "not told by this system".into(), String::new()]),
    }
    match cuda {
        None => rows.push(["cuda".to_owned(), "not available".to_owned(), String::new()]),
        Some(devices) => {
            for device in devices {
                let name = format!("cuda:{}", device.index);
                let parts = [
                    ("allocated", device.allocated),
                    ("peak", device.peak),
                    ("reserved", device.reserved),
                ];
                for (what, bytes) in parts {
                    rows.push([name.clone(), what.to_owned(), size(bytes)]);
                }
            }
        }
    }
    front.say(&table(&rows, &[false, false, true]));
    Ok(())
}

/// What the process holds in memory, in bytes; `None` where the system does not tell (see proc(5), `VmRSS`).
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// `:prof [--shapes] EXPR`
pub fn prof(front: &mut dyn Front, text: &str) -> Result<(), Problem> {
    let (shapes, code) = match text.strip_prefix("--shapes ") {
        Some(code) => (true, code.trim()),
        None => (false, text),
    };
    // Showing the value would call operators too.
    let code = format!("{};", code.trim_end_matches(';'));
    let (done, mut operators) = front.profile(&code, front.language(), shapes)?;
    let failed = done.error.is_some();
    front.show(&done);
    operators.sort_by(|a, b| b.own.total_cmp(&a.own).then_with(|| a.name.cmp(&b.name)));
    if operators.is_empty() && !failed {
        front.say("no operator of torch was called");
    } else if !operators.is_empty() {
        front.say(&profile(&operators, shapes));
    }
    Ok(())
}

/// The table of what operators took, those with the longest own time first.
fn profile(operators: &[OperatorTime], shapes: bool) -> String {
    let all: f64 = operators.iter().map(|operator| operator.own).sum();
    let device = operators.iter().any(|operator| operator.device > 0.0);
    let mut head = vec!["operator", "calls", "self", "share", "total"];
    let mut right = vec![false, true, true, true, true];
    if device {
        head.push("device");
        right.push(true);
    }
    if shapes {
        head.push("shapes");
        right.push(false);
    }
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for operator in operators.iter().take(OPERATORS) {
        let share = if all > 0.0 { 100.0 * operator.own / all } else { 0.0 };
        let mut row = vec![
            operator.name.clone(),
            operator.calls.to_string(),
            seconds(operator.own),
            format!("{share:.1} %"),
            seconds(operator.total),
        ];
        if device {
            row.push(seconds(operator.device));
        }
        if shapes {
            row.push(operator.shapes.clone());
        }
        rows.push(row);
    }
    let mut text = table(&rows, &right);
    if operators.len() > OPERATORS {
        text.push_str(&format!("\n… and {} more", operators.len() - OPERATORS));
    }
    let calls: u64 = operators.iter().map(|operator| operator.calls).sum();
    text.push_str(&format!("\n{calls} calls, {} in operators", seconds(all)));
    text
}

/// `:apropos WORDS`
pub fn apropos(front: &mut dyn Front, words: &str) -> Result<(), Problem> {
    let wanted: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let commands = ALL.iter().filter(|command| {
        let text = format!("{} {}", command.signature, command.description).to_lowercase();
        wanted.iter().all(|word| text.contains(word))
    });
    let commands = commands.map(|command| Completion {
        text: format!(":{}", command.name()),
        kind: "command".to_owned(),
        detail: Some(command.description.to_owned()),
    });
    let asked = words.to_owned();
    let answer = front.words(|id| Request::Apropos { id, words: asked });
    let found: Vec<Completion> = commands.chain(answer).collect();
    let rows: Vec<[String; 2]> = found
        .iter()
        .take(FINDS)
        .map(|item| [item.text.clone(), item.detail.clone().unwrap_or_default()])
        .collect();
    match found.len() {
        0 => front.say(&format!("nothing is said about '{words}'")),
        count if count > FINDS => {
            let table = table(&rows, &[false, false]);
            front.say(&format!("{table}\n… and {} more; another word narrows it", count - FINDS));
        }
        _ => front.say(&table(&rows, &[false, false])),
    }
    Ok(())
}

/// `:device [DEVICE]`
pub fn device(front: &mut dyn Front, device: &str) -> Result<(), Problem> {
    let code = match device {
        "" => "torch.get_default_device()".to_owned(),
        name => format!("torch.set_default_device({:?})", name),
    };
    let done = front.evaluate_named("<device>", &code, None, Language::Rhai)?;
    front.show(&done);
    Ok(())
}

/// Rows in columns; those that are `right` stand at the right of their column.
fn table<Row: AsRef<[String]>>(rows: &[Row], right: &[bool]) -> String {
    let width = |text: &str| text.chars().count();
    let widths: Vec<usize> = (0..right.len())
        .map(|i| rows.iter().map(|row| row.as_ref().get(i).map_or(0, |t| width(t))).max())
        .map(Option::unwrap_or_default)
        .collect();
    let lines = rows.iter().map(|row| {
        let cells = row.as_ref().iter().zip(&widths).zip(right).map(|((text, &wide), &right)| {
            if right { format!("{text:>wide$}") } else { format!("{text:wide$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["µs", "1"], ["abc", "200"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows, &[false, true]), "µs     1\nabc  200");
    }

    #[test]
    fn a_profile_tells_shares_of_the_own_times() {
        let operator = |name: &str, own: f64, total: f64| OperatorTime {
            name: name.to_owned(),
            calls: 2,
            own,
            total,
            ..OperatorTime::default()
        };
        let text = profile(
            &[operator("aten::mm", 0.003, 0.003), operator("aten::b", 0.001, 0.004)],
            false,
        );
        assert_eq!(
            text,
            "operator  calls     self   share    total\n\
             aten::mm      2  3.00 ms  75.0 %  3.00 ms\n\
             aten::b       2  1.00 ms  25.0 %  4.00 ms\n\
             4 calls, 4.00 ms in operators"
        );
    }
}
