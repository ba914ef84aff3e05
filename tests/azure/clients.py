#!/usr/bin/env python3
"""Microsoft's own clients, unmodified, against the sandbox's management API: AJAR_SANDBOX_URL names a running sandbox.

They speak the newest versions of the API, follow operations by the addresses in the headers, page by `nextLink`, and
turn errors into exceptions: if they are content, so is whoever else speaks to Azure.
"""
import json
import os
import unittest
import urllib.request

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import HttpRequest
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient

SANDBOX = os.environ["AJAR_SANDBOX_URL"]
GROUP, SUBNET_GROUP, VNET, SUBNET = "Contoso-IaaS", "Contoso-NSG", "Contoso-VNet", "Contoso-Subnet"
YEAR_2100 = 4_102_444_800


def sandbox(path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SANDBOX + path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


ABOUT = sandbox("/sandbox.json")


class Token:
    """A credential that holds one token."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *_scopes, **_options):
        return AccessToken(self.token, YEAR_2100)

    def get_token_info(self, *_scopes, options=None):
        return AccessTokenInfo(self.token, YEAR_2100)


class Counter(SansIOHTTPPolicy):
    """Counts calls, and keeps the last one's api-version."""

    def __init__(self):
        self.calls, self.versions = 0, set()

    def on_request(self, request):
        self.calls += 1
        self.versions.add(dict(part.split("=", 1) for part in request.http_request.url.split("?", 1)[-1].split("&"))["api-version"])


def client(kind, token=None, counter=None, **options):
    return kind(Token(token or ABOUT["arm_token"]), ABOUT["subscription_id"], base_url=ABOUT["arm_url"],
                polling_interval=1, per_call_policies=[counter] if counter else None, **options)


# The token goes over plain HTTP on loopback; the clients would refuse.
PLAIN = {"enforce_https": False}


def rule(priority, **over):
    return {"properties": {
        "protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": "22", "sourceAddressPrefix": "203.0.113.7",
        "destinationAddressPrefix": "10.0.0.6", "access": "Allow", "priority": priority, "direction": "Inbound"} | over}


class Clients(unittest.TestCase):
    def setUp(self):
        self.counter = Counter()
        self.network = client(NetworkManagementClient, counter=self.counter)
        self.compute = client(ComputeManagementClient, counter=self.counter)

    def refused(self, status, code, kind=HttpResponseError):
        """A context in which the client must raise `kind` with this status and code."""
        case = self

        class Refused:
            def __enter__(self):
                return self

            def __exit__(self, _type, error, _trace):
                case.assertIsInstance(error, kind, f"{code} was expected")
                case.assertEqual((error.status_code, error.error and error.error.code), (status, code), str(error))
                self.error = error.error
                return True
        return Refused()

    def group(self, name, rules=()):
        begun = self.network.network_security_groups.begin_create_or_update(
            GROUP, name, {"location": "westeurope", "properties": {"securityRules": list(rules)}}, **PLAIN)
        self.addCleanup(lambda: self.network.network_security_groups.begin_delete(GROUP, name, **PLAIN).result())
        return begun.result()

    def test_a_group_is_made_read_listed_changed_and_deleted(self):
        groups = self.network.network_security_groups
        made = groups.begin_create_or_update(GROUP, "made", {"location": "westeurope", "tags": {"for": "tests"}}, **PLAIN).result()
        self.assertEqual((made.name, made.provisioning_state, made.tags), ("made", "Succeeded", {"for": "tests"}))
        self.assertEqual(len(made.default_security_rules), 6)
        read = groups.get(GROUP, "made", **PLAIN)
        self.assertEqual((read.id, read.etag), (made.id, made.etag))
        self.assertIn("made", [one.name for one in groups.list(GROUP, **PLAIN)])
        self.assertIn("made", [one.name for one in groups.list_all(**PLAIN)])
        self.assertEqual(groups.update_tags(GROUP, "made", {"tags": {"for": "others"}}, **PLAIN).tags, {"for": "others"})
        self.assertEqual(groups.get(GROUP, "made", **PLAIN).tags, {"for": "others"})
        self.assertIsNone(groups.begin_delete(GROUP, "made", **PLAIN).result())
        with self.refused(404, "ResourceNotFound", ResourceNotFoundError):
            groups.get(GROUP, "made", **PLAIN)
        self.assertIsNone(groups.begin_delete(GROUP, "made", **PLAIN).result(), "the absent one is gone already")
        with self.refused(404, "ResourceGroupNotFound", ResourceNotFoundError):
            groups.get("nowhere", "made", **PLAIN)
        self.assertTrue({"2026-03-01"} >= self.counter.versions, self.counter.versions)

    def test_a_rule_is_made_read_changed_and_deleted(self):
        self.group("ruled")
        rules = self.network.security_rules
        made = rules.begin_create_or_update(GROUP, "ruled", "ssh", rule(200, description="for tests"), **PLAIN).result()
        self.assertEqual((made.name, made.provisioning_state, made.description), ("ssh", "Succeeded", "for tests"))
        self.assertEqual((made.access, made.direction, made.priority), ("Allow", "Inbound", 200))
        before = rules.get(GROUP, "ruled", "ssh", **PLAIN)
        changed = rules.begin_create_or_update(GROUP, "ruled", "ssh", rule(201, access="Deny"), **PLAIN).result()
        self.assertEqual((changed.access, changed.priority, changed.description), ("Deny", 201, None))
        self.assertNotEqual(before.etag, changed.etag)
        self.assertEqual(changed.etag, self.network.network_security_groups.get(GROUP, "ruled", **PLAIN).etag)
        self.assertIsNone(rules.begin_delete(GROUP, "ruled", "ssh", **PLAIN).result())
        with self.refused(404, "NotFound", ResourceNotFoundError):
            rules.get(GROUP, "ruled", "ssh", **PLAIN)
        self.assertIsNone(rules.begin_delete(GROUP, "ruled", "ssh", **PLAIN).result())
        with self.refused(404, "ResourceNotFound", ResourceNotFoundError):
            rules.begin_create_or_update(GROUP, "absent", "ssh", rule(200), **PLAIN)

    def test_what_azure_refuses_is_raised_with_its_code(self):
        self.group("strict", [{"name": "first"} | rule(200)])
        rules = self.network.security_rules
        for over, code in [
            ({"priority": 200}, "SecurityRuleConflict"),
            ({"priority": 99}, "SecurityRuleInvalidPriority"),
            ({"priority": 4097}, "SecurityRuleInvalidPriority"),
            ({"destinationPortRange": "22,23"}, "SecurityRuleInvalidPortRange"),
            ({"sourceAddressPrefix": "203.0.113.7/24"}, "SecurityRuleInvalidAddressPrefix"),
            ({"sourceAddressPrefix": None, "sourceAddressPrefixes": ["Internet"]}, "SecurityRuleParameterContainsUnsupportedValue"),
        ]:
            with self.subTest(code=code), self.refused(400, code):
                rules.begin_create_or_update(GROUP, "strict", "second", rule(**{"priority": 300} | over), **PLAIN)
        self.assertEqual([one.name for one in rules.list(GROUP, "strict", **PLAIN)], ["first"])
        with self.refused(400, "InUseNetworkSecurityGroupCannotBeDeleted"):
            self.network.network_security_groups.begin_delete(GROUP, SUBNET_GROUP, **PLAIN)

    def test_long_lists_come_in_pages(self):
        self.group("long", [{"name": f"rule-{at}"} | rule(at) for at in range(100, 1100)])
        self.counter.calls = 0
        names = [one.name for one in self.network.security_rules.list(GROUP, "long", **PLAIN)]
        self.assertEqual(len(set(names)), 1000)
        self.assertGreater(self.counter.calls, 1, "one page cannot hold them")
        with self.refused(400, "SecurityRuleCountLimitReached"):
            self.network.security_rules.begin_create_or_update(GROUP, "long", "one-more", rule(1100), **PLAIN)
        defaults = [one.name for one in self.network.default_security_rules.list(GROUP, "long", **PLAIN)]
        self.assertEqual(defaults[:3], ["AllowVnetInBound", "AllowAzureLoadBalancerInBound", "DenyAllInBound"])

    def test_an_operation_that_ends_badly_is_raised(self):
        self.group("unlucky")
        for status, code in [("Failed", "InternalServerError"), ("Canceled", "CanceledAndSupersededDueToAnotherOperation")]:
            sandbox("/sandbox/faults", {"part": "arm", "method": "PUT", "path": "/unlucky/", "how": {"operation_ends": {"status": status, "code": code}}})
            begun = self.network.security_rules.begin_create_or_update(GROUP, "unlucky", "ssh", rule(200), **PLAIN)
            with self.subTest(status=status), self.assertRaises(HttpResponseError) as raised:
                begun.result()
            said = raised.exception.error
            self.assertIn(code, [said.code] + [detail.code for detail in said.details or []])
            self.assertEqual(begun.status(), status)
        self.network.security_rules.begin_create_or_update(GROUP, "unlucky", "ssh", rule(200), **PLAIN).result()

    def test_the_later_of_two_writes_wins_and_the_earlier_is_told(self):
        self.group("crowded")
        rules = self.network.security_rules
        earlier = rules.begin_create_or_update(GROUP, "crowded", "earlier", rule(200), **PLAIN)
        later = rules.begin_create_or_update(GROUP, "crowded", "later", rule(201), **PLAIN)
        with self.assertRaises(HttpResponseError) as raised:
            earlier.result()
        self.assertEqual(raised.exception.error.code, "Canceled")
        self.assertEqual(raised.exception.error.details[0].code, "CanceledAndSupersededDueToAnotherOperation")
        self.assertEqual(later.result().name, "later")

    def test_a_lock_keeps_a_rule(self):
        self.group("locked", [{"name": "kept"} | rule(200)])
        lock = f"/subscriptions/{ABOUT['subscription_id']}/resourceGroups/{GROUP}/providers/Microsoft.Network/networkSecurityGroups/locked/providers/Microsoft.Authorization/locks/keep"

        def send(method, **body):
            answer = self.network.send_request(HttpRequest(method, f"{lock}?api-version=2020-05-01", **body), **PLAIN)
            self.assertIn(answer.status_code, (200, 201))

        send("PUT", json={"properties": {"level": "CanNotDelete"}})
        try:
            with self.refused(409, "ScopeLocked"):
                self.network.security_rules.begin_delete(GROUP, "locked", "kept", **PLAIN)
            changed = self.network.security_rules.begin_create_or_update(GROUP, "locked", "kept", rule(200, access="Deny"), **PLAIN)
            self.assertEqual(changed.result().access, "Deny")
        finally:
            send("DELETE")
        self.network.security_rules.begin_delete(GROUP, "locked", "kept", **PLAIN).result()

    def test_nobody_without_a_good_token_gets_in(self):
        with self.refused(401, "InvalidAuthenticationToken", ClientAuthenticationError):
            client(NetworkManagementClient, token="forged").network_security_groups.get(GROUP, SUBNET_GROUP, **PLAIN)
        other = NetworkManagementClient(Token(ABOUT["arm_token"]), "00000000-0000-0000-0000-000000000000", base_url=ABOUT["arm_url"])
        with self.refused(404, "SubscriptionNotFound", ResourceNotFoundError):
            other.network_security_groups.get(GROUP, SUBNET_GROUP, **PLAIN)

    def test_machines_interfaces_subnets_and_addresses_are_read(self):
        machines = {one.name: one for one in self.compute.virtual_machines.list_all(**PLAIN)}
        self.assertTrue({"VM1", "VM2", "VM3", "VM4"} <= machines.keys())
        self.assertTrue({"VM1", "VM2", "VM3", "VM4"} <= {one.name for one in self.compute.virtual_machines.list(GROUP, **PLAIN)})
        machine = self.compute.virtual_machines.get(GROUP, "vm3", **PLAIN)
        self.assertEqual((machine.name, machine.storage_profile.os_disk.os_type), ("VM3", "Linux"))
        interface = self.network.network_interfaces.get(GROUP, machine.network_profile.network_interfaces[0].id.rsplit("/")[-1], **PLAIN)
        self.assertEqual(interface.virtual_machine.id.lower(), machine.id.lower())
        address = interface.ip_configurations[0]
        self.assertEqual(address.private_ip_address, "10.0.0.6")
        public = self.network.public_ip_addresses.get(GROUP, address.public_ip_address.id.rsplit("/")[-1], **PLAIN)
        self.assertEqual(public.ip_address, "192.0.2.13")
        self.assertIn(public.name, [one.name for one in self.network.public_ip_addresses.list_all(**PLAIN)])
        self.assertIn(interface.name, [one.name for one in self.network.network_interfaces.list_all(**PLAIN)])
        subnet = self.network.subnets.get(GROUP, VNET, SUBNET, **PLAIN)
        self.assertEqual(subnet.id, address.subnet.id)
        self.assertTrue(subnet.network_security_group.id.endswith(f"/{SUBNET_GROUP}"))
        self.assertIn(SUBNET, [one.name for one in self.network.subnets.list(GROUP, VNET, **PLAIN)])
        self.assertIn(VNET, [one.name for one in self.network.virtual_networks.list_all(**PLAIN)])
        for absent in [
            lambda: self.compute.virtual_machines.get(GROUP, "VM9", **PLAIN),
            lambda: self.network.network_interfaces.get(GROUP, "VM9-nic", **PLAIN),
            lambda: self.network.public_ip_addresses.get(GROUP, "VM9-pip", **PLAIN),
        ]:
            with self.refused(404, "ResourceNotFound", ResourceNotFoundError):
                absent()
        with self.refused(404, "NotFound", ResourceNotFoundError):
            self.network.subnets.get(GROUP, VNET, "nowhere", **PLAIN)
        self.assertLessEqual(self.counter.versions, {"2026-03-01", "2026-04-01"})

    def test_a_group_goes_on_an_interface_and_on_the_subnet_and_off_again(self):
        self.group("associated")
        interfaces, subnets = self.network.network_interfaces, self.network.subnets
        for read, write in [
            (lambda: interfaces.get(GROUP, "VM2-nic", **PLAIN), lambda one: interfaces.begin_create_or_update(GROUP, "VM2-nic", one, **PLAIN)),
            (lambda: subnets.get(GROUP, VNET, SUBNET, **PLAIN), lambda one: subnets.begin_create_or_update(GROUP, VNET, SUBNET, one, **PLAIN)),
        ]:
            one = read()
            before = one.network_security_group
            one.network_security_group = {"id": self.network.network_security_groups.get(GROUP, "associated", **PLAIN).id}
            self.assertTrue(write(one).result().network_security_group.id.endswith("/associated"))
            with self.refused(400, "InUseNetworkSecurityGroupCannotBeDeleted"):
                self.network.network_security_groups.begin_delete(GROUP, "associated", **PLAIN)
            one = read()
            one.network_security_group = before
            after = write(one).result().network_security_group
            self.assertEqual(after and after.id, before and before.id)

    def test_a_machine_is_made_with_all_that_it_needs_and_deleted(self):
        subnets, addresses = self.network.subnets, self.network.public_ip_addresses
        interfaces, machines = self.network.network_interfaces, self.compute.virtual_machines
        subnet = subnets.begin_create_or_update(GROUP, VNET, "made", {"properties": {"addressPrefix": "10.0.77.0/24"}}, **PLAIN).result()
        self.assertEqual((subnet.address_prefix, subnet.network_security_group), ("10.0.77.0/24", None))
        public = addresses.begin_create_or_update(
            GROUP, "made-pip", {"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}, **PLAIN).result()
        self.assertTrue(public.ip_address.startswith("192.0.2."), public.ip_address)

        def interface(**over):
            return {"location": "westeurope", "properties": {"ipConfigurations": [{"name": "ipconfig1", "properties": {
                "subnet": {"id": subnet.id}, "publicIPAddress": {"id": public.id}, "privateIPAllocationMethod": "Dynamic"} | over}]}}

        with self.refused(400, "PrivateIPAddressNotInSubnet"):
            interfaces.begin_create_or_update(GROUP, "made-nic", interface(privateIPAddress="10.9.9.9"), **PLAIN)
        with self.refused(400, "InvalidResourceReference"):
            interfaces.begin_create_or_update(GROUP, "made-nic", interface(subnet={"id": subnet.id + "-not"}), **PLAIN)
        nic = interfaces.begin_create_or_update(GROUP, "made-nic", interface(), **PLAIN).result()
        self.assertEqual(nic.ip_configurations[0].private_ip_address, "10.0.77.4", "the first that Azure does not keep")
        with self.refused(400, "PrivateIPAddressInUse"):
            interfaces.begin_create_or_update(GROUP, "other-nic", interface(privateIPAddress="10.0.77.4"), **PLAIN)

        body = {"location": "westeurope", "tags": {"for": "tests"}, "properties": {
            "hardwareProfile": {"vmSize": "Standard_B2s"}, "osProfile": {"computerName": "made", "adminUsername": "labuser", "linuxConfiguration": {}},
            "storageProfile": {"osDisk": {"createOption": "FromImage", "osType": "Linux"}}, "networkProfile": {"networkInterfaces": [{"id": nic.id}]}}}
        machine = machines.begin_create_or_update(GROUP, "made", body, **PLAIN).result()
        self.assertEqual((machine.name, machine.tags, machine.provisioning_state), ("made", {"for": "tests"}, "Succeeded"))
        with self.refused(400, "NicInUse"):
            machines.begin_create_or_update(GROUP, "twin", body, **PLAIN)
        changed = machines.begin_update(GROUP, "made", {"tags": {"for": "others"}}, **PLAIN).result()
        self.assertEqual(changed.tags, {"for": "others"})
        self.assertEqual(machines.get(GROUP, "made", **PLAIN).tags, {"for": "others"})
        self.assertEqual(machines.instance_view(GROUP, "made", **PLAIN).statuses[-1].code, "PowerState/running")
        self.assertEqual(interfaces.get(GROUP, "made-nic", **PLAIN).virtual_machine.id, machine.id)

        for code, delete in [
            ("NicInUse", lambda: interfaces.begin_delete(GROUP, "made-nic", **PLAIN)),
            ("PublicIPAddressCannotBeDeleted", lambda: addresses.begin_delete(GROUP, "made-pip", **PLAIN)),
            ("InUseSubnetCannotBeDeleted", lambda: subnets.begin_delete(GROUP, VNET, "made", **PLAIN)),
        ]:
            with self.subTest(code=code), self.refused(400, code):
                delete()
        for _ in range(2):
            machines.begin_delete(GROUP, "made", **PLAIN).result()
            interfaces.begin_delete(GROUP, "made-nic", **PLAIN).result()
            addresses.begin_delete(GROUP, "made-pip", **PLAIN).result()
            subnets.begin_delete(GROUP, VNET, "made", **PLAIN).result()
        for absent in [
            lambda: machines.get(GROUP, "made", **PLAIN),
            lambda: interfaces.get(GROUP, "made-nic", **PLAIN),
            lambda: addresses.get(GROUP, "made-pip", **PLAIN),
        ]:
            with self.refused(404, "ResourceNotFound", ResourceNotFoundError):
                absent()


if __name__ == "__main__":
    unittest.main(verbosity=2)
