//! web - what is answered over HTTP, as Prometheus, a balancer and curl ask it
//!
//! A real Prometheus scrapes a running Gatepost. Alert rules and dashboard name only what is there.
//! Not here: the page's numbers and formats (`daemon::web`), the connections and their bounds (`daemon::net::http`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::kit::client::{auth_plain, loopback};
use crate::kit::http::{self, HttpAnswer};
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::mail::ANNA;
use crate::kit::program::{self, Daemon};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::{ports, wait};

/// A Gatepost with a guesser, an honest user, and the door.
struct Watched {
    _impostor: Impostor,
    proxy: Proxy,
    door: SocketAddr,
}

impl Watched {
    fn start(conduct: Conduct) -> Self {
        let impostor = Impostor::start(conduct);
        let door = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let proxy = Setup::new(&impostor.address().to_string())
            .with("upstream.announce", "none")
            .with("http.listen", door.to_string())
            .with("http.hosts", vec![toml::Value::from("status.example.org")])
            .start();
        Self {
            _impostor: impostor,
            proxy,
            door,
        }
    }

    /// An attempt that ends as the backend behaves.
    fn attempt(&self, place: u8, code: u16) {
        let mut client = self.proxy.client(loopback(40, place));
        client.greet();
        client.expect(&auth_plain(ANNA), code);
    }

    fn get(&self, path: &str, fields: &[&str]) -> HttpAnswer {
        http::get(self.door, path, fields)
    }

    /// Samples of `/metrics` by name and labels.
    fn samples(&self) -> BTreeMap<String, f64> {
        let page = self.get("/metrics", &[]);
        assert_eq!(page.status, 200, "{}", page.body);
        let lines = page.body.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        };
        lines.map(sample).collect()
    }

    fn status(&self) -> Value {
        self.proxy.status()
    }
}

