"""The rule language: what it means, what it refuses, and where it says the fault is."""

import pytest

from testbed.cloudflare.expressions import ExpressionError, parse

ENFORCEMENT = (
    '(lower(http.host) in {"a.example.com" "b.example.com"} and not '
    '(cf.tls_client_auth.cert_verified and cf.tls_client_auth.cert_issuer_ski in {"AB12" "CD34"}))'
)
REQUEST = {
    "http.host": "Api.example.com",
    "http.user_agent": 'a"b\\c',
    "http.request.headers": {"accept": ["text/html", "q"], "x-a": ["1"]},
    "http.request.headers.names": ["accept", "x-a"],
    "cf.threat_score": 42,
    "ip.src": "10.0.0.7",
    "ssl": True,
}


@pytest.mark.parametrize(
    ("host", "verified", "issuer", "blocked"),
    [
        ("A.example.com", True, "AB12", False),
        ("a.example.com", True, "CD34", False),
        ("a.example.com", True, "ab12", True),
        ("a.example.com", True, "EF56", True),
        ("b.example.com", False, "", True),
        ("a.example.com.", False, "", False),
        ("c.example.com", False, "", False),
    ],
)
def test_an_enforcement_rule_blocks_its_hosts_unless_a_pinned_issuer_verified(
    host: str, verified: bool, issuer: str, blocked: bool
) -> None:
    fields = {
        "http.host": host,
        "cf.tls_client_auth.cert_verified": verified,
        "cf.tls_client_auth.cert_issuer_ski": issuer,
    }

    assert parse(ENFORCEMENT).evaluate(fields) is blocked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssl", True),
        ("true", True),
        ("false or ssl", True),
        ("not ssl", False),
        ("!ssl||ssl", True),
        ("not ssl or ssl", True),
        ("ssl or ssl and false", True),
        ("ssl xor ssl or ssl", True),
        ("ssl xor ssl and false", True),
        ("ssl ^^ ssl ^^ ssl", True),
        ("(ssl or ssl) and false", False),
        ("ssl andssl", True),
        ('http.host eq "Api.example.com"', True),
        ('http.host == "api.example.com"', False),
        ('http.host ne "api.example.com"', True),
        ('lower(http.host) eq "api.example.com"', True),
        ('upper(http.host) eq "API.EXAMPLE.COM"', True),
        ('http.host gt "Apa"', True),
        ('http.host contains "example"', True),
        ('http.host contains ""', True),
        ('http.host in {"x" "Api.example.com"}', True),
        ('http.host in {"x""y"}', False),
        ("http.host in {41:70:69.2e}", False),
        (r'http.user_agent eq "a\"b\\c"', True),
        (r'http.user_agent eq "\x61\042b\\c"', True),
        (r'http.user_agent eq r#"a"b\c"#', True),
        ("http.user_agent eq 61:22:62-5c.63", True),
        ("cf.threat_score ge 42", True),
        ("cf.threat_score lt 0x2A", False),
        ("cf.threat_score eq 052", True),
        ("cf.threat_score gt -1", True),
        ("cf.threat_score in {1..5 40..42}", True),
        ("cf.threat_score & 2", True),
        ("cf.threat_score bitwise_and 4", False),
        ("ip.src eq 10.0.0.7", True),
        ("ip.src lt 10.0.0.8", True),
        ("ip.src ne ::1", True),
        ("ip.src lt ::1", False),
        ("ip.src in {10.0.0.0/8 2001:db8::/32}", True),
        ("ip.src in {10.0.0.8..10.0.0.9 ::1}", False),
        (r'http.host matches "^api"', False),
        (r'http.host ~ "(?i)^api\.example\.com$"', True),
        (r'lower(http.host) matches "^(?:b|api\.example\.com)\.?(?::[0-9]+)?$"', True),
        (r'http.user_agent matches "a[\"]b"', True),
        (r'http.user_agent matches "[]\"$][b$]\\c$"', True),
        (r'http.user_agent matches r#"a"b\\c$"#', True),
        ('http.host wildcard "*.EXAMPLE.com"', True),
        ('http.host strict wildcard "*.EXAMPLE.com"', False),
        ('http.host wildcard "*"', True),
        (r'http.host wildcard r"\*.example.com"', False),
        ("len(http.host) eq 15", True),
        ("len(http.request.headers.names) eq 2", True),
        ('starts_with(lower(http.host), "api")', True),
        ('ends_with(http.host, ".org")', False),
        ('concat(http.host, "/", lower("X")) eq "Api.example.com/x"', True),
        ('http.request.headers["x-a"][0] eq "1"', True),
        ('http.request.headers["none"][0] eq "1"', False),
        ('http.request.headers["none"][0] ne "1"', True),
        ('http.request.headers["x-a"][7] contains "1"', False),
        ('any(http.request.headers["accept"][*] eq "q")', True),
        ('all(http.request.headers["accept"][*] eq "q")', False),
        ('any(http.request.headers["none"][*] eq "q")', False),
        ('all(http.request.headers["none"][*] eq "q")', True),
        ('any(http.request.headers[*][*] eq "1")', True),
        ('any(http.request.headers[*][0] eq "q")', False),
        ('any(lower(http.request.headers["accept"][*])[*] contains "html")', True),
        ("any(len(http.request.headers.names[*])[*] gt 5)", True),
        ('any(starts_with(http.request.headers.names[*], "x-"))', True),
        ('any((http.request.headers.names[*] eq "b" or http.request.headers.names[*] eq "x-a"))', True),
        ('all(not http.request.headers.names[*] eq "b")', True),
    ],
)
def test_an_expression_means_what_it_means_at_cloudflare(text: str, expected: bool) -> None:
    assert parse(text).evaluate(REQUEST) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('http.host eq ""', True),
        ("ssl", False),
        ("cf.threat_score eq 0", True),
        ("ip.src eq 10.0.0.7", False),
        ("ip.src in {0.0.0.0/0}", False),
        ("ip.src ne 10.0.0.7", True),
        ("len(http.request.headers.names) eq 0", True),
        ('any(http.request.headers.names[*] eq "a")', False),
        ("not cf.tls_client_auth.cert_verified", True),
    ],
)
def test_a_field_that_is_not_given_is_empty(text: str, expected: bool) -> None:
    assert parse(text).evaluate({}) is expected


