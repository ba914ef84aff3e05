//! Event filter patterns, row by row.

use sandbox::aws::pattern::Pattern;
use serde_json::{Value, json};

#[test]
fn patterns_match_as_lambda_says() {
    let event = json!({
        "eventName": "MODIFY",
        "count": 5,
        "flag": true,
        "nothing": null,
        "empty": "",
        "list": ["a", "b"],
        "none": [],
        "dynamodb": {"NewImage": {"wake": {"S": "grant"}, "n": {"N": "12"}, "l": {"L": [{"S": "x"}, {"S": "y"}]}}},
    });
    let rows: Vec<(Value, bool)> = vec![
        (json!({"eventName": ["MODIFY"]}), true),
        (json!({"eventName": ["INSERT", "MODIFY"]}), true),
        (json!({"eventName": ["modify"]}), false),
        (json!({"eventName": ["INSERT"]}), false),
        (json!({"absent": ["MODIFY"]}), false),
        (json!({"flag": [true]}), true),
        (json!({"flag": ["true"]}), false),
        (json!({"nothing": [null]}), true),
        (json!({"absent": [null]}), false),
        (json!({"empty": [""]}), true),
        (json!({"count": [5]}), true),
        (json!({"count": [5.0]}), true),
        (json!({"count": ["5"]}), false),
        (json!({"list": ["b"]}), true),
        (json!({"list": ["c"]}), false),
        (json!({"dynamodb": {"NewImage": {"wake": {"S": ["grant"]}}}}), true),
        (json!({"dynamodb": {"NewImage": {"wake": {"S": ["notify"]}}}}), false),
        (json!({"dynamodb": {"OldImage": {"wake": {"S": ["grant"]}}}}), false),
        (json!({"dynamodb": {"NewImage": {"l": {"L": {"S": ["y"]}}}}}), true),
        (json!({"dynamodb": {"NewImage": {"l": {"L": {"S": ["z"]}}}}}), false),
        // DynamoDB's numbers are strings.
        (json!({"dynamodb": {"NewImage": {"n": {"N": ["12"]}}}}), true),
        (json!({"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 1]}]}}}}), false),
        (json!({"eventName": ["MODIFY"], "count": [6]}), false),
        (json!({"eventName": [{"prefix": "MOD"}]}), true),
        (json!({"eventName": [{"prefix": "mod"}]}), false),
        (json!({"eventName": [{"suffix": "IFY"}]}), true),
        (json!({"eventName": [{"suffix": "INSERT"}]}), false),
        (json!({"eventName": [{"equals-ignore-case": "modify"}]}), true),
        (json!({"eventName": [{"equals-ignore-case": "modif"}]}), false),
        (json!({"eventName": [{"anything-but": ["INSERT", "REMOVE"]}]}), true),
        (json!({"eventName": [{"anything-but": ["MODIFY"]}]}), false),
        (json!({"eventName": [{"anything-but": "MODIFY"}]}), false),
        (json!({"eventName": [{"anything-but": {"prefix": "MOD"}}]}), false),
        (json!({"eventName": [{"anything-but": {"prefix": "INS"}}]}), true),
        (json!({"absent": [{"anything-but": ["x"]}]}), false),
        (json!({"eventName": [{"exists": true}]}), true),
        (json!({"eventName": [{"exists": false}]}), false),
        (json!({"absent": [{"exists": false}]}), true),
        (json!({"absent": [{"exists": true}]}), false),
        (json!({"absent": {"deeper": [{"exists": false}]}}), true),
        (json!({"absent": {"deeper": [{"exists": true}]}}), false),
        (json!({"nothing": [{"exists": true}]}), true),
        // Only leaves exist for `exists`.
        (json!({"dynamodb": [{"exists": true}]}), false),
        (json!({"dynamodb": [{"exists": false}]}), false),
        (json!({"none": [{"exists": true}]}), false),
        (json!({"count": [{"numeric": ["=", 5]}]}), true),
        (json!({"count": [{"numeric": [">", 5]}]}), false),
        (json!({"count": [{"numeric": [">=", 5]}]}), true),
        (json!({"count": [{"numeric": [">", 0, "<=", 5]}]}), true),
        (json!({"count": [{"numeric": [">", 0, "<", 5]}]}), false),
        (json!({"eventName": [{"numeric": ["=", 5]}]}), false),
        (json!({"eventName": ["INSERT", {"prefix": "MO"}]}), true),
        (json!({"$or": [{"eventName": ["INSERT"]}, {"count": [5]}]}), true),
        (json!({"$or": [{"eventName": ["INSERT"]}, {"count": [6]}]}), false),
        (json!({"flag": [false], "$or": [{"eventName": ["MODIFY"]}, {"count": [5]}]}), false),
        (
            json!({"dynamodb": {"NewImage": {"$or": [{"wake": {"S": ["grant"]}}, {"tell": {"S": ["x"]}}]}}}),
            true,
        ),
    ];
    for (pattern, expected) in rows {
        let parsed = Pattern::parse(&pattern).unwrap();
        assert_eq!(parsed.matches(&event), expected, "{pattern}");
    }
}

#[test]
fn patterns_that_aws_would_refuse_are_refused() {
    for pattern in [
        json!([]),
        json!({}),
        json!({"a": "x"}),
        json!({"a": []}),
        json!({"a": {}}),
        json!({"a": [["x"]]}),
        json!({"a": [{"prefix": 1}]}),
        json!({"a": [{"prefix": "x", "suffix": "y"}]}),
        json!({"a": [{"wildcard": "*"}]}),
        json!({"a": [{"numeric": []}]}),
        json!({"a": [{"numeric": ["~", 1]}]}),
        json!({"a": [{"numeric": [">", "1"]}]}),
        json!({"a": [{"numeric": [">"]}]}),
        json!({"a": [{"anything-but": []}]}),
        json!({"a": [{"anything-but": [true]}]}),
        json!({"a": [{"anything-but": {"exists": true}}]}),
        json!({"a": [{"exists": "yes"}]}),
        json!({"$or": [{"a": ["x"]}]}),
        json!({"$or": {"a": ["x"]}}),
    ] {
        assert!(Pattern::parse(&pattern).is_err(), "{pattern}");
    }
}
