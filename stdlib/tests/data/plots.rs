//! Charts: that they hold what they should; how they look was looked at.

use flambeau_runtime::script::Event;

use crate::common::Script;

#[test]
fn a_chart_is_written_and_shown() {
    let mut script = Script::new();
    script.run(
        r#"
        let x = torch.linspace(0, 6, 50);
        plot.line(#{sine: x.sin(), cosine: x.cos()}, dir + "waves.svg", x: x, title: "Waves & more", xlabel: "time", ylabel: "height");
        "#,
    );
    let svg = String::from_utf8(script.read("waves.svg")).expect("text");
    for text in ["<svg", "Waves &amp; more", "sine", "cosine", "time", "height", "</svg>"] {
        assert!(svg.contains(text), "{text} is missing");
    }
    let shown = script.events();
    let Some(Event::Display(shown)) = shown.last() else { panic!("nothing was shown") };
    assert_eq!(shown.data[0], ("image/svg+xml".to_owned(), svg));

    script.run(
        r#"
        plot.line([3, 2, math.nan, 1], dir + "gap.svg", log_y: true);
        plot.line([[0, 10, 20], [1, 2, 3]], dir + "pair.svg", log_x: false);
        plot.line([5], dir + "one.svg");
        plot.line(torch.ones([3]), dir + "flat.svg");
        plot.scatter(x, x.sin(), dir + "points.svg", labels: (x * 2).long() % 3);
        plot.hist([1, 1, 5], dir + "empty-bins.svg", log_y: true);
        plot.hist(#{a: x.sin(), b: x.cos()}, dir + "hist.svg", bins: 10, density: true, log_y: true);
        plot.hist([1, 1, 1], dir + "same.svg");
        plot.image(torch.rand([8, 8]), dir + "noise.png");
        plot.image(torch.rand([3, 8, 8]), dir + "colour.png");
        plot.line([1, 2]);
        "#,
    );
    assert_eq!(script.show("data.read_image(dir + \"noise.png\").shape"), "[3, 256, 256]");
    assert_eq!(script.show("data.read_image(dir + \"colour.png\").shape"), "[3, 256, 256]");
    let bundle = script.events().into_iter().rev().find_map(|event| match event {
        Event::Display(shown) if shown.data[0].0 == "image/png" => Some(shown.data),
        _ => None,
    });
    assert!(bundle.expect("a picture")[0].1.starts_with("iVBORw0KGgo"));
}

#[test]
fn what_cannot_be_drawn_is_an_error() {
    let mut script = Script::new();
    script.errors(&[
        ("plot.line([])", "ValueError", "nothing to draw"),
        ("plot.line([-1, 0], log_y: true)", "ValueError", "positive"),
        ("plot.line([math.nan])", "ValueError", "nothing to draw"),
        ("plot.line(\"abc\")", "TypeError", "must be numbers"),
        ("plot.line([1, 2], dir + \"x.png\")", "ValueError", ".svg"),
        ("plot.line([1, 2], x: [1])", "ValueError", "x has 1 numbers and y has 2"),
        ("plot.line([1, 2], width: 5)", "TypeError", "120 to 8000"),
        ("plot.scatter([1, 2], [1])", "ValueError", "x has 2 numbers and y has 1"),
        ("plot.scatter([1], [1], labels: [1, 2])", "ValueError", "2 labels for 1 points"),
        ("plot.hist([math.inf])", "ValueError", "nothing to draw"),
        ("plot.hist([1], bins: 0)", "TypeError", "1 to 1000"),
        ("plot.image(torch.zeros([3]))", "ShapeError", "a picture is"),
    ]);
}
