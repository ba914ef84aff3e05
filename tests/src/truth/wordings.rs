//! Every wording that people are told, and what each claims of the network. One that is not here is an
//! error.

use super::Claim;

/// Every wording about a request: `{kind}` or `{kind:name}` stands for what differs.
pub(super) const REQUEST: &[(&str, Claim)] = &[
    ("{place}: waiting for approval. {user} asks for {any}.{any} Ref {ref}", Claim::NoRule),
    (
        "{place}: approved, checking. Approved. The approval and the machine are checked before a rule is written; this card says when it is in place. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place}: approved, opening. Approved. The rule is being written in Azure; this card says when it is in place. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place}: approved, waiting for Azure. Approved. Azure takes no changes for now; tried again at {time}. This card says when the rule is in place. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place}: approved, opening. Approved. The rule is being written in Azure; this card says when it is in place. {already} Ref {ref}",
        Claim::OpenAlready,
    ),
    (
        "{place} is open. Open for {user} from {code:source} since {time:since} until {time:until}. {says}: rule {code:rule} in {codes:groups}, decided by {decided:by}. Azure can take a minute or two until it is felt. {already} Ref {ref}",
        Claim::Open,
    ),
    (
        "{place} is open. Open for {user} from {code:source} since {time:since} until {time:until}. {says}: rule {code:rule} in {codes:groups}, decided by {decided:by}. Azure can take a minute or two until it is felt. {already} Connect {any}. Ref {ref}",
        Claim::Open,
    ),
    (
        "{place} is open. Open for {user} from {code:source} since {time:since} until {time:until}. {says}: rule {code:rule} in {codes:groups}, decided by {decided:by}. Azure can take a minute or two until it is felt. Ref {ref}",
        Claim::Open,
    ),
    (
        "{place} is open. Open for {user} from {code:source} since {time:since} until {time:until}. {says}: rule {code:rule} in {codes:groups}, decided by {decided:by}. Azure can take a minute or two until it is felt. Connect {any}. Ref {ref}",
        Claim::Open,
    ),
    (
        "{place}: closing. It was open until {time:until}. The rule is being removed. Ref {ref}",
        Claim::WasOpen,
    ),
    ("{place}: closing. {why} Making sure that it is shut. Ref {ref}", Claim::Nothing),
    (
        "{place}: grant shut, rule not yet removed. {why} The rule denies now; a lock in Azure forbids to remove it. Tried again each hour. Ref {ref}",
        Claim::Denied,
    ),
    (
        "{place} should be shut and is not. It should have shut at {time:until} and has not. {why} Tried again each minute. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "{place} may still be open. It should have shut at {time:past}; Azure has not said that it has. {why} Tried again each minute. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place} should be shut and is not. It should have shut at {time:until} and has not. {why} Azure takes no changes for now; tried again at {time}. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "{place} may still be open. It should have shut at {time:past}; Azure has not said that it has. {why} Azure takes no changes for now; tried again at {time}. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place}: grant shut, rule not yet removed. {why} The rule denies now; Azure refuses to remove it ({any}). Tried again each hour. Ref {ref}",
        Claim::Denied,
    ),
    (
        "{place}: grant shut, rule not yet removed. {why} The rule denies now; Azure has not removed it yet. Tried again each hour. Ref {ref}",
        Claim::Denied,
    ),
    (
        "{place} should be shut and is not. It was shut at {time:past}; then a delayed write in Azure brought its rule back, and Azure refuses to remove it. Tried again each minute. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "{place}: grant shut, rule not yet removed. It was shut at {time:past}; then a delayed write in Azure brought its rule back. The rule denies now; Azure refuses to remove it. Tried again each hour. Ref {ref}",
        Claim::Denied,
    ),
    (
        "{place}: not asked yet. {user} has not confirmed an address to connect from. Nobody is asked to approve before that. Ref {ref}",
        Claim::NoRule,
    ),
    // A break-glass, before and after its requester has pressed the button.
    (
        "{place}: not opened yet. {user} may open {any} without approval (break-glass), and has not pressed the button. Nobody is asked to approve. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "{place}: break-glass, checking. {user} opens it without approval (break-glass). The break-glass and the machine are checked before a rule is written; this card says when it is in place. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place}: break-glass, opening. {user} opens it without approval (break-glass). The rule is being written in Azure; this card says when it is in place. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place}: break-glass, waiting for Azure. {user} opens it without approval (break-glass). Azure takes no changes for now; tried again at {time}. This card says when the rule is in place. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place}: break-glass, opening. {user} opens it without approval (break-glass). The rule is being written in Azure; this card says when it is in place. {already} Ref {ref}",
        Claim::OpenAlready,
    ),
    // A move without approval, before and after its requester has pressed the button.
    (
        "{place}: not moved yet. {user} may move {any} here without another approval, and has not pressed the button. Nobody is asked to approve. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "{place}: moving, checking. {user} moves it without another approval. The move and the machine are checked before a rule is written; this card says when it is in place. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place}: moving, opening. {user} moves it without another approval. The rule is being written in Azure; this card says when it is in place. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place}: moving, waiting for Azure. {user} moves it without another approval. Azure takes no changes for now; tried again at {time}. This card says when the rule is in place. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place}: moving, opening. {user} moves it without another approval. The rule is being written in Azure; this card says when it is in place. {already} Ref {ref}",
        Claim::OpenAlready,
    ),
    (
        "{user} has gone past approval (break-glass) for {any}. You could have approved it, so you are told. It ends by itself, at {time} at the latest. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{user} has gone past approval (break-glass) for {any}. More people could have approved it than are told one by one; these too: {any}. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "You asked for {any} without approval (break-glass). Nobody will be asked; {any} told{any} who opened it and why. Press the button to open it; if you do not by {time}, it lapses. Ref {ref}",
        Claim::NoRule,
    ),
    // Beside the card: in the channel.
    (
        "{place} should have shut at {time:past} and has not. {hindrance} Whoever may change {codes} can delete {code} there by hand. Ajar tries again each minute and says here when it is shut. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "{place} should have shut at {time:past} and has not. {hindrance} Then whoever may change {codes} can delete {code} there by hand. Ajar tries again each minute and says here when it is shut. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "{place} may still be open: it should have shut at {time:past}. {hindrance} Whoever may change {codes} can delete {code} there by hand. Ajar tries again each minute and says here when it is shut. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "{place} should be shut and is not. A delayed write in Azure brought its rule {code} back, and Azure refuses to remove it. Whoever may change {codes} can delete {code} there by hand. Ajar tries again each minute and says here when it is shut. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "{place}: the overdue grant is shut at last. Its rule {code} was removed by {time:past}. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "{place}: the overdue grant is shut at last. Its rule {code} denies now; Azure does not let it be removed yet. Ref {ref}",
        Claim::Denied,
    ),
    // Of a rule that no record answers for.
    (
        "The rule {code} in {code:group} was found, and none of Ajar's requests answers for it. By what it says, {code:operator} has opened it past all approvals (break-glass), because {any}. By what it says it ends at {time}, and Ajar removes it then. Whoever does not know of it should delete it in Azure now. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "The rule {code} in {code:group} was found, and none of Ajar's requests answers for it. By what it says it ends at {time}, and Ajar removes it then. Whoever does not know of it should delete it in Azure now. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "The rule {code} in {code:group} was found, and none of Ajar's requests answers for it. By what it says it has ended at {time:past}; Ajar removes it now. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "The rule {code} in {code:group} was found, and none of Ajar's requests answers for it. It says no end that can be believed; Ajar removes it now. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "The rule {code} in {code:group} was found, and none of Ajar's requests answers for it. It lets nobody in; Ajar removes it. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "The rule {code} in {code:group}, which none of Ajar's requests answers for, was gone by {time:past}. Ref {ref}",
        Claim::GoneFromGroup,
    ),
    (
        "The rule {code} in {code:group}, which none of Ajar's requests answers for, should be gone and is not: Azure refuses to remove it ({any}). Whoever may change {code} can delete it there by hand. Ajar tries again each minute and says here when it is gone. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "The rule {code} in {code:group}, which none of Ajar's requests answers for, should be gone, and Azure does not say that it is. Whoever may change {code} can delete it there by hand. Ajar tries again each minute and says here when it is gone. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "Somebody has taken the request of the rule {code} in {code:group} out of the list of what Ajar looks at each minute. It is back there, and ends as it was approved. Ask who can write Ajar's table. Ref {ref}",
        Claim::Nothing,
    ),
    ("{place}: lapsed. Nobody decided by {time:past}. Nothing was opened. Ref {ref}", Claim::NeverOpened),
    (
        "{place}: taken back. The requester took it back at {time:past}. Nothing was opened. Ref {ref}",
        Claim::NeverOpened,
    ),
    ("{place}: denied. {user} denied it at {time:past}. Nothing was opened. Ref {ref}", Claim::NeverOpened),
    (
        "{place}: denied. {user} denied it at {time:past}: {any}. Nothing was opened. Ref {ref}",
        Claim::NeverOpened,
    ),
    (
        "{place}: not approved. {user} said at {time:past} that the approval in their name is not theirs. Nothing was opened. Ref {ref}",
        Claim::NeverOpened,
    ),
    (
        "{place} shuts at {time}. Sessions that are open then are not cut, but nobody gets in anew. If you need it longer, type the line again. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "{place} shuts at {time}. Sessions that are open then are not cut, but nobody gets in anew. If you need it longer, press *Ask for more*: the same is asked for once more, and approved anew. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "{user} still waits for {any}. {any} can decide. Nobody is let in until then; it lapses at {time}. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "{user} still waits for {any}. {any} can decide. {any} of {any} approvals so far. Nobody is let in until then; it lapses at {time}. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "You approved {any} for {user} at {time:past}. If that was not you, press *Not me*: what it opened is shut, everybody is told, and your clicks do not count until an admin lifts that. Ref {ref}",
        Claim::Nothing,
    ),
    ("{place}: not opened. {why} Nothing was opened. Ref {ref}", Claim::NeverOpened),
    (
        "{place} is shut. {why} Shut at {time:past}. {says}: {code:rule} decides. Sessions that were open then are not cut. Ref {ref}",
        Claim::Shut,
    ),
    (
        "{place}: the grant has ended. {why} Our rule was removed at {time:past}; {any} is still open by the rule {code:rule}. Ref {ref}",
        Claim::OpenByAnother,
    ),
    (
        "{place}: the grant has ended. {why} Our rule was removed at {time:past}. Whether another rule still lets somebody in could not be told. Ref {ref}",
        Claim::NoRule,
    ),
    // Told later than at once: what was true at the end.
    (
        "{place} was shut. {why} Shut at {time:past}. {says}: {code} decides. Sessions that were open then are not cut. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "{place}: the grant has ended. {why} Our rule was removed at {time:past}; {any} was still open by the rule {code}. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "This was an old card of a request. Its buttons did nothing any more, and nothing was changed; the request's newest card counts. Ref {ref}",
        Claim::Nothing,
    ),
    // Answers to a command.
    (
        "You asked for {any}. {any} can approve it. If nobody decides by {time}, it lapses. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "You asked for {any}. The policy lets you move it there without another approval. Press the button to move it; if you do not by {time}, it lapses. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "You asked for {any}. From which address? <{any}|Open this page>, which sees yours, and confirm it there; nobody is asked before. The link works once, until {time}. Or type {code} with the address that the Internet sees. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "You asked for {any} without approval (break-glass). From which address? <{any}|Open this page>, which sees yours, and confirm it there; nothing is opened before. The link works once, until {time}. Or type {code} with the address that the Internet sees. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "You asked for {any} from {any} already, at {time:past}; that request waits for a decision. From another address, type {code} with it. Ref {ref}",
        Claim::NoRule,
    ),
    (
        "You asked for {any} from {any} already, at {time:past}; that request is being opened. From another address, type {code} with it. Ref {ref}",
        Claim::Nothing,
    ),
    (
        "You asked for {any} from {any} already, at {time:past}; that request is open. From another address, type {code} with it. Ref {ref}",
        Claim::RuleStands,
    ),
    (
        "You asked for {any} already, at {time:past}; that request waits for a decision. Ref {ref}",
        Claim::NoRule,
    ),
    ("You asked for {any} already, at {time:past}; that request is being opened. Ref {ref}", Claim::Nothing),
    ("You asked for {any} already, at {time:past}; that request is open. Ref {ref}", Claim::RuleStands),
    (
        "Something broke on our side. Type it again in a minute: the same request is not made twice. Ref {any}",
        Claim::Nothing,
    ),
];

