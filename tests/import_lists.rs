//! `import` takes lists that are what they are given as: whole, in the stream's order, of the right stream, V3. Whatever isn't
//! is refused by its name, and the book stays as it was.

use std::io::Write;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::program::{Program, Run};

fn event(guid: &str, at: &str, state: &str) -> Value {
    json!({
        "guid": guid, "created_at": at, "state": {"current": state, "previous": null},
        "app": {"guid": "a", "name": "a"}, "process": {"guid": "p", "type": "web"},
        "space": {"guid": "s1", "name": "s1"}, "organization": {"guid": "o1"}, "buildpack": {"guid": null, "name": null},
        "task": {"guid": null, "name": null}, "memory_in_mb_per_instance": {"current": 1024},
        "instance_count": {"current": 1},
    })
}

/// Day `day` of October: six hours of one instance.
fn day(day: u32) -> [Value; 2] {
    let at = |hour: &str| format!("2025-10-{day:02}T{hour}:00:00Z");
    [event(&format!("s{day}"), &at("00"), "STARTED"), event(&format!("x{day}"), &at("06"), "STOPPED")]
}

/// Page `number` of `of`, as Cloud Controller answers `query`.
fn page(records: &[Value], number: usize, of: usize, query: &str) -> Value {
    let link = |number: usize| json!({"href": format!("https://api.example.org/v3/app_usage_events?{query}page={number}&per_page=2")});
    json!({
        "pagination": {
            "total_results": of * 2, "total_pages": of, "first": link(1), "last": link(of),
            "next": if number < of { link(number + 1) } else { Value::Null },
            "previous": if number > 1 { link(number - 1) } else { Value::Null },
        },
        "resources": records,
    })
}

/// The days from the fifth on, a page each.
fn pages(of: usize) -> Vec<String> {
    (1..=of).map(|number| page(&day(u32::try_from(number).unwrap() + 4), number, of, "").to_string()).collect()
}

fn import_bytes(program: &Program, name: &str, content: impl AsRef<[u8]>) -> Run {
    std::fs::write(program.folder.path().join(name), content).unwrap();
    program.run(&["import", "--foundation", "eu1", "--app-events", name])
}

/// Instance seconds of October; `None` without a book.
fn used(program: &Program) -> Option<i64> {
    let usage = ["usage", "--from", "2025-10-01", "--to", "2025-11-01", "--by", "kind", "--format", "json"];
    let run = program.run(&usage);
    if run.code != Some(0) {
        return None;
    }
    let rows: Value = serde_json::from_str(&run.stdout).unwrap();
    Some(rows.as_array().unwrap().iter().map(|row| row["instance_seconds"].as_i64().unwrap()).sum())
}

