"""The deployed policies, read back from the emulator and evaluated for the questions that it does not ask.

Understands exactly what infra/terraform uses and refuses the rest, so that nothing is allowed by oversight.
"""
import fnmatch


def documents(iam, role):
    """The statements of a role's inline policies."""
    found = []
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        found += iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    return found


def listed(value):
    return value if isinstance(value, list) else [value]


def condition_met(operator, key, wanted, context):
    """One condition. `context[key]` is a list of values; an absent key is no list at all."""
    have, wanted = context.get(key), listed(wanted)
    if operator == "Null":
        return (have is None) == (wanted == ["true"])
    every = operator.startswith("ForAllValues:")
    plain = operator.removeprefix("ForAllValues:")
    test = {
        "StringEquals": lambda value: value in wanted,
        "StringLike": lambda value: any(fnmatch.fnmatchcase(value, pattern) for pattern in wanted),
        "ArnEquals": lambda value: value in wanted,
        "NumericLessThanEquals": lambda value: any(float(value) <= float(limit) for limit in wanted),
    }[plain]
    if have is None:
        return every  # IAM: an absent key meets ForAllValues and nothing else
    return all(map(test, have)) if every else any(map(test, have))


def allows(statements, action, resource, context):
    """Whether the statements allow `action` on `resource`; there are no Deny statements to weigh."""
    for one in statements:
        assert one["Effect"] == "Allow" and not set(one) - {"Sid", "Effect", "Action", "Resource", "Condition"}, one
        if not any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in listed(one["Action"])):
            continue
        if not any(fnmatch.fnmatchcase(resource, pattern) for pattern in listed(one["Resource"])):
            continue
        if all(condition_met(operator, key, wanted, context)
               for operator, keys in one.get("Condition", {}).items() for key, wanted in keys.items()):
            return True
    return False
