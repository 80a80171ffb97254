//! Values that front ends show as more than text: HTML, Markdown, LaTeX, JSON, SVG, pictures, sound, and whatever else has
//! a MIME type.

use std::rc::Rc;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{
    Args, Bundle, Function, Library, Object, ObjectType, State, convert,
};
use flambeau_runtime::torch::sizes;
use rhai::{Blob, Dynamic, Map};

use crate::host::json_text;
use crate::plot::{base64, picture};

/// What this shelf declares.
pub const LIBRARY: Library =
    Library { functions: FUNCTIONS, properties: &[], constants: &[], types: TYPES };

const TYPES: &[fn() -> ObjectType] = &[ObjectType::of::<Rich>];

/// Something to show: its representations by MIME type, `text/plain` among them.
#[derive(Clone)]
pub struct Rich(Rc<Bundle>);

const PLAIN: &str = "text/plain";

impl Object for Rich {
    const TYPE: &'static str = "Rich";

    fn display(&self) -> String {
        let plain = self.0.iter().find(|(mime, _)| mime == PLAIN);
        plain.map(|(_, text)| text.clone()).unwrap_or_default()
    }

    fn representations(&self, _: &State) -> Option<Bundle> {
        Some((*self.0).clone())
    }
}

/// A value with one representation beside its text.
fn rich(mime: &str, data: String, plain: String) -> Dynamic {
    Dynamic::from(Rich(Rc::new(vec![(mime.to_owned(), data), (PLAIN.to_owned(), plain)])))
}

/// One whose text is what it is made of.
fn source(args: &Args<'_>, mime: &str) -> Result<Dynamic> {
    let text = args.str(0)?.to_string();
    Ok(rich(mime, text.clone(), text))
}

const FUNCTIONS: &[Function] = &[
    Function {
        schema: "html(str text) -> Rich",
        doc: "A value that notebooks show as HTML; terminals show the text.",
        example: "display(html(\"<b>bold</b>\"));",
        call: |args| source(args, "text/html"),
    },
    Function {
        schema: "markdown(str text) -> Rich",
        doc: "A value that notebooks show as Markdown; terminals show the text.",
        example: "display(markdown(\"# Results\\n\\n* loss: **0.1**\"));",
        call: |args| source(args, "text/markdown"),
    },
    Function {
        schema: "latex(str text) -> Rich",
        doc: "A value that notebooks show as a formula; terminals show the text. A text that says not where a formula \
              begins, by `$` or `\\begin`, is one as a whole.",
        example: "display(latex(`\\frac{1}{2}`));",
        call: |args| {
            let text = args.str(0)?.to_string();
            let marked = text.contains('$') || text.contains("\\begin") || text.contains("\\[");
            let formula = if marked { text.clone() } else { format!("$\\displaystyle {text}$") };
            Ok(rich("text/latex", formula, text))
        },
    },
    Function {
        schema: "json(Any value) -> Rich",
        doc: "A value that notebooks show as a tree that opens and closes; terminals show its JSON. See \
              `json.stringify`.",
        example: "display(json(#{layers: [64, 10], name: \"digits\"}));",
        call: |args| {
            let plain = json_text(args.get(0), true)?;
            Ok(rich("application/json", json_text(args.get(0), false)?, plain))
        },
    },
    Function {
        schema: "svg(str text) -> Rich",
        doc: "A value that notebooks, and terminals that can, show as the picture that an SVG document describes.",
        example: "display(svg(`<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><circle r=\"9\"/></svg>`));",
        call: |args| {
            let text = args.str(0)?.to_string();
            if !text.contains("<svg") {
                return Err(Error::value("svg(): there is no <svg> in the text"));
            }
            Ok(rich("image/svg+xml", text, "[picture, SVG]".to_owned()))
        },
    },
    Function {
        schema: "image(Tensor tensor, str cmap='viridis', *, int? scale=None) -> Rich",
        doc: "A tensor as a value that is shown as a picture (PNG): [channels, height, width] as `data.write_image` \
              takes it; a matrix [height, width] in the colours of `cmap` (viridis or gray), from its least value to \
              its greatest. Small ones are enlarged by `scale`. `plot.image` shows and writes the same.",
        example: "display(image(torch.rand([3, 8, 8])));",
        call: |args| {
            let picture = picture::png(&args.tensor(0)?, &args.str(1)?, args.opt_int(2)?)?;
            Ok(rich("image/png", base64::encode(&picture.png), picture.text()))
        },
    },
    Function {
        schema: "audio(Tensor samples, int rate) -> Rich",
        doc: "Samples from -1 to 1, [length] or [channels, length], as a value that notebooks show as something to \
              listen to; `rate` is the number of samples per second. What is louder is clipped.",
        example: "let t = torch.arange(0, 0.1, 1.0 / 8000.0);\ndisplay(audio((t * 440.0 * 2.0 * math.pi).sin(), 8000));",
        call: audio,
    },
    Function {
        schema: "mime(Map data) -> Rich",
        doc: "A value by its representations: a map from MIME type to text, to data for types that are JSON (such as \
              application/vnd.vegalite.v5+json or application/vnd.plotly.v1+json), or to a blob.",
        example: "display(mime(#{\"text/html\": \"<b>3</b>\", \"text/plain\": \"3\"}));",
        call: |args| {
            let data: Map = args.map(0)?;
            let mut bundle = Bundle::new();
            for (mime, value) in &data {
                if !mime.contains('/') {
                    return Err(Error::value(format!("mime(): '{mime}' is no MIME type"))
                        .help("such as text/html or application/json"));
                }
                let json = *mime == "application/json" || mime.ends_with("+json");
                let text = match (convert::string(value), value.read_lock::<Blob>()) {
                    (Some(text), _) if !json => text,
                    (_, Some(bytes)) if !json => base64::encode(&bytes),
                    _ if json => json_text(value, false)?,
                    _ => {
                        return Err(Error::type_(format!(
                            "mime(): the data of {mime} must be a text or a blob, not {}",
                            convert::type_name(value)
                        )));
                    }
                };
                bundle.push((mime.to_string(), text));
            }
            if bundle.is_empty() {
                return Err(Error::value("mime(): the map is empty"));
            }
            if !data.contains_key(PLAIN) {
                let types: Vec<&str> = bundle.iter().map(|(mime, _)| mime.as_str()).collect();
                let plain = format!("[{}]", types.join(", "));
                bundle.push((PLAIN.to_owned(), plain));
            }
            Ok(Dynamic::from(Rich(Rc::new(bundle))))
        },
    },
];

