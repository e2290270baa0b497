"""The `.delf` format against google.protobuf and a file of tensorflow/models.

The messages are described to google.protobuf here once more, so that neither
side of the comparison takes its field numbers from the other.
"""

import numpy as np
import pytest

from delf_keras.features.delf_format import (
    decode_delf,
    encode_delf,
    read_delf,
    write_delf,
)
from delf_keras.features.local_features import LocalFeatures


def make_features(count=5, dimension=40, seed=0):
    generator = np.random.default_rng(seed)
    return LocalFeatures(
        locations=generator.uniform(0, 1024, (count, 2)),
        descriptors=generator.standard_normal((count, dimension)),
        scores=generator.uniform(100, 500, count),
        scales=generator.choice([0.25, 1.0, 2.0], count),
    )


def make_messages(packed):
    """Returns name -> message class, with some fields that we do not know."""
    pytest.importorskip("google.protobuf")
    from google.protobuf import (
        descriptor_pb2,
        descriptor_pool,
        message_factory,
    )

    field = descriptor_pb2.FieldDescriptorProto
    package = "packed" if packed else "unpacked"
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto2"
    )

    def add(message, name, number, kind, repeated=False, of=None):
        added = message.field.add(
            name=name,
            number=number,
            type=kind,
            label=field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL,
        )
        if of:
            added.type_name = f".{package}.{of}"
        elif repeated:
            added.options.packed = packed

    message = file.message_type.add(name="DatumShape")
    add(message, "dim", 1, field.TYPE_INT64, repeated=True)
    message = file.message_type.add(name="FloatList")
    add(message, "value", 1, field.TYPE_FLOAT, repeated=True)
    message = file.message_type.add(name="DatumProto")
    add(message, "shape", 1, field.TYPE_MESSAGE, of="DatumShape")
    add(message, "float_list", 2, field.TYPE_MESSAGE, of="FloatList")
    message = file.message_type.add(name="DelfFeature")
    add(message, "descriptor", 1, field.TYPE_MESSAGE, of="DatumProto")
    scalars = ("x", "y", "scale", "orientation", "strength")
    for number, name in enumerate(scalars, 2):
        add(message, name, number, field.TYPE_FLOAT)
    add(message, "unknown_text", 100, field.TYPE_STRING)
    add(message, "unknown_double", 101, field.TYPE_DOUBLE)
    add(message, "unknown_integer", 102, field.TYPE_INT64)
    message = file.message_type.add(name="DelfFeatures")
    add(message, "feature", 1, field.TYPE_MESSAGE, True, of="DelfFeature")
    add(message, "unknown_float", 3, field.TYPE_FLOAT)
    messages = message_factory.GetMessages(
        [file], pool=descriptor_pool.DescriptorPool()
    )
    return lambda name: messages[f"{package}.{name}"]


@pytest.fixture(scope="module")
def protobuf():
    return make_messages(packed=True)


@pytest.fixture(scope="module")
def unpacked_protobuf():
    return make_messages(packed=False)


def to_message(protobuf, features):
    message = protobuf("DelfFeatures")()
    for i in range(len(features)):
        feature = message.feature.add()
        feature.y, feature.x = features.locations[i]
        feature.scale = features.scales[i]
        feature.orientation = 0
        feature.strength = features.scores[i]
        feature.descriptor.shape.dim.append(features.dimension)
        feature.descriptor.float_list.value.extend(features.descriptors[i])
    return message


def from_message(message):
    """The features of a message, read by google.protobuf."""
    records = message.feature
    return LocalFeatures(
        locations=[(record.y, record.x) for record in records],
        descriptors=[record.descriptor.float_list.value for record in records],
        scores=[record.strength for record in records],
        scales=[record.scale for record in records],
    )


def assert_same(features, expected):
    np.testing.assert_array_equal(features.locations, expected.locations)
    np.testing.assert_array_equal(features.descriptors, expected.descriptors)
    np.testing.assert_array_equal(features.scores, expected.scores)
    np.testing.assert_array_equal(features.scales, expected.scales)


# The lengths of the nested messages take one, two and three bytes.
@pytest.mark.parametrize("dimension", [1, 27, 40, 128, 1024, 4096])
@pytest.mark.parametrize("count", [1, 5])
def test_bytes_are_those_of_protobuf(protobuf, count, dimension):
    features = make_features(count, dimension)
    serialized = to_message(protobuf, features).SerializeToString()

    assert encode_delf(features) == serialized
    assert_same(decode_delf(serialized), features)


def test_protobuf_reads_what_is_written(protobuf):
    features = make_features()
    message = protobuf("DelfFeatures").FromString(encode_delf(features))

    assert_same(from_message(message), features)
    for record in message.feature:
        assert record.HasField("orientation") and record.orientation == 0
        assert list(record.descriptor.shape.dim) == [features.dimension]


@pytest.mark.parametrize("every", [1, 2], ids=["all", "every other"])
def test_fields_in_another_order(protobuf, every):
    feature = protobuf("DelfFeature")
    records = to_message(protobuf, make_features()).feature
    serialized = [record.SerializeToString() for record in records]
    # Concatenated messages are one message to protobuf.
    serialized[::every] = [
        feature(strength=record.strength, y=record.y).SerializeToString()
        + feature(descriptor=record.descriptor).SerializeToString()
        + feature(orientation=0, scale=record.scale).SerializeToString()
        + feature(x=record.x).SerializeToString()
        for record in records[::every]
    ]
    assert len({len(record) for record in serialized}) == 1
    data = b"".join(
        bytes([0x0A, 0x80 | len(record) & 0x7F, len(record) >> 7]) + record
        for record in serialized
    )

    assert_same(decode_delf(data), make_features())
    assert_same(
        from_message(protobuf("DelfFeatures").FromString(data)),
        make_features(),
    )


