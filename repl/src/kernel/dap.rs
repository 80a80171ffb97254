//! Requests of the debug adapter protocol as questions to the engine, and its answers as theirs.
//!
//! Sources: <https://microsoft.github.io/debug-adapter-protocol/specification>, and for what Jupyter adds
//! <https://jupyter-client.readthedocs.io/en/stable/messaging.html#debug-request>.

use flambeau_protocol::debug::{Call, Reason, Resume, Value as Inspected};
use flambeau_protocol::{Ask, Told};
use serde_json::{Value, json};

use super::publish::bundle;

/// A session has one thread that scripts run on.
pub const THREAD: u64 = 1;

/// What the debugger can do, in the words of the protocol. It does not stop at errors: no filters are offered.
pub fn capabilities() -> Value {
    json!({
        "supportsConfigurationDoneRequest": true,
        "supportsEvaluateForHovers": true,
        "supportsDelayedStackTraceLoading": true,
        "supportsConditionalBreakpoints": false,
        "supportsHitConditionalBreakpoints": false,
        "supportsLogPoints": false,
        "supportsSetVariable": false,
        "exceptionBreakpointFilters": [],
    })
}

fn number(arguments: &Value, name: &str) -> Option<usize> {
    arguments[name].as_u64().and_then(|number| usize::try_from(number).ok())
}

fn text(arguments: &Value, name: &str) -> String {
    arguments[name].as_str().unwrap_or_default().to_owned()
}

/// The lines that a request sets breakpoints at.
pub fn lines(arguments: &Value) -> Vec<usize> {
    let breakpoints = arguments["breakpoints"].as_array().map_or(&[][..], Vec::as_slice);
    breakpoints.iter().filter_map(|breakpoint| number(breakpoint, "line")).collect()
}

/// The question that a request is; `None` where the engine has nothing to say to it. `parts` are the scripts of a
/// file.
pub fn ask(
    command: &str,
    arguments: &Value,
    parts: impl FnOnce(&str) -> Vec<String>,
) -> Option<Ask> {
    // Frames are numbered from 1.
    let call = number(arguments, "frameId").filter(|frame| *frame > 0);
    Some(match command {
        "setBreakpoints" => {
            let file = text(&arguments["source"], "path");
            Ask::Breakpoints { parts: parts(&file), file, lines: lines(arguments) }
        }
        "stackTrace" => Ask::Calls,
        "scopes" => Ask::Scope { call },
        "variables" => Ask::Parts {
            reference: number(arguments, "variablesReference").unwrap_or_default(),
            start: number(arguments, "start").unwrap_or_default(),
            count: number(arguments, "count").filter(|count| *count > 0),
        },
        "inspectVariables" => Ask::Variables,
        "richInspectVariables" => Ask::Represent { name: text(arguments, "variableName"), call },
        "copyToGlobals" => Ask::Copy {
            name: text(arguments, "srcVariableName"),
            to: text(arguments, "dstVariableName"),
            call: number(arguments, "srcFrameId").filter(|frame| *frame > 0),
        },
        "evaluate" => Ask::Evaluate { code: text(arguments, "expression"), call },
        "pause" => Ask::Pause,
        "continue" => Ask::Resume(Resume::Continue),
        "next" => Ask::Resume(Resume::Next),
        "stepIn" => Ask::Resume(Resume::Into),
        "stepOut" => Ask::Resume(Resume::Out),
        _ => return None,
    })
}

