"""A failed run becomes one log line and, where a webhook is set, one JSON message that names the cause."""

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest

from pipelines.automation.alerts import describe_failure, failure_alert, post
from pipelines.errors import WorkFailedError
from pipelines.lake.connection import Lake


@dg.multi_asset(
    specs=[dg.AssetSpec("orders")],
    check_specs=[dg.AssetCheckSpec("order_ids_are_unique", asset="orders", blocking=True)],
)
def orders(context: dg.AssetExecutionContext) -> Iterator[Any]:
    yield dg.MaterializeResult("orders")
    yield dg.AssetCheckResult(asset_key="orders", check_name="order_ids_are_unique", passed=False)


@dg.asset
def spend() -> None:
    raise WorkFailedError("The disk is full.", "Free space.")


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a server on the loopback, and the messages that it got."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if self.path == "/broken":
                self.send_error(500)
                return
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append({"type": self.headers["Content-Type"], **json.loads(body)})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


def failed(
    instance: dg.DagsterInstance, asset: dg.AssetsDefinition, resources: dict[str, object]
) -> dg.RunFailureSensorContext:
    result = dg.materialize([asset], instance=instance, raise_on_error=False, tags={"truelift/as_of": "2025-06-30"})
    assert not result.success
    return dg.build_run_status_sensor_context(
        sensor_name="failure_alert",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
        resources=resources,
    ).for_run_failure()


def test_a_failed_check_is_named(instance: dg.DagsterInstance) -> None:
    message = describe_failure(failed(instance, orders, {}))
    assert message["failed_checks"] == [{"table": "orders", "check": "order_ids_are_unique", "severity": "ERROR"}]
    assert message["as_of"] == "2025-06-30"
    assert message["failed_steps"][0]["step"] == "orders"


def test_the_webhook_gets_the_cause(
    instance: dg.DagsterInstance, lake: Lake, inbox: tuple[str, list[dict[str, Any]]], caplog: pytest.LogCaptureFixture
) -> None:
    address, received = inbox
    watched = Lake(replace(lake.settings, alert_webhook=address))
    with caplog.at_level(logging.ERROR, logger="truelift.alerts"):
        failure_alert()(failed(instance, spend, {"lake": watched}))
    (message,) = received
    assert message["type"] == "application/json"
    assert message["alert"] == "run_failed"
    assert "The disk is full. Free space." in message["failed_steps"][0]["error"]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "truelift.alerts"]
    assert json.loads(line)["run_id"] == message["run_id"]


def test_without_a_webhook_the_log_still_tells(
    instance: dg.DagsterInstance, lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="truelift.alerts"):
        failure_alert()(failed(instance, spend, {"lake": lake}))
    assert any(record.name == "truelift.alerts" for record in caplog.records)


@pytest.mark.parametrize("path", ["/broken", None])
def test_an_undelivered_alert_is_an_error(inbox: tuple[str, list[dict[str, Any]]], path: str | None) -> None:
    address = f"{inbox[0]}{path}" if path else "http://127.0.0.1:9"
    with pytest.raises(WorkFailedError, match="was not delivered"):
        post(address, {"run_id": "1"})


def test_a_webhook_that_is_no_address_is_refused() -> None:
    with pytest.raises(WorkFailedError, match="not an http"):
        post("file:///etc/passwd", {})
