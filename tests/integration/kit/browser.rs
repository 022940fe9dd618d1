//! browser - a real Chromium, driven by WebDriver
//!
//! Debian's chromium and chromium-driver, without a window. <https://www.w3.org/TR/webdriver2/>, as far as the tests
//! need it: over plain HTTP, without a library.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::program::Daemon;
use super::{http, ports, wait};

/// A browser with one window; it ends with this value.
pub(crate) struct Browser {
    _driver: Daemon,
    _folder: TempDir,
    address: SocketAddr,
    session: String,
}

/// The key by which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    /// For every name that ends in `.example` it goes to loopback, as by a name server of an attacker.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let folder = TempDir::with_prefix("gatepost-browser-").expect("a folder for the browser");
        let mut driver = Command::new("chromedriver");
        driver.arg(format!("--port={}", address.port()));
        let driver = Daemon::spawn(driver);
        wait::until("chromedriver listens", || {
            TcpStream::connect(address).is_ok()
        });
        let profile = format!("--user-data-dir={}", folder.path().display());
        let options = json!({
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--host-resolver-rules=MAP *.example 127.0.0.1", "--window-size=1280,900", profile,
            ],
        });
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let mut browser = Self {
            _driver: driver,
            _folder: folder,
            address,
            session: String::new(),
        };
        let session = browser.ask("/session", &wanted);
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    /// A command of the session.
    #[track_caller]
    fn command(&self, command: &str, body: &Value) -> Value {
        self.ask(&format!("/session/{}/{command}", self.session), body)
    }

    #[track_caller]
    fn ask(&self, path: &str, body: &Value) -> Value {
        let answer = http::post(self.address, path, &body.to_string());
        let parsed: Value = serde_json::from_str(&answer.body).expect("JSON of chromedriver");
        assert_eq!(answer.status, 200, "{path} {body}: {parsed:#}");
        parsed["value"].clone()
    }

    /// Opens an address, and waits until it is loaded.
    #[track_caller]
    pub(crate) fn open(&self, address: &str) {
        self.command("url", &json!({ "url": address }));
    }

    /// Opens an address in a new tab, which is in front then. The tab that was in front before, and the new one.
    #[track_caller]
    pub(crate) fn open_beside(&self, address: &str) -> [String; 2] {
        let path = format!("/session/{}/window", self.session);
        let before = http::get(self.address, &path, &[]).body;
        let before: Value = serde_json::from_str(&before).expect("JSON of chromedriver");
        let new = self.command("window/new", &json!({ "type": "tab" }));
        let tabs = [&before["value"], &new["handle"]];
        let tabs = tabs.map(|tab| tab.as_str().expect("a tab").to_owned());
        self.bring_to_front(&tabs[1]);
        self.open(address);
        tabs
    }

    /// Brings a tab to the front.
    #[track_caller]
    pub(crate) fn bring_to_front(&self, tab: &str) {
        self.command("window", &json!({ "handle": tab }));
    }

    /// Loads the page anew.
    #[track_caller]
    pub(crate) fn reload(&self) {
        self.command("refresh", &json!({}));
    }

    /// What a function body returns in the page.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// As [`Browser::run`], where the body calls `arguments[0]` with the value.
    #[track_caller]
    pub(crate) fn run_until_called(&self, script: &str) -> Value {
        self.command("execute/async", &json!({ "script": script, "args": [] }))
    }

    /// The text of the first element that a CSS selector finds; empty if there is none, or it is hidden.
    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({selector:?})?.innerText ?? ''");
        self.run(&script).as_str().expect("a text").to_owned()
    }

    /// Waits until the text of an element has this part.
    #[track_caller]
    pub(crate) fn until_text(&self, selector: &str, part: &str) {
        wait::until(&format!("{part:?} in {selector}"), || {
            self.text(selector).contains(part)
        });
    }

    /// Clicks the first element that a CSS selector finds, as a hand would: it must be there and visible.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let wanted = json!({ "using": "css selector", "value": selector });
        let element = self.command("element", &wanted);
        let element = element[ELEMENT].as_str().expect("an element");
        self.command(&format!("element/{element}/click"), &json!({}));
    }

    /// Presses keys, one after the other, where the focus is. Special keys as WebDriver names them: `\u{e004}` Tab, `\u{e007}`
    /// Enter, `\u{e00c}` Escape.
    #[track_caller]
    pub(crate) fn press(&self, keys: &str) {
        let key = |letter: char| {
            [
                json!({ "type": "keyDown", "value": letter }),
                json!({ "type": "keyUp", "value": letter }),
            ]
        };
        let actions: Vec<Value> = keys.chars().flat_map(key).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.command("actions", &json!({ "actions": [keyboard] }));
    }

    /// Sets the size of the page as on another device, and the colours that its user prefers.
    #[track_caller]
    pub(crate) fn imitate(&self, width: u32, height: u32, colours: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.develop("Emulation.setDeviceMetricsOverride", &size);
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": colours }] });
        self.develop("Emulation.setEmulatedMedia", &media);
    }

    /// Forgets all cookies.
    #[track_caller]
    pub(crate) fn forget_cookies(&self) {
        self.develop("Network.clearBrowserCookies", &json!({}));
    }

    #[track_caller]
    fn develop(&self, name: &str, parameters: &Value) {
        self.command(
            "goog/cdp/execute",
            &json!({ "cmd": name, "params": parameters }),
        );
    }

    /// A picture of the whole page, as PNG in Base64.
    #[track_caller]
    pub(crate) fn picture(&self) -> String {
        let path = format!("/session/{}/screenshot", self.session);
        let answer = http::get(self.address, &path, &[]);
        let parsed: Value = serde_json::from_str(&answer.body).expect("JSON of chromedriver");
        parsed["value"].as_str().expect("a picture").to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; the driver alone would leave it behind.
        let request = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.session, self.address
        );
        let _ = std::panic::catch_unwind(|| http::send(self.address, &request));
    }
}
