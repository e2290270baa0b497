"""The `.delf` files of tensorflow/models, read and written without protoc.

A file is one serialised proto2 message of the package `delf.protos`:

```
DelfFeatures { repeated DelfFeature feature = 1 }
DelfFeature  { optional DatumProto descriptor = 1;
               optional float x = 2, y = 3, scale = 4, orientation = 5,
                              strength = 6 }
DatumProto   { optional DatumShape shape = 1;
               oneof kind_oneof { FloatList float_list = 2 } }
DatumShape   { repeated int64 dim = 1 [packed] }
FloatList    { repeated float value = 1 [packed] }
```

Descriptors of one length make records that differ in the bytes of their
floats alone, so that a file is in practice a table of fixed-size rows. Both
directions handle it as such; other valid files are parsed record by record.
"""

from pathlib import Path

import numpy as np

from delf_keras.atomic import atomic_path
from delf_keras.features.local_features import LocalFeatures

# Wire types of protobuf, and the bytes that a field of each occupies; None
# where the field says so itself. Groups (3 and 4) occur in no `.delf` file.
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}


def _tag(number, wire_type):
    return number << 3 | wire_type


_FEATURE = _DESCRIPTOR = _SHAPE = _PACKED = _tag(1, _LENGTH)
_FLOAT_LIST = _tag(2, _LENGTH)
_UNPACKED = _tag(1, _FIXED32)
_X, _Y, _SCALE, _ORIENTATION, _STRENGTH = (
    _tag(number, _FIXED32) for number in range(2, 7)
)
_SCALARS = (_Y, _X, _SCALE, _STRENGTH)


def write_delf(path, features):
    """Writes local features to a `.delf` file.

    Args:
        path: str or `Path`. Parent folders are made.
        features: `LocalFeatures`. The format has no room for `image_size`,
            `fingerprint`, `global_descriptor` and `upright`, nor for the
            dimension of zero descriptors.
    """
    data = encode_delf(features)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def read_delf(path):
    """Reads the local features of a `.delf` file.

    Args:
        path: str or `Path`.

    Returns:
        `LocalFeatures` in the order of the file, of unknown image size and
        fingerprint, taken to be upright.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is truncated or not a `.delf` file.
    """
    try:
        return decode_delf(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"Cannot read {path} as .delf: {error}") from error


def encode_delf(features):
    """Serialises local features as a `DelfFeatures` message.

    The bytes are those of the tensorflow/models writer: every field is
    present, in the order of its number, and the orientation is 0.

    Args:
        features: `LocalFeatures` of N features.

    Returns:
        bytes, empty for zero features.
    """
    values = np.concatenate(
        [
            features.locations,
            features.scales[:, None],
            features.scores[:, None],
            features.descriptors,
        ],
        axis=1,
        dtype="<f4",
    ).view(np.uint8)
    template = _zero_record(features.dimension)
    rows = np.tile(np.frombuffer(template, np.uint8), (len(features), 1))
    column = 0
    _, start, end = next(_fields(template, 0, len(template)))
    for first, last in _float_ranges(template, start, end):
        rows[:, first:last] = values[:, column : column + last - first]
        column += last - first
    return rows.tobytes()


def decode_delf(data):
    """Parses a serialised `DelfFeatures` message.

    Unknown fields are skipped, an absent number is 0, and the orientation is
    dropped: DELF has none.

    Args:
        data: bytes.

    Returns:
        `LocalFeatures` in the order of the message, of unknown image size and
        fingerprint, taken to be upright. Without any feature the descriptors
        are `[0, 0]`.

    Raises:
        ValueError: If the data is truncated or corrupt, or if its descriptors
            differ in length. The message names the offset in bytes. Data cut
            exactly between two records is a valid shorter message.
    """
    floats = _uniform_floats(data)
    if floats is None:
        floats = _parsed_floats(data)
    return LocalFeatures(
        locations=np.array(floats[:, :2], np.float32),
        scales=np.array(floats[:, 2], np.float32),
        scores=np.array(floats[:, 3], np.float32),
        descriptors=np.array(floats[:, 4:], np.float32),
    )


def _uniform_floats(data):
    """Floats `[N, 4 + D]` of equally laid out records, None for other data.

    A row holds y, x, scale, strength and the descriptor.
    """
    field = next(_fields(data, 0, len(data)), None)
    if field is None:
        return None
    tag, start, end = field
    if tag != _FEATURE or len(data) % end:
        return None
    rows = np.frombuffer(data, np.uint8).reshape(-1, end)
    ranges = _float_ranges(data, start, end)
    is_structure = np.ones(end, bool)
    for bounds in filter(None, ranges):
        is_structure[slice(*bounds)] = False
    if (rows[:, is_structure] != rows[0, is_structure]).any():
        return None
    absent = np.zeros((len(rows), 4), np.uint8)
    columns = [
        rows[:, slice(*bounds)] if bounds else absent for bounds in ranges
    ]
    return np.concatenate(columns, axis=1).view("<f4")


