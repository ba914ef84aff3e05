//! Management locks: set and lifted by the owner, felt by everybody.

use super::error::ArmError;
use super::world::{Level, Lock, World};
use serde_json::{Value, json};

/// Refuses a write or a deletion of `id` that a lock forbids.
///
/// # Errors
/// 409 `ScopeLocked`, naming the locked scopes.
pub(super) fn check(world: &World, id: &str, deleting: bool) -> Result<(), ArmError> {
    let locked = world.locked(id, deleting);
    if locked.is_empty() {
        return Ok(());
    }
    let operation = if deleting { "delete" } else { "write" };
    Err(ArmError::gateway(
        409,
        "ScopeLocked",
        format!(
            "The scope '{id}' cannot perform {operation} operation because following scope(s) are locked: '{}'. Please remove the lock and try again.",
            locked.join(",")
        ),
    ))
}

fn place(world: &World, scope: &str, name: &str) -> Option<usize> {
    world
        .locks
        .iter()
        .position(|lock| lock.scope.eq_ignore_ascii_case(scope) && lock.name.eq_ignore_ascii_case(name))
}

fn view(lock: &Lock) -> Value {
    json!({ "name": lock.name, "id": format!("{}/providers/Microsoft.Authorization/locks/{}", lock.scope, lock.name),
        "type": "Microsoft.Authorization/locks", "properties": { "level": lock.level } })
}

/// GET of a lock.
pub(super) fn get(world: &World, scope: &str, name: &str) -> Result<Value, ArmError> {
    place(world, scope, name).map(|at| view(&world.locks[at])).ok_or_else(|| {
        ArmError::gateway(404, "LockNotFound", format!("The lock '{name}' could not be found."))
    })
}

/// PUT of a lock: 201 when it is new, else 200.
pub(super) fn put(
    world: &mut World,
    scope: &str,
    name: &str,
    body: &Value,
) -> Result<(u16, Value), ArmError> {
    let level = body.pointer("/properties/level").cloned().unwrap_or_default();
    let level: Level = serde_json::from_value(level.clone()).map_err(|_| {
        ArmError::gateway(
            400,
            "InvalidLockLevel",
            format!("The lock level '{}' is not valid.", level.as_str().unwrap_or_default()),
        )
    })?;
    let lock = Lock { name: name.to_owned(), scope: scope.to_owned(), level };
    let shown = view(&lock);
    if let Some(at) = place(world, scope, name) {
        world.locks[at] = lock;
        return Ok((200, shown));
    }
    world.locks.push(lock);
    Ok((201, shown))
}

/// DELETE of a lock: 200, or 204 when there is none.
pub(super) fn delete(world: &mut World, scope: &str, name: &str) -> u16 {
    let Some(at) = place(world, scope, name) else { return 204 };
    world.locks.remove(at);
    200
}
