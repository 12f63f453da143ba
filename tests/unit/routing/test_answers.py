"""What the gateway says itself is shaped as OpenAI's clients read it, and says what to do."""

import json

import pytest

from pointsman.routing import answers
from pointsman.routing.answers import Answer, direct_route, local_reply_mappers

ALL = [value for value in vars(answers).values() if isinstance(value, Answer)]
ALL += [answer for answer, _ in answers.LOCAL]
ALL.append(answers.too_large(16 * 1024 * 1024))


@pytest.mark.parametrize("answer", ALL, ids=lambda answer: f"{answer.status}-{answer.code}")
def test_an_answer_is_an_error_with_message_type_and_code(answer: Answer) -> None:
    route = direct_route(answer)
    error = json.loads(route["direct_response"]["body"]["inline_string"])["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == ("server_error" if answer.status >= 500 else "invalid_request_error")
    assert error["message"].endswith(".")
    headers = {one["header"]["key"]: one["header"]["value"] for one in route["response_headers_to_add"]}
    assert headers["content-type"] == "application/json"
    assert ("retry-after" in headers) is (answer.status == 503)


def test_codes_tell_answers_apart() -> None:
    assert (
        len({answer.code for answer in ALL}) >= len({(answer.status, answer.message) for answer in ALL}) - 1
    )


def test_envoys_own_replies_have_each_status_once() -> None:
    statuses = [answer.status for answer, _ in answers.LOCAL]
    assert len(statuses) == len(set(statuses) - {413})
    mappers = local_reply_mappers(1024)
    assert len(mappers) == len(statuses) + 3
    bodies = [mapper["body_format_override"]["json_format"]["error"]["code"] for mapper in mappers]
    assert bodies[:2] == ["overloaded", "model_not_found"]


@pytest.mark.parametrize(
    ("at_most", "want"), [(16 << 20, "the 16 MiB that"), (1_000_000, "the 1000000 bytes that")]
)
def test_a_body_that_is_too_large_is_told_how_large_it_may_be(at_most: int, want: str) -> None:
    assert want in answers.too_large(at_most).message
    bodies = [one["body_format_override"]["json_format"] for one in local_reply_mappers(at_most)]
    assert answers.too_large(at_most).body() in bodies
