use super::*;
use proptest::prelude::*;

fn ask(text: &str) -> (String, Vec<u16>, Option<String>, Option<u32>, Option<String>) {
    match parse(text).unwrap() {
        other @ (Command::Help
        | Command::Form { .. }
        | Command::Machines { .. }
        | Command::Enable { .. }
        | Command::Disable { .. }
        | Command::Lockdown { .. }
        | Command::Lift { .. }
        | Command::Close(_)
        | Command::Move { .. }
        | Command::Unfreeze { .. }
        | Command::List { .. }
        | Command::Show { .. }
        | Command::Why { .. }) => panic!("{other:?}"),
        Command::Ask { machine, ports, source, ttl, justification, .. } => (
            machine.to_string(),
            ports.as_slice().to_vec(),
            source.map(|s| s.to_string()),
            ttl.map(Ttl::minutes),
            justification.map(|j| j.to_string()),
        ),
    }
}

#[test]
fn the_one_line_command() {
    assert_eq!(ask("VM3 22"), ("VM3".into(), vec![22], None, None, None));
    assert_eq!(
        ask("VM3 22 from 203.0.113.7 for 30m because patching for the audit"),
        ("VM3".into(), vec![22], Some("203.0.113.7".into()), Some(30), Some("patching for the audit".into()))
    );
    assert_eq!(
        ask("  web-1   SSH,winrm FOR 1h30m"),
        ("web-1".into(), vec![22, 5985, 5986], None, Some(90), None)
    );
    assert_eq!(ask("VM3 22, 3389 for PT2H").1, vec![22, 3389]);
    assert_eq!(parse(""), Ok(Command::Form { machine: None }));
    assert_eq!(parse(" vm3 "), Ok(Command::Form { machine: Some("vm3".parse().unwrap()) }));
    assert_eq!(parse(" Help "), Ok(Command::Help));
}

#[test]
fn admins_name_machines() {
    let query = |text: &str| text.parse::<MachineQuery>().unwrap();
    let of = |text: &str| parse(text).unwrap();
    let (one, two) = (query("VM1"), query("Blue/VM2"));
    assert_eq!(of("Enable VM1, Blue/VM2 VM1"), Command::Enable { machines: vec![one.clone(), two] });
    assert_eq!(of("edit VM1"), Command::Enable { machines: vec![one.clone()] });
    assert_eq!(of("disable VM1"), Command::Disable { machines: vec![one] });
    assert_eq!(of("VMS"), Command::Machines { part: None });
    assert_eq!(of("vms db"), Command::Machines { part: Some("db".parse().unwrap()) });
    let pattern: NamePattern = "db*".parse().unwrap();
    assert_eq!(of("lockdown DB*"), Command::Lockdown { pattern: pattern.clone() });
    assert_eq!(of("lockdown"), Command::Lockdown { pattern: NamePattern::everything() });
    assert_eq!(of("lift db*"), Command::Lift { pattern: Some(pattern) });
    assert_eq!(of("lift"), Command::Lift { pattern: None });
    assert_eq!(parse("disable"), Err(CommandError::MachinesMissing { word: "disable" }));
    let many = (0..11).map(|n| format!("VM{n}")).collect::<Vec<_>>().join(" ");
    assert_eq!(parse(&format!("enable {many}")), Err(CommandError::TooManyMachines(11)));
    assert_eq!(ask("edit 22").0, "edit", "a machine may be called like that");
}

#[test]
fn break_glass_stands_anywhere_before_the_reason() {
    let means = |text: &str| match parse(text) {
        Ok(Command::Ask { means, justification, .. }) => Ok((means, justification.map(String::from))),
        Ok(other) => panic!("{other:?}"),
        Err(why) => Err(why.to_string()),
    };
    let down = || Some("the database is down".to_owned());
    for text in [
        "VM3 22 break-glass because the database is down",
        "VM3 22 BREAK-GLASS for 30m from 203.0.113.7 because the database is down",
        "VM3 22 for 30m break-glass from 203.0.113.7 because the database is down",
    ] {
        assert_eq!(means(text), Ok((Means::BreakGlass, down())), "{text}");
    }
    let reason = means("VM3 22 because break-glass");
    assert_eq!(reason, Ok((Means::Approval, Some("break-glass".to_owned()))), "it is the reason");
    for text in ["VM3 22 breakglass because x", "VM3 22 --break-glass because x"] {
        let why = means(text).unwrap_err();
        assert!(why.ends_with("did you mean `break-glass`?"), "{why}");
    }
}

#[test]
fn durations() {
    for (text, minutes) in
        [("30m", 30), ("2h", 120), ("1h30m", 90), ("PT2H", 120), ("pt1h5m", 65), ("45", 45), ("45min", 45)]
    {
        assert_eq!(parse_ttl(text).map(Ttl::minutes), Some(minutes), "{text}");
    }
    for bad in ["", "0m", "25h", "1441", "h", "m", "-1h", "1.5h", "99999m", "1d", "PT", "1h30"] {
        let expected = if bad == "1h30" { Some(90) } else { None };
        assert_eq!(parse_ttl(bad).map(Ttl::minutes), expected, "{bad}");
    }
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "\\PC{0,80}") {
        let _ = parse(&text);
    }
}
