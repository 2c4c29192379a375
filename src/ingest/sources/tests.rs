//! What is found at the sources, and what is said of them.

use super::*;
use std::time::Duration;

fn watch(sources: Vec<Source>) -> Sources {
    let options = FetchOptions { every: Duration::ZERO, ..FetchOptions::default() };
    Sources::new(sources, options, std::env::temp_dir(), Clock::System)
}

fn names(arrivals: &[Arrival]) -> Vec<String> {
    let name = |arrival: &Arrival| match arrival {
        Arrival::File(path) => path.file_name().unwrap().to_string_lossy().into_owned(),
        Arrival::Url(url) => url.clone(),
    };
    arrivals.iter().map(name).collect()
}

fn take_all(sources: &mut Sources) -> Vec<String> {
    let arrivals = sources.look();
    for arrival in &arrivals {
        sources.open(arrival).unwrap();
    }
    names(&arrivals)
}

#[test]
fn a_folder_gives_each_file_once_and_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    for name in ["b.crl", "a.crl", ".hidden", "c.crl.tmp", "d~"] {
        write(name, "one");
    }
    std::fs::create_dir(folder.path().join("below")).unwrap();
    let mut sources = watch(vec![Source::Folder(folder.path().to_owned())]);
    assert_eq!(take_all(&mut sources), ["a.crl", "b.crl"]);
    assert!(take_all(&mut sources).is_empty());
    write("b.crl", "two, longer");
    assert_eq!(take_all(&mut sources), ["b.crl"]);
    sources.retry(&Arrival::File(folder.path().join("a.crl")));
    assert_eq!(take_all(&mut sources), ["a.crl"]);
}

#[test]
fn a_file_or_folder_that_is_not_there_is_a_problem_and_then_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.crl");
    let mut sources = watch(vec![Source::File(path.clone())]);
    assert!(sources.look().is_empty());
    assert_eq!(sources.problems().len(), 1);
    std::fs::write(&path, "here").unwrap();
    let arrivals = sources.look();
    assert_eq!(names(&arrivals), ["late.crl"]);
    sources.conclude(&arrivals[0], Ok(None));
    assert!(sources.problems().is_empty());
}

#[test]
fn a_problem_goes_with_its_file_and_stays_with_one_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (loose, named) = (folder.path().join("loose.crl"), folder.path().join("named.crl"));
    let sources = vec![Source::File(named.clone()), Source::Folder(folder.path().to_owned())];
    let mut sources = watch(sources);
    for path in [&loose, &named] {
        std::fs::write(path, "no CRL").unwrap();
    }
    for arrival in sources.look() {
        sources.open(&arrival).unwrap();
        sources.conclude(&arrival, Err(&Refused::NoNextUpdate));
    }
    assert_eq!(sources.problems().len(), 2);
    std::fs::remove_file(&loose).unwrap();
    std::fs::remove_file(&named).unwrap();
    assert!(sources.look().is_empty());
    let problems = sources.problems();
    let [(name, why)] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(*name, named.display().to_string());
    assert!(why.starts_with("cannot be read"), "{why}");
}

#[test]
fn a_pipe_or_a_folder_where_a_file_should_be_is_told_and_never_opened() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.crl");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::create_dir(folder.path().join("below")).unwrap();
    std::os::unix::fs::symlink("below", folder.path().join("link.crl")).unwrap();
    let mut sources = watch(vec![Source::Folder(folder.path().to_owned())]);
    assert!(sources.look().is_empty());
    let whys: Vec<String> = sources.problems().into_iter().map(|(_, why)| why).collect();
    assert_eq!(whys, ["is not a file", "is not a file"]);
}

/// Answers one connection after another with these octets and gives back what was asked.
fn server(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.crl", listener.local_addr().unwrap());
    let serve = move || {
        let serve_one = |answer: String| {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let asked: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            stream.write_all(answer.as_bytes()).unwrap();
            asked.join("\n").to_lowercase()
        };
        answers.into_iter().map(serve_one).collect()
    };
    (url, std::thread::spawn(serve))
}

fn fetched(sources: &mut Sources) -> io::Result<Option<Vec<u8>>> {
    let arrivals = sources.look_and_wait();
    let Some(mut content) = sources.open(&arrivals[0])? else { return Ok(None) };
    let mut octets = Vec::new();
    content.read_to_end(&mut octets)?;
    Ok(Some(octets))
}

#[test]
fn a_url_is_asked_with_what_its_server_said_until_what_it_sent_was_no_good() {
    let fresh = "HTTP/1.1 200 OK\r\nETag: \"one\"\r\nConnection: close\r\n\r\ncontent".to_owned();
    let unchanged = "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_owned();
    let (url, served) = server(vec![fresh.clone(), unchanged.clone(), unchanged, fresh]);
    let mut sources = watch(vec![Source::Url(url.clone())]);
    assert_eq!(fetched(&mut sources).unwrap(), Some(b"content".to_vec()));
    sources.conclude(&Arrival::Url(url.clone()), Ok(None));
    assert_eq!(fetched(&mut sources).unwrap(), None);
    assert_eq!(fetched(&mut sources).unwrap(), None, "304 keeps what is known");
    // A body without a length may be cut short without anybody noticing but the parser.
    sources.conclude(&Arrival::Url(url.clone()), Err(&Refused::NoNextUpdate));
    assert_eq!(fetched(&mut sources).unwrap(), Some(b"content".to_vec()));
    let asked = served.join().unwrap();
    let conditional: Vec<bool> =
        asked.iter().map(|request| request.contains("if-none-match: \"one\"")).collect();
    assert_eq!(conditional, [false, true, true, false]);
}

#[test]
fn t31_a_body_cut_short_and_an_error_page_are_errors_and_not_content() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n0123456789".to_owned();
    let page = "HTTP/1.1 503 Unavailable\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry".to_owned();
    let (url, served) = server(vec![short, page]);
    let mut sources = watch(vec![Source::Url(url)]);
    assert!(fetched(&mut sources).is_err());
    let why = fetched(&mut sources).unwrap_err();
    assert!(why.to_string().contains("503"), "{why}");
    served.join().unwrap();
}
