//! What survives the end of the process.

use crate::lab::{Lab, until};
use sandbox::azure::What;
use serde_json::json;
use std::path::PathBuf;

/// A directory of its own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("azure-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn everything_is_as_it_was_after_a_restart() {
    let directory = Directory::new("restart");
    let lab = Lab::with(Some(directory.0.clone()), |settings| settings.provisioning_ms = 600_000).await;
    let (port, token) = (lab.azure.loopback("VM3", 22).unwrap(), lab.azure.owner_token());
    let keys = lab.entra_get("/.well-known/jwks.json").await.json();
    lab.azure.add_nsg("Other");
    let put = lab.put_rule("r", &json!({})).await;
    assert_eq!(lab.azure.journal().len(), 1);
    let operation = put.headers["azure-asyncoperation"].replace(&lab.arm, "");
    lab.stop().await;

    let at_once = |settings: &mut sandbox::azure::Settings| {
        (settings.provisioning_ms, settings.allow_late_by_seconds) = (0, 0);
    };
    let lab = Lab::with(Some(directory.0.clone()), at_once).await;
    assert_eq!(lab.entra_get("/.well-known/jwks.json").await.json(), keys);
    let bearer = format!("Bearer {token}");
    let polled = lab.arm_raw("GET", &operation, &[("authorization", &bearer)], None).await.unwrap();
    assert_eq!(polled.json(), json!({"status": "Succeeded"}), "what was under way has ended");
    assert_eq!(
        lab.azure.journal().iter().map(|entry| entry.what).collect::<Vec<_>>(),
        [What::PutNew, What::Enforced]
    );
    assert_eq!(lab.get(&Lab::nsg().replace("Contoso-NSG", "Other")).await.status, 200);
    assert_eq!(lab.azure.loopback("VM3", 22).unwrap(), port);
    until("the port is open again", || async { tokio::net::TcpStream::connect(port).await.is_ok() }).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let directory = Directory::new("broken");
    std::fs::create_dir_all(&directory.0).unwrap();
    std::fs::write(directory.0.join("azure.json"), "{").unwrap();
    let options = sandbox::azure::Options {
        now_ms: std::sync::Arc::new(|| 0),
        wait: std::sync::Arc::new(|_| Box::pin(std::future::pending())),
        faults: sandbox::faults::Faults::default(),
        data_dir: Some(directory.0.clone()),
        settings: sandbox::azure::Settings::default(),
    };
    let error = sandbox::azure::Azure::start(options).await.err().unwrap();
    assert!(error.contains("azure.json"), "{error}");
}