#[test]
fn the_numbers_are_those_of_status() {
    let watched = Watched::start(Conduct::Honest);
    watched.attempt(1, 235);
    watched.attempt(2, 235);
    let (samples, status) = (watched.samples(), watched.status());
    let mut compared = 0;
    for (verdict, reasons) in status["attempts"].as_object().unwrap() {
        for (reason, count) in reasons.as_object().unwrap() {
            let name =
                format!("gatepost_attempts_total{{verdict=\"{verdict}\",reason=\"{reason}\"}}");
            assert_eq!(samples[&name], count.as_f64().unwrap(), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 0, "{status}");
    for (name, key) in [
        ("gatepost_bound_guesses_per_day", "bound_per_day"),
        ("gatepost_known_users", "known_users"),
        ("gatepost_familiar_pairs", "familiar_pairs"),
    ] {
        assert_eq!(samples[name], status[key].as_f64().unwrap(), "{name}");
    }
    assert_eq!(samples["gatepost_logins_work"], 1.0);
    assert_eq!(samples["gatepost_login_seconds_count"], 2.0);
    assert_eq!(samples["gatepost_check_seconds_count"], 2.0);
    assert!(samples["gatepost_handshake_seconds_count"] >= 2.0);
    assert!(samples["gatepost_handshake_seconds_sum"] > 0.0);
    let resident = samples["process_resident_memory_bytes"] / 1024.0;
    let seen = watched.proxy.resident_kib() as f64;
    assert!((0.5..2.0).contains(&(resident / seen)), "{resident} {seen}");
    let anywhere = watched.get("/metrics", &[]).body;
    assert!(
        !anywhere.contains("127.40.") && !anywhere.contains(ANNA.0),
        "{anywhere}"
    );
}

#[test]
fn only_under_its_own_names_it_answers() {
    let watched = Watched::start(Conduct::Honest);
    for host in [
        "localhost",
        "127.0.0.1:1",
        "status.example.org",
        "[::1]:9465",
    ] {
        let answer = watched.get("/metrics", &[&format!("Host: {host}")]);
        assert_eq!(answer.status, 200, "{host}");
    }
    for path in ["/metrics", "/healthz", "/readyz", "/"] {
        let answer = watched.get(path, &["Host: evil.example"]);
        assert_eq!(answer.status, 421, "{path}: {}", answer.body);
        assert!(!answer.body.contains("gatepost_"));
    }
    let old = http::send(watched.door, "GET /metrics HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 421, "{}", old.body);
    let target =
        "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(http::send(watched.door, target).status, 421);
}

#[test]
fn it_is_ready_as_long_as_a_backend_can_be_used() {
    let watched = Watched::start(Conduct::Honest);
    wait::until("it is ready", || watched.get("/readyz", &[]).status == 200);
    assert_eq!(watched.get("/healthz", &[]).status, 200);
    let door = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
    let nobody = format!("127.0.0.1:{}", ports::free());
    let _proxy = Setup::new(&nobody)
        .with("http.listen", door.to_string())
        .start();
    let answer = wait::find("it says why it is not ready", || {
        let answer = http::get(door, "/readyz", &[]);
        (!answer.body.contains("not asked")).then_some(answer)
    });
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains(&nobody), "{}", answer.body);
    assert_eq!(http::get(door, "/healthz", &[]).status, 200);
}

#[test]
fn it_listens_on_a_unix_socket_too_and_on_nothing_unless_asked() {
    let impostor = Impostor::start(Conduct::Honest);
    let mut setup = Setup::new(&impostor.address().to_string()).with("upstream.announce", "none");
    let socket = setup.folder().join("http.sock");
    setup.set("http.listen", format!("unix:{}", socket.display()));
    let mut proxy = setup.start();
    let ask = || {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--unix-socket"]);
        program::run(curl.arg(&socket).arg("http://localhost/metrics"))
    };
    assert!(ask().contains("gatepost_build_info"));
    proxy.restart();
    assert!(ask().contains("gatepost_build_info"));
    proxy.terminate();
    proxy.ends_well();
    assert!(!socket.exists());
    let ran = Setup::new("127.0.0.1:1")
        .start()
        .setup
        .command(&["status", "--json"]);
    assert!(ran.text.contains("http-connections"), "{}", ran.text);
}

#[test]
fn an_address_that_is_taken_stops_the_start_by_name() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let setup = Setup::new("127.0.0.1:1").with("http.listen", address.to_string());
    let ran = setup.command(&["run"]);
    assert_ne!(ran.code, Some(0));
    assert!(
        ran.text.contains("[http]") && ran.text.contains(&address.to_string()),
        "{}",
        ran.text
    );
}

fn project(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// A Prometheus of its own, with the alert rules, that scrapes one target.
struct Prometheus {
    _daemon: Daemon,
    _folder: TempDir,
    address: SocketAddr,
}

impl Prometheus {
    fn start(target: SocketAddr) -> Self {
        let folder = TempDir::with_prefix("gatepost-prometheus-").unwrap();
        let config = folder.path().join("prometheus.yml");
        let rules = project("config/prometheus-alerts.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{}]\n\
             scrape_configs: [{{job_name: gatepost, static_configs: [{{targets: [\"{target}\"]}}]}}]\n",
            rules.display()
        );
        fs::write(&config, text).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error");
        Self {
            _daemon: Daemon::spawn(command),
            _folder: folder,
            address,
        }
    }

    fn api(&self, path: &str) -> Option<Value> {
        std::net::TcpStream::connect(self.address).ok()?;
        let answer = http::get(self.address, path, &[]);
        // It answers in chunks where it is long.
        let text = unchunked(&answer);
        serde_json::from_str(&text).ok()
    }

    /// Asks for an expression; gives its values.
    #[track_caller]
    fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: String = expression
            .bytes()
            .map(|octet| format!("%{octet:02x}"))
            .collect();
        let answer = self.api(&format!("/api/v1/query?query={encoded}")).unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

fn unchunked(answer: &HttpAnswer) -> String {
    if !answer.head.contains("transfer-encoding: chunked") {
        return answer.body.clone();
    }
    let (mut rest, mut whole) = (&*answer.body, String::new());
    while let Some((length, more)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole += &more[..length];
        rest = more[length..].trim_start_matches("\r\n");
    }
    whole
}

#[test]
fn a_prometheus_scrapes_it_and_takes_every_rule_and_every_panel() {
    let watched = Watched::start(Conduct::Honest);
    watched.attempt(1, 235);
    let prometheus = Prometheus::start(watched.door);
    let health = |state: Option<Value>| {
        let targets = state?["data"]["activeTargets"].as_array()?.clone();
        let target = targets.first()?.clone();
        let (health, error) = (&target["health"], &target["lastError"]);
        assert_ne!(health, "down", "{error}");
        (health == "up").then_some(())
    };
    wait::find("the target is up", || {
        health(prometheus.api("/api/v1/targets"))
    });
    wait::until("the login is scraped", || {
        !prometheus
            .query("gatepost_attempts_total{verdict=\"accept\"} == 1")
            .is_empty()
    });
    let build = prometheus.query("gatepost_build_info");
    assert_eq!(build[0]["metric"]["version"], env!("CARGO_PKG_VERSION"));
    for expression in dashboard().iter().chain(&alerts()) {
        let concrete = expression
            .replace("$__rate_interval", "1m")
            .replace("$instance", ".*");
        prometheus.query(&concrete);
    }
    let rules = prometheus.api("/api/v1/rules").unwrap();
    let rules = rules["data"]["groups"][0]["rules"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(rules.len(), alerts().len());
    wait::until("the rules are evaluated", || {
        let rules = prometheus.api("/api/v1/rules").unwrap();
        let rules = rules["data"]["groups"][0]["rules"]
            .as_array()
            .unwrap()
            .clone();
        rules.iter().all(|rule| rule["health"] == "ok")
    });
}

/// The expressions of the dashboard.
fn dashboard() -> Vec<String> {
    let text = fs::read_to_string(project("config/grafana-dashboard.json")).unwrap();
    let board: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&board["uid"], board["schemaVersion"].as_u64() >= Some(39)),
        (&"gatepost".into(), true)
    );
    let panels = board["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    expressions.collect()
}

/// The expressions of the alert rules, each a line or folded over some.
fn alerts() -> Vec<String> {
    let text = fs::read_to_string(project("config/prometheus-alerts.yml")).unwrap();
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(expression) = line.trim().strip_prefix("expr: ") else {
            continue;
        };
        let mut expression = expression.trim_start_matches(">-").to_owned();
        while let Some(more) = lines.next_if(|next| next.starts_with("          ")) {
            expression += more.trim();
            expression.push(' ');
        }
        found.push(expression);
    }
    found
}

/// The names of metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("gatepost_") || word.starts_with("process_"))
}

#[test]
fn dashboard_and_alerts_name_only_metrics_that_are_there() {
    let watched = Watched::start(Conduct::Honest);
    watched.attempt(1, 235);
    let samples = watched.samples();
    let there: BTreeSet<&str> = samples
        .keys()
        .map(|name| name.split('{').next().unwrap())
        .collect();
    let (dashboard, alerts) = (dashboard(), alerts());
    let named = fs::read_to_string(project("config/prometheus-alerts.yml")).unwrap();
    let named = named.matches("- alert: ").count();
    assert!(dashboard.len() > 25, "{dashboard:#?}");
    assert!(named > 10 && alerts.len() == named, "{named}: {alerts:#?}");
    let mut used = BTreeSet::new();
    for expression in dashboard.iter().chain(&alerts) {
        for name in names(expression) {
            assert!(there.contains(name), "{name} of {expression} is no metric");
            used.insert(name);
        }
    }
    assert!(used.len() > 20, "{used:?}");
}

#[test]
fn the_alert_rules_pass_their_tests() {
    let mut promtool = Command::new("promtool");
    program::run(
        promtool
            .args(["check", "rules"])
            .arg(project("config/prometheus-alerts.yml")),
    );
    let mut promtool = Command::new("promtool");
    program::run(
        promtool
            .args(["test", "rules"])
            .arg(project("tests/prometheus-alerts.yml")),
    );
}
