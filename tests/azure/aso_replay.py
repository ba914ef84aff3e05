#!/usr/bin/env python3
"""aso_replay.py TRANSCRIPT: sends the requests of a recording of the real Azure to the sandbox and compares the answers.

AJAR_SANDBOX_URL names a running sandbox. Compared are status, names of headers, and the body: its keys, their order,
and its values, after ids were rewritten to the sandbox's subscription, group and region and GUIDs were masked. Etags are
masked so that two that were the same must be the same again. What differs and may is listed here, each with its reason;
a difference that is not listed fails, and so does a listed one that no longer occurs.
"""
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request

GUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
LONGEST_OPERATION_SECONDS = 60

# Headers that the recorder took out, or that say how the message travelled.
STRIPPED = re.compile(r"^(x-ms-(request-id|correlation-request-id|routing-request-id|ratelimit-.*)|date|content-length|connection)$")
# Differences that stay.
REASONS = {
    "header server is missing": "the gateway no longer names it (recording of the Azure CLI, 2026)",
    "header retry-after is missing": "a write of 2026 carries none; `Settings::retry_after_seconds` brings it back",
    "header x-cache is new": "sent since about 2024 (recording of the Azure CLI, 2026)",
    "header x-ms-operation-identifier is new": "sent in 2026 (recording of the Azure CLI)",
    "header x-ms-arm-service-request-id is new": "sent since 2022 (recordings of the Azure CLI)",
    "header x-msedge-ref is new": "sent in 2026 (recording of the Azure CLI)",
    "header x-ms-failure-cause is new": "the network provider says `service` since about 2024",
}


def get_json(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


class Replay:
    def __init__(self, about):
        self.about = about
        self.addresses = {}
        self.masks = {"ours": {}, "theirs": {}}

    def rewrite(self, text):
        """The lab's names for the recording's."""
        group = "/resourceGroups/Contoso-IaaS/providers"
        text = text.replace("https://management.azure.com", self.about["arm_url"])
        text = text.replace("00000000-0000-0000-0000-000000000000", self.about["subscription_id"])
        # The group itself is gone at the recording's end, and the lab has never heard of it: that one stays.
        text = re.sub(r"/resourceGroups/asotest-rg-\w+/providers", group, text)
        text = re.sub(r"(under resource group ')asotest-rg-\w+", r"\1Contoso-IaaS", text)
        return text.replace("westus2", "westeurope")

    def call(self, method, url, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers={
            "authorization": f"Bearer {self.about['arm_token']}", "content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, headers, text = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            status, headers, text = answer.code, answer.headers, answer.read()
        return status, {name.lower(): value for name, value in headers.items()}, json.loads(text) if text else None

    def masked(self, side, value):
        """A value with its GUIDs masked; an etag gets a number in the order in which it was first seen."""
        if isinstance(value, dict):
            return {name: self.masked(side, inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.masked(side, inner) for inner in value]
        if isinstance(value, str):
            if value.startswith('W/"'):
                known = self.masks[side]
                return f"etag {known.setdefault(value, len(known) + 1)}"
            value = value.replace(self.about["subscription_id"], "SUBSCRIPTION")
            return GUID.sub("GUID", value)
        return value

    def exchange(self, recorded):
        """Differences of one exchange."""
        url = self.rewrite(recorded["url"])
        theirs_headers = {name.lower(): value for name, value in recorded["headers"].items()}
        operation = re.search(r"/operations/([0-9a-f-]+)", url)
        if operation:
            url = self.addresses[operation[1]]
        body = json.loads(self.rewrite(json.dumps(recorded.get("requestBody"))))
        status, headers, answer = self.call(recorded["method"], url, body)
        deadline = time.monotonic() + LONGEST_OPERATION_SECONDS
        while operation and answer == {"status": "InProgress"} and time.monotonic() < deadline:
            time.sleep(0.05)
            status, headers, answer = self.call("GET", url, None)
        if status != recorded["status"]:
            yield f"status {status}, recorded was {recorded['status']}: {answer}"
            return
        if "azure-asyncoperation" in theirs_headers and "azure-asyncoperation" in headers:
            guid = re.search(r"/operations/([0-9a-f-]+)", theirs_headers["azure-asyncoperation"])[1]
            self.addresses[guid] = headers["azure-asyncoperation"]
            # The recorder's writes did not supersede each other: each had ended before the next one began.
            self.finish(headers["azure-asyncoperation"])
        for name in sorted(theirs_headers.keys() - headers.keys()):
            if not STRIPPED.match(name):
                yield f"header {name} is missing"
        for name in sorted(headers.keys() - theirs_headers.keys()):
            if not STRIPPED.match(name):
                yield f"header {name} is new"
        for name in ("content-type", "cache-control", "expires", "pragma", "strict-transport-security",
                     "x-content-type-options", "x-ms-failure-cause", "azure-asyncnotification"):
            if name in theirs_headers and name in headers and theirs_headers[name] != headers[name]:
                yield f"header {name} is {headers[name]!r}, recorded was {theirs_headers[name]!r}"
        for name in ("etag",):
            if name in theirs_headers and name in headers and headers[name] != (answer or {}).get("etag"):
                yield "the etag of the header is not that of the body"
        theirs = json.loads(self.rewrite(json.dumps(recorded.get("body"))))
        yield from compare(self.masked("theirs", theirs), self.masked("ours", answer), "body")

    def finish(self, url):
        deadline = time.monotonic() + LONGEST_OPERATION_SECONDS
        while self.call("GET", url, None)[2] == {"status": "InProgress"}:
            if time.monotonic() > deadline:
                sys.exit("an operation did not end")
            time.sleep(0.05)


def compare(theirs, ours, where):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in theirs.keys() - ours.keys():
            yield f"{where}.{name} is missing"
        for name in ours.keys() - theirs.keys():
            yield f"{where}.{name} is new"
        common = [name for name in theirs if name in ours]
        if common != [name for name in ours if name in theirs]:
            yield f"{where}: its members come in the order {', '.join(ours)}, recorded was {', '.join(theirs)}"
        for name in common:
            yield from compare(theirs[name], ours[name], f"{where}.{name}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for at, (one, other) in enumerate(zip(theirs, ours)):
            yield from compare(one, other, f"{where}[{at}]")
    elif theirs != ours:
        yield f"{where} is {ours!r}, recorded was {theirs!r}"


def main(transcript):
    exchanges = json.load(open(transcript))["exchanges"]
    replay = Replay(get_json(os.environ["AJAR_SANDBOX_URL"] + "/sandbox.json"))
    found, wrong, same = {}, [], 0
    for number, recorded in enumerate(exchanges, 1):
        label = f"{number}. {recorded['method']} {recorded['url'].split('?')[0].rsplit('/providers/', 1)[-1]}"
        differences = list(replay.exchange(recorded))
        unexplained = [one for one in differences if one not in REASONS]
        for one in differences:
            found.setdefault(one, []).append(number)
        wrong += [f"{label}: {one}" for one in unexplained]
        same += not unexplained
    print(f"{len(exchanges)} exchanges replayed, {same} as recorded but for these:")
    for one, reason in REASONS.items():
        if one in found:
            print(f"  {one} ({len(found[one])} times): {reason}")
    wrong += [f"nowhere: {one}, although it is listed" for one in REASONS if one not in found]
    for one in wrong:
        print(f"DIFFERENT {one}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
