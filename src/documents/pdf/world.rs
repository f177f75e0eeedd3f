//! What typst sees: fixed files in memory, two fonts, no clock, no packages.
//! Owns the call of typst and its caches; never says what a document shows (that is `letter.typ`).

use std::sync::LazyLock;

use serde_json::Value;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration, Smart};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World, comemo};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

use super::{FONT_FAMILY, facturx};
use crate::documents::{Logo, LogoType};

/// Inter 4.001 as Google Fonts publishes it, whole; the licence is beside it.
static FONTS: LazyLock<Vec<Font>> = LazyLock::new(|| {
    let faces: [&'static [u8]; 2] =
        [include_bytes!("fonts/Inter-Regular.ttf"), include_bytes!("fonts/Inter-SemiBold.ttf")];
    faces.into_iter().flat_map(|face| Font::iter(Bytes::new(face))).collect()
});
static BOOK: LazyLock<LazyHash<FontBook>> = LazyLock::new(|| LazyHash::new(FontBook::from_fonts(FONTS.iter())));
static LIBRARY: LazyLock<LazyHash<Library>> = LazyLock::new(|| LazyHash::new(Library::default()));
static LETTER: LazyLock<Source> =
    LazyLock::new(|| Source::new(id(File::Letter), include_str!("letter.typ").to_owned()));
static TABLES: LazyLock<Source> =
    LazyLock::new(|| Source::new(id(File::Tables), include_str!("tables.typ").to_owned()));

/// All files there are. Typst keeps every name for ever and has room for 65 535, so names never depend on the document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum File {
    Letter,
    Tables,
    View,
    Chart,
    Png,
    Jpeg,
    Svg,
    EInvoice,
}

impl File {
    const ALL: [Self; 8] =
        [Self::Letter, Self::Tables, Self::View, Self::Chart, Self::Png, Self::Jpeg, Self::Svg, Self::EInvoice];

    const fn name(self) -> &'static str {
        match self {
            Self::Letter => "letter.typ",
            Self::Tables => "tables.typ",
            Self::View => "view.json",
            Self::Chart => "chart.svg",
            Self::Png => "logo.png",
            Self::Jpeg => "logo.jpg",
            Self::Svg => "logo.svg",
            Self::EInvoice => facturx::FILE_NAME,
        }
    }
}

fn id(file: File) -> FileId {
    static IDS: LazyLock<[FileId; 8]> = LazyLock::new(|| {
        File::ALL.map(|file| {
            let path = VirtualPath::new(file.name()).expect("names are plain");
            RootedPath::new(VirtualRoot::Project, path).intern()
        })
    });
    IDS[file as usize]
}

/// Whether all faces have a glyph for it, so that it looks the same in every weight.
pub fn has_glyph(letter: char) -> bool {
    !FONTS.is_empty() && FONTS.iter().all(|font| font.info().coverage.contains(u32::from(letter)))
}

/// One document's files.
struct Files {
    view: Bytes,
    chart: Option<Bytes>,
    logo: Option<(File, Bytes)>,
    e_invoice: Option<Bytes>,
}

impl Files {
    fn bytes(&self, file: File) -> Option<&Bytes> {
        match file {
            File::Letter | File::Tables => None,
            File::View => Some(&self.view),
            File::Chart => self.chart.as_ref(),
            File::EInvoice => self.e_invoice.as_ref(),
            File::Png | File::Jpeg | File::Svg => {
                self.logo.as_ref().filter(|(logo, _)| *logo == file).map(|(_, bytes)| bytes)
            }
        }
    }
}

impl World for Files {
    fn library(&self) -> &LazyHash<Library> {
        &LIBRARY
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &BOOK
    }

    fn main(&self) -> FileId {
        id(File::Letter)
    }

    fn source(&self, asked: FileId) -> FileResult<Source> {
        [&LETTER, &TABLES]
            .into_iter()
            .find(|source| source.id() == asked)
            .map(|source| Source::clone(source))
            .ok_or_else(|| FileError::NotFound(asked.vpath().get_with_slash().into()))
    }

    fn file(&self, asked: FileId) -> FileResult<Bytes> {
        let file = File::ALL.into_iter().find(|file| id(*file) == asked);
        file.and_then(|file| self.bytes(file))
            .cloned()
            .ok_or_else(|| FileError::NotFound(asked.vpath().get_with_slash().into()))
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.get(index).cloned()
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}

/// Lays a view out and writes it as PDF/A-3b.
///
/// # Errors
/// What typst says, one sentence each.
pub fn typeset(view: &Value, logo: Option<&Logo>, e_invoice: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let logo = logo.map(|logo| {
        let file = match logo.media_type {
            LogoType::Png => File::Png,
            LogoType::Jpeg => File::Jpeg,
            LogoType::Svg => File::Svg,
        };
        (file, Bytes::new(logo.bytes.clone()))
    });
    let input = serde_json::json!({
        "view": view,
        "logo": logo.as_ref().map(|(file, _)| file.name()),
        "e_invoice": e_invoice.map(|_| facturx::FILE_NAME),
    });
    let files = Files {
        view: Bytes::from_string(input.to_string()),
        // No generic family is at hand here.
        chart: view.pointer("/chart/svg").and_then(Value::as_str).map(|svg| {
            Bytes::from_string(svg.replace("font-family=\"sans-serif\"", &format!("font-family=\"{FONT_FAMILY}\"")))
        }),
        logo,
        e_invoice: e_invoice.map(|xml| Bytes::new(xml.to_vec())),
    };
    let pdf = export(&files);
    // Kept across documents, typst's caches grow by some 5 MB each and never shrink.
    comemo::evict(0);
    pdf
}

fn export(files: &Files) -> Result<Vec<u8>, String> {
    let compiled = typst::compile::<PagedDocument>(files);
    debug_assert!(compiled.warnings.is_empty(), "{}", sentences(&compiled.warnings));
    let document = compiled.output.map_err(|errors| sentences(&errors))?;
    let standards = PdfStandards::new(&[PdfStandard::A_3b]).map_err(|error| error.message().to_string())?;
    let creator = Smart::Custom(Some("cf-billing".to_owned()));
    let options = PdfOptions { standards, creator, ..PdfOptions::default() };
    typst_pdf::pdf(&document, &options).map_err(|errors| sentences(&errors))
}

fn sentences(errors: &[SourceDiagnostic]) -> String {
    let sentence = |error: &SourceDiagnostic| {
        let hints = error.hints.iter().map(|hint| format!(" ({})", hint.v));
        std::iter::once(error.message.to_string()).chain(hints).collect::<String>()
    };
    errors.iter().map(sentence).collect::<Vec<_>>().join("; ")
}
