//! The kernel decides: groups are compiled to nftables, and real connections between addresses of a
//! network namespace are let through or refused by it. Run by `.ci/steps/kernel`, which makes the
//! namespace; in any other the addresses below would be somebody's.

use super::cases;
use super::written::{FROM, FROM_V6, Written, flow, judged, read, way};
use access::drive::Verdict;
use access::nsg::{Flow, evaluate, together};
use access::request::Protocol;
use ipnet::IpNet;
use proptest::strategy::{Strategy, ValueTree};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, UdpSocket};

/// What the tags mean here, as both evaluators take it: the machines' network and the host's address.
const NETWORK: [&str; 3] = ["10.0.0.0/16", "168.63.129.16/32", "fd00:db8:deca::/48"];
/// What the Internet is not, besides.
const PRIVATE: [&str; 6] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "fc00::/7"];

/// A machine, by either family, and the groups before it as a table for nftables.
fn table(groups: &[Vec<Written>], flow: &Flow) -> String {
    let mut text = "add table inet nsg\nflush table inet nsg\ntable inet nsg {\n\
        chain deny { meta l4proto tcp reject with tcp reset\n reject\n }\n"
        .to_owned();
    for (nth, group) in groups.iter().enumerate() {
        let mut rules: Vec<&Written> = group.iter().filter(|rule| !rule.outbound).collect();
        rules.sort_by_key(|rule| rule.priority);
        let _ = writeln!(text, "chain group{nth} {{");
        for rule in rules {
            rule_lines(&mut text, rule, flow);
        }
        // The default rules.
        let mut line = |sides: &str, verdict: &str| {
            let _ = writeln!(text, "{sides} {verdict}");
        };
        for net in NETWORK {
            line(&address("saddr", net), "return");
        }
        line("ip saddr 168.63.129.16", "return");
        line("", "jump deny");
        text.push_str("}\n");
    }
    text.push_str("chain way {\n");
    for nth in 0..groups.len() {
        let _ = writeln!(text, "jump group{nth}");
    }
    let to = address(
        "daddr",
        &format!("{}/{}", flow.destination, if flow.destination.is_ipv4() { 32 } else { 128 }),
    );
    let _ = writeln!(
        text,
        "}}\nchain input {{ type filter hook input priority 0; policy accept;\n{to} jump way\n}}\n}}"
    );
    text
}

/// One line for each way in which the rule can match.
fn rule_lines(text: &mut String, rule: &Written, flow: &Flow) {
    let protocol = match rule.protocol.to_ascii_lowercase().as_str() {
        "*" => "meta l4proto { tcp, udp }",
        "tcp" => "meta l4proto tcp",
        "udp" => "meta l4proto udp",
        // Of no port.
        _ => return,
    };
    let verdict = if rule.allow { "return" } else { "jump deny" };
    let port = |word: &str, range: &str| match range {
        "*" => String::new(),
        range => format!("th {word} {range}"),
    };
    for source in rule.sources.iter().flat_map(|source| scope("saddr", source, flow)) {
        for destination in rule.destinations.iter().flat_map(|to| scope("daddr", to, flow)) {
            if !one_family(&source, &destination) {
                continue;
            }
            for from in &rule.source_ports {
                for to in &rule.ports {
                    let ports = format!("{} {}", port("sport", from), port("dport", to));
                    let _ = writeln!(text, "{source} {destination} {protocol} {ports} {verdict}");
                }
            }
        }
    }
}

/// No packet has addresses of both families, and nftables refuses to look for one.
fn one_family(source: &str, destination: &str) -> bool {
    let six = |text: &str| match text {
        "" => None,
        text => Some(text.starts_with("ip6 ") || text.starts_with("meta nfproto ipv6")),
    };
    six(source).zip(six(destination)).is_none_or(|(source, destination)| source == destination)
}

fn address(side: &str, net: &str) -> String {
    format!("{} {side} {net}", if net.contains(':') { "ip6" } else { "ip" })
}

/// What a side of a rule means: an expression for each way in which it matches.
fn scope(side: &str, text: &str, flow: &Flow) -> Vec<String> {
    match text.to_ascii_lowercase().as_str() {
        "*" => vec![String::new()],
        "virtualnetwork" => NETWORK.iter().map(|net| address(side, net)).collect(),
        "azureloadbalancer" => vec![address(side, "168.63.129.16/32")],
        "internet" => {
            let not = |six: bool| {
                let nets = PRIVATE.iter().chain(&["168.63.129.16/32"]).filter(|net| net.contains(':') == six);
                nets.copied().collect::<Vec<_>>().join(", ")
            };
            vec![
                format!("meta nfproto ipv4 ip {side} != {{ {} }}", not(false)),
                format!("meta nfproto ipv6 ip6 {side} != {{ {} }}", not(true)),
            ]
        }
        "0.0.0.0/0" => vec!["meta nfproto ipv4".to_owned()],
        "::/0" => vec!["meta nfproto ipv6".to_owned()],
        group if group.starts_with("asg:") => {
            let id = super::written::group_id(&text[4..]);
            let member =
                flow.member_of.iter().flatten().any(|known| known.as_str().eq_ignore_ascii_case(&id));
            if side == "daddr" && member { vec![String::new()] } else { vec![] }
        }
        // The tag of a service: none of the addresses here belongs to one.
        other if other.parse::<IpNet>().is_err() && other.parse::<IpAddr>().is_err() => vec![],
        other => vec![address(side, other)],
    }
}