/// The body of the answer to a request, or why there is none.
pub fn body(command: &str, arguments: &Value, told: Told) -> Result<Value, String> {
    Ok(match (command, told) {
        (_, Told::Refused(why)) => return Err(why),
        ("continue", Told::Nothing) => json!({"allThreadsContinued": true}),
        (_, Told::Nothing) => json!({}),
        (_, Told::Lines(meant)) => {
            let breakpoint = |(asked, meant): (usize, Option<usize>)| match meant {
                Some(line) => {
                    json!({"verified": true, "line": line, "source": arguments["source"]})
                }
                None => json!({
                    "verified": false,
                    "line": asked,
                    "message": "no statement of a script is known to begin here or below",
                }),
            };
            let breakpoints = lines(arguments).into_iter().zip(meant).map(breakpoint);
            json!({"breakpoints": breakpoints.collect::<Vec<_>>()})
        }
        (_, Told::Calls(calls)) => {
            let (total, start) = (calls.len(), number(arguments, "startFrame").unwrap_or_default());
            let levels = number(arguments, "levels").filter(|levels| *levels > 0);
            let frames = calls.into_iter().skip(start).take(levels.unwrap_or(total)).map(frame);
            json!({"stackFrames": frames.collect::<Vec<_>>(), "totalFrames": total})
        }
        (_, Told::Reference(reference)) => {
            let scope = json!({
                "name": "Locals",
                "presentationHint": "locals",
                "variablesReference": reference,
                "expensive": false,
            });
            json!({"scopes": [scope]})
        }
        ("evaluate", Told::Values(values)) => match values.into_iter().next() {
            Some(value) => json!({
                "result": value.text,
                "type": value.kind,
                "variablesReference": value.reference,
            }),
            None => json!({"result": "", "variablesReference": 0}),
        },
        (_, Told::Values(values)) => {
            json!({"variables": values.into_iter().map(variable).collect::<Vec<_>>()})
        }
        (_, Told::Bundle(found)) => json!({"data": bundle(found), "metadata": {}}),
    })
}

fn frame(call: Call) -> Value {
    json!({
        "id": call.id,
        "name": call.function,
        "line": call.line,
        "column": call.column,
        "source": {"name": call.source, "path": call.file},
    })
}

fn variable(value: Inspected) -> Value {
    let mut found = json!({
        "name": value.name,
        "value": value.text,
        "type": value.kind,
        "evaluateName": value.name,
        "variablesReference": value.reference,
    });
    if let Some(items) = value.items {
        found["indexedVariables"] = json!(items);
    }
    found
}

/// Why a script has stopped, as an event says it.
pub fn stopped(reason: Reason) -> Value {
    let reason = match reason {
        Reason::Breakpoint => "breakpoint",
        Reason::Step => "step",
        Reason::Pause => "pause",
    };
    json!({"reason": reason, "threadId": THREAD, "allThreadsStopped": true})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breakpoints_that_move_say_where_to() {
        let arguments = json!({"source": {"path": "f"}, "breakpoints": [{"line": 1}, {"line": 9}]});
        let asked = ask("setBreakpoints", &arguments, |_| vec!["\nx".to_owned()]);
        let parts = vec!["\nx".to_owned()];
        assert_eq!(asked, Some(Ask::Breakpoints { file: "f".into(), parts, lines: vec![1, 9] }));
        let body = body("setBreakpoints", &arguments, Told::Lines(vec![Some(2), None]));
        let breakpoints = body.expect("an answer")["breakpoints"].clone();
        assert_eq!(
            (&breakpoints[0]["verified"], &breakpoints[0]["line"]),
            (&json!(true), &json!(2))
        );
        assert_eq!(
            (&breakpoints[1]["verified"], &breakpoints[1]["line"]),
            (&json!(false), &json!(9))
        );
    }

    #[test]
    fn frames_come_from_where_they_were_asked_for() {
        let call = |id: usize| Call {
            id,
            function: format!("f{id}"),
            source: "cell 1".into(),
            file: "/tmp/1".into(),
            line: id,
            column: 1,
        };
        let told = || Told::Calls(vec![call(3), call(2), call(1)]);
        let names = |arguments: Value| {
            let body = body("stackTrace", &arguments, told()).expect("an answer");
            assert_eq!(body["totalFrames"], 3);
            let frames = body["stackFrames"].as_array().cloned().unwrap_or_default();
            frames.iter().map(|frame| frame["name"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(json!({})), ["f3", "f2", "f1"]);
        assert_eq!(names(json!({"startFrame": 1, "levels": 1})), ["f2"]);
        assert_eq!(names(json!({"levels": 0})), ["f3", "f2", "f1"]);
    }

    #[test]
    fn a_frame_without_a_number_is_none() {
        let asked = |arguments: Value| ask("evaluate", &arguments, |_| Vec::new());
        let code = || "x".to_owned();
        assert_eq!(
            asked(json!({"expression": "x", "frameId": 2})),
            Some(Ask::Evaluate { code: code(), call: Some(2) })
        );
        for frame in [json!(0), json!(-1), json!("1"), Value::Null] {
            let arguments = json!({"expression": "x", "frameId": frame});
            assert_eq!(asked(arguments), Some(Ask::Evaluate { code: code(), call: None }));
        }
        assert_eq!(ask("gotoTargets", &json!({}), |_| Vec::new()), None);
    }
}