def _parsed_floats(data):
    """Floats `[N, 4 + D]` of records of any layout, see `_uniform_floats`."""
    rows = []
    for tag, start, end in _fields(data, 0, len(data)):
        if tag != _FEATURE:
            continue
        ranges = _float_ranges(data, start, end)
        rows.append(
            b"".join(
                data[slice(*bounds)] if bounds else bytes(4)
                for bounds in ranges
            )
        )
        if len(rows[-1]) != len(rows[0]):
            raise ValueError(
                f"Every descriptor must have the {len(rows[0]) // 4 - 4} "
                "values of the first. Received: "
                f"{len(rows[-1]) // 4 - 4} values in the record at byte {start}"
            )
    if not rows:
        return np.zeros((0, 4), np.float32)
    return np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), -1)


def _float_ranges(data, start, end):
    """Byte ranges of the floats of the `DelfFeature` in `data[start:end]`.

    Returns:
        List of (first, last + 1): y, x, scale and strength, None where
        absent, then the pieces of the descriptor, one if it is packed.
    """
    scalars = dict.fromkeys(_SCALARS)
    descriptor = []
    for tag, first, last in _fields(data, start, end):
        if tag in scalars:
            scalars[tag] = first, last
        elif tag == _DESCRIPTOR:
            descriptor += _descriptor_ranges(data, first, last)
    return [*scalars.values(), *descriptor]


def _descriptor_ranges(data, start, end):
    """Byte ranges of the values of the `DatumProto` in `data[start:end]`."""
    ranges = []
    for datum_tag, list_start, list_end in _fields(data, start, end):
        if datum_tag != _FLOAT_LIST:
            continue
        for tag, first, last in _fields(data, list_start, list_end):
            if tag not in (_PACKED, _UNPACKED):
                continue
            if (last - first) % 4:
                raise ValueError(
                    f"The descriptor at byte {first} must consist of floats "
                    f"of 4 bytes. Received: {last - first} bytes"
                )
            ranges.append((first, last))
    return ranges


def _fields(data, start, end):
    """Yields (tag, first, last + 1) of each field of `data[start:end]`."""
    position = start
    while position < end:
        tag_position = position
        tag, position = _read_varint(data, position, end)
        number, wire_type = divmod(tag, 8)
        if number == 0:
            raise ValueError(
                f"The field at byte {tag_position} must have a number of at "
                f"least 1. Received: tag={tag}"
            )
        if wire_type == _VARINT:
            _, stop = _read_varint(data, position, end)
        elif wire_type == _LENGTH:
            size, position = _read_varint(data, position, end)
            stop = position + size
        elif wire_type in _FIXED_SIZES:
            stop = position + _FIXED_SIZES[wire_type]
        else:
            raise ValueError(
                f"The field at byte {tag_position} must be of protobuf wire "
                f"type 0, 1, 2 or 5. Received: wire_type={wire_type}"
            )
        if stop > end:
            raise ValueError(
                f"The field at byte {tag_position} must have "
                f"{stop - position} bytes. Received: {end - position} bytes "
                "until the end of its message"
            )
        yield tag, position, stop
        position = stop


def _read_varint(data, position, end):
    """Returns the integer at `position`, and the position after it."""
    value = 0
    # Seven bits a byte, lowest first, at most 64 bits in all.
    for index in range(position, min(position + 10, end)):
        value |= (data[index] & 0x7F) << 7 * (index - position)
        if data[index] < 0x80:
            return value, index + 1
    raise ValueError(
        f"At byte {position} there must be a varint of at most 10 bytes. "
        f"Received: {data[position : min(position + 10, end)]!r} until the "
        "end of its message"
    )


def _zero_record(dimension):
    """Bytes of one `DelfFeature` of `dimension` values, all of them 0."""
    shape = _field(_SHAPE, _field(_PACKED, _varint(dimension)))
    values = _field(_FLOAT_LIST, _field(_PACKED, bytes(4 * dimension)))
    scalars = (_X, _Y, _SCALE, _ORIENTATION, _STRENGTH)
    return _field(
        _FEATURE,
        _field(_DESCRIPTOR, shape + values)
        + b"".join(_varint(tag) + bytes(4) for tag in scalars),
    )


def _field(tag, content):
    return _varint(tag) + _varint(len(content)) + content


def _varint(value):
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)