fn run(program: &str, arguments: &[&str], input: &str) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{program} {arguments:?}\n{input}");
}

/// Listens where flows go to, and answers.
#[derive(Default)]
struct Servers(BTreeSet<(SocketAddr, bool)>);

impl Servers {
    async fn serve(&mut self, at: SocketAddr, tcp: bool) {
        if !self.0.insert((at, tcp)) {
            return;
        }
        if tcp {
            let listener = TcpListener::bind(at).await.unwrap();
            tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        } else {
            let socket = UdpSocket::bind(at).await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 8];
                while let Ok((_, from)) = socket.recv_from(&mut buffer).await {
                    let _ = socket.send_to(b"yes", from).await;
                }
            });
        }
    }
}

/// Whether the kernel lets this flow through.
async fn passes(servers: &mut Servers, from: IpAddr, to: SocketAddr, tcp: bool) -> bool {
    servers.serve(to, tcp).await;
    let tried = async {
        if tcp {
            let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.bind((from, 0).into())?;
            socket.connect(to).await.map(|_| ())
        } else {
            let socket = UdpSocket::bind((from, 0)).await?;
            socket.connect(to).await?;
            socket.send(b"?").await?;
            socket.recv(&mut [0; 8]).await.map(|_| ())
        }
    };
    match tokio::time::timeout(Duration::from_secs(5), tried).await.expect("the kernel answers") {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => false,
        Err(error) => panic!("{from} -> {to}: {error}"),
    }
}

/// Which of both evaluators is sure, and whether either says otherwise than the kernel.
fn contradicted(groups: &[Vec<Written>], flow: &Flow, port: u16, kernel: bool) -> Option<String> {
    let from = flow.source.prefix().addr();
    let sandbox = judged(groups, flow, port, from);
    if sandbox.passes != kernel {
        return Some(format!("the sandbox says {sandbox:?}"));
    }
    let mut one = flow.clone();
    one.ports = access::request::Ports::new(vec![port]).unwrap();
    one.source = from.to_string().parse().unwrap();
    let each: Vec<Verdict> = groups.iter().map(|group| evaluate(&read(group, true), &one)).collect();
    match together(&each)? {
        Verdict::Allowed { .. } if !kernel => Some(format!("the product says {each:?}")),
        Verdict::Denied { .. } if kernel => Some(format!("the product says {each:?}")),
        _ => None,
    }
}

#[tokio::test]
#[ignore = "needs a network namespace of its own: run by .ci/steps/kernel"]
async fn the_kernel_decides_as_both_evaluators_do() {
    let mut ways: Vec<(Vec<Vec<Written>>, Flow)> = vec![];
    for case in cases::all().case {
        // What a failed write leaves in force is not known, so neither is what to compile.
        if case.rules().iter().flatten().all(|rule| rule.state != "Failed") {
            ways.push((case.rules(), case.flow()));
        }
    }
    let of_cases = ways.len();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..400 {
        let groups = way().new_tree(&mut runner).unwrap().current();
        for _ in 0..5 {
            ways.push((groups.clone(), flow().new_tree(&mut runner).unwrap().current()));
        }
    }
    run("ip", &["link", "set", "lo", "up"], "");
    let mut addresses: BTreeSet<IpAddr> =
        FROM.iter().chain(&FROM_V6).map(|text| text.parse().unwrap()).collect();
    addresses.extend(ways.iter().flat_map(|(_, flow)| [flow.source.prefix().addr(), flow.destination]));
    let added = addresses.iter().fold(String::new(), |mut text, address| {
        let _ = writeln!(text, "addr add {address}/{} dev lo", if address.is_ipv4() { 32 } else { 128 });
        text
    });
    run("ip", &["-batch", "-"], &added);

    let mut servers = Servers::default();
    let (mut flows, mut passed, mut wrong) = (0, 0, vec![]);
    let mut loaded = String::new();
    for (groups, flow) in &ways {
        let table = table(groups, flow);
        if table != loaded {
            run("nft", &["-f", "-"], &table);
            loaded = table;
        }
        for port in flow.ports.as_slice() {
            let tcp = flow.protocol == Protocol::Tcp;
            let to = SocketAddr::from((flow.destination, *port));
            let kernel = passes(&mut servers, flow.source.prefix().addr(), to, tcp).await;
            flows += 1;
            passed += usize::from(kernel);
            if let Some(why) = contradicted(groups, flow, *port, kernel) {
                wrong.push(format!(
                    "{flow:?} port {port}: the kernel says {kernel}, {why}\n{groups:?}\n{loaded}"
                ));
            }
        }
    }
    println!(
        "kernel: {flows} flows in {} tables ({of_cases} cases and 400 random ways), {passed} let through, {} contradicted",
        ways.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{} of {flows}; the first: {}", wrong.len(), wrong[0]);
    assert!(passed * 10 > flows, "only {passed} of {flows} were let through: that proves little");
}
