"""What people read: tables, explanations, lines on the terminal."""

import io
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pointsman.api import ModelDeployment, ModelRoute
from pointsman.errors import PointsmanError
from pointsman.local.display.explanation import explain_deployment, explain_route
from pointsman.local.display.explanation_text import in_words
from pointsman.local.display.kinds import kind_named
from pointsman.local.display.listing import one, select, tables
from pointsman.local.display.table import age, value_at
from pointsman.local.display.terminal import (
    BAD,
    GOOD,
    Line,
    Terminal,
    deployment_line,
    leaving_line,
    route_line,
)
from pointsman.local.engines.plan import Phase, ReplicaView, Trouble
from pointsman.local.listening import Listen, free_port, parse_listen, refuse_if_taken
from pointsman.local.state import StateFolder, to_json, write_whole
from pointsman.local.status.observed import DeploymentObserved, Stage, Step
from pointsman.local.weights.fetcher import FetchProgress
from pointsman.routing import Endpoint
from tests.support import builders, manifests
from tests.support.builders import key

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

AGES = {
    "2026-11-22T11:59:15Z": "45s",
    "2026-11-22T11:48:00Z": "12m",
    "2026-11-22T07:00:00Z": "5h",
    "2026-11-10T12:00:00Z": "12d",
    "2026-11-22T12:00:05Z": "0s",
    "yesterday": "-",
}


@pytest.mark.parametrize(("created", "want"), AGES.items())
def test_age(created: str, want: str) -> None:
    assert age(created, NOW) == want


def test_a_printer_columns_path() -> None:
    document = {"status": {"conditions": [{"type": "A", "status": "x"}, {"type": "Ready", "status": "True"}]}}
    assert value_at(document, '.status.conditions[?(@.type=="Ready")].status') == "True"
    assert value_at(document, '.status.conditions[?(@.type=="None")].status') is None
    assert value_at(document, ".spec.replicas") is None


KIND_NAMES = {
    "pmd": ModelDeployment,
    "ModelDeployments": ModelDeployment,
    "modelroute": ModelRoute,
    "modelroutes.pointsman.dev": ModelRoute,
}


@pytest.mark.parametrize(("name", "want"), KIND_NAMES.items())
def test_kinds_by_every_name(name: str, want: type) -> None:
    assert kind_named(name) is want


def test_a_kind_that_is_none_names_the_nearest() -> None:
    with pytest.raises(PointsmanError, match='did you mean "modelroute"'):
        kind_named("modelrote")


