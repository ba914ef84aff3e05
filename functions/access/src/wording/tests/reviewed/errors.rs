//! What is answered to what cannot be understood, or cannot be done.

use super::samples::*;
use super::*;
use crate::command::Closing;
use crate::order::NotTaken;
use crate::request::Malformed;

pub(super) fn malformed_all() -> Vec<Malformed> {
    let text = || "x!".to_owned();
    every!(Malformed {
        Malformed::RequestId(_) => [Malformed::RequestId(text())],
        Malformed::UserId(_) => [Malformed::UserId(text())],
        Malformed::MachineName(_) => [Malformed::MachineName(text())],
        Malformed::ResourceId(_) => [Malformed::ResourceId(text())],
        Malformed::Port(_) => [Malformed::Port(text())],
        Malformed::PortCount(_) => [Malformed::PortCount(11)],
        Malformed::Source(_) => [Malformed::Source(text())],
        Malformed::SourceUnusable(_) => [Malformed::SourceUnusable("127.0.0.1".to_owned())],
        Malformed::JustificationLength(_) => [Malformed::JustificationLength(301)],
        Malformed::JustificationEmpty => [Malformed::JustificationEmpty],
        Malformed::Installation(_) => [Malformed::Installation(text())],
    })
}

fn commands(album: &mut Album) {
    let all = every!(CommandError {
        CommandError::PortMissing { .. } => [CommandError::PortMissing { machine: query("VM3") }],
        CommandError::MachinesMissing { .. } => [CommandError::MachinesMissing { word: "enable" }],
        CommandError::CloseWhat => [CommandError::CloseWhat],
        CommandError::MoveWhat => [CommandError::MoveWhat],
        CommandError::UnfreezeWhom => [CommandError::UnfreezeWhom],
        CommandError::TooManyMachines(_) => [CommandError::TooManyMachines(11)],
        CommandError::Malformed(_) => [CommandError::Malformed(Malformed::Port("99999".to_owned()))],
        CommandError::Duration(_) => [CommandError::Duration("soon".to_owned())],
        CommandError::Dangling(_) => [CommandError::Dangling("from")],
        CommandError::Unexpected { .. } => [
            CommandError::Unexpected { word: "please".to_owned(), meant: None },
            command::parse("VM3 22 203.0.113.7").unwrap_err(),
            command::parse("VM3 22 30m").unwrap_err(),
        ],
        CommandError::Reasonless { .. } => [CommandError::Reasonless { machine: query("VM3"), ports: "22".to_owned() }],
        CommandError::WhyWhat(_) => [CommandError::WhyWhat("VM3".to_owned())],
        CommandError::ReferenceMissing => [CommandError::ReferenceMissing],
        CommandError::Reference(_) => [CommandError::Reference("vm3".to_owned())],
        CommandError::Twice(_) => [CommandError::Twice("from")],
    });
    for why in all {
        let kind = format!("{why:?}");
        album.message(
            &format!("not understood: {}", kind.split([' ', '(']).next().unwrap()),
            &misunderstood(&why),
        );
    }
    for why in malformed_all() {
        let kind = format!("{why:?}");
        album.message(&format!("in a field: {}", kind.split('(').next().unwrap()), &malformed(&why));
    }
    album.message("in a field: no duration", &no_duration());
    album.message("in a field: no port", &no_port());
}

