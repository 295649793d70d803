"""Every route answers what its schema says, whatever is sent: requests drawn by schemathesis from the OpenAPI."""

import warnings

import pytest
from hypothesis import HealthCheck, given, settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    schemathesis = pytest.importorskip("schemathesis", reason="no schemathesis: pip install '.[dev]'")
    from schemathesis import checks

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

DRAWN = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.filterwarnings("ignore")  # schemathesis's own
def test_no_drawn_request_breaks_the_schema(server):
    schema = schemathesis.openapi.from_url(f"{server.url}/api/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 6
    for operation in operations:

        @DRAWN
        @given(case=operation.as_strategy())
        def check(case):
            case.call_and_validate(base_url=server.url, checks=CHECKS)

        check()
