//! The seller's logo, from its file: a picture that documents can show.

use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::documents::{Logo, LogoType};
use crate::domain::text::visible;

/// More than any logo needs; every invoice carries it.
const MOST_BYTES: usize = 2 << 20;

/// The logo of a file.
///
/// # Errors
/// What is wrong with it, and what to do about it.
pub(super) fn read(file: &Path) -> Result<Logo, String> {
    let wrong = |reason: String| {
        let file = file.display();
        format!("can't use the logo `{file}`: {reason}\nhint: set [billing] seller_logo to a PNG, JPEG or SVG file")
    };
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() > MOST_BYTES {
        return Err(wrong(format!("it has {} bytes, more than {MOST_BYTES}", bytes.len())));
    }
    let svg = std::str::from_utf8(&bytes).ok().filter(|text| text.contains("<svg"));
    let media_type = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        LogoType::Png
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        if channels_of(&bytes) == Some(4) {
            return Err(wrong(
                "its colours are CMYK, which PDF/A can't show without a colour profile: save it as RGB".to_owned(),
            ));
        }
        LogoType::Jpeg
    } else if let Some(svg) = svg {
        alone(svg).map_err(wrong)?;
        LogoType::Svg
    } else {
        return Err(wrong("it is neither PNG nor JPEG nor SVG".to_owned()));
    };
    Ok(Logo { bytes, media_type })
}

/// How many channels a JPEG has, by the header of its frame.
fn channels_of(jpeg: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        let [0xff, marker, high, low] = *jpeg.get(at..at + 4)? else { return None };
        // Of all frames: baseline, progressive and so on, but for tables that share their numbers.
        if (0xc0..=0xcf).contains(&marker) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            return jpeg.get(at + 9).copied();
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}

/// Whether a reference leads to something in the same file.
fn is_within(reference: &str) -> bool {
    let reference =
        reference.trim().trim_start_matches("&quot;").trim_start_matches("&apos;").trim_matches(['"', '\'']);
    reference.starts_with('#') || reference.starts_with("data:") || reference.is_empty()
}

/// What a style refers to beyond the file.
fn leaves(style: &str) -> Option<String> {
    if style.contains("@import") {
        return Some("@import".to_owned());
    }
    let references = style.split("url(").skip(1).map(|rest| rest.split(')').next().unwrap_or(rest));
    references.map(str::trim).find(|reference| !is_within(reference)).map(str::to_owned)
}

/// Refuses an SVG that says it shows something that isn't in it: no document would show that.
fn alone(svg: &str) -> Result<(), String> {
    let links = |to: &str| format!("it links to `{}`, which no document can show", visible(to));
    let broken = |reason: String| format!("it is no SVG: {}", visible(&reason));
    let mut reader = Reader::from_str(svg);
    let mut in_style = false;
    loop {
        match reader.read_event().map_err(|error| broken(error.to_string()))? {
            Event::Start(tag) | Event::Empty(tag) => {
                let name = tag.local_name();
                if name.as_ref() == "script" {
                    return Err("it has a script, which no document runs".to_owned());
                }
                in_style = name.as_ref() == "style";
                for attribute in tag.attributes() {
                    let attribute = attribute.map_err(|error| broken(error.to_string()))?;
                    // As written: entities of its own, which drawing programs declare, lead nowhere.
                    let value = &attribute.value;
                    let is_link = matches!(attribute.key.local_name().as_ref(), "href" | "src");
                    if is_link && !is_within(value) {
                        return Err(links(value));
                    }
                    if let Some(to) = leaves(value).filter(|_| !is_link) {
                        return Err(links(&to));
                    }
                }
            }
            Event::Text(text) if in_style => {
                if let Some(to) = leaves(&text) {
                    return Err(links(&to));
                }
            }
            Event::CData(text) if in_style => {
                if let Some(to) = leaves(&text) {
                    return Err(links(&to));
                }
            }
            Event::PI(instruction) if instruction.starts_with("xml-stylesheet") => return Err(links("xml-stylesheet")),
            Event::End(_) => in_style = false,
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, alone, channels_of, read as logo};
    use crate::documents::LogoType;

    #[test]
    fn a_jpeg_in_cmyk_is_told_by_its_header() {
        let jpeg = |marker: u8, channels: u8| {
            let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2];
            bytes.extend([0xff, 0xc4, 0, 2, 0xff, marker, 0, 8 + 3 * channels, 8, 0, 1, 0, 1, channels]);
            bytes
        };
        for marker in [0xc0, 0xc1, 0xc2] {
            for channels in [1, 3, 4] {
                assert_eq!(channels_of(&jpeg(marker, channels)), Some(channels), "{marker:x}");
            }
        }
        for broken in [&[0xff, 0xd8][..], &[0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 0], &[0xff, 0xd8, 0, 0, 0, 0]] {
            assert_eq!(channels_of(broken), None);
        }
    }

    #[test]
    fn an_svg_shows_nothing_but_itself() {
        for good in [
            "<svg xmlns='http://www.w3.org/2000/svg'><use href='#a'/></svg>",
            "<svg xmlns:xlink='http://www.w3.org/1999/xlink'><use xlink:href='#a'/></svg>",
            "<svg><image href='data:image/png;base64,AAAA'/></svg>",
            "<svg><style>.a{fill:url(#b)}</style><path style='fill:url(#b)'/></svg>",
            "<svg><path fill='url( \"#b\" )'/></svg>",
            "<?xml version='1.0'?><!-- href='x' --><svg><metadata rdf:resource='http://a.example'/></svg>",
        ] {
            assert_eq!(alone(good), Ok(()), "{good}");
        }
        for (bad, to) in [
            ("<svg><image href='https://a.example/b.png'/></svg>", "https://a.example/b.png"),
            ("<svg><image xlink:href='b.png'/></svg>", "b.png"),
            ("<svg><use href='other.svg#a'/></svg>", "other.svg#a"),
            ("<svg><style>@import 'a.css';</style></svg>", "@import"),
            ("<svg><style><![CDATA[.a{fill:url(a.svg#b)}]]></style></svg>", "a.svg#b"),
            ("<svg><path style='fill:url(\"//a.example/b\")'/></svg>", "//a.example/b"),
            ("<?xml-stylesheet href='a.css'?><svg/>", "xml-stylesheet"),
            ("<svg><script>1</script></svg>", "script"),
            ("<svg><g></svg>", "no SVG"),
        ] {
            assert!(alone(bad).is_err_and(|told| told.contains(to)), "{bad}: {:?}", alone(bad));
        }
    }

    #[test]
    fn logos_are_pictures_of_some_size() {
        let folder = std::env::temp_dir().join(format!("cf-billing-logo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("logo");
        let read = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            logo(&file).map(|logo| logo.media_type).map_err(|problem| problem.clone())
        };
        let png = |bytes: usize| {
            let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
            png.resize(bytes, 0);
            png
        };
        assert_eq!(read(&png(MOST_BYTES)), Ok(LogoType::Png));
        assert!(read(&png(MOST_BYTES + 1)).unwrap_err().contains("more than 2097152"));
        assert_eq!(read(&[0xff, 0xd8, 0xff, 0xe0]), Ok(LogoType::Jpeg));
        assert_eq!(read(b"<?xml version='1.0'?><svg/>"), Ok(LogoType::Svg));
        assert!(read(b"GIF89a").unwrap_err().contains("neither PNG nor JPEG nor SVG"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(logo(&file).unwrap_err().contains("hint: set [billing] seller_logo"));
    }
}