fn clicks(album: &mut Album) {
    let policy = policy();
    let rule = Some(super::samples::rule(&policy));
    let decided = |what, by| ClickRefusal::Decided { what, by, at: at(APPROVED) };
    let all = every!(ClickRefusal {
        ClickRefusal::NoSuchRequest => [ClickRefusal::NoSuchRequest],
        ClickRefusal::OtherTerms => [ClickRefusal::OtherTerms],
        ClickRefusal::OwnRequest => [ClickRefusal::OwnRequest],
        ClickRefusal::NotEntitled => [ClickRefusal::NotEntitled],
        ClickRefusal::AlreadyApproved => [ClickRefusal::AlreadyApproved],
        ClickRefusal::Lapsed { .. } => [ClickRefusal::Lapsed { at: at(ASKED + 3_600) }],
        ClickRefusal::Decided { .. } => [
            decided("approved", Some(bea())), decided("denied", Some(bea())),
            decided("has gone past approval for", Some(ana())), decided("ended", None),
        ],
        ClickRefusal::NoBreakGlass => [ClickRefusal::NoBreakGlass],
        ClickRefusal::GroupsUnknown => [ClickRefusal::GroupsUnknown],
        ClickRefusal::Frozen { .. } => [ClickRefusal::Frozen { user: bea(), since: at(APPROVED) }],
        ClickRefusal::NoMove { .. } => [ClickRefusal::NoMove { request: "7F3K9-QXM2P".parse().unwrap() }],
        ClickRefusal::OldCard { .. } => [ClickRefusal::OldCard { request: "7F3K9-QXM2P".parse().unwrap() }],
    });
    for why in all {
        let kind = format!("{why:?}");
        let what = match &why {
            ClickRefusal::Decided { what, .. } => format!("Decided ({what})"),
            _ => kind.split([' ', '(']).next().unwrap().to_owned(),
        };
        album.sentence(&format!("a click changes nothing: {what}"), &refused_click(&why, rule));
    }
    let no_rule = refused_click(&ClickRefusal::NotEntitled, None);
    album.sentence("a click changes nothing: no rule is about the machine any more", &no_rule);
    let ends = every!(NotEnded {
        NotEnded::NoSuchRequest => [NotEnded::NoSuchRequest],
        NotEnded::Nothing { .. } => [NotEnded::Nothing { machine: query("VM3") }],
        NotEnded::Several { .. } => [NotEnded::Several {
            all: vec![(ana(), "7F3K9-QXM2P".parse().unwrap()), (bea(), "7F3K9-QXM2Q".parse().unwrap())],
        }],
        NotEnded::NotEntitled { .. } => [NotEnded::NotEntitled { requester: ana() }],
        NotEnded::Undecided => [NotEnded::Undecided],
        NotEnded::AlreadyClosing => [NotEnded::AlreadyClosing],
        NotEnded::Over { .. } => [NotEnded::Over { at: at(CLOSED) }],
    });
    for why in ends {
        let kind = format!("{why:?}");
        album.sentence(
            &format!("nothing is ended: {}", kind.split([' ', '{']).next().unwrap()),
            &not_ended(&why, rule),
        );
    }
    let pending = record(&json!({"status": "PENDING"}));
    let ask = || pending.ask().unwrap().clone();
    let id = || pending.wish().id;
    let not = every!(NotMoved {
        NotMoved::NoSuchGrant { .. } => [NotMoved::NoSuchGrant { id: id() }],
        NotMoved::Nothing { .. } => [NotMoved::Nothing { machine: query("VM3") }],
        NotMoved::Several { .. } => [NotMoved::Several { all: vec![(ask(), id()), (ask(), id())] }],
        NotMoved::Undecided { .. } => [NotMoved::Undecided { id: id() }],
        NotMoved::Over { .. } => [NotMoved::Over { wish: Box::new(pending.wish().clone()) }],
        NotMoved::EndsSoon { .. } => [NotMoved::EndsSoon { at: at(EXPIRES) }],
        NotMoved::SameAddress { .. } => [NotMoved::SameAddress { ask: Box::new(ask()), to: ask().source }],
        NotMoved::Moving { .. } => [NotMoved::Moving { by: id() }],
        NotMoved::WhereTo { .. } => [NotMoved::WhereTo { grant: Closing::Request(id()) }],
    });
    for why in not {
        let kind = format!("{why:?}");
        album.message(
            &format!("nothing is moved: {}", kind.split([' ', '{']).next().unwrap()),
            &not_moved(&why),
        );
    }
    let offers = every!(NotTaken {
        NotTaken::Taken { .. } => [NotTaken::Taken { by: bea(), at: at(APPROVED) }],
        NotTaken::Lapsed => [NotTaken::Lapsed],
    });
    for why in offers {
        let kind = format!("{why:?}");
        album.sentence(
            &format!("an offer is not taken: {}", kind.split(' ').next().unwrap()),
            &order_not_taken(&why),
        );
    }
    album.sentence("nothing is ticked", &nothing_ticked());
    album.sentence("a box is of a machine that is gone", &box_unknown());
}

pub(super) fn fill(album: &mut Album) {
    commands(album);
    clicks(album);
    album.message("something broke", &broke("1a2b3c4d"));
    album.message("another workspace", &other_app());
    album.message("Slack opened no form", &no_form());
}
