"""template.yaml deploys as it stands, and says what the project promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from riskscore.training.manifest_sections import check_model_name
from tests.scoring_examples import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = ROOT / "template.yaml"


class CloudFormationLoader(yaml.SafeLoader):
    """Reads !Ref and its like as plain values under their tag's name."""


def _tagged(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    assert isinstance(node, yaml.SequenceNode)
    return {tag: loader.construct_sequence(node, deep=True)}


CloudFormationLoader.add_multi_constructor("!", _tagged)


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(TEMPLATE.read_text(), CloudFormationLoader)
    return document


@pytest.mark.parametrize(
    "command",
    [
        ["-c", "import sys; from samcli.cli.main import cli; cli()", "validate", "--lint", "--template", TEMPLATE],
        ["-c", "import sys; from cfnlint.runner import main; sys.exit(main())", TEMPLATE],
    ],
    ids=["sam validate --lint", "cfn-lint"],
)
def test_the_template_is_valid(command: list[str], tmp_path: Path) -> None:
    environ = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-1", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, *command], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_signed_requests_reach_the_function_and_its_logs_end(template: dict[str, Any]) -> None:
    function = template["Resources"]["Function"]["Properties"]
    assert function["PackageType"] == "Image"
    assert function["FunctionUrlConfig"] == {"AuthType": "AWS_IAM"}
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": "Logs"}}
    assert template["Resources"]["Logs"]["Properties"] == {"RetentionInDays": {"Ref": "LogRetentionDays"}}


@pytest.mark.parametrize("name", ["VpcConfig", "PGPASSWORD", "PGHOST", "RISKSCORE_MANIFEST_SHA256", "RISKSCORE_OUTPUT"])
def test_what_a_deployment_can_do_without_is_conditional(name: str, template: dict[str, Any]) -> None:
    function = template["Resources"]["Function"]["Properties"]
    value = (function | function["Environment"]["Variables"])[name]
    condition, _, otherwise = value["If"]
    assert condition in template["Conditions"]
    assert otherwise == {"Ref": "AWS::NoValue"}


def test_the_password_comes_from_the_secret_alone(template: dict[str, Any]) -> None:
    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert "{{resolve:secretsmanager:${DatabaseSecretArn}:" in variables["PGPASSWORD"]["If"][1]["Sub"]
    assert not [name for name in template["Parameters"] if "password" in name.lower()]


def test_a_queue_tells_which_messages_stay_and_the_function_may_do_no_more_than_it_does(
    template: dict[str, Any],
) -> None:
    found = template["Resources"]
    assert found["Queue"]["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    allowed = {
        name: found[name]["Properties"]["PolicyDocument"]["Statement"] for name in ("AnswersPolicy", "QueuePolicy")
    }
    place = {"Sub": "arn:${AWS::Partition}:s3:::${AnswersBucket}/${AnswersPrefix}/*"}
    assert allowed == {
        "AnswersPolicy": [{"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": place}],
        "QueuePolicy": [
            {
                "Effect": "Allow",
                "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                "Resource": {"Ref": "QueueArn"},
            }
        ],
    }
    assert {name: found[name]["Condition"] for name in ("AnswersPolicy", "QueuePolicy", "Queue")} == {
        "AnswersPolicy": "HasAnswers",
        "QueuePolicy": "HasQueue",
        "Queue": "HasQueue",
    }
    variable = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]["RISKSCORE_OUTPUT"]
    assert variable["If"][:2] == ["HasAnswers", {"Sub": "s3://${AnswersBucket}/${AnswersPrefix}"}]
    assert template["Rules"]["AnswersKept"]["Assertions"][0]["Assert"] == {
        "Not": [{"Equals": [{"Ref": "AnswersBucket"}, ""]}]
    }


def test_every_parameter_but_the_image_has_a_default(template: dict[str, Any]) -> None:
    assert [name for name, parameter in template["Parameters"].items() if "Default" not in parameter] == ["ImageUri"]


@pytest.mark.parametrize("name", ["credit_risk", "Loans-2026", "x"])
def test_whatever_a_model_may_be_called_can_be_deployed(name: str, template: dict[str, Any]) -> None:
    check_model_name(name)
    assert re.fullmatch(template["Parameters"]["Model"]["AllowedPattern"], name)
    assert re.fullmatch(template["Parameters"]["Models"]["AllowedPattern"], f"{name},pay_later")