/// What a card says after its sentences: the terms, and notes.
pub(super) const TERMS: &str = " Who: {user:asker}; Machine: {code:box} in {code:box}; Subscription: {code:sub}; Ports: {any:terms} ({any:terms}); From: {code:from}; For: {any:terms}.";

/// Why a grant ended.
pub(super) const WHY: &[&str] = &[
    "Its time is over.",
    "{user} ended it early.",
    "{user} moved it to another address, with {any}.",
    "{user} says that the approval in their name is not theirs.",
    "Somebody else changed its rule in Azure.",
    "Somebody else deleted its rule in Azure.",
    "The approval does not hold: {any}.",
    "{user} has locked it down: nothing is opened until an admin lifts that.",
    "The break-glass does not hold: {any}.",
    "The move does not hold: {any}.",
    "Azure refused the rule (SecurityRuleCountLimitReached). The security group is full: it holds 1,000 rules. Ask its owner to delete some.",
    "Azure refused the rule (AuthorizationFailed). Ask an Azure admin to give Ajar its role on this security group.",
    "Azure refused the rule (LinkedAuthorizationFailed). Ask an Azure admin to give Ajar its role on this security group.",
    "Azure refused the rule (RequestDisallowedByPolicy). A policy in Azure forbids such a rule. Ask an Azure admin for an exemption.",
    "Azure refused the rule (ScopeLocked). A lock in Azure forbids to change the security group. Ask its owner to take it off.",
    "Azure refused the rule (SubscriptionNotFound). Ajar does not see the subscription. Ask an Azure admin to give Ajar its role there.",
    "Azure refused the rule (SecurityRuleConflict). Somebody else writes rules to the security group just now. Ask again in a minute.",
    "Azure refused the rule ({any}). Show this to whoever installed Ajar.",
    "Azure did not answer, three times in a row.",
    "Azure takes no changes before its time would be over. Ask again in ten minutes.",
    "The rule {code} decides before ours.",
    "Azure says that {code} denies the connection although our rule was in place: ask whoever runs the network.",
    "The rule {code} came before ours.",
    "The machine does not exist any more in Azure.",
    "The machine is {any}: start it in Azure, then ask again.",
    "The machine's private address is not the one that was approved.",
    "Nothing shields the machine: it is already open.",
    "The security groups on the way have changed meanwhile.",
    "The way to the machine has changed meanwhile.",
    "In {code} no number is free before the rule {code}, which denies.",
    "The way to the machine leads through {code}, and this installation may only touch {code}.",
];

