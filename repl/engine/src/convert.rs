//! The session's own types as messages, and back.

use flambeau_protocol as protocol;
use flambeau_runtime::script;
use flambeau_runtime::torch::OperatorTime;
use flambeau_stdlib::experiment::{Leader, Setup};

/// What the session says, as a message.
pub fn event(event: script::Event) -> protocol::Event {
    match event {
        script::Event::Stdout(text) => protocol::Event::Stdout(text),
        script::Event::Stderr(text) => protocol::Event::Stderr(text),
        script::Event::Display(shown) => {
            let script::Shown { data, metadata, id, update } = shown;
            protocol::Event::Display(protocol::Display { data, metadata, id, update })
        }
        script::Event::Clear { wait } => protocol::Event::Clear { wait },
        script::Event::Comm(comm) => {
            let script::Comm { kind, id, target, data, metadata, buffers } = comm;
            protocol::Event::Comm(protocol::Comm { kind, id, target, data, metadata, buffers })
        }
        script::Event::Progress(bar) => protocol::Event::Progress(protocol::Progress {
            id: bar.id,
            desc: bar.desc,
            done: bar.done,
            total: bar.total,
            postfix: bar.postfix,
            seconds: bar.seconds,
            finished: bar.finished,
        }),
    }
}

/// What the front end says over a channel.
pub fn comm(comm: protocol::Comm) -> script::Comm {
    let protocol::Comm { kind, id, target, data, metadata, buffers } = comm;
    script::Comm { kind, id, target, data, metadata, buffers }
}

/// What the user says to a question.
pub fn answer(answer: protocol::Answer) -> script::Answer {
    match answer {
        protocol::Answer::Line(line) => script::Answer::Line(line),
        protocol::Answer::End => script::Answer::End,
        protocol::Answer::Refused => script::Answer::Refused,
    }
}

/// How the run is recorded.
pub fn experiment(experiment: protocol::Experiment) -> Setup {
    let protocol::Experiment { folder, script, params, declares, keep, quiet, leader } = experiment;
    let leader = leader.map(|leader| {
        let protocol::Leader { socket, trial, metric, rungs } = leader;
        Leader { socket, trial, metric, rungs }
    });
    // Who sent it has written it.
    let params = params.and_then(|params| serde_json::from_str(&params).ok());
    Setup { folder: Some(folder), script, params, declares, keep, quiet, leader }
}

/// What the script may reach.
pub fn permissions(permissions: protocol::Permissions) -> script::Permissions {
    script::Permissions {
        sandbox: permissions.sandbox,
        read: permissions.allow_read,
        write: permissions.allow_write,
        python: permissions.allow_python,
    }
}

/// How deep calls may nest, as in Python; the session's stack holds several times as many.
const CALL_LEVELS: usize = 1000;

/// When the script is ended.
pub fn limits(limits: protocol::Limits) -> script::Limits {
    script::Limits {
        seconds: limits.max_seconds,
        memory: limits.max_memory,
        operations: limits.max_operations,
        call_levels: Some(CALL_LEVELS),
    }
}

/// An error with all calls that led to it.
pub fn report_in_full(of: &script::Report) -> protocol::ErrorReport {
    protocol::ErrorReport {
        plain: of.rendered_in_full(false),
        coloured: of.rendered_in_full(true),
        ..report(of)
    }
}

/// What an operator took, as a message.
pub fn operator(found: OperatorTime) -> protocol::OperatorTime {
    let OperatorTime { name, shapes, calls, own, total, device } = found;
    let [own, total, device] = [own, total, device].map(|time| time.as_secs_f64());
    protocol::OperatorTime { name, shapes, calls, own, total, device }
}

/// What memory is used for, as a message.
pub fn memory(id: u64, found: script::Memory) -> protocol::Event {
    let devices = found.devices.into_iter().map(|(device, held)| {
        let script::Held { tensors, bytes } = held;
        protocol::DeviceMemory { device, tensors, bytes }
    });
    let cuda = found.cuda.map(|devices| {
        let message = |found| {
            let script::CudaMemory { index, allocated, peak, reserved } = found;
            protocol::CudaMemory { index, allocated, peak, reserved }
        };
        devices.into_iter().map(message).collect()
    });
    protocol::Event::Memory { id, devices: devices.collect(), cuda }
}

/// An error, rendered with and without colours.
pub fn report(report: &script::Report) -> protocol::ErrorReport {
    protocol::ErrorReport {
        kind: report.error.kind_name().to_owned(),
        message: report.error.message.clone(),
        line: (report.line > 0).then_some(report.line),
        column: (report.column > 0).then_some(report.column),
        plain: report.rendered(false),
        coloured: report.rendered(true),
    }
}

/// What may stand at the cursor, as a message.
pub fn completion(found: script::Completion) -> protocol::Completion {
    protocol::Completion { text: found.text, kind: found.kind.to_owned(), detail: found.detail }
}

/// The call around the cursor, as a message.
pub fn signature(found: script::Signature) -> protocol::Signature {
    let script::Signature { text, active, help } = found;
    protocol::Signature { text, active: active.map(|range| (range.start, range.end)), help }
}

/// A variable, as a message.
pub fn variable(found: script::Variable) -> protocol::Variable {
    let script::Variable { name, kind, detail, bytes } = found;
    protocol::Variable { name, kind, detail, bytes }
}
