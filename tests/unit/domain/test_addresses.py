"""Which addresses may be contacted from outside."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.domain.addresses import objection_to

NAT64 = IPv6Network("64:ff9b::/96")
PUBLIC = [
    "104.16.132.229",
    "1.1.1.1",
    "2606:4700::6810:84e5",
    "2001:4860:4860::8888",
    "::ffff:104.16.132.229",
    "64:ff9b::104.16.132.229",
]
REFUSED = [
    (str(IPv4Address(0)), "unspecified"),
    ("::", "unspecified"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("::1", "loopback"),
    ("169.254.169.254", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("224.0.0.1", "multicast"),
    ("239.1.2.3", "multicast"),
    ("ff02::1", "multicast"),
    ("ff0e::1", "multicast"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("fec0::1", "private"),
    ("192.0.2.1", "private"),
    ("2001:db8::1", "private"),
    ("0.1.2.3", "private"),
    ("100.64.0.1", "reserved"),
    ("::127.0.0.1", "reserved"),
    ("::10.0.0.1", "reserved"),
    ("4000::1", "reserved"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:169.254.169.254", "link-local"),
    ("64:ff9b::127.0.0.1", "loopback"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b::169.254.169.254", "link-local"),
    ("2002:7f00:1::", "loopback"),
    ("2002:0a00:0001::1", "private"),
    ("2002:a9fe:a9fe::1", "link-local"),
    ("2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"),
]
INSIDE = st.one_of(
    st.ip_addresses(v=4, network="10.0.0.0/8"),
    st.ip_addresses(v=4, network="127.0.0.0/8"),
    st.ip_addresses(v=4, network="169.254.0.0/16"),
    st.ip_addresses(v=4, network="172.16.0.0/12"),
    st.ip_addresses(v=4, network="192.168.0.0/16"),
    st.ip_addresses(v=4, network="100.64.0.0/10"),
    st.ip_addresses(v=4, network="224.0.0.0/4"),
    st.ip_addresses(v=4, network="240.0.0.0/4"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_public_internet_are_contacted(address: str) -> None:
    assert objection_to(ip_address(address)) is None


@pytest.mark.parametrize(("address", "objection"), REFUSED)
def test_all_others_are_not_and_the_objection_says_why(address: str, objection: str) -> None:
    assert objection_to(ip_address(address)) == objection


@given(INSIDE)
def test_no_form_of_an_inner_address_gets_past(address: IPv4Address) -> None:
    number = int(address)
    mapped = IPv6Address((0xFFFF << 32) | number)
    nat64 = IPv6Address((0x64FF9B << 96) | number)
    six_to_four = IPv6Address((0x2002 << 112) | (number << 80) | 1)
    teredo = IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF))
    compatible = IPv6Address(number)

    assert None not in {objection_to(each) for each in (address, mapped, nat64, six_to_four, teredo, compatible)}


@given(st.ip_addresses(v=6))
def test_whatever_is_contacted_over_ipv6_is_global_unicast_or_embeds_what_is(address: IPv6Address) -> None:
    contacted = objection_to(address) is None
    embedded = address.ipv4_mapped is not None or address in NAT64

    assert not contacted or embedded or int(address) >> 125 == 1