/// What keeps a grant from being shut.
pub(super) const HINDRANCES: &[&str] = &[
    "A lock in Azure keeps its rule {code}. Whoever may remove locks there must take it off now.",
    "Azure does not allow Ajar to remove its rule {code} ({any}). Whoever assigns roles there must give Ajar's identities theirs back now.",
    "A policy in Azure keeps its rule {code}. Whoever keeps that policy must exempt the group now.",
    "Azure refuses to remove its rule {code} ({any}).",
    "Azure has taken the removal of its rule {code} and has not finished it.",
    "Azure gives no answer that tells whether its rule {code} is gone.",
];

/// Sentences that are about no state of a request: to one person, about a click or a command.
pub(super) const OTHER: &[&str] = &[
    "This request does not exist any more. Nothing was changed.",
    "This card does not show what the request says now, so it cannot be decided from here. Nothing was changed.",
    "You asked for this yourself; somebody else has to decide.",
    "You cannot decide on this request; {any} can.",
    "You have approved this already; it waits for somebody else.",
    "Too late: this request lapsed at {time:past}. Nothing was opened.",
    "Too late: {user} approved this at {time:past}.",
    "Too late: {user} has gone past approval for this at {time:past}.",
    "Too few people could approve this: it takes {any} besides you, and there is 1. The policy names {any}; ask an admin to name more. Nothing was recorded.",
    "Too few people could approve this: it takes {any} besides you, and there are {any}. The policy names {any}; ask an admin to name more. Nothing was recorded.",
    "You may not open this machine without approval: only {any} may. Type the same line without {code} to ask for approval.",
    "Too late: {user} denied this at {time:past}.",
    "Too late: this request ended at {time:past}.",
    "Slack did not say who may decide on this. Nothing was changed; click again in a minute.",
    // By what Slack said of its groups a while ago.
    "Slack was asked anew who is in the groups that the policy names, and that has changed. Try it again now.",
    "It is not known yet who is in the groups that the policy names. Nothing was recorded; Slack is being asked: type it again in a minute.",
    "You may not ask for this machine; {any} may. If somebody has just been added to a group that is named here: Slack is asked who is in it now; {any}.",
    "Too few people could approve this: it takes {any} besides you, and there are {any}. The policy names {any}; ask an admin to name more. Nothing was recorded. If somebody has just been added to a group that is named here: Slack is asked who is in it now; {any}.",
    "You may not open this machine without approval: only {any} may. Type the same line without {code} to ask for approval. If somebody has just been added to a group that is named here: Slack is asked who is in it now; {any}.",
    "*Ajar* opens a port on a machine for you, from one address, for a while, after a colleague has approved.{any}",
    // Ending early, and taking back.
    "You have taken {any} back. Nothing was opened. Ref {ref}",
    "You have ended {any}. It is being shut; its card says when it is. Ref {ref}",
    "There is no such request. Type {code} with the machine, like {code}.",
    "Nothing that you could end waits or is open on {code}. Only who asked for it, who could approve it and admins end a grant.",
    "Several people have it open, or about to be. Type {any}.",
    "You cannot end this; {any} can.",
    "It waits for a decision. Press *Deny* on its card.",
    "It is being shut already; its card says when it is.",
    "Too late: it has ended at {time:past} already.",
    // Moving to another address.
    "You have no grant {any} to move. Only who asked for a grant moves it; {code} shows yours.",
    "Nothing of yours is open on {code}. Only who asked for a grant moves it; {code} shows yours.",
    "You have several grants there. Type {any}.",
    "It is not granted yet, so there is nothing to move. Take it back with {code}, and ask from the other address.",
    "It has ended, or is being shut, so it cannot be moved. Ask anew: {code}.",
    "It ends at {time}, in less than a minute, so it cannot be moved any more. Ask anew then.",
    "{any} is granted for {code} already, so there is nothing to move. Ref {ref}",
    "{any} is granted for {code} with {code} already, so there is nothing to move. Ref {ref}",
    "Another request of yours moves it already. Take that one back first, with {code}. Ref {ref}",
    "The policy does not let you move this without approval. Take it back with {code} and its reference; then the same line asks for approval. Ref {ref}",
    "Too late: {user} has moved this at {time:past}.",
    // Asking once more.
    "Only {user} can ask for this again. Type {code} for yourself.",
    "You have asked for {any} again already. Ref {ref}",
    // Approvals that are not their approver's.
    "*Not me*: {user} said at {time:past} that the approval in their name of what {user} asked for on {any} is not theirs. Ajar shuts whatever it opened; its card says when that is shut. Clicks of {user} do not count until an admin types {code}. Somebody may be using their Slack account, or know the secret that Slack signs with: find out now. Admins: {any}. Ref {ref}",
    "{user} has lifted at {time:past} that clicks of {user} do not count, as it was since {time:past}. Ref {ref}",
    "Ajar shuts what was opened with it, and tells everybody. Your clicks do not count until an admin lifts that. Change your Slack password and end your other sessions now.",
    "Nobody has approved this in your name. Nothing was changed.",
    "Clicks of {user} count again. The channel is told.",
    "Clicks of {user} count already.",
    "Your clicks do not count since {time:past}, because an approval in your name was not yours. Nothing was changed; ask an admin to type {code}.",
    "Slack did not open the form. Nothing was changed; try again.",
    // What a request may not exceed.
    "Nothing is enabled on this machine. Ask an admin to type {code} with its name.",
    "Port {any} is not offered on this machine; {any} can be asked for.",
    "That is longer than allowed; the longest here is {any}. Type {code} or less.",
    "{code} is not among the addresses that may be let in here; these are: {any}.",
    "{user} has locked down {any} at {time:past}: nothing is opened until an admin lifts that. Nothing was recorded.",
    "*Lockdown*: {user} has locked down {any} at {time:past}. Ajar ends what was open by grants then, and each card says when it is shut. Nothing is opened until an admin types {code}. Sessions that are open are not cut. Ref {ref}",
    "*Lockdown lifted*: {user} has lifted at {time:past} what {user} had locked down at {time:past}: {any}. Access can be asked for again. Ref {ref}",
    // Of what is looked at.
    "You have no request that waits or is open, and none that ended in the last 7 days. Ask with {code}.",
    "Nothing waits or is open on machines that you can approve for.",
    "Nothing waits or is open on any machine.",
    "The policy lets you approve nothing, so there is nothing more to list. {code} shows your own requests.",
    "Slack did not say what you may decide on, which Ajar asks it every 15 minutes. Try again in a quarter of an hour.",
    "Ajar has no request {any} to show you. A request is shown to its requester, to those who can approve it, and to admins.",
    "Looking; the answer comes here in a few seconds.",
    "{user} has locked down {any} at {time:past}: nothing is opened until an admin lifts that. Looking; the answer comes here in a few seconds.",
    "Slack gave no address for the answer, so nothing was looked at. Type it again.",
    "You may not ask for this machine; {any} may.",
    "There is no machine {code:missing} here. Did you mean {any}? Ask an admin whether Ajar knows its subscription.",
    // To admins and those who are none.
    "The machines {code} are locked down: Ajar ends what is open by grants, and nothing is opened until an admin types {code}. The channel is told.",
    "{any} is locked down: Ajar ends what is open by grants, and nothing is opened until an admin types {code}. The channel is told.",
    "{any} is lifted. What was shut stays shut until somebody asks again.",
    "Nothing is locked down.",
    "That is not locked down. Type {any}.",
    "Only admins can do this: {any}.",
    "Only admins can do this: {any}. Somebody who has just been added to a group counts within a quarter of an hour.",
    "Nothing is enabled on {any}, so there is nothing to take back.",
    "No machine is ticked. Tick one or more, then press *Enable JIT on the ticked machines*.",
    "A machine that you ticked is not in the list any more. Type {code} for the machines there are now.",
    "{any} does not exist any more in Azure; that was seen at {time:past}.",
    "Slack did not say who is an admin, which Ajar asks it every 15 minutes. Nothing was changed; try again in a quarter of an hour.",
    // Answers to a command about a machine that cannot be asked for as it was seen.
    "There is no machine {code} here. Ajar looks again now and tells you what it finds.",
    "There is no machine {code} here. Did you mean {any}? Ajar looks again now and tells you what it finds.",
    "There is no machine {code} here. Ask an admin whether Ajar knows its subscription.",
    "There is no machine {code} here. Did you mean {any}? Ask an admin whether Ajar knows its subscription.",
    "Nothing is enabled on {any}. Ask an admin to type {code}.",
    "There are several machines {code}. Type {any}.",
    "{any} is reached by {any} only, and {code} is not. Type your {any} address: {code}.",
    "{any} does not exist any more in Azure; that was seen at {time:past}. Ajar looks again now and tells you what it finds.",
    "{any} was {any} when Ajar looked at {time:past}. Start it in Azure, then ask again. Ajar looks again now and tells you what it finds.",
    "{any} had no network address when Ajar looked at {time:past}. Ajar looks again now and tells you what it finds.",
    "Nothing shields {any}: it is already open. No network security group was on the way to it when Ajar looked at {time:past}. Ajar looks again now and tells you what it finds.",
    // And what came of looking again.
    "Ajar has looked again: {any:there} can be asked for now. Type {code} again.",
    "Ajar has looked again. There is no machine {code:missing} here. Ask an admin whether Ajar knows its subscription.",
    "Ajar has looked again. There is no machine {code:missing} here. Did you mean {any}? Ask an admin whether Ajar knows its subscription.",
    "Ajar has looked again. There are several machines {code:there}. Type {any}.",
    "Ajar has looked again. {any:missing} does not exist any more in Azure; that was seen at {time:past}.",
    "Ajar has looked again. {any:there} was {any} when Ajar looked at {time:past}. Start it in Azure, then ask again.",
    "Ajar has looked again. {any:there} had no network address when Ajar looked at {time:past}.",
    "Ajar has looked again. Nothing shields {any:there}: it is already open. No network security group was on the way to it when Ajar looked at {time:past}.",
    "Ajar has looked again. No rule of the policy is about {code:there}, so nobody can ask for it. Ask an admin to add one.",
    "Ajar could not look again: Azure did not answer. Type {code} again in a few minutes.",
];