#[test]
fn lists_that_are_something_else_are_refused_by_name_and_leave_no_book() {
    let error = r#"{"errors":[{"detail":"Invalid Auth Token","title":"CF-InvalidAuthToken","code":1000}]}"#;
    let three = pages(3);
    let v2 = json!({"total_results": 1, "total_pages": 1, "prev_url": null, "next_url": null, "resources": [
        {"metadata": {"guid": "x", "created_at": "2025-10-05T00:00:00Z"}, "entity": {"state": "STARTED"}}]});
    let mut service = event("e", "2025-10-05T00:00:00Z", "CREATED");
    service["state"] = "CREATED".into();
    service["service_instance"] = json!({"guid": "si", "name": "si", "type": "managed_service_instance"});
    let newest_first: Vec<Value> = (5..8).rev().flat_map(|of| day(of).into_iter().rev()).collect();
    for (name, content, said) in [
        (
            "first.json",
            three[0].clone(),
            "line 1: page 1 of 3 has a next page, https://api.example.org/v3/app_usage_events?page=2&per_page=2, that isn't in the file",
        ),
        ("between.json", [&*three[0], &three[2]].join("\n"), "of 3 pages, page 2 is missing"),
        ("begins-late.json", [&*three[1], &three[2]].join("\n"), "of 3 pages, page 1 is missing"),
        ("twice.json", [&*three[0], &three[2], &three[0], &three[1]].join("\n"), "page 1 of 3 is in it twice"),
        (
            "alone.json",
            error.to_owned(),
            "line 1: it holds an error from Cloud Controller instead of a page: CF-InvalidAuthToken (1000): Invalid Auth Token",
        ),
        (
            "among.json",
            [&three[0], error, &three[2]].join("\n"),
            "line 2: it holds an error from Cloud Controller instead of a page",
        ),
        (
            "token.json",
            r#"{"error":"invalid_token","error_description":"expired"}"#.to_owned(),
            "it holds an error instead of a page",
        ),
        ("v2.json", v2.to_string(), "line 1: it holds V2 records (`metadata` and `entity`); only V3 is supported"),
        ("v2.jsonl", v2["resources"][0].to_string(), "line 1: it holds V2"),
        ("service.json", json!([service]).to_string(), "it holds service usage events, but was given as app events"),
        ("order.json", page(&day(5), 1, 1, "order_by=-created_at&").to_string(), "fetched with `order_by=-created_at`"),
        (
            "newest.json",
            page(&newest_first, 1, 1, "").to_string(),
            "its events go from newest to oldest: of 5 neighbouring pairs with different times, 5 go back in time",
        ),
        (
            "newest.jsonl",
            newest_first.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"),
            "from newest to oldest",
        ),
        (
            "apps.json",
            json!([{"guid": "a", "name": "an app", "created_at": "2025-10-05T00:00:00Z"}]).to_string(),
            "it holds no usage events",
        ),
    ] {
        let program = Program::unprepared();
        let run = import_bytes(&program, name, &content);
        assert_eq!(run.code, Some(1), "{name}: {}", run.stderr);
        assert!(run.stderr.contains(&format!("error: `{name}`")), "{name}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{name}: {}", run.stderr);
        assert!(
            run.stderr.contains("\nhint: ") && run.stderr.contains("nothing was imported"),
            "{name}: {}",
            run.stderr
        );
        assert_eq!(used(&program), None, "{name} left a book");
    }
}