class TestListing:
    @pytest.fixture
    def state(self, tmp_path: Path) -> StateFolder:
        state = StateFolder(tmp_path)
        ready = {"conditions": [{"type": "Ready", "status": "True", "reason": "ReplicasReady"}]}
        for document in (
            manifests.deployment(
                "a", engine="llama.cpp", metadata={"creationTimestamp": "2026-11-22T11:48:00Z"}
            ),
            manifests.deployment("b", engine="llama.cpp", replicas=0),
            manifests.route("chat", ["a"]),
        ):
            kept = {**document, "status": ready}
            write_whole(state.object_path(kept["kind"], "default", kept["metadata"]["name"]), to_json(kept))
        return state

    def rows(
        self, state: StateFolder, what: str, *, wide: bool = False, live: bool = True
    ) -> list[list[str]]:
        found = tables(state, select(what, ""), wide=wide, live=live, now=NOW)
        return [line.split() for table in found for line in table]

    def test_nobody_knows_what_is_ready_once_up_has_ended(self, state: StateFolder) -> None:
        ready = [row[1] for row in self.rows(state, "", live=False)]
        assert ready == ["READY", "Unknown", "Unknown", "READY", "Unknown"]

    def test_columns_are_those_of_the_kind(self, state: StateFolder) -> None:
        assert self.rows(state, "pmd") == [
            ["NAME", "READY", "MODEL", "ENGINE", "ACCELERATOR", "REPLICAS", "DESIRED", "AGE"],
            ["a", "True", "-", "-", "-", "0", "1", "12m"],
            ["b", "True", "-", "-", "-", "0", "0", "-"],
        ]
        assert "REASON" in self.rows(state, "pmd", wide=True)[0]

    @pytest.mark.parametrize(
        ("weights", "available", "want"),
        [
            ("True", ("True", "ReplicasReady"), "new"),
            ("False", ("True", "ReplicasReady"), "new (former version serves)"),
            ("True", ("True", "FormerVersionServes"), "new (former version serves)"),
            ("False", ("False", "NoReplicaReady"), "new"),
        ],
    )
    def test_a_model_that_does_not_serve_yet_is_told_from_one_that_does(
        self, state: StateFolder, weights: str, available: tuple[str, str], want: str
    ) -> None:
        conditions = [
            {"type": "WeightsAvailable", "status": weights, "reason": "r"},
            {"type": "Available", "status": available[0], "reason": available[1]},
        ]
        kept = {
            **manifests.deployment("a", engine="llama.cpp"),
            "status": {"model": "new", "conditions": conditions},
        }
        write_whole(state.object_path("ModelDeployment", "default", "a"), to_json(kept))
        assert " ".join(self.rows(state, "pmd/a")[1][2:]).startswith(f"{want} - -")

    def test_a_hosted_model_has_no_replicas_to_count(self, state: StateFolder) -> None:
        hosted = manifests.hosted("gpt", "https://api.openai.com/v1")
        kept = {**hosted, "status": {"readyReplicas": 0, "engine": {"name": "openai"}}}
        write_whole(state.object_path("ModelDeployment", "default", "gpt"), to_json(kept))
        heading, row = self.rows(state, "pmd/gpt")
        shown = dict(zip(heading, row, strict=True))
        assert (shown["REPLICAS"], shown["DESIRED"], shown["ENGINE"]) == ("-", "-", "openai")

    def test_several_kinds_have_their_name_before_the_object(self, state: StateFolder) -> None:
        names = [row[0] for row in self.rows(state, "")]
        assert names == [
            "NAME", "modeldeployment.pointsman.dev/a", "modeldeployment.pointsman.dev/b",
            "NAME", "modelroute.pointsman.dev/chat",
        ]  # fmt: skip

    def test_one_object_by_name(self, state: StateFolder) -> None:
        assert [row[0] for row in self.rows(state, "pmd/b")] == ["NAME", "b"]
        assert one(state, select("pmd/b", ""))[1]["metadata"]["name"] == "b"
        with pytest.raises(PointsmanError, match="there is no modeldeployment c; see: pointsman get"):
            one(state, select("pmd/c", ""))

    def test_a_name_in_two_namespaces_asks_which(self, state: StateFolder) -> None:
        other = manifests.deployment("a", namespace="team", engine="llama.cpp")
        write_whole(state.object_path("ModelDeployment", "team", "a"), to_json(other))
        with pytest.raises(PointsmanError, match="namespaces default, team; choose one with -n"):
            one(state, select("pmd/a", ""))
        assert one(state, select("pmd/a", "team"))[1]["metadata"]["namespace"] == "team"
        assert self.rows(state, "pmd")[0][:2] == ["NAMESPACE", "NAME"]


