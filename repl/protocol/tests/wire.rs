//! The messages as they stand on the wire: a change here is a change of `ABI`.

use flambeau_protocol::debug::{Call, Reason, Resume, Value};
use flambeau_protocol::{
    Answer, Ask, Comm, Configure, Display, Done, ErrorReport, Event, Experiment, Language, Leader,
    Limits, Permissions, Progress, Request, Signature, Told,
};

/// Asserts that `value` is written as `json` and read back from it.
fn check<T>(value: &T, json: &str)
where
    T: serde::Serialize + for<'a> serde::Deserialize<'a> + PartialEq + std::fmt::Debug,
{
    assert_eq!(serde_json::to_string(value).expect("messages are plain data"), json);
    assert_eq!(&serde_json::from_str::<T>(json).expect("messages are plain data"), value);
}

#[test]
fn requests_are_tagged_by_name() {
    check(
        &Request::Evaluate {
            id: 7,
            source_name: "a.rhai".into(),
            code: "1 + 1".into(),
            keep: None,
            language: Language::Python,
            width: Some(100),
        },
        concat!(
            r#"{"request":"evaluate","id":7,"source_name":"a.rhai","code":"1 + 1","keep":null,"#,
            r#""language":"python","width":100}"#
        ),
    );
    check(
        &Request::Doc { id: 1, name: "torch.add".into(), language: Language::Rhai },
        r#"{"request":"doc","id":1,"name":"torch.add","language":"rhai"}"#,
    );
    check(
        &Request::Source { id: 1, name: "f".into(), language: Language::Rhai },
        r#"{"request":"source","id":1,"name":"f","language":"rhai"}"#,
    );
    check(
        &Request::Complete { id: 2, code: "torch.".into(), cursor: 6, language: Language::Rhai },
        r#"{"request":"complete","id":2,"code":"torch.","cursor":6,"language":"rhai"}"#,
    );
    check(
        &Request::Profile {
            id: 3,
            source_name: "<prof>".into(),
            code: "x".into(),
            language: Language::Rhai,
            shapes: true,
        },
        concat!(
            r#"{"request":"profile","id":3,"source_name":"<prof>","code":"x","#,
            r#""language":"rhai","shapes":true}"#
        ),
    );
    check(
        &Request::Remove { id: 3, names: vec!["x".into()] },
        r#"{"request":"remove","id":3,"names":["x"]}"#,
    );
    check(&Request::Memory { id: 3 }, r#"{"request":"memory","id":3}"#);
    check(&Request::Traceback { id: 3 }, r#"{"request":"traceback","id":3}"#);
    check(
        &Request::Apropos { id: 3, words: "singular value".into() },
        r#"{"request":"apropos","id":3,"words":"singular value"}"#,
    );
    check(&Request::Variables { id: 3 }, r#"{"request":"variables","id":3}"#);
    check(&Request::Reset { id: 4 }, r#"{"request":"reset","id":4}"#);
    check(&Request::Interrupt, r#"{"request":"interrupt"}"#);
    check(&Request::Shutdown, r#"{"request":"shutdown"}"#);
}

fn comm() -> Comm {
    Comm {
        kind: "comm_open".into(),
        id: "c".into(),
        target: Some("t".into()),
        data: "{}".into(),
        metadata: "{}".into(),
        buffers: vec!["AA==".into()],
    }
}

#[test]
fn what_front_ends_say_by_themselves() {
    check(
        &Request::Answer { id: 1, answer: Answer::Line("Ada".into()) },
        r#"{"request":"answer","id":1,"answer":{"line":"Ada"}}"#,
    );
    check(
        &Request::Answer { id: 1, answer: Answer::Refused },
        r#"{"request":"answer","id":1,"answer":"refused"}"#,
    );
    check(&Request::Parent { header: "{}".into() }, r#"{"request":"parent","header":"{}"}"#);
    check(
        &Request::Comm { id: 2, comm: comm(), message: "{}".into() },
        concat!(
            r#"{"request":"comm","id":2,"comm":{"kind":"comm_open","id":"c","target":"t","#,
            r#""data":"{}","metadata":"{}","buffers":["AA=="]},"message":"{}"}"#
        ),
    );
}

#[test]
fn configure_holds_permissions_and_limits() {
    let configure = Configure {
        torch_version: "2.11.0".into(),
        environment: Some("/env".into()),
        python: Some("/env/bin/python3".into()),
        args: vec!["--lr".into(), "0.1".into()],
        script_dir: Some("/scripts".into()),
        permissions: Permissions {
            sandbox: true,
            allow_read: vec!["/data".into()],
            ..Permissions::default()
        },
        limits: Limits { max_seconds: Some(1.5), ..Limits::default() },
        threads: Some(2),
        experiment: Some(Box::new(Experiment {
            folder: "/out".into(),
            script: "/scripts/a.rhai".into(),
            params: Some("{}".into()),
            keep: 2,
            leader: Some(Leader {
                socket: "/tmp/leader".into(),
                trial: 7,
                metric: Some("acc".into()),
                rungs: vec![3, 9],
            }),
            ..Experiment::default()
        })),
        notebook: true,
    };
    check(
        &Request::Configure(configure),
        concat!(
            r#"{"request":"configure","torch_version":"2.11.0","environment":"/env","#,
            r#""python":"/env/bin/python3","args":["--lr","0.1"],"script_dir":"/scripts","#,
            r#""permissions":{"sandbox":true,"allow_read":["/data"],"allow_write":[],"#,
            r#""allow_python":false},"#,
            r#""limits":{"max_seconds":1.5,"max_memory":null,"max_operations":null},"threads":2,"#,
            r#""experiment":{"folder":"/out","script":"/scripts/a.rhai","params":"{}","declares":false,"#,
            r#""keep":2,"quiet":false,"leader":{"socket":"/tmp/leader","trial":7,"metric":"acc","#,
            r#""rungs":[3,9]}},"notebook":true}"#,
        ),
    );
}

#[test]
fn events_carry_their_data_beside_their_name() {
    check(&Event::Ready, r#"{"event":"ready"}"#);
    check(&Event::Stdout("a\n".into()), r#"{"event":"stdout","data":"a\n"}"#);
    check(
        &Event::Display(Display {
            data: vec![("text/plain".into(), "x".into())],
            metadata: None,
            id: Some("a".into()),
            update: true,
        }),
        concat!(
            r#"{"event":"display","data":{"data":[["text/plain","x"]],"metadata":null,"#,
            r#""id":"a","update":true}}"#
        ),
    );
    check(&Event::Clear { wait: true }, r#"{"event":"clear","data":{"wait":true}}"#);
    check(
        &Event::Question { id: 1, prompt: "name: ".into(), secret: false },
        r#"{"event":"question","data":{"id":1,"prompt":"name: ","secret":false}}"#,
    );
    check(
        &Event::Comm(comm()),
        concat!(
            r#"{"event":"comm","data":{"kind":"comm_open","id":"c","target":"t","data":"{}","#,
            r#""metadata":"{}","buffers":["AA=="]}}"#
        ),
    );
    check(
        &Event::Progress(Progress { id: 3, done: 4, total: Some(10), ..Progress::default() }),
        concat!(
            r#"{"event":"progress","data":{"id":3,"desc":"","done":4,"total":10,"#,
            r#""postfix":"","seconds":0.0,"finished":false}}"#,
        ),
    );
    let bundle = vec![("text/plain".to_owned(), "2".to_owned())];
    check(
        &Event::Done(Done { id: 7, result: Some(bundle), seconds: 0.5, ..Done::default() }),
        concat!(
            r#"{"event":"done","data":{"id":7,"result":[["text/plain","2"]],"metadata":null,"#,
            r#""error":null,"seconds":0.5}}"#
        ),
    );
    let call = Signature { text: "f(a)".into(), active: Some((2, 3)), help: None };
    check(
        &Event::Signature { id: 7, call: Some(call) },
        concat!(
            r#"{"event":"signature","data":{"id":7,"call":{"text":"f(a)","active":[2,3],"#,
            r#""help":null}}}"#,
        ),
    );
}

#[test]
fn an_interrupt_is_told_from_other_errors() {
    assert!(ErrorReport::without_place(ErrorReport::INTERRUPT, "interrupted").is_interrupt());
    assert!(!ErrorReport::without_place("ShapeError", "no").is_interrupt());
}

#[test]
fn a_debugger_asks_and_is_told() {
    check(&Request::Attach { attached: true }, r#"{"request":"attach","attached":true}"#);
    check(
        &Request::File { source_name: "cell 1".into(), file: "/tmp/1.rhai".into() },
        r#"{"request":"file","source_name":"cell 1","file":"/tmp/1.rhai"}"#,
    );
    check(
        &Request::Debug { id: 1, ask: Ask::Resume(Resume::Into) },
        r#"{"request":"debug","id":1,"ask":{"resume":"into"}}"#,
    );
    check(
        &Request::Debug {
            id: 2,
            ask: Ask::Breakpoints { file: "f".into(), parts: vec!["1".into()], lines: vec![1] },
        },
        r#"{"request":"debug","id":2,"ask":{"breakpoints":{"file":"f","parts":["1"],"lines":[1]}}}"#,
    );
    check(
        &Event::Halted { reason: Reason::Breakpoint },
        r#"{"event":"halted","data":{"reason":"breakpoint"}}"#,
    );
    check(
        &Event::Debug { id: 3, told: Told::Lines(vec![Some(2), None]) },
        r#"{"event":"debug","data":{"id":3,"told":{"lines":[2,null]}}}"#,
    );
    let call = Call {
        id: 1,
        function: "f".into(),
        source: "cell 1".into(),
        file: "/tmp/1.rhai".into(),
        line: 2,
        column: 3,
    };
    check(
        &Told::Calls(vec![call]),
        concat!(
            r#"{"calls":[{"id":1,"function":"f","source":"cell 1","file":"/tmp/1.rhai","#,
            r#""line":2,"column":3}]}"#
        ),
    );
    let value =
        Value { name: "x".into(), kind: "int".into(), text: "1".into(), reference: 0, items: None };
    check(
        &Told::Values(vec![value]),
        r#"{"values":[{"name":"x","kind":"int","text":"1","reference":0,"items":null}]}"#,
    );
}