def test_unpacked_values(unpacked_protobuf):
    features = make_features()
    data = to_message(unpacked_protobuf, features).SerializeToString()

    assert len(data) > len(encode_delf(features))
    assert_same(decode_delf(data), features)


def test_records_of_different_layouts(protobuf, unpacked_protobuf):
    features = make_features()
    data = (
        to_message(protobuf, features[:2]).SerializeToString()
        + to_message(unpacked_protobuf, features[2:4]).SerializeToString()
        + to_message(protobuf, features[4:]).SerializeToString()
    )

    assert_same(decode_delf(data), features)


@pytest.mark.parametrize("varied", [False, True])
def test_unknown_fields_are_skipped(protobuf, varied):
    message = to_message(protobuf, make_features())
    for i, record in enumerate(message.feature):
        record.unknown_text = "x" * (i if varied else 3)
        record.unknown_double = i if varied else 0.5
        record.unknown_integer = -i if varied else 300
    if varied:
        message.unknown_float = 2

    assert_same(decode_delf(message.SerializeToString()), make_features())


@pytest.mark.parametrize("field", ["x", "y", "scale", "strength"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_absent_numbers_are_zero(protobuf, field, everywhere):
    message = to_message(protobuf, make_features())
    for record in message.feature[:] if everywhere else message.feature[1:2]:
        record.ClearField(field)

    features = decode_delf(message.SerializeToString())
    assert_same(features, from_message(message))


def test_the_last_of_repeated_numbers_counts(protobuf):
    feature = protobuf("DelfFeature")
    record = b"".join(
        feature(x=x, y=y).SerializeToString() for x, y in [(1, 2), (3, 4)]
    )
    features = decode_delf(bytes([0x0A, len(record)]) + record)

    np.testing.assert_array_equal(features.locations, [[4, 3]])
    assert features.dimension == 0


def test_zero_features_are_an_empty_file(tmp_path):
    empty = make_features(0)
    assert encode_delf(empty) == b""

    write_delf(tmp_path / "empty.delf", empty)
    features = read_delf(tmp_path / "empty.delf")
    assert features.locations.shape == (0, 2)
    assert features.descriptors.shape == (0, 0)


def test_unaltered_through_a_file(tmp_path):
    features = make_features()
    write_delf(tmp_path / "folder" / "photo.delf", features)
    again = read_delf(tmp_path / "folder" / "photo.delf")

    assert_same(again, features)
    assert again.image_size == (0, 0) and again.fingerprint == ""
    assert again.descriptors.flags.writeable


def test_every_truncation_within_a_record_is_refused():
    data = encode_delf(make_features(count=2, dimension=3))
    half = len(data) // 2
    for size in set(range(1, len(data))) - {half}:
        with pytest.raises(ValueError, match=r"byte \d+.* Received: "):
            decode_delf(data[:size])
    # Cut between records it is a valid file.
    assert len(decode_delf(data[:half])) == 1


def test_truncation_is_reported_with_its_place():
    data = encode_delf(make_features(count=3, dimension=40))
    record = len(data) // 3
    with pytest.raises(
        ValueError,
        match=f"field at byte {2 * record} must have {record - 3} bytes. "
        "Received: 96 bytes",
    ):
        decode_delf(data[: 2 * record + 3 + 96])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(100), "field at byte 0 must have a number"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "field at byte 0 .* wire_type=7"),
        (b"\x0a" + b"\xff" * 11, "At byte 1 there must be a varint"),
        (b"\x0a\x05\x0a\x03\x12\x05\x0a", "byte 4 must have 5 bytes"),
        (b"\x0a\x09\x0a\x07\x12\x05\x0a\x03abc", "byte 8 .* 3 bytes"),
    ],
    ids=["zeros", "jpeg", "endless integer", "overlong field", "odd floats"],
)
def test_other_data_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        decode_delf(data)


def test_descriptors_of_different_lengths_are_refused():
    first = encode_delf(make_features(1, 40))
    data = first + encode_delf(make_features(1, 20))
    with pytest.raises(
        ValueError, match=f"40 values .* 20 values .* byte {len(first) + 2}"
    ):
        decode_delf(data)


def test_errors_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_delf(tmp_path / "absent.delf")
    (tmp_path / "broken.delf").write_bytes(bytes(7))
    with pytest.raises(ValueError, match="broken.delf"):
        read_delf(tmp_path / "broken.delf")


def test_file_of_tensorflow_models(test_data, tmp_path):
    path = test_data / "delf_reference" / "love.delf"
    features = read_delf(path)

    assert features.descriptors.shape == (546, 40)
    assert features.scores.min() == pytest.approx(100.03, abs=0.005)
    assert features.scores.max() == pytest.approx(429.58, abs=0.005)
    assert len(np.unique(features.scales)) == 7
    norms = np.linalg.norm(features.descriptors, axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)

    write_delf(tmp_path / "again.delf", features)
    assert (tmp_path / "again.delf").read_bytes() == path.read_bytes()


def test_file_of_tensorflow_models_against_protobuf(test_data, protobuf):
    data = (test_data / "delf_reference" / "love.delf").read_bytes()
    message = protobuf("DelfFeatures").FromString(data)

    assert_same(decode_delf(data), from_message(message))