/// A WAVE file with samples of 16 bits (RIFF, Microsoft and IBM 1991) within an `<audio>` element.
fn audio(args: &mut Args<'_>) -> Result<Dynamic> {
    let samples = args.tensor(0)?;
    let rate = u32::try_from(args.int(1)?).ok().filter(|rate| (1..=768_000).contains(rate));
    let rate = rate.ok_or_else(|| args.mismatch(1, "1 to 768000"))?;
    let (channels, length) = match sizes(&samples)[..] {
        [length] => (1, length),
        [channels, length] if (1..=8).contains(&channels) => (channels, length),
        _ => {
            return Err(Error::shape(format!(
                "audio(): samples are [length] or [channels, length] with up to 8 channels, not {}",
                samples.describe()
            )));
        }
    };
    // Channels alternate.
    let flat = samples.f_detach()?.f_to_kind(tch::Kind::Double)?.f_reshape([channels, length])?;
    let flat = flat
        .f_transpose(0, 1)?
        .f_nan_to_num(0.0, 1.0, -1.0)?
        .f_to_device(tch::Device::Cpu)?
        .f_flatten(0, -1)?;
    let values = Vec::<f64>::try_from(&flat)?;
    let too_long = |_| Error::value("audio(): there are more samples than a WAVE file holds");
    let bytes = u32::try_from(values.len() * 2).map_err(too_long)?;
    let [channels, block] = [channels, channels * 2].map(|n| u16::try_from(n).unwrap_or(1));
    let mut wave = Vec::with_capacity(values.len() * 2 + 44);
    wave.extend(b"RIFF");
    wave.extend((bytes.saturating_add(36)).to_le_bytes());
    wave.extend(b"WAVEfmt ");
    wave.extend(16_u32.to_le_bytes());
    wave.extend(1_u16.to_le_bytes());
    wave.extend(channels.to_le_bytes());
    wave.extend(rate.to_le_bytes());
    wave.extend((rate.saturating_mul(block.into())).to_le_bytes());
    wave.extend(block.to_le_bytes());
    wave.extend(16_u16.to_le_bytes());
    wave.extend(b"data");
    wave.extend(bytes.to_le_bytes());
    for value in values {
        let level = value.clamp(-1.0, 1.0) * f64::from(i16::MAX);
        wave.extend((level.round() as i16).to_le_bytes());
    }
    let html =
        format!("<audio controls src=\"data:audio/wav;base64,{}\"></audio>", base64::encode(&wave));
    let seconds = length as f64 / f64::from(rate);
    Ok(rich("text/html", html, format!("[sound, {seconds:.2} s at {rate} Hz]")))
}
