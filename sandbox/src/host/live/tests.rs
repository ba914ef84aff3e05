use super::*;
use crate::azure::{NSG, RESOURCE_GROUP, SUBSCRIPTION_ID};
use crate::faults::{Fault, How, Part};
use crate::host::wiring::{self, World};
use crate::host::{Options, Sandbox};
use access::drive::Acted;
use access::nsg::{Flow, OurRule};
use access::request::{Ports, Protocol};
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::{Duration as TokenDuration, OffsetDateTime};
use std::sync::Arc;

/// A login that has its token already.
#[derive(Debug)]
struct Given(String);

#[async_trait::async_trait]
impl TokenCredential for Given {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(self.0.clone(), OffsetDateTime::now_utc() + TokenDuration::hours(1)))
    }
}

async fn place() -> (Sandbox, World, Live) {
    let (sandbox, world) = wiring::start(Options::default(), wiring::POLICY).await.unwrap();
    let nsg = format!(
        "/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.Network/networkSecurityGroups/{NSG}"
    );
    let target = Target::new(SUBSCRIPTION_ID, &nsg, Some(&sandbox.addresses().arm_url())).unwrap();
    let login = Arc::new(Given(world.azure.owner_token()));
    let operator = Operator { login, fence: target.fence.clone() };
    let env = Environment::of(target.variables()).with_operator(operator.clone());
    let (arm, installation) = (Arm::new(&env).unwrap(), INSTALLATION.parse().unwrap());
    (sandbox, world, Live { target, operator, arm, installation, machines: vec![] })
}

fn rule(live: &Live) -> OurRule {
    let flow = Flow {
        source: "192.0.2.1".parse().unwrap(),
        destination: "10.0.0.4".parse().unwrap(),
        protocol: Protocol::Tcp,
        ports: Ports::new(vec![22]).unwrap(),
        member_of: None,
    };
    let name = RuleName::new(&live.installation, "7F3K9-QXM2P".parse().unwrap());
    let ends_at = access::lease::Timestamp::from_unix(4_102_444_800);
    OurRule::trial(live.target.nsg.clone(), name, 499, flow, ends_at)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_an_answer_that_lands_late_is_shut() {
    let (sandbox, world, live) = place().await;
    let how = How::Late { milliseconds: 800 };
    sandbox.faults().order(Fault {
        part: Part::Arm,
        method: Some("PUT".to_owned()),
        path: None,
        how,
        count: 1,
    });
    assert_eq!(live.arm.put_rule(&rule(&live)).await, Acted::Unknown);
    assert!(!live.end_writing().await, "so the group must be watched");
    assert!(live.ours().await.unwrap().is_empty(), "nothing stands yet");
    let mut told = vec![];
    live.clear(Duration::from_secs(2), &mut |_, what| told.push(what)).await.unwrap();
    assert_eq!(told, ["DELETE jit-laptop-7F3K9-QXM2P: accepted", "jit-laptop-7F3K9-QXM2P is gone"]);
    assert!(!world.azure.state().to_string().contains("jit-laptop-"));
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_once_writing_has_ended() {
    let (sandbox, world, live) = place().await;
    assert!(live.end_writing().await);
    assert_ne!(live.arm.put_rule(&rule(&live)).await, Acted::Done);
    assert!(world.azure.journal().is_empty(), "{:?}", world.azure.journal());
    sandbox.stop().await;
}
