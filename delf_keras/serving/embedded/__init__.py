"""The embedded server: TensorFlow Serving's protocols, without docker.

It serves an exported model to laptops and tests by the real gRPC services and
REST paths of TensorFlow Serving, from one Python process. Leave it for
TensorFlow Serving, which reads the same folder, when there is more than one
machine or GPU, more than a few requests at a time, or more than one model.
"""