@pytest.mark.parametrize(
    ("text", "reason", "column"),
    [
        ("", "expected identifier character", 1),
        ("http.hots eq 1", "unknown identifier", 1),
        ('ssl and http.uri.path eq "/"', "unknown identifier", 9),
        ("http.host", "expected ComparisonOp", 10),
        ("lower(http.host)", "expected ComparisonOp", 17),
        ('ssl eq "on"', "unrecognised input", 4),
        ("ssl and http.host", "expected ComparisonOp", 18),
        ("ssl ssl", "unrecognised input", 4),
        ("ssl)", "unrecognised input", 4),
        ("(ssl", 'expected literal ")"', 5),
        ("((ssl)", 'expected literal ")"', 7),
        ("ssl and", "expected identifier character", 8),
        ("not", "expected identifier character", 4),
        ("ssl\tand ssl", "unrecognised input", 4),
        ("http.host in {}", "expected at least one value", 14),
        ('http.host in {"a"', "unrecognised input", 18),
        ('http.host in {"a", "b"}', "invalid digit found in string while parsing with radix 16", 18),
        ('http.host in "a"', 'expected literal "{"', 14),
        ("http.host eq 5", "expected 2 characters, but found 1", 14),
        ("http.host eq 5g", "invalid digit found in string while parsing with radix 16", 14),
        ("http.host eq 5aa", "expected byte separator", 16),
        ("http..host", "expected identifier character", 6),
        ('http.host eq "a', "could not find an ending quote", 15),
        (r'http.host eq "\n"', r'expected ", xHH or OOO after \ '.rstrip(), 16),
        (r'http.host eq "\x4"', "invalid digit found in string while parsing with radix 16", 17),
        ('http.host eq r#"a"', "could not find an ending quote", 15),
        ("http.host & 5", "cannot perform this operation on type Bytes", 11),
        ('cf.threat_score contains "4"', "cannot perform this operation on type Int", 17),
        ('cf.threat_score eq "4"', "expected digit", 20),
        ("cf.threat_score eq 08", "invalid digit found in string while parsing with radix 8", 20),
        (
            "cf.threat_score eq 9223372036854775808",
            "number too large to fit in target type while parsing with radix 10",
            20,
        ),
        ("cf.threat_score in {5..1}", "incompatible range bounds", 21),
        (
            "ip.src eq 10.0.0.0/8",
            "couldn't parse address in network: invalid IP address syntax",
            11,
        ),
        ("ip.src in {10.0.0.1/8}", "host part of address was not zero", 12),
        ("ip.src in {10.0.0.0/255.0.0.0}", "couldn't parse length in network", 21),
        ("ip.src in {10.0.0.9..::1}", "incompatible range bounds", 12),
        ('http.host wildcard "**"', "wildcard contains a double star", 20),
        (r'http.host wildcard r"\a"', "invalid wildcard: invalid escape sequence", 20),
        ('http.host matches "(?=a)"', "regex parse error: '(?=' is not supported", 19),
        (r'http.host matches "(a)\1"', r"regex parse error: '\\1' is not supported", 19),
        (r'http.host matches "[[:alpha:]]"', "regex parse error: classes in classes are not supported", 19),
        (r'http.host matches "a++"', "regex parse error: '++' is not supported", 19),
        ("http.request.headers.names", "expected ComparisonOp", 27),
        ('http.request.headers.names eq "a"', "cannot perform this operation on type Array<Bytes>", 28),
        ('http.request.headers.names[*] eq "a"', "expected value of type Bool, but got Array<Bool>", 37),
        ('http.host[0] eq "a"', "cannot access index ArrayIndex(0) for type Bytes", 10),
        ('http.request.headers[0][0] eq "a"', "cannot access index ArrayIndex(0) for type Map<Array<Bytes>>", 21),
        ("any(ssl)", "expected value of type Array<Bool>, but got Bool", 5),
        (
            'ssl and http.request.headers.names[*] eq "a"',
            "expected value of type Bool, but got Array<Bool>",
            45,
        ),
        (
            "len(ssl) eq 1",
            "invalid type of argument #0: expected value of type Bytes or Array<_>, but got Bool",
            5,
        ),
        ("lower() eq 1", "invalid number of arguments", 7),
        ('starts_with(http.host, "a", "b")', "invalid number of arguments", 29),
        ('concat("a", http.request.headers.names[*]) eq 1', "invalid use of map each access operator", 13),
        ("(" * 129 + "ssl" + ")" * 129, "maximum nesting depth exceeded (limit: 128)", 129),
        ("!" * 129 + "ssl", "maximum nesting depth exceeded (limit: 128)", 129),
    ],
)
def test_what_cloudflare_refuses_is_refused_with_its_reason_and_place(text: str, reason: str, column: int) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text)

    assert (refused.value.reason, refused.value.line, refused.value.column) == (reason, 1, column)


def test_an_error_shows_the_line_and_points_at_the_fault() -> None:
    with pytest.raises(ExpressionError) as refused:
        parse('ssl and\n  http.uri.path eq "/"\nand ssl')

    assert str(refused.value) == (
        'Filter parsing error (2:3):\n  http.uri.path eq "/"\n  ^^^^^^^^^^^^^ unknown identifier'
    )


def test_nesting_up_to_the_limit_is_accepted() -> None:
    assert parse("(" * 128 + "ssl" + ")" * 128).evaluate({"ssl": True})


@pytest.mark.parametrize(
    ("name", "value"),
    [("ssl", "true"), ("cf.threat_score", True), ("http.host", 5), ("http.request.headers.names", "accept")],
)
def test_a_field_of_another_type_is_a_mistake_of_the_caller(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=name):
        parse("ssl").evaluate({name: value})


def test_a_field_that_does_not_exist_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError, match=r"http\.hots"):
        parse("ssl").evaluate({"http.hots": "a"})
