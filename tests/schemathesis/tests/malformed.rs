//! Requests that are wrong in some way: each is refused, none is a fault, and no secret of one is kept anywhere.

use std::collections::BTreeMap;

use end_to_end::Log;
use fastrand::Rng;
use schemathesis::{Answer, Program, exchange};

/// What no log, no response and no row may show, wherever a request has it.
const CANARY: &str = "canary7f3b9c81ad42";
const REQUESTS: usize = 600;

/// One request, byte by byte.
struct Request {
    method: String,
    target: String,
    lines: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    /// A request of a page, as it should be.
    fn new(method: &str, target: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let mut request = Self { method: method.into(), target: target.into(), lines: Vec::new(), body };
        request.set("host", "127.0.0.1");
        request.set("connection", "close");
        request.set("content-type", "application/json");
        request.set("content-length", request.body.len().to_string());
        request
    }

    fn add(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.lines.push((name.into(), value.into()));
    }

    fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.add(name, value);
    }

    fn remove(&mut self, name: &str) {
        self.lines.retain(|(known, _)| known != name);
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.lines {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_refused_and_tell_nothing() {
    let log = Log::keep_all();
    let program = Program::start().await.unwrap();
    let origin = format!("http://{}", program.address);
    let mut rng = Rng::with_seed(600);
    let mut statuses = BTreeMap::<u16, usize>::new();
    let (mut answers, mut wrong) = (Vec::new(), Vec::new());
    for number in 0..REQUESTS {
        let request = malformed(&mut rng, number, &origin);
        let answer = exchange(program.address, &request.bytes()).await;
        let shown = String::from_utf8_lossy(&request.bytes()).chars().take(600).collect::<String>();
        let answer = answer.unwrap_or_else(|error| panic!("request {number}: {error}\n\n{shown}"));
        if !(400..500).contains(&answer.status) || !is_well_formed(&answer) {
            wrong.push(format!("--- request {number}\n{shown}\n--- answer\n{}", answer.text));
        }
        *statuses.entry(answer.status).or_default() += 1;
        answers.push(answer.text);
    }
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    for status in [400, 401, 403, 404, 405, 413, 414, 431] {
        assert!(statuses.contains_key(&status), "no request was refused with {status}: {statuses:?}");
    }
    assert!(statuses[&400] > REQUESTS / 4, "{statuses:?}");

    program.auth.run_due_jobs().await;
    let sinks = [
        ("log", log.text()),
        ("responses", answers.concat()),
        ("store", String::from_utf8_lossy(&program.stored().unwrap()).into_owned()),
    ];
    for (name, text) in sinks {
        assert!(!text.is_empty() && !text.contains(CANARY), "a secret is in the {name}: {}", around(&text));
    }
    assert!(!log.text().contains("ERROR"), "something failed");
}

/// What authkit refuses is a problem; what is no request at all is refused by the server before authkit sees it.
fn is_well_formed(answer: &Answer) -> bool {
    let head = answer.text.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase();
    let is_problem =
        head.contains("content-type: application/problem+json") && head.contains("cache-control: no-store");
    is_problem || answer.body().is_empty() && [400, 404, 405, 414, 431].contains(&answer.status)
}

fn around(text: &str) -> String {
    let at = text.find(CANARY).unwrap_or_default();
    text.chars().skip(text[..at].chars().count().saturating_sub(300)).take(600).collect()
}

const WITH_BODY: [&str; 7] = [
    "/v1/auth/login",
    "/v1/auth/signup",
    "/v1/auth/refresh",
    "/v1/auth/challenges/begin",
    "/v1/auth/challenges/answer",
    "/v1/auth/logout",
    "/v1/account/change-password",
];
const WITHOUT_BODY: [(&str, &str); 6] = [
    ("GET", "/v1/auth/me"),
    ("GET", "/v1/sessions"),
    ("GET", "/v1/account/audit-events"),
    ("DELETE", "/v1/sessions/all"),
    ("DELETE", "/v1/sessions/01890000-0000-7000-8000-000000000001"),
    ("GET", "/me"),
];

/// Request number so and so: every kind comes equally often, with a choice of its own.
fn malformed(rng: &mut Rng, number: usize, origin: &str) -> Request {
    let kinds: [fn(&mut Rng) -> Request; 12] = [
        broken_json,
        wrong_input,
        wrong_type,
        credentials,
        cookies,
        paths,
        methods,
        sizes,
        framing,
        queries,
        cross_site,
        noise,
    ];
    let mut request = kinds[number % kinds.len()](rng);
    // A client of its own, or limits would answer for everything.
    let [_, b, c, d] = (number as u32).to_be_bytes();
    request.add("x-forwarded-for", format!("100.{b}.{c}.{d}"));
    if !request.lines.iter().any(|(name, _)| name == "origin" || name == "sec-fetch-site") {
        request.add("origin", origin);
    }
    request.lines.retain(|(name, value)| !(name == "origin" && value.is_empty()));
    request
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn some_path(rng: &mut Rng) -> &'static str {
    pick(rng, &WITH_BODY)
}

/// Well formed, and wrong only in that nobody has this password.
fn login() -> String {
    format!(r#"{{"identifier":"ada@example.com","password":"{CANARY} is long enough"}}"#)
}

fn broken_json(rng: &mut Rng) -> Request {
    let whole = login();
    let body: Vec<u8> = match rng.u8(..14) {
        0 => whole.as_bytes()[..rng.usize(1..whole.len())].to_vec(),
        1 => format!("{whole}{whole}").into(),
        2 => format!("{whole},").into(),
        3 => format!("[{whole}]").into(),
        4 => format!("\u{feff}{whole}").into(),
        5 => format!(r#"{{"password":"{CANARY}","password":"{CANARY}"}}"#).into(),
        6 => format!(r#"{{"password":"{CANARY}","pass\u0077ord":"x"}}"#).into(),
        7 => {
            [br#"{"identifier":""#, &[0xff, 0xc0, 0x80][..], br#"","password":""#, CANARY.as_bytes(), br#""}"#].concat()
        }
        8 => format!(r#"{{"password":"{CANARY}\ud800"}}"#).into(),
        9 => format!("{{'password':'{CANARY}'}}").into(),
        10 => format!(r#"{{"a":{}"{CANARY}"{}}}"#, "[".repeat(40), "]".repeat(40)).into(),
        11 => format!(r#"{{"a":{}}}"#, "[".repeat(20_000)).into(),
        12 => format!("password={CANARY}&identifier=ada%40example.com").into(),
        _ => pick(rng, &["null", "true", "0", "\"x\"", "[]", "{\"a\":NaN}", "{\"a\":1e999}", "{\"a\":01}", "{,}"])
            .as_bytes()
            .into(),
    };
    Request::new("POST", some_path(rng), body)
}

fn wrong_input(rng: &mut Rng) -> Request {
    let harmful = [
        "null",
        "true",
        "0",
        "-1",
        "1e308",
        "18446744073709551616",
        "[]",
        "{}",
        r#"[["canary7f3b9c81ad42"]]"#,
        r#"{"canary7f3b9c81ad42":"canary7f3b9c81ad42"}"#,
        r#""\u0000""#,
        r#"" ""#,
        r#""canary7f3b9c81ad42\u0000""#,
    ];
    let (one, other) = (pick(rng, &harmful), pick(rng, &harmful));
    let (path, body) = match rng.u8(..7) {
        0 => ("/v1/auth/login", format!(r#"{{"identifier":{one},"password":{other}}}"#)),
        1 => ("/v1/auth/login", format!(r#"{{"method":{one},"identifier":"a@example.com","password":"{CANARY}"}}"#)),
        2 => ("/v1/auth/signup", format!(r#"{{"identifier":{one},"password":"{CANARY} is long enough"}}"#)),
        3 => ("/v1/auth/refresh", format!(r#"{{"refresh_token":{other}}}"#)),
        4 => ("/v1/auth/challenges/begin", format!(r#"{{"method":{one},"flow":{other}}}"#)),
        5 => ("/v1/auth/challenges/answer", format!(r#"{{"flow":"akf_{CANARY}","method":{one}}}"#)),
        _ => (
            "/v1/auth/signup",
            format!(r#"{{"identifier":"a@example.com","password":"{}"}}"#, &CANARY[..rng.usize(..8)]),
        ),
    };
    Request::new("POST", path, body)
}

fn wrong_type(rng: &mut Rng) -> Request {
    let mut request = Request::new("POST", some_path(rng), login());
    let types = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "*/*",
        "application/json; charset=utf-16",
        "application/json;charset=latin1",
        "application/jsonp",
        "application/problem+json",
        "json",
        "application/json, application/json",
        "",
        "application/json; x=canary7f3b9c81ad42",
        "\u{ff}",
    ];
    match rng.u8(..4) {
        0 => request.remove("content-type"),
        1 => request.add("content-type", pick(rng, &types)),
        _ => request.set("content-type", pick(rng, &types)),
    }
    if rng.bool() {
        request.add("content-encoding", "gzip");
    }
    request
}

fn credentials(rng: &mut Rng) -> Request {
    let (method, path) = pick(rng, &WITHOUT_BODY);
    let mut request = Request::new(method, path, "");
    request.remove("content-length");
    let long = format!("Bearer {CANARY}{}", "a".repeat(rng.usize(8_000..12_000)));
    let values: [&[u8]; 16] = [
        b"Bearer canary7f3b9c81ad42",
        b"bearer aks_canary7f3b9c81ad42",
        b"Bearer",
        b"Bearer ",
        b"canary7f3b9c81ad42",
        b"Bearer canary7f3b9c81ad42, Bearer canary7f3b9c81ad42",
        b"Bearer canary7f3b9c81ad42 canary7f3b9c81ad42",
        b"Bearer \"canary7f3b9c81ad42\"",
        b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkifQ.canary7f3b9c81ad42",
        b"Bearer ..canary7f3b9c81ad42",
        b"Bearer e30.e30.canary7f3b9c81ad42",
        b"Basic Y2FuYXJ5OmNhbmFyeQ==canary7f3b9c81ad42",
        b"Bearer \xff\xfecanary7f3b9c81ad42",
        b"\tBearer\tcanary7f3b9c81ad42",
        b"Bearer akr_canary7f3b9c81ad42.1.x",
        long.as_bytes(),
    ];
    for _ in 0..rng.usize(1..3) {
        request.add("authorization", pick(rng, &values));
    }
    if rng.bool() {
        let told = ["token", "split", "cookie", "canary7f3b9c81ad42", "", "token, split"];
        request.add("authkit-delivery", pick(rng, &told));
        request.add("authkit-device", format!("risk:{CANARY}~~{CANARY}"));
    }
    request
}

fn cookies(rng: &mut Rng) -> Request {
    let values: [&[u8]; 12] = [
        b"canary7f3b9c81ad42",
        b"aks_canary7f3b9c81ad42",
        b"akr_canary7f3b9c81ad42.0.canary7f3b9c81ad42",
        b"",
        b"\"canary7f3b9c81ad42\"",
        b"canary7f3b9c81ad42,x",
        b"canary7f3b9c81ad42\\",
        b"\xff\xffcanary7f3b9c81ad42",
        b"%00canary7f3b9c81ad42",
        b"=;=;canary7f3b9c81ad42",
        b"canary7f3b9c81ad42 x",
        b"{\"a\":\"canary7f3b9c81ad42\"}",
    ];
    let names = ["authkit_session", "authkit_refresh", "authkit_device", "__Host-authkit_session", "AUTHKIT_SESSION"];
    let mut line = Vec::new();
    for _ in 0..rng.usize(1..6) {
        line.extend([pick(rng, &names).as_bytes(), b"=", pick(rng, &values), b"; "].concat());
    }
    if rng.u8(..6) == 0 {
        line.extend(format!("authkit_session={CANARY}{}", "a".repeat(6000)).bytes());
    }
    let mut request = match rng.bool() {
        true => Request::new("POST", "/v1/auth/refresh", "{}"),
        false => {
            let (method, path) = pick(rng, &WITHOUT_BODY);
            Request::new(method, path, "")
        }
    };
    request.add("cookie", line);
    if rng.bool() {
        request.add("authkit-delivery", "split");
    }
    request
}

fn paths(rng: &mut Rng) -> Request {
    let path = some_path(rng);
    let at = rng.usize(1..path.len());
    let (before, after) = path.split_at(at);
    let target = match rng.u8(..16) {
        0 => format!("{path}/"),
        1 => format!("/{path}"),
        2 => format!("{before}/{after}"),
        3 => format!("{before}%2e%2e/{after}"),
        4 => format!("{before}%00{after}"),
        5 => format!("{before}%2f{after}"),
        6 => format!("{path};jsessionid={CANARY}"),
        7 => format!("{path}/{CANARY}"),
        8 => format!("/x/..{path}"),
        9 => path.to_uppercase(),
        10 => format!("{path}%0d%0aset-cookie:%20a={CANARY}"),
        11 => format!("{path}/../../../../etc/passwd"),
        12 => format!("{before}\\{after}"),
        13 => format!("/v1/sessions/{CANARY}"),
        14 => format!("/%zz{path}"),
        _ => format!("/{CANARY}"),
    };
    Request::new(pick(rng, &["POST", "GET", "DELETE"]), &target, login())
}

fn methods(rng: &mut Rng) -> Request {
    let methods =
        ["PUT", "PATCH", "TRACE", "PROPFIND", "post", "CANARY", "OPTIONS", "CONNECT", "G E T", "\u{7f}", "POST\t"];
    Request::new(pick(rng, &methods), some_path(rng), login())
}

fn sizes(rng: &mut Rng) -> Request {
    let much = CANARY.repeat(4 * 1024);
    match rng.u8(..7) {
        0 => Request::new("POST", some_path(rng), format!(r#"{{"identifier":"a@example.com","password":"{much}"}}"#)),
        1 => Request::new("POST", some_path(rng), format!("{}{}", login(), " ".repeat(70_000))),
        2 => Request::new("GET", &format!("/.well-known/jwks.json?{}", &much[..9000]), ""),
        3 => Request::new("GET", &format!("/v1/auth/me?{much}"), ""),
        4 => {
            let mut request = Request::new("POST", some_path(rng), login());
            (0..200).for_each(|n| request.add(&format!("x-{n}"), CANARY));
            request
        }
        5 => {
            let mut request = Request::new("POST", some_path(rng), "{}");
            request.set("content-length", pick(rng, &["65537", "9999999999", "18446744073709551615"]).as_bytes());
            request
        }
        _ => Request::new("POST", "/v1/auth/login", format!(r#"{{"identifier":"{}","password":"x"}}"#, &much[..5000])),
    }
}

fn framing(rng: &mut Rng) -> Request {
    let mut request = Request::new("POST", some_path(rng), login());
    match rng.u8(..9) {
        0 => request.set("content-length", rng.usize(1..request.body.len()).to_string()),
        1 => request.add("content-length", "3"),
        2 => request
            .set("content-length", pick(rng, &["-1", "x", "1 2", "0x10", "+5", "99999999999999999999999"]).as_bytes()),
        3 => request.add("transfer-encoding", pick(rng, &["gzip", "x", "chunked, gzip", "chunked chunked"]).as_bytes()),
        4 => {
            request.remove("content-length");
            request.add("transfer-encoding", "chunked");
            request.body = pick(
                rng,
                &[
                    "zz\r\n{}\r\n0\r\n\r\n",
                    "5\r\n{}\r\n0\r\n\r\n",
                    "-1\r\n\r\n",
                    "fffffffffffffffff\r\n{}",
                    "2\r\n{}xx0\r\n",
                ],
            )
            .as_bytes()
            .into();
        }
        5 => request.lines.push((format!("x-{CANARY} "), b"x".to_vec())),
        6 => request.add("x-other", [b"a\x00".as_slice(), CANARY.as_bytes()].concat()),
        7 => request.lines.push((String::new(), CANARY.into())),
        _ => request.target = format!("{} HTTP/9.9\r\nx: {CANARY}", request.target),
    }
    request
}

fn queries(rng: &mut Rng) -> Request {
    let query = match rng.u8(..7) {
        0 => format!("limit=1&limit={CANARY}"),
        1 => format!("after={CANARY}"),
        2 => format!("limit={CANARY}"),
        3 => format!("%6cimit=1&limit=1&{CANARY}"),
        4 => format!("access_token={CANARY}"),
        5 => format!("include_current={CANARY}"),
        _ => format!("refresh_token={CANARY}&token={CANARY}&authorization=Bearer%20{CANARY}"),
    };
    let (method, path) = pick(rng, &WITHOUT_BODY);
    Request::new(method, &format!("{path}?{query}"), "")
}

fn cross_site(rng: &mut Rng) -> Request {
    let mut request = Request::new("POST", some_path(rng), login());
    let origins = [
        "",
        "null",
        "https://evil.example",
        "http://127.0.0.1",
        "http://localhost",
        "canary7f3b9c81ad42",
        "http://127.0.0.1:1, x",
    ];
    request.add("origin", pick(rng, &origins));
    if rng.bool() {
        request.add("sec-fetch-site", pick(rng, &["cross-site", "same-site", "none", "canary7f3b9c81ad42"]));
    }
    request
}

/// Bytes that only happen to begin like a request.
fn noise(rng: &mut Rng) -> Request {
    let mut request = Request::new("POST", some_path(rng), login());
    let length = rng.usize(1..40);
    let bytes: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
    match rng.u8(..3) {
        0 => request.target = format!("/{}", bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<String>()),
        1 => request.body = [&bytes, request.body.as_slice()].concat(),
        _ => request.lines.insert(0, (String::from_utf8_lossy(&bytes).into_owned(), CANARY.into())),
    }
    if !request.body.is_empty() {
        request.set("content-length", request.body.len().to_string());
    }
    request
}
