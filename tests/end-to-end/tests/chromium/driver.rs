//! A little of WebDriver (W3C), spoken to chromedriver.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::{Value as JsonValue, json};
use tempfile::TempDir;

use crate::PATIENCE;

/// One headless Chromium with a profile of its own.
pub(crate) struct Driver {
    process: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

const MISSING: &str = "chromedriver does not start; on Debian: apt-get install chromium chromium-driver";

impl Driver {
    pub(crate) fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(MISSING);
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.rsplit_once("on port ")?.1.trim_end_matches('.').parse::<u16>().ok().filter(|port| *port != 0)
        });
        // chromedriver blocks if nobody reads what it says.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let profile = tempfile::tempdir().expect("a directory");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "SEVERE" },
        } } });
        let mut driver = Self { process, port: port.expect(MISSING), session: String::new(), _profile: profile };
        let session = driver.call("POST", "", &wanted)["sessionId"].as_str().expect(MISSING).to_owned();
        driver.session = format!("/{session}");
        driver
    }

    pub(crate) fn open(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url }));
    }

    /// Clicks as a person does: what is hidden or covered is an error.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.call("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Types into a field, in place of what is there.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.call("POST", &format!("/element/{element}/clear"), &json!({}));
        self.call("POST", &format!("/element/{element}/value"), &json!({ "text": text }));
    }

    pub(crate) fn read(&self, expression: &str) -> JsonValue {
        let script = json!({ "script": format!("return {expression};"), "args": [] });
        self.call("POST", "/execute/sync", &script)
    }

    /// Waits until an expression is true.
    #[expect(clippy::disallowed_methods, reason = "a browser has a clock of its own")]
    pub(crate) fn wait_for(&self, what: &str, expression: &str) {
        let begin = Instant::now();
        while self.read(expression) != true {
            let seen = self.read("document.body.innerText");
            assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}; the page says {seen}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// What the page reported as wrong, failed requests that were meant to fail aside.
    pub(crate) fn console_errors(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        let messages = entries.iter().filter_map(|entry| entry["message"].as_str());
        messages.filter(|text| !text.contains("Failed to load resource")).map(str::to_owned).collect()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.call("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|object| object.values().next()).and_then(JsonValue::as_str);
        id.expect("an element").to_owned()
    }

    fn call(&self, method: &str, path: &str, body: &JsonValue) -> JsonValue {
        let path = format!("/session{}{path}", self.session);
        let (status, answer) = request(self.port, method, &path, &[], Some(body));
        assert_eq!(status, 200, "{method} {path} {body}: {answer}");
        answer["value"].clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let path = format!("/session{}", self.session);
        if !std::thread::panicking() {
            request(self.port, "DELETE", &path, &[], None);
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// One HTTP/1.1 exchange on a connection of its own.
pub(crate) fn request(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&JsonValue>,
) -> (u16, JsonValue) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let body = body.map(ToString::to_string).unwrap_or_default();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(head.as_bytes()).expect("a request");
    // chromedriver leaves the connection open, so the length decides where the answer ends.
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line).expect("a status line");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let mut length = 0;
    while line.trim() != "" {
        line.clear();
        answer.read_line(&mut line).expect("a header");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut content = vec![0; length];
    answer.read_exact(&mut content).expect("a body");
    (status, serde_json::from_slice(&content).unwrap_or_default())
}
