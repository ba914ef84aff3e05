"""Each action taken away from its role, once: the story must fail at the step that needs it, and say so.

The triggers rest meanwhile, and each step is started by hand, so that nothing else fails beside it. What ministack, or
the sandbox, does not refuse is listed by name below with the assertion on the plan that covers it; an action that is in
neither list fails the run.
"""
import concurrent.futures
import contextlib
import itertools
import json
import re
import time

import iam as policies
from deployment import FUNCTIONS, ROOT
from processes import Failed, fetch, until
from story import button, card_after

RIGHTS = "infra/terraform/tests/rights.tftest.hcl"
AZURE = "infra/terraform/modules/azure/tests/roles.tftest.hcl"
KNOWN = (RIGHTS, "A role may do something else than it is known to need.")

# By role, statement and action. ministack writes logs, reads the stream, fills the queue and starts what is scheduled
# by itself, without asking whether the role may.
ELSEWHERE = {
    **{(name, "Logs", action): KNOWN for name in FUNCTIONS for action in ("logs:CreateLogStream", "logs:PutLogEvents")},
    **{(name, sid, action): KNOWN for name in ("grant", "notify") for sid, action in [
        ("Stream", "dynamodb:GetRecords"), ("Stream", "dynamodb:GetShardIterator"), ("Stream", "dynamodb:DescribeStream"),
        ("ListStreams", "dynamodb:ListStreams"), ("DeadLetters", "sqs:SendMessage")]},
    # Asked for only where a lock forbids to delete a rule, which the story does not meet.
    ("grant", "Index", "dynamodb:Query"): (RIGHTS, "A function asks other indexes."),
    **{(name, "Start", "lambda:InvokeFunction"): (RIGHTS, "A schedule's role may start another function.") for name in ("minute", "quarter")},
}
NETWORK, NSG = "Microsoft.Network/", "Microsoft.Network/networkSecurityGroups/"
# By role and action in Azure. The simulated one shows a group with its rules in it, and the operations are beyond the
# resource group at which the role is assigned; of a public address, a subnet or the watcher that may not be read the
# functions say less, and go on.
ELSEWHERE_IN_AZURE = {
    **{("grant", action): (AZURE, "The role of grant permits something else.") for action in (
        f"{NETWORK}publicIPAddresses/read", f"{NSG}securityRules/read", f"{NETWORK}locations/operations/read", f"{NETWORK}locations/operationResults/read")},
    **{("revoke", action): (AZURE, "The role of revoke permits something else.") for action in (
        f"{NSG}securityRules/read", f"{NETWORK}locations/operations/read", f"{NETWORK}locations/operationResults/read")},
    **{("discover", action): (AZURE, "The role of discover permits something else.") for action in (
        f"{NETWORK}virtualNetworks/subnets/read", f"{NSG}read", f"{NSG}securityRules/read")},
    **{("watch", action): (AZURE, "The role for Network Watcher permits something else.") for action in (
        f"{NETWORK}networkWatchers/read", f"{NETWORK}networkWatchers/ipFlowVerify/action", f"{NETWORK}locations/operationResults/read")},
}