class TestExplanation:
    def test_a_route_says_who_answers_in_which_order_and_why(self) -> None:
        route = builders.route(
            "chat",
            rules=[
                manifests.rule(["gold"], headers={"x-tier": "gold"}, min_prompt_tokens=3000),
                manifests.rule({"a": 3, "b": 1}, fallback=["c"], cooldown=(2, "10s"), first_token="8s"),
            ],
            api_keys={"team": "x"},
            data_class="internal",
        )
        told = in_words(explain_route(route), live=True)
        for words in (
            "to the model names chat",
            "clients with an API key of a Secret labelled team=x",
            "requests carry internal",
            "Rule 1: requests where header x-tier is gold and the prompt has about 3000 tokens or more",
            "it fails: another replica of it is tried; there is no fallback",
            "75 %  a",
            "1. c",
            "fails 2 times in a row is left alone for 10s",
            "first token 8s",
        ):
            assert words in told

    def test_adapters_are_told_apart(self) -> None:
        route = builders.route("chat", {"a/de": 3, "a": 1}, fallback=["a/fr"], mirror=("b/de", 5))
        told = in_words(explain_route(route), live=True)
        for words in ("75 %  a/de", "25 %  a  (", "1. a/fr", "5 % goes to b/de"):
            assert words in told, told
        deployment = builders.deployment("a", adapters=["de", "fr"])
        told = in_words(explain_deployment(deployment, [route], []), live=True)
        for words in ("(chat), adapter de, weight 3", "(chat), weight 1", "(chat), adapter fr, as fallback"):
            assert words in told, told

    def test_the_first_line_says_how_it_is_or_was(self) -> None:
        explained = explain_route(builders.route("chat", ["a"]))
        first = [in_words(explained, live=live).splitlines()[0] for live in (True, False)]
        assert first == [
            "ModelRoute default/chat is not known yet (generation 1)",
            "ModelRoute default/chat was not known yet (generation 1), as it was when `pointsman up` ended",
        ]

    def test_a_hosted_model_says_where_and_never_the_key(self) -> None:
        hosted = builders.hosted("gpt", "https://api.openai.com/v1", secret=("openai", "api-key"))
        told = in_words(explain_deployment(hosted, [], []), live=True)
        assert "at https://api.openai.com/v1" in told
        assert "Secret openai, key api-key" in told
        assert "no route: nobody can call it" in told