#[test]
fn after_the_file_is_mended_the_same_command_goes_on() {
    let program = Program::new();
    let three = pages(3);
    assert_eq!(import_bytes(&program, "app.json", three[..2].join("\n")).code, Some(1));
    let run = import_bytes(&program, "app.json", three.join("\n"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(used(&program), Some(3 * 6 * 3600));
    // A list that has grown since is a list like any other.
    let run = import_bytes(&program, "app.json", pages(4).join("\n"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(used(&program), Some(4 * 6 * 3600));
}

#[test]
fn whole_pages_in_another_order_are_sorted_by_their_pagination() {
    // 1, 10, 11, 12, 2, 3 …: as a shell puts them.
    let mut glob: Vec<(String, String)> =
        pages(12).into_iter().zip(1..).map(|(page, number)| (format!("page-{number}.json"), page)).collect();
    glob.sort();
    let glob: Vec<String> = glob.into_iter().map(|(_, page)| page).collect();
    let newest_first: Vec<String> = pages(12).into_iter().rev().collect();
    let gzipped = {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(glob.join("\n").as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let with_mark = [b"\xef\xbb\xbf", glob.join("\r\n").as_bytes()].concat();
    for (name, content) in [
        ("lines.json", glob.join("\n").into_bytes()),
        ("array.json", format!("[ {}\n]", glob.join(" ,\n")).into_bytes()),
        ("packed.json.gz", gzipped),
        ("marked.json", with_mark),
        ("newest.json", newest_first.join("\n").into_bytes()),
    ] {
        let program = Program::new();
        let run = import_bytes(&program, name, &content);
        assert_eq!(run.code, Some(0), "{name}: {}", run.stderr);
        assert!(run.stderr.contains("its 12 pages aren't in order"), "{name}: {}", run.stderr);
        assert_eq!(used(&program), Some(12 * 6 * 3600), "{name}");
    }
    // And from a pipe.
    let program = Program::new();
    let mut command = program.command(&["import", "--foundation", "eu1", "--app-events", "-"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(glob.join("\n").as_bytes()).unwrap();
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(used(&program), Some(12 * 6 * 3600));
}

#[test]
fn lists_that_are_read_on_by_guid_are_whole() {
    let (first, second) = (page(&day(5), 1, 3, ""), page(&day(6), 1, 1, "after_guid=x5&"));
    let program = Program::new();
    let run = import_bytes(&program, "on.json", format!("{first}\n{second}"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(used(&program), Some(2 * 6 * 3600));
    // Read on from another event than the last one: something is missing between.
    let other = page(&day(6), 1, 1, "after_guid=x4&");
    let run = import_bytes(&Program::new(), "on.json", format!("{first}\n{other}"));
    assert_eq!(run.code, Some(1), "{}", run.stderr);
}

#[test]
fn times_that_run_backwards_a_little_are_an_honest_stream() {
    let program = Program::new();
    let events = [
        event("e1", "2025-10-05T10:00:00Z", "STARTED"),
        event("e2", "2025-10-05T06:00:01Z", "STOPPED"),
        event("e3", "2025-10-05T12:00:00Z", "STARTED"),
        event("e4", "2025-10-05T11:00:00Z", "STOPPED"),
    ];
    let run = import_bytes(&program, "app.json", json!(events).to_string());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn utf_16_is_named_a_mark_of_utf_8_is_read_over_and_an_empty_stream_is_one() {
    let text = pages(1).join("");
    let utf_16 = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    for content in [
        [vec![0xff, 0xfe], utf_16(u16::to_le_bytes)].concat(),
        [vec![0xfe, 0xff], utf_16(u16::to_be_bytes)].concat(),
        utf_16(u16::to_le_bytes),
    ] {
        let run = import_bytes(&Program::new(), "app.json", content);
        assert_eq!(run.code, Some(1));
        assert!(
            run.stderr.starts_with(
                "error: the file `app.json` is UTF-16, as PowerShell's > writes it\nhint: save it as UTF-8"
            ),
            "{}",
            run.stderr
        );
    }
    let program = Program::new();
    let run = import_bytes(&program, "app.json", [b"\xef\xbb\xbf", text.as_bytes()].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(used(&program), Some(6 * 3600));
    for (name, content) in [("app.jsonl", ""), ("app.jsonl", "\n\n"), ("app.json", "[]")] {
        let run = import_bytes(&Program::new(), name, content);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
}

#[test]
fn one_value_larger_than_any_page_is_refused_in_bounded_memory() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(b"[{\"guid\": \"").unwrap();
    for _ in 0..65 {
        packed.write_all(&vec![b'a'; 1 << 20]).unwrap();
    }
    packed.write_all(b"\"}]").unwrap();
    let program = Program::unprepared();
    let run = import_bytes(&program, "bomb.json.gz", packed.finish().unwrap());
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("a value is larger than 64 MiB"), "{}", run.stderr);
    assert_eq!(used(&program), None);
}

#[test]
fn snapshots_are_whole_too() {
    let chunk = |number: usize| {
        json!({"organization_guid": "o1", "space_guid": "s1", "chunk_index": number, "processes": [
            {"app_guid": "a", "process_guid": format!("p{number}"), "instance_count": 1, "memory_in_mb_per_instance": 64}]})
    };
    let snapshot = json!({
        "guid": "snap", "created_at": "2025-10-05T00:00:00Z", "completed_at": "2025-10-05T00:00:10Z",
        "checkpoint_event_guid": null, "checkpoint_event_created_at": null, "summary": {"chunk_count": 2},
    });
    let import = |chunks: String| {
        let program = Program::new();
        std::fs::write(program.folder.path().join("snapshot.json"), snapshot.to_string()).unwrap();
        std::fs::write(program.folder.path().join("chunks.json"), chunks).unwrap();
        let run =
            program.run(&["import", "--foundation", "eu1", "--snapshot", "snapshot.json", "--snapshot", "chunks.json"]);
        (run.code, run.stderr)
    };
    let page = |number, of| page(&[chunk(number)], number, of, "").to_string();
    let (code, said) = import([page(1, 2), page(2, 2)].join("\n"));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = import([page(2, 2), page(1, 2)].join("\n"));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = import(page(1, 2));
    assert!(code == Some(1) && said.contains("`chunks.json` line 1: page 1 of 2 has a next page"), "{said}");
    let (code, said) = import(json!([chunk(1)]).to_string());
    assert!(code == Some(1) && said.contains("have 2 chunks, but 1 were given"), "{said}");
    let (code, said) = import(r#"{"errors":[{"detail":"x","title":"CF-NotFound","code":10010}]}"#.to_owned());
    assert!(code == Some(1) && said.contains("it holds an error from Cloud Controller"), "{said}");
}