class Removals:
    """`told` is ajar.json; `azure` the file in which what was applied in Azure is recorded."""

    def __init__(self, ministack, sandbox, door, told, azure):
        self.ministack, self.sandbox, self.door, self.told = ministack, sandbox, door, told
        self.azure = json.loads(azure.read_text())
        self.proved, self.proved_in_azure = set(), set()
        self.iam, self.lambdas, self.logs = (ministack.client(name) for name in ("iam", "lambda", "logs"))
        self.dynamodb = ministack.client("dynamodb")
        self.code, self.answer = {}, b""
        # People may ask for the same only once at a time.
        machines = [one["name"] for one in sandbox.facts["machines"] if one["power"] == "Running"]
        self.wishes = itertools.product(("U0ANA", "U0CHRIS"), machines, (22, 3389, 5985, 5986))

    # --- the table ---------------------------------------------------------------------------------------

    def status(self, pk):
        item = self.dynamodb.get_item(TableName=self.told["table"], Key={"pk": {"S": pk}, "sk": {"S": "RECORD"}}, ConsistentRead=True)
        return item["Item"]["status"]["S"]

    def keys(self, kind):
        found = self.dynamodb.scan(TableName=self.told["table"], ProjectionExpression="pk, sk")["Items"]
        return {one["pk"]["S"] for one in found if one["pk"]["S"].startswith(kind)}

    # --- steps -------------------------------------------------------------------------------------------

    def invoke(self, name, event):
        answer = self.lambdas.invoke(FunctionName=self.told["functions"][name], Payload=json.dumps(event).encode())
        self.answer = answer["Payload"].read()
        return self.answer

    def wake(self, name, pk):
        """As the stream does."""
        return self.invoke(name, {"Records": [{
            "eventID": "1", "eventName": "MODIFY", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "eu-west-1",
            "dynamodb": {"ApproximateCreationDateTime": int(time.time()), "Keys": {"pk": {"S": pk}, "sk": {"S": "RECORD"}}, "NewImage": {},
                         "SequenceNumber": "100000000000000000001", "SizeBytes": 1, "StreamViewType": "NEW_AND_OLD_IMAGES"}}]})

    def ask(self, wish):
        """The key of the record that the command made, if it made one."""
        user, machine, port = wish
        before = self.keys("REQUEST#")
        self.door.command(user, f"{machine} {port} from 203.0.113.7 for 1m because patching")
        return next(iter(self.keys("REQUEST#") - before), None)

    def card(self, pk):
        before = len(self.sandbox.messages())
        self.wake("notify", pk)
        return card_after(self.sandbox, before)

    def approve(self, card):
        self.door.click("U0BEA", card, *button(card, "Approve"))

    def approved(self):
        """A request that waits for `grant`."""
        pk = self.ask(next(self.wishes))
        self.approve(self.card(pk))
        if self.status(pk) != "APPROVED":
            raise Failed(f"{pk} is {self.status(pk)}, not approved")
        return pk

    def opened(self):
        pk = self.approved()
        self.wake("grant", pk)
        if self.status(pk) != "OPEN":
            raise Failed(f"{pk} is {self.status(pk)}, not open")
        return pk

    # --- taking away -------------------------------------------------------------------------------------

    def cold(self, name):
        """The next call of the function is a cold start: what it keeps in memory was had with the right."""
        function = self.told["functions"][name]
        if name not in self.code:
            self.code[name] = fetch(self.lambdas.get_function(FunctionName=function)["Code"]["Location"])[1]
        self.lambdas.update_function_code(FunctionName=function, ZipFile=self.code[name])

    @contextlib.contextmanager
    def without(self, name, sid, action):
        role, found = self.told["functions"][name], 0
        was = {policy: self.iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
               for policy in self.iam.list_role_policies(RoleName=role)["PolicyNames"]}
        for policy, document in was.items():
            left = json.loads(json.dumps(document))
            for one in left["Statement"]:
                if one["Sid"] == sid and action in policies.listed(one["Action"]):
                    # A statement without an action is none.
                    one["Action"] = [other for other in policies.listed(one["Action"]) if other != action] or ["ajar:Nothing"]
                    found += 1
            if left != document:
                self.iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(left))
        if found != 1:
            raise Failed(f"{name} has {found} statements {sid} with {action}")
        try:
            yield
        finally:
            for policy, document in was.items():
                self.iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))

    @contextlib.contextmanager
    def without_in_azure(self, role, action):
        left = json.loads(json.dumps(self.azure))
        for one in left["role_definitions"]:
            if one["id"] == self.role_ids[role]:
                one["actions"].remove(action)
        self.put(left)
        try:
            yield
        finally:
            self.put(self.azure)

    def put(self, applied):
        status, body = fetch(f"{self.sandbox.url}/sandbox/identities", data=json.dumps(applied).encode(), method="PUT")
        if status != 204:
            raise Failed(f"the sandbox took no identities: {status} {body[:300]}")

    def lines(self, name, since):
        """What a function has logged since then."""
        events = self.logs.filter_log_events(logGroupName=f"/aws/lambda/{self.told['functions'][name]}", startTime=since)["events"]
        return [one["message"] for one in events]

    def fails(self, what, name, says, go, done):
        """`go` must leave `done` untrue, and the function must have logged why, or Lambda answered it."""
        since, self.answer = int(time.time() * 1000), b""
        go()
        said = lambda: [*self.lines(name, since), self.answer.decode()]  # noqa: E731
        try:
            until(f"{what}: {name} says /{says}/", 5, lambda: any(re.search(says, line) for line in said()))
        except Failed as failed:
            raise Failed(f"{failed}, but {said()}") from None
        if done():
            raise Failed(f"{what}: the step was done all the same")

    def tried(self, step, name, sid, action, go, done, says=None):
        """One action of AWS."""
        # The functions write in transactions; what they could not start with is named by its code alone.
        kept = sid in ("Secret", "AzureToken")
        called = action.split(":")[1]
        says = says or (r"AccessDenied" if kept else rf"({called}|TransactWriteItems): AccessDenied")
        with self.without(name, sid, action):
            if kept:
                self.cold(name)
            self.fails(f"{step} without {action} ({sid}) of {name}", name, says, go, done)
        if kept:
            self.cold(name)
        self.proved.add((name, sid, action))
        print(f"  {step:9} fails without {action} ({sid}) of {name}")

    def tried_in_azure(self, step, name, role, action, go, done):
        with self.without_in_azure(role, action):
            self.fails(f"{step} without {action} of {role}", name, "AuthorizationFailed", go, done)
        self.proved_in_azure.add((role, action))
        print(f"  {step:9} fails without {action} of {role}")

    # --- the story, step by step -------------------------------------------------------------------------

    def tell(self):
        self.rest()
        self.name_roles()
        with concurrent.futures.ThreadPoolExecutor() as beside:
            swept = beside.submit(self.sweeping)
            # Two to spare: that tick may still have seen the first.
            due = [self.opened() for _ in range(6 + len(self.tried_of("revoke")))]
            self.asking()
            self.showing()
            self.clicking()
            self.opening()
            self.answering()
            self.looking()
            self.archiving()
            swept.result()
        self.shutting(due)
        self.locking()
        self.complete()

    def rest(self):
        """Neither the stream nor a clock starts anything from here on."""
        for mapping in self.lambdas.list_event_source_mappings()["EventSourceMappings"]:
            self.lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        scheduler = self.ministack.client("scheduler")
        for one in scheduler.list_schedules(GroupName=self.told["table"])["Schedules"]:
            scheduler.delete_schedule(Name=one["Name"], GroupName=self.told["table"])

    def name_roles(self):
        """The roles in Azure by the identity that holds them; the one at Network Watcher by what it is for."""
        names = {one["principal_id"]: one["name"].rsplit("-", 1)[1] for one in self.azure["identities"]}
        self.role_ids = {}
        for role in self.azure["role_definitions"]:
            holders = {names[one["principal_id"]] for one in self.azure["role_assignments"] if one["role_definition_id"].endswith(role["id"])}
            self.role_ids["watch" if len(holders) > 1 else holders.pop()] = role["id"]

    def asking(self):
        wish, before = next(self.wishes), self.keys("REQUEST#")
        for sid, action in [("Items", "dynamodb:PutItem"), ("Lists", "dynamodb:Query"), ("Index", "dynamodb:Query")]:
            self.tried("asking", "request", sid, action, lambda: self.ask(wish), lambda: self.keys("REQUEST#") != before)
        # It does not start, whatever it is asked: invoked like this it answers why, where the door answers 500.
        self.tried("asking", "request", "Secret", "secretsmanager:GetSecretValue", lambda: self.invoke("request", {}), lambda: b"errorMessage" not in self.answer)

    def showing(self):
        pk = self.ask(next(self.wishes))
        for sid, action in [("Items", "dynamodb:GetItem"), ("Items", "dynamodb:UpdateItem"), ("Secret", "secretsmanager:GetSecretValue")]:
            self.tried("showing", "notify", sid, action, lambda: self.wake("notify", pk), lambda: self.shown(pk))
        self.wake("notify", pk)
        if not self.shown(pk):
            raise Failed(f"{pk} is not shown with all rights back")

    def clicking(self):
        pk = self.ask(next(self.wishes))
        card = self.card(pk)
        for action in ("dynamodb:GetItem", "dynamodb:UpdateItem"):
            self.tried("clicking", "request", "Items", action, lambda: self.approve(card), lambda: self.status(pk) == "APPROVED")

    def opening(self):
        for sid, action in [("Items", "dynamodb:GetItem"), ("Items", "dynamodb:PutItem"), ("Items", "dynamodb:UpdateItem"),
                            ("Secret", "secretsmanager:GetSecretValue"), ("AzureToken", "sts:GetWebIdentityToken")]:
            pk = self.approved()
            self.tried("opening", "grant", sid, action, lambda: self.wake("grant", pk), lambda: self.status(pk) == "OPEN")
        for action in self.tried_of("grant"):
            pk = self.approved()
            self.tried_in_azure("opening", "grant", "grant", action, lambda: self.wake("grant", pk), lambda: self.status(pk) == "OPEN")

    def looking(self):
        look, event = lambda: self.invoke("discover", {}), "discover"  # noqa: E731
        for sid, action in [("Items", "dynamodb:UpdateItem"), ("Lists", "dynamodb:Query"), ("Index", "dynamodb:Query"),
                            ("Secret", "secretsmanager:GetSecretValue"), ("AzureToken", "sts:GetWebIdentityToken")]:
            self.forget()
            self.tried("looking", event, sid, action, look, lambda: self.has_looked() and self.answer == b"null")
        for action in self.tried_of("discover"):
            self.forget()
            self.tried_in_azure("looking", "discover", "discover", action, look, self.has_looked)

    def answering(self):
        before = self.keys("ASK#")
        self.door.command("U0ANA", "VM9 22 for 1m because patching")
        key = next(iter(self.keys("ASK#") - before))
        question, reply = {"question": key}, key.replace("ASK#", "REPLY#")
        self.tried("answering", "notify", "Start", "lambda:InvokeFunction", lambda: self.wake("notify", key), lambda: reply in self.keys("REPLY#"),
                   says="could not be started.*AccessDenied")
        self.tried("answering", "discover", "Items", "dynamodb:GetItem", lambda: self.invoke("discover", question), lambda: reply in self.keys("REPLY#"))
        self.tried("answering", "discover", "Items", "dynamodb:PutItem", lambda: self.invoke("discover", question), lambda: reply in self.keys("REPLY#"))

    def archiving(self):
        """What was denied is over as soon as it was told."""
        pk = self.ask(next(self.wishes))
        self.door.deny("U0BEA", self.card(pk), "not now")
        told = lambda: self.item(pk, "RECORD").get("steps_version")  # noqa: E731
        before = told()
        self.tried("telling", "notify", "Lists", "dynamodb:Query", lambda: self.wake("notify", pk), lambda: told() != before)
        self.wake("notify", pk)
        if told() == before:
            raise Failed(f"the thread of {pk} is not told its steps with all rights back")
        self.tried("archiving", "discover", "Archive", "s3:PutObject", lambda: self.invoke("discover", {}), lambda: "archived_at" in self.item(pk, "RECORD"), says="S3 answered 403 AccessDenied")
        self.invoke("discover", {})
        if "archived_at" not in self.item(pk, "RECORD"):
            raise Failed(f"{pk} is not archived with all rights back")
        s3, month = self.ministack.client("s3"), time.strftime("%Y/%m", time.gmtime())
        kept = json.load(s3.get_object(Bucket=self.told["archive_bucket"], Key=f"history/{month}/{pk.removeprefix('REQUEST#')}.json")["Body"])
        print(f"  archived: {kept['request']}, {len(kept['history'])} lines of history")

    def shutting(self, due):
        """`due` were opened for a minute, a while ago."""
        due = (pk for pk in due if self.status(pk) == "OPEN")
        for sid, action in [("Items", "dynamodb:GetItem"), ("Items", "dynamodb:PutItem"), ("Items", "dynamodb:UpdateItem"),
                            ("AzureToken", "sts:GetWebIdentityToken")]:
            pk = next(due)
            self.until_over(pk)
            self.tried("shutting", "revoke", sid, action, lambda: self.invoke("revoke", {"request": pk.removeprefix("REQUEST#")}), lambda: self.status(pk) == "CLOSED")
        for action in self.tried_of("revoke"):
            pk = next(due)
            self.until_over(pk)
            self.tried_in_azure("shutting", "revoke", "revoke", action, lambda: self.invoke("revoke", {"request": pk.removeprefix("REQUEST#")}), lambda: self.status(pk) == "CLOSED")
        since = int(time.time() * 1000)
        self.tried("ticking", "revoke", "Index", "dynamodb:Query", lambda: self.invoke("revoke", {}),
                   lambda: any('"message":"tick"' in line for line in self.lines("revoke", since)))

    def locking(self):
        """`revoke` judges an admin's word itself, with Slack's secrets."""
        pk, lockdown = self.opened(), {"lockdown": True}
        self.door.command("U0CHRIS", "lockdown")
        self.tried("locking", "revoke", "Secret", "secretsmanager:GetSecretValue", lambda: self.invoke("revoke", lockdown), lambda: self.status(pk) != "OPEN")
        self.invoke("revoke", lockdown)
        if self.status(pk) == "OPEN":
            raise Failed(f"{pk} is open on a machine that was locked down, with all rights back")
        self.door.command("U0CHRIS", "lift")

    def sweeping(self):
        """A tick takes a minute where something is looked at again: beside the steps of other functions."""
        since = int(time.time() * 1000)
        with self.without("revoke", "Lists", "dynamodb:Query"):
            # As the scheduler does: nobody waits for it, and it is not repeated. What it logs is there when it has ended.
            self.lambdas.invoke(FunctionName=self.told["functions"]["revoke"], InvocationType="Event", Payload=b"{}")
            until("sweeping without dynamodb:Query (Lists): revoke says so", 180,
                  lambda: any(re.search("were not attended to.*Query: AccessDenied|Query: AccessDenied.*were not attended to", line) for line in self.lines("revoke", since)))
        if any("orphan_rules" in line for line in self.lines("revoke", since)):
            raise Failed("orphans were counted without the right to list them")
        self.proved.add(("revoke", "Lists", "dynamodb:Query"))
        print("  sweeping  fails without dynamodb:Query (Lists) of revoke")

    def until_over(self, pk):
        ends = int(self.item(pk, "RECORD")["expires_at"]["N"])
        until(f"{pk} is over", 120, lambda: time.time() > ends)

    # --- what is looked at -------------------------------------------------------------------------------

    def item(self, pk, sk):
        return self.dynamodb.get_item(TableName=self.told["table"], Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True).get("Item")

    def shown(self, pk):
        record = self.item(pk, "RECORD")
        return record.get("shown_version", {}).get("N") == record["version"]["N"]

    def looks(self):
        return self.dynamodb.query(TableName=self.told["table"], KeyConditionExpression="pk = :l", ExpressionAttributeValues={":l": {"S": "LOOK"}})["Items"]

    def forget(self):
        for one in self.looks():
            self.dynamodb.delete_item(TableName=self.told["table"], Key={name: one[name] for name in ("pk", "sk")})

    def has_looked(self):
        return any("looked_at" in one and "N" in one["looked_at"] for one in self.looks())

    def permitted(self, role):
        return next(one["actions"] for one in self.azure["role_definitions"] if one["id"] == self.role_ids[role])

    def tried_of(self, role):
        """What its role permits in Azure and the story needs there."""
        return [action for action in self.permitted(role) if (role, action) not in ELSEWHERE_IN_AZURE]

    def complete(self):
        """Every action that is deployed is in one of the lists, and in one only; and what covers it elsewhere is there."""
        deployed = set()
        for name, role in [*self.told["functions"].items(), *((name, f"{self.told['table']}-{name}") for name in ("minute", "quarter"))]:
            deployed |= {(name, one["Sid"], action) for one in policies.documents(self.iam, role) for action in policies.listed(one["Action"])}
        in_azure = {(role, action) for role in self.role_ids for action in self.permitted(role)}
        for what, there, proved, elsewhere in [("AWS", deployed, self.proved, ELSEWHERE), ("Azure", in_azure, self.proved_in_azure, ELSEWHERE_IN_AZURE)]:
            neither, both = there - proved - set(elsewhere), proved & set(elsewhere)
            if neither or both or set(elsewhere) - there:
                raise Failed(f"{what}: neither proved here nor listed {sorted(neither)}, both {sorted(both)}, not deployed {sorted(set(elsewhere) - there)}")
            for file, message in set(elsewhere.values()):
                if f'error_message = "{message}"' not in (ROOT / file).read_text().replace("  ", " "):
                    raise Failed(f"{file} has no assertion that says {message!r}")
            print(f"  {what}: {len(there)} actions, {len(proved)} taken away here, {len(elsewhere)} by assertions on the plan:")
            for (file, message), actions in itertools.groupby(sorted(elsewhere, key=lambda one: (elsewhere[one], one)), key=lambda one: elsewhere[one]):
                print(f"    {file}, {message!r}: {', '.join(' '.join(one) for one in actions)}")
