"""The files that TensorFlow Serving and Prometheus read belong together."""

import re

import pytest
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from delf_keras.serving.contract import MODEL_NAME

FIELD = descriptor_pb2.FieldDescriptorProto
INT64_VALUE = ".google.protobuf.Int64Value"
BOOL_VALUE = ".google.protobuf.BoolValue"

# Of protos that the wheel of TensorFlow Serving leaves out, the fields that
# are used here: name to the type of a message, or of a scalar.
MESSAGES = {
    "BatchingParameters": {
        "max_batch_size": INT64_VALUE,
        "batch_timeout_micros": INT64_VALUE,
        "max_enqueued_batches": INT64_VALUE,
        "num_batch_threads": INT64_VALUE,
        "enable_large_batch_splitting": BOOL_VALUE,
        "max_execution_batch_size": INT64_VALUE,
        "pad_variable_length_inputs": FIELD.TYPE_BOOL,
    },
    "PrometheusConfig": {
        "enable": FIELD.TYPE_BOOL,
        "path": FIELD.TYPE_STRING,
    },
    "MonitoringConfig": {"prometheus_config": ".PrometheusConfig"},
}


@pytest.fixture(scope="module")
def messages():
    """Classes of `MESSAGES`, by name."""
    file = descriptor_pb2.FileDescriptorProto(
        name="serving_configuration.proto",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            message.field.add(
                name=field,
                number=number,
                label=FIELD.LABEL_OPTIONAL,
                **(
                    {"type_name": kind, "type": FIELD.TYPE_MESSAGE}
                    if isinstance(kind, str)
                    else {"type": kind}
                ),
            )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        for name in MESSAGES
    }


def model_of(text):
    """Returns the one model of the text of a models.config."""
    config = text_format.Parse(
        text, model_server_config_pb2.ModelServerConfig()
    )
    (model,) = config.model_config_list.config
    return model


def test_models_config_serves_the_newest_version(export_folder, compose):
    model = model_of((export_folder / "models.config").read_text())

    assert model.name == MODEL_NAME
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 1
    models, _ = compose["serving"]["volumes"]
    assert models.endswith(f":{model.base_path}:ro")


def test_models_config_with_labels(export_folder):
    """The lines that are commented out take the place of the policy."""
    text = (export_folder / "models.config").read_text()
    policy = re.search(r"\n *model_version_policy.*", text)[0]
    text = text.replace(policy, "")
    model = model_of(
        re.sub(r"# (model_version_policy|version_labels)", r"\1", text)
    )

    served = set(model.model_version_policy.specific.versions)
    assert served == {1, 2}
    assert set(model.version_labels) == {"stable", "canary"}
    assert set(model.version_labels.values()) <= served


def test_batching_runs_photographs_one_by_one(export_folder, messages):
    batching = text_format.Parse(
        (export_folder / "batching.config").read_text(),
        messages["BatchingParameters"](),
    )

    assert batching.enable_large_batch_splitting.value
    assert batching.max_execution_batch_size.value == 1
    assert batching.num_batch_threads.value >= 1
    # Otherwise a request of most rows would never be taken.
    assert batching.max_enqueued_batches.value >= batching.max_batch_size.value
    assert not batching.pad_variable_length_inputs


def test_prometheus_asks_where_the_metrics_are(
    export_folder, compose, messages
):
    monitoring = text_format.Parse(
        (export_folder / "monitoring.config").read_text(),
        messages["MonitoringConfig"](),
    )
    prometheus = yaml.safe_load((export_folder / "prometheus.yml").read_text())

    (job,) = prometheus["scrape_configs"]
    assert monitoring.prometheus_config.enable
    assert job["metrics_path"] == monitoring.prometheus_config.path
    (target,) = job["static_configs"][0]["targets"]
    service, port = target.split(":")
    assert f"127.0.0.1:{port}:{port}" in compose[service]["ports"]


def test_compose_names_files_that_exist(export_folder, compose):
    _, configuration = compose["serving"]["volumes"]
    assert configuration == ".:/config:ro"
    files = re.findall(
        r"--\w+_file=/config/(\S+)", " ".join(compose["serving"]["command"])
    )
    assert sorted(files) == [
        "batching.config",
        "models.config",
        "monitoring.config",
    ]
    (prometheus,) = compose["prometheus"]["volumes"]
    for file in [*files, prometheus.split(":")[0]]:
        assert (export_folder / file).is_file()


def test_compose_listens_on_this_machine_alone(compose):
    ports = [port for s in compose.values() for port in s["ports"]]
    assert {port.split(":")[1] for port in ports} == {"8500", "8501", "9090"}
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_compose_asks_for_the_folder_of_the_model(compose):
    models, _ = compose["serving"]["volumes"]
    assert models.startswith("${DELF_MODEL:?")


def test_kserve_reads_the_batching_beside_the_versions(export_folder):
    service = yaml.safe_load((export_folder / "kserve.yaml").read_text())

    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    assert service["kind"] == "InferenceService"
    assert service["metadata"]["name"] == MODEL_NAME
    model = service["spec"]["predictor"]["model"]
    assert model["modelFormat"]["name"] == "tensorflow"
    assert (
        "--batching_parameters_file=/mnt/models/batching.config"
        in model["args"]
    )


def test_servers_are_of_one_version(export_folder, compose):
    """What docker compose runs by default is what KServe runs."""
    service = yaml.safe_load((export_folder / "kserve.yaml").read_text())
    version = service["spec"]["predictor"]["model"]["runtimeVersion"]
    assert compose["serving"]["image"].endswith(f":-{version}}}")
