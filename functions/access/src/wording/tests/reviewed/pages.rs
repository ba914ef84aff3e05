//! The page on which a requester confirms where they come from.

use super::samples::*;
use super::*;
use crate::address::NotSent;

pub(super) fn fill(album: &mut Album) {
    let pending = record(&json!({"status": "PENDING"}));
    let went_past = glass(&json!({"status": "PENDING"}));
    album.page("is this your address?", &confirm_address(pending.ask().unwrap()));
    album.page("the same of a break-glass", &confirm_address(went_past.ask().unwrap()));
    let moved = record(&moving(&json!({"status": "PENDING"})));
    album.page("the same of a move", &confirm_address(moved.ask().unwrap()));
    album.page("sent", &address_sent(pending.ask().unwrap()));
    album.page("a break-glass has its address", &address_sent(went_past.ask().unwrap()));
    let draft = record(&json!({"status": "DRAFT", "source": null}));
    let all = every!(NotSent {
        NotSent::Unknown => [NotSent::Unknown],
        NotSent::Expired => [NotSent::Expired],
        NotSent::Used => [NotSent::Used],
        NotSent::TakenBack => [NotSent::TakenBack],
        NotSent::OtherSite => [NotSent::OtherSite],
        NotSent::Unusable => [NotSent::Unusable],
        NotSent::OtherFamily { .. } => [NotSent::OtherFamily { has_ipv4: true }, NotSent::OtherFamily { has_ipv4: false }],
        NotSent::Outside { .. } => [NotSent::Outside { allowed: vec!["203.0.113.0/24".parse().unwrap()] }],
        NotSent::SameAddress { .. } => [NotSent::SameAddress { grant: "7F3K9-QXM2Q".parse().unwrap() }],
        NotSent::Changed => [NotSent::Changed],
        NotSent::GroupsUnknown => [NotSent::GroupsUnknown],
    });
    for why in all {
        let kind = format!("{why:?}");
        let seen = if matches!(why, NotSent::OtherFamily { has_ipv4: true }) {
            "2001:db8::7"
        } else {
            "198.51.100.9"
        };
        let of = if why == NotSent::Used { &pending } else { &draft };
        let shown = not_sent(&why, seen, Some(of).filter(|_| why != NotSent::Unknown));
        album.page(&format!("not sent: {}", kind.split([' ', '{']).next().unwrap()), &shown);
    }
    album.page("something broke", &address_broke("1a2b3c4d"));
}