READY = DeploymentObserved(
    weights=Step(Stage.DONE),
    placed=Step(Stage.DONE),
    wanted_hash="h",
    replicas=(ReplicaView(0, "h", Phase.READY, 41001), ReplicaView(1, "h", Phase.READY, 41002)),
)
DEPLOYMENT = builders.deployment("chat", engine="llama.cpp", replicas=2)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestTerminal:
    def test_a_ready_deployment_is_one_line_with_its_endpoints(self) -> None:
        endpoints = (Endpoint("127.0.0.1", 41001), Endpoint("127.0.0.1", 41002))
        line = deployment_line(DEPLOYMENT, READY, endpoints)
        assert line is not None
        assert line.mark == GOOD
        assert line.text.split("  ")[0] == "2 replicas ready"
        assert line.text.endswith("127.0.0.1:41001, :41002")

    def test_nothing_is_said_while_nothing_is_settled(self) -> None:
        assert deployment_line(DEPLOYMENT, DeploymentObserved(), ()) is None

    def test_trouble_is_said_with_the_last_lines(self) -> None:
        trouble = Trouble("EngineDiedAtStart", "the engine ended", ("a", "b"))
        seen = DeploymentObserved(
            wanted_hash="h", replicas=(ReplicaView(0, "h", Phase.WAITING, trouble=trouble),)
        )
        line = deployment_line(DEPLOYMENT, seen, ())
        assert line == Line(BAD, "chat", "the engine ended; it is tried again", ("a", "b"))

    def test_what_is_hosted_now_is_not_said_to_be_removed(self) -> None:
        assert leaving_line(key("chat"), is_hosted_now=False).text.startswith("removed from the files; ")
        hosted = leaving_line(key("chat"), is_hosted_now=True)
        assert hosted.text == "is hosted now; its engines finish what they were asked, then end"

    def test_a_route_is_one_line_with_its_chain(self) -> None:
        route = builders.route("chat", {"a": 3, "b": 1}, fallback=["c"])
        line = route_line(route, {"Ready": ("True", "")}, "http://x/v1")
        assert line == Line(GOOD, "route chat", "http://x/v1   a 75 %, b 25 %  →  c")
        assert route_line(route, {"Ready": ("Unknown", "")}, "http://x/v1") is None
        assert route_line(route, {"Accepted": ("False", "bad")}, "u") == Line(BAD, "route chat", "bad")

    def test_each_thing_is_said_once_until_it_changes(self) -> None:
        out = io.StringIO()
        terminal = Terminal(out)
        for text in ("one", "one", "two", "one"):
            terminal.say(Line(GOOD, "chat", text))
        assert [line.split()[-1] for line in out.getvalue().splitlines()] == ["one", "two", "one"]

    def test_what_a_terminal_would_act_upon_is_shown_instead(self) -> None:
        out = io.StringIO()
        terminal = Terminal(out)
        terminal.say(Line(BAD, "a\x1b[2J", "b\rc", ("d\x07\u009b",)))
        terminal.plain("e\x1b]0;f\ttab\nline")
        assert out.getvalue().split() == [
            BAD, "a\\x1b[2J", "b\\x0dc", "d\\x07\\x9b", "e\\x1b]0;f", "tab", "line",
        ]  # fmt: skip

    def test_what_the_output_cannot_hold_is_shown_otherwise(self) -> None:
        written = io.BytesIO()
        out = io.TextIOWrapper(written, encoding="ascii", newline="\n")
        Terminal(out).plain("✓ a name of bytes: \udcff")
        assert written.getvalue() == b"\\u2713 a name of bytes: \\udcff\n"

    def test_a_full_disk_under_the_output_ends_nothing(self) -> None:
        with Path("/dev/full").open("w") as full:
            Terminal(full).plain("text")
            # What it still holds is written when it is closed.
            with Path("/dev/null").open("w") as nothing:
                os.dup2(nothing.fileno(), full.fileno())

    def test_elsewhere_than_on_a_terminal_progress_is_a_line_every_ten_percent(self) -> None:
        out = io.StringIO()
        terminal = Terminal(out)
        for percent in range(0, 100, 4):
            terminal.progress(key("chat"), FetchProgress("fetches", percent, 100))
        assert len(out.getvalue().splitlines()) == 10
        assert "\r" not in out.getvalue()

    @pytest.mark.parametrize(("value", "coloured"), [(None, True), ("", True), ("1", False)])
    def test_marks_have_colours_unless_the_reader_wants_none(
        self, monkeypatch: pytest.MonkeyPatch, value: str | None, coloured: bool
    ) -> None:
        # https://no-color.org: any value but an empty one.
        monkeypatch.delenv("NO_COLOR", raising=False)
        if value is not None:
            monkeypatch.setenv("NO_COLOR", value)
        out = Screen()
        Terminal(out).say(Line(GOOD, "chat", "ready"))
        assert ("\x1b[32m✓" in out.getvalue()) is coloured

    def test_on_a_terminal_progress_moves_in_one_line_and_makes_way(self) -> None:
        out = Screen()
        terminal = Terminal(out)
        terminal.progress(key("chat"), FetchProgress("fetches", 50, 100))
        terminal.progress(key("chat"), FetchProgress("fetches", 75, 100))
        terminal.say(Line(GOOD, "chat", "ready"))
        assert out.getvalue().count("\n") == 1
        assert "fetches 75 % of 0 MB\r\x1b[K" in out.getvalue()


LISTEN: dict[str, Any] = {
    "127.0.0.1:8080": Listen("127.0.0.1", 8080),
    ":80": Listen("0.0.0.0", 80),
    "[::1]:8080": Listen("::1", 8080),
}


@pytest.mark.parametrize(("text", "want"), LISTEN.items())
def test_addresses_to_listen_on(text: str, want: Listen) -> None:
    assert parse_listen(text) == want


def test_what_a_client_is_told() -> None:
    assert Listen("0.0.0.0", 80).url == "http://127.0.0.1:80/v1"
    assert Listen("::1", 80).url == "http://[::1]:80/v1"


@pytest.mark.parametrize("text", ["8080", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "a:b"])
def test_what_is_no_address_is_one_line(text: str) -> None:
    with pytest.raises(PointsmanError, match="is no address; write HOST:PORT"):
        parse_listen(text)


def test_a_free_port_is_not_refused_and_no_outgoing_connection_gets_it() -> None:
    port = free_port()
    refuse_if_taken(Listen("127.0.0.1", port))
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    assert port < max(first_outgoing, 32_768)
