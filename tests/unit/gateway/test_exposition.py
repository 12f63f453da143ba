"""Envoy's page -> ours: names, units, classes of failure, and text that Prometheus reads."""

import time

import pytest

from pointsman.gateway.exposition import attempt_class, page, renamed

ATTEMPT = 'route="default/chat#0",target="default/own",code="{code}",flags="{flags}",verdict="{verdict}"'


def ours(*lines: str) -> list[str]:
    """Our samples of an Envoy page."""
    return [line for line in page(renamed("\n".join(lines) + "\n")).splitlines() if line[0] != "#"]


@pytest.mark.parametrize(
    ("code", "flags", "verdict", "want"),
    [
        ("200", "-", "", "ok"),
        ("204", "-", "", "ok"),
        ("400", "-", "", "rejected"),
        ("404", "-", "", "rejected"),
        ("429", "-", "", "rate_limited"),
        ("500", "-", "", "server_error"),
        ("503", "-", "", "server_error"),
        ("503", "UF", "", "connect_failure"),
        ("503", "UF,URX", "", "connect_failure"),
        ("0", "UC", "", "connect_failure"),
        ("504", "UT", "", "timeout"),
        ("503", "UO", "", "overflow"),
        ("503", "UH", "", "no_capacity"),
        ("0", "DC", "", "client_gone"),
        ("400", "-", "contextOverflow", "context_overflow"),
        ("200", "-", "refusal", "refusal"),
        ("503", "-", "noCapacity", "no_capacity"),
        ("200", "-", "something a target sent", "ok"),
    ],
)
def test_an_attempt_has_one_class(code: str, flags: str, verdict: str, want: str) -> None:
    assert attempt_class(code, flags, verdict) == want


def test_equal_attempts_are_one_sample() -> None:
    first = ATTEMPT.format(code="503", flags="UF", verdict="-")
    second = ATTEMPT.format(code="503", flags="UC", verdict="-")
    lines = ours(f"envoy_pointsman_attempts{{{first}}} 2", f"envoy_pointsman_attempts{{{second}}} 3")
    labels = 'route="default/chat",rule="0",target="default/own",code="503",class="connect_failure"'
    assert lines == [f"pointsman_gateway_attempts_total{{{labels}}} 5"]


def test_a_verdict_of_a_targets_own_invention_makes_no_series() -> None:
    given = [ATTEMPT.format(code="200", flags="-", verdict=f"word-{n}") for n in range(50)]
    lines = ours(*(f"envoy_pointsman_attempts{{{labels}}} 1" for labels in given))
    assert [line.rpartition(" ")[2] for line in lines] == ["50"]


def test_times_are_in_seconds() -> None:
    labels = 'route="default/chat#0",target="default/own",stream="true"'
    lines = ours(
        f'envoy_pointsman_first_token_bucket{{{labels},le="5"}} 1',
        f'envoy_pointsman_first_token_bucket{{{labels},le="600000"}} 2',
        f'envoy_pointsman_first_token_bucket{{{labels},le="+Inf"}} 3',
        f"envoy_pointsman_first_token_sum{{{labels}}} 1234567.5",
        f"envoy_pointsman_first_token_count{{{labels}}} 3",
    )
    who = 'route="default/chat",rule="0",target="default/own",stream="true"'
    assert lines == [
        f'pointsman_gateway_first_token_seconds_bucket{{{who},le="0.005"}} 1',
        f'pointsman_gateway_first_token_seconds_bucket{{{who},le="600"}} 2',
        f'pointsman_gateway_first_token_seconds_bucket{{{who},le="+Inf"}} 3',
        f"pointsman_gateway_first_token_seconds_sum{{{who}}} 1234.5675",
        f"pointsman_gateway_first_token_seconds_count{{{who}}} 3",
    ]


def test_uses_of_a_target_are_one_series_and_adapters_are_their_own() -> None:
    def asked(cluster: str, count: int) -> str:
        labels = f'route="default/chat#0",target="{cluster}",client="a",code="200",flags="-"'
        return f"envoy_pointsman_requests{{{labels}}} {count}"

    lines = ours(
        asked("default/own~1a2b3c4d", 2),
        asked("default/own~5e6f7a8b", 3),
        asked("default/own/acme/de:v1.5~1a2b3c4d", 4),
        asked("-", 5),
    )
    labels = 'route="default/chat",rule="0",target="{}",client="a",code="200"{}'
    series = f"pointsman_gateway_requests_total{{{{{labels}}}}} {{}}"
    assert lines == [
        series.format("default/own", "", 5),
        series.format("default/own", ',adapter="acme/de:v1.5"', 4),
        series.format("", "", 5),
    ]


def test_what_envoy_escaped_stays_escaped() -> None:
    odd = r"a\"b\\c\nd,}e"
    lines = ours(f'envoy_pointsman_requests{{route="r#0",target="t",client="{odd}",code="200",flags="-"}} 1')
    assert lines == [
        f'pointsman_gateway_requests_total{{route="r",rule="0",target="t",client="{odd}",code="200"}} 1'
    ]


def test_large_counts_keep_every_token() -> None:
    labels = 'route="default/chat#0",target="default/far",client="alice"'
    lines = ours(f"envoy_pointsman_prompt_tokens{{{labels}}} 123456789012345")
    assert lines[0].endswith(" 123456789012345")


def test_clusters_of_ours_alone_are_targets() -> None:
    lines = ours(
        'envoy_cluster_upstream_rq_active{envoy_cluster_name="default/own"} 2',
        'envoy_cluster_upstream_rq_active{envoy_cluster_name="discovery"} 1',
        "envoy_server_live{} 1",
        "envoy_server_uptime 5",
    )
    assert lines == ['pointsman_gateway_active_requests{target="default/own"} 2']


def test_a_page_takes_time_in_its_length_and_not_in_its_square() -> None:
    def seconds(length: int) -> float:
        began = time.thread_time()
        renamed(f"envoy_pointsman_requests{{{'a' * length}}} 1\n")
        return time.thread_time() - began

    assert min(seconds(16_000) for _ in range(3)) < 20 * max(min(seconds(2_000) for _ in range(3)), 1e-4)
